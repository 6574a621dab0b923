//! XKEK domains: two cards agree on a KEK that nobody outside knows, and a third stays outside.

use hsm2_emulator::crypto::{Curve, EcPrivateKey, EcdsaSignature, Hash};
use hsm2_emulator::cvc::{
    self, CertificateFields, EcPublicKey, Parameters, RequestFields, RequestKey, Role, SignedBody,
};
use hsm2_emulator::identity::{ISSUER_NAME, ROOT_NAME};
use hsm2_emulator::tlv::{Reader as Tlv, Writer};

use crate::keys::{
    Bench, crypto_command, ec_public_key, ec_template, extended, generate_command, request_content,
    rsa_template, unwrap_command,
};
use crate::support::lc_data;

pub(crate) const CURVE: Curve = Curve::BrainpoolP256r1;
/// The key of the group signer, on card A.
pub(crate) const SIGNER: u8 = 0x10;
/// The exchange key of each member.
pub(crate) const EXCHANGE: u8 = 0x01;

/// One certificate of a card's own chain.
pub(crate) struct Certificate {
    content: Vec<u8>,
    holder: Vec<u8>,
}

/// Device certificate and issuer certificate, as EF 2F02 has them.
pub(crate) fn chain(card: &mut Bench) -> [Certificate; 2] {
    let file = card.read(0x2F02);
    let mut reader = Tlv::new(&file);
    [(); 2].map(|()| {
        let content = reader.expect(0x7F21).unwrap().value;
        let holder = SignedBody::parse(content).unwrap().holder.to_vec();
        let content = content.to_vec();
        Certificate { content, holder }
    })
}

/// The card's device key, from its certificate.
fn device_key(card: &mut Bench) -> EcPublicKey {
    let [device, _] = chain(card);
    let body = SignedBody::parse(&device.content).unwrap();
    body.ec_public_key(Some(CURVE)).unwrap()
}

fn select_command(name: &[u8]) -> String {
    let object = Writer::new().element(0x83, name).into_vec();
    format!("00 22 81 B6 {}", lc_data(&object))
}

fn verify_command(certificate: &[u8]) -> String {
    format!("00 2A 00 BE {}", lc_data(certificate))
}

/// Lets the card verify another's chain, and selects that device's key.
#[track_caller]
pub(crate) fn trust(card: &mut Bench, peer: &mut Bench) {
    let chain = chain(peer);
    trust_chain(card, &chain);
}

/// As [`trust`], by the other's certificates.
#[track_caller]
pub(crate) fn trust_chain(card: &mut Bench, [device, issuer]: &[Certificate; 2]) {
    if card.send(&select_command(&device.holder)).status == 0x9000 {
        return;
    }
    card.ok(&select_command(ROOT_NAME));
    card.ok(&verify_command(&issuer.content));
    card.ok(&select_command(&issuer.holder));
    card.ok(&verify_command(&device.content));
    card.ok(&select_command(&device.holder));
}

/// The signer's request, as commands take it, and its signature of `member`.
pub(crate) fn membership(signer: &mut Bench, member: &mut Bench) -> Vec<u8> {
    let request = signer.read(0xCE00 | u16::from(SIGNER));
    let signed = [&[0x54], device_key(member).x()].concat();
    let der = signer.sign(SIGNER, 0x73, &signed);
    let signature = EcdsaSignature::from_der(CURVE, &der).unwrap().to_plain();
    Writer::new()
        .raw(request_content(&request))
        .element(0x54, &signature)
        .into_vec()
}

pub(crate) fn join_command(slot: u8, membership: &[u8]) -> String {
    format!("80 52 02 {slot:02X} {} 00 00", extended(membership))
}

pub(crate) fn derive_command(key: u8, request: &[u8]) -> String {
    format!(
        "80 62 {key:02X} 84 {} 00 00",
        extended(request_content(request))
    )
}

/// A card that trusts A and has joined A's group in slot 0, with an exchange key.
fn member(number: u8, a: &mut Bench) -> (Bench, Vec<u8>) {
    let mut card = Bench::new(number, "97 01 03");
    trust(&mut card, a);
    let membership = membership(a, &mut card);
    card.ok(&join_command(0, &membership));
    let request = exchange_key(&mut card);
    (card, request)
}

fn exchange_key(card: &mut Bench) -> Vec<u8> {
    card.generate(EXCHANGE, &ec_template(CURVE, "91 01 84 92 01 00"))
}

/// Card A with the group signer, a member of its own group, and its exchange key's request.
fn founder() -> (Bench, Vec<u8>) {
    let mut a = Bench::new(1, "97 01 03");
    a.generate_ec(SIGNER, CURVE, "91 01 73");
    let own = membership(&mut a, &mut Bench::new(1, "97 01 03"));
    let mut twin = Bench::new(1, "97 01 03");
    trust(&mut a, &mut twin);
    a.ok(&join_command(0, &own));
    let request = exchange_key(&mut a);
    (a, request)
}

/// A card that has joined a group in slot 0, and has no key.
pub(crate) fn joined(objects: &str) -> Bench {
    let (mut a, _) = founder();
    let mut card = Bench::new(2, objects);
    trust(&mut card, &mut a);
    let membership = membership(&mut a, &mut card);
    card.ok(&join_command(0, &membership));
    card
}

/// As [`joined`], with a KEK from an exchange whose key is gone.
pub(crate) fn exchanged(objects: &str) -> Bench {
    let (mut a, request) = founder();
    let mut card = joined(objects);
    trust(&mut card, &mut a);
    exchange_key(&mut card);
    card.ok(&derive_command(EXCHANGE, &request));
    card.delete_key(EXCHANGE);
    card
}

/// What a byte of a request or membership belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A tag, a length, or a value that must be this one: 6A80 when it is another.
    Form,
    /// The name of the device that attests the key: 6A88.
    Attester,
    /// What a signature covers, or is: 6985.
    Signed,
}

/// The parts of a request, and of the group's signature behind it, byte by byte.
fn parts(content: &[u8]) -> Vec<Part> {
    let mut parts = vec![Part::Form; content.len()];
    let mut mark = |element: &[u8], part| {
        let start = element.as_ptr() as usize - content.as_ptr() as usize;
        parts[start..start + element.len()].fill(part);
    };
    let mut outer = Tlv::new(content);
    let mut request = Tlv::new(outer.expect(0x7F21).unwrap().value);
    let mut body = Tlv::new(request.expect(0x7F4E).unwrap().value);
    while !body.is_empty() {
        let field = body.next_element().unwrap();
        match field.tag {
            // Authority, holder and extensions.
            0x42 | 0x5F20 | 0x65 => mark(field.value, Part::Signed),
            0x7F49 => {
                // The last number of the identifier is the hash; others of it are known.
                let oid = Tlv::new(field.value).expect(0x06).unwrap().value;
                mark(&oid[oid.len() - 1..], Part::Signed);
            }
            _ => {}
        }
    }
    mark(request.expect(0x5F37).unwrap().value, Part::Signed);
    mark(outer.expect(0x42).unwrap().value, Part::Attester);
    mark(outer.expect(0x5F37).unwrap().value, Part::Signed);
    if let Some(signature) = outer.optional(0x54).unwrap() {
        mark(signature.value, Part::Signed);
    }
    outer.finish().unwrap();
    parts
}

/// Flips one bit of a byte, for each byte another one.
fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1 << (at % 8);
    bytes
}

#[track_caller]
fn assert_word(status: u16, part: Part, at: usize) {
    let expected = match part {
        Part::Form => 0x6A80,
        Part::Attester => 0x6A88,
        Part::Signed => 0x6985,
    };
    assert_eq!(format!("{status:04X}"), format!("{expected:04X}"), "{at}");
}

#[test]
fn a_key_goes_from_one_member_to_the_other() {
    let (mut a, request_a) = founder();
    let (mut b, request_b) = member(2, &mut a);
    let signer = ec_public_key(&a.read(0xCE00 | u16::from(SIGNER)));
    let empty = [&[0; 10], &signer.point[1..]].concat();
    assert_eq!((a.domain(0), b.domain(0)), (empty.clone(), empty));

    // Only exchange keys name the domain; the form is that of the vectors.
    let extension = cvc::AuthenticatedRequest::parse(request_content(&request_b));
    let extension = extension.unwrap().request.extensions.unwrap().to_vec();
    let uid = hex::encode(&signer.point[1..]);
    let named = format!("734f060b2b0601040181c31f0302028040{uid}");
    assert_eq!(hex::encode(extension), named);

    trust(&mut a, &mut b);
    assert!(a.ok(&derive_command(EXCHANGE, &request_b)).is_empty());
    trust(&mut b, &mut a);
    b.write_scratch(request_content(&request_a));
    assert!(b.ok("80 62 01 84 00").is_empty());
    b.refused("80 62 01 84 00", 0x6A88);
    assert_ne!(a.kcv(0), [0; 8]);
    assert_eq!(a.domain(0), b.domain(0));

    let public = a.generate_ec(2, Curve::Secp384r1, "92 01 00");
    let rsa = a.generate_rsa(3, 1024, "92 01 00");
    let blob = a.wrap(2);
    assert_eq!(blob[..8], a.kcv(0));
    let rsa_blob = a.wrap(3);
    let mut b = b.reopened();
    assert_eq!(b.unwrap_key(2, &blob), 0x9000);
    assert_eq!(b.unwrap_key(3, &rsa_blob), 0x9000);
    let der = b.sign(2, 0x73, b"message");
    let signature = EcdsaSignature::from_der(public.curve, &der).unwrap();
    public.verify(b"message", &signature.to_plain()).unwrap();
    let block = b.sign(3, 0x20, &[0x42; 128]);
    let opened =
        rsa::hazmat::rsa_encrypt(&rsa, &rsa::BoxedUint::from_be_slice(&block, 1024).unwrap());
    assert_eq!(*opened.unwrap().to_be_bytes(), [0x42; 128]);

    // A new exchange replaces the KEK: the old blob is void, the resident key leaves under the new.
    let old = b.kcv(0);
    trust(&mut b, &mut a);
    a.delete_key(EXCHANGE);
    let request_a = exchange_key(&mut a);
    b.ok(&derive_command(EXCHANGE, &request_a));
    assert_ne!(b.kcv(0), old);
    b.refuses(&[("old blob", &unwrap_command(4, &blob), 0x6A80)]);
    a.ok(&derive_command(EXCHANGE, &request_b));
    assert_eq!(a.unwrap_key(4, &b.wrap(2)), 0x9000);

    // Cleared, the domain waits for the next exchange and takes no share.
    let share = format!("80 52 00 00 20 {} 00", "00".repeat(32));
    b.refuses(&[("share", &share, 0x6985)]);
    let cleared = b.ok("80 52 04 00 00");
    assert_eq!(cleared, [&[0; 10], &signer.point[1..]].concat());
    b.refuses(&[
        ("wrap", "80 72 02 92 00 00 00", 0x6A88),
        ("unwrap", &unwrap_command(5, &blob), 0x6A88),
        ("share", &share, 0x6985),
        ("delete", "80 52 03 00 00", 0x6A89),
    ]);
}

#[test]
fn who_is_no_member_gets_nothing() {
    let (mut a, request_a) = founder();
    let (mut b, request_b) = member(2, &mut a);
    trust(&mut a, &mut b);
    a.ok(&derive_command(EXCHANGE, &request_b));
    a.generate_ec(2, CURVE, "92 01 00");
    let blob = a.wrap(2);

    let mut c = Bench::new(3, "97 01 03");
    let of_b = membership(&mut a, &mut b);
    trust(&mut c, &mut a);
    c.refuses(&[("membership of B", &join_command(0, &of_b), 0x6985)]);

    // C founds a group of its own and even knows A.
    c.generate_ec(SIGNER, CURVE, "91 01 73");
    let mut twin = Bench::new(3, "97 01 03");
    let own = membership(&mut c, &mut twin);
    trust(&mut c, &mut twin);
    c.ok(&join_command(0, &own));
    let request_c = exchange_key(&mut c);
    trust(&mut a, &mut c);
    a.refuses(&[(
        "a peer of another group",
        &derive_command(EXCHANGE, &request_c),
        0x6A88,
    )]);
    trust(&mut c, &mut a);
    c.refuses(&[
        (
            "a peer of another group",
            &derive_command(EXCHANGE, &request_a),
            0x6A88,
        ),
        (
            "its blob without any KEK",
            &unwrap_command(2, &blob),
            0x6A88,
        ),
    ]);
    c.ok("80 52 01 01 01 00 00");
    c.refuses(&[(
        "its blob under another KEK",
        &unwrap_command(2, &blob),
        0x6A80,
    )]);
}

#[test]
fn a_membership_with_any_byte_changed_is_refused() {
    let (mut a, _) = founder();
    let mut b = Bench::new(2, "97 01 03");
    let membership = membership(&mut a, &mut b);
    trust(&mut b, &mut a);
    let before = b.state();
    let parts = parts(&membership);
    for (at, part) in parts.iter().enumerate() {
        let status = b.send(&join_command(0, &flipped(&membership, at))).status;
        assert_word(status, *part, at);
    }
    for length in 1..membership.len() {
        let status = b.send(&join_command(0, &membership[..length])).status;
        assert_eq!(status, 0x6A80, "cut to {length}");
    }
    assert!(b.state() == before);
    b.ok(&join_command(0, &membership));
}

#[test]
fn joining_is_refused_for_each_reason_with_its_word() {
    let (mut a, _) = founder();
    let mut b = Bench::new(2, "97 01 03");
    let good = membership(&mut a, &mut b);
    let join = join_command(0, &good);
    let [_, issuer] = chain(&mut a);
    b.refuses(&[
        ("nothing selected", &join, 0x6A88),
        ("unknown name", &select_command(b"ZZNOBODY00001"), 0x6A88),
    ]);
    b.ok(&select_command(ROOT_NAME));
    b.refuses(&[("the root selected", &join, 0x6A88)]);
    b.ok(&verify_command(&issuer.content));
    b.ok(&select_command(ISSUER_NAME));
    b.refuses(&[("the issuer selected", &join, 0x6A88)]);
    trust(&mut b, &mut a);
    let signature = good.len() - 64;
    let no_signature = join_command(0, &good[..signature - 2]);
    let more = join_command(0, &[&good[..], &[0x55, 0x00]].concat());
    b.refuses(&[
        ("tag 54 absent", &no_signature, 0x6A80),
        ("something behind 54", &more, 0x6A80),
        (
            "signature of the group",
            &join_command(0, &flipped(&good, signature)),
            0x6985,
        ),
        (
            "signature of the device",
            &join_command(0, &flipped(&good, signature - 3)),
            0x6985,
        ),
        ("slot out of range", &join_command(3, &good), 0x6A86),
    ]);

    // The virtual issuer's key is public: it vouches for devices, not for keys on them.
    let sentence = b"virtual HSM2 device issuer, a key that everybody has";
    let issuer_key = EcPrivateKey::from_bytes(CURVE, &Hash::Sha256.digest(sentence)).unwrap();
    let request = a.read(0xCE00 | u16::from(SIGNER));
    let inner = Tlv::new(request_content(&request))
        .expect(0x7F21)
        .unwrap()
        .raw;
    let mut rng = hsm2_emulator::crypto::CardRng::from_seed([5; 32]);
    let by_issuer = cvc::authenticate(inner, ISSUER_NAME, &issuer_key, &mut rng).unwrap();
    let by_issuer = [request_content(&by_issuer), &good[signature - 2..]].concat();
    b.ok(&select_command(ISSUER_NAME));
    b.refuses(&[(
        "attested by the issuer",
        &join_command(0, &by_issuer),
        0x6985,
    )]);

    trust(&mut b, &mut a);
    b.log_out();
    b.refuses(&[
        ("no PIN", &join, 0x6982),
        (
            "certificates are forgotten",
            &select_command(ISSUER_NAME),
            0x6A88,
        ),
    ]);
    b.log_in();
    b.refuses(&[("nothing selected any more", &join, 0x6A88)]);
    trust(&mut b, &mut a);
    b.write_scratch(&good);
    b.refuses(&[("Le too small: the file is kept", "80 52 02 01 49", 0x6700)]);
    b.ok("80 52 02 01 4A");
    b.refuses(&[
        ("the scratch file is consumed", "80 52 02 00 00", 0x6A88),
        ("the slot exists", &join_command(1, &good), 0x6A86),
    ]);
    assert!(b.ok("80 52 03 01 00").is_empty());
    b.refused("80 52 00 01 00", 0x6A88);
}

#[test]
fn deriving_is_refused_for_each_reason_with_its_word() {
    let (mut a, _) = founder();
    let (mut b, request) = member(2, &mut a);
    let in_slot = |card: &mut Bench, key, curve, attributes: &str| {
        card.generate(key, &ec_template(curve, attributes))
    };
    // The peer's other keys: not for exchange, for more than exchange, on another curve.
    let plain = in_slot(&mut b, 2, CURVE, "92 01 00");
    let also_ecdh = in_slot(&mut b, 3, CURVE, "91 02 8084 92 01 00");
    let other_curve = in_slot(&mut b, 4, Curve::Secp256r1, "91 01 84 92 01 00");
    let long_curve = in_slot(&mut b, 5, Curve::BrainpoolP384r1, "91 01 84 92 01 00");
    let domainless = in_slot(&mut b, 6, CURVE, "91 01 84");
    // This card's.
    in_slot(&mut a, 2, CURVE, "92 01 00");
    in_slot(&mut a, 3, CURVE, "91 02 8084 92 01 00");
    in_slot(&mut a, 4, CURVE, "91 01 84");
    in_slot(&mut a, 5, Curve::BrainpoolP384r1, "91 01 84 92 01 00");
    in_slot(&mut a, 6, CURVE, "91 01 73 92 01 00");
    in_slot(&mut a, 7, CURVE, "90 04 00000001 91 01 84 92 01 00");
    a.ok("80 52 01 01 01 00 00");
    in_slot(&mut a, 8, CURVE, "91 01 84 92 01 01");
    let rsa = rsa_template(1024, "91 01 84 92 01 00");
    a.ok(&generate_command(9, &rsa));

    trust(&mut a, &mut b);
    a.ok(&derive_command(7, &request));
    assert_eq!(a.attributes(7), "900400000000910184920100");

    let content = request_content(&request).to_vec();
    let inline = |content: &[u8]| crypto_command(0x62, EXCHANGE, 0x84, content);
    let outer_signature = inline(&flipped(&content, content.len() - 1));
    let forger = EcPrivateKey::from_bytes(CURVE, &[7; 32]).unwrap();
    let inner = Tlv::new(&content).expect(0x7F21).unwrap().raw;
    let [of_b, _] = chain(&mut b);
    let mut rng = hsm2_emulator::crypto::CardRng::from_seed([5; 32]);
    let forged = cvc::authenticate(inner, &of_b.holder, &forger, &mut rng).unwrap();
    let trailing = inline(&[&content[..], &[0x54, 0x00]].concat());
    a.refuses(&[
        ("no such key", &derive_command(0x20, &request), 0x6A88),
        ("used up", &derive_command(7, &request), 0x6984),
        (
            "own key lists nothing",
            &derive_command(2, &request),
            0x6A81,
        ),
        (
            "own key lists only 73",
            &derive_command(6, &request),
            0x6A81,
        ),
        ("own key is RSA", &derive_command(9, &request), 0x6A81),
        (
            "own key may show the point",
            &derive_command(3, &request),
            0x6985,
        ),
        (
            "own key is in no domain",
            &derive_command(4, &request),
            0x6985,
        ),
        (
            "own key is in a DKEK domain",
            &derive_command(8, &request),
            0x6985,
        ),
        (
            "signed by another device",
            &derive_command(EXCHANGE, &forged),
            0x6985,
        ),
        ("outer signature", &outer_signature, 0x6985),
        ("no request at all", "80 62 01 84 00", 0x6A88),
        ("rubbish", &inline(&[0]), 0x6A80),
        ("something behind the request", &trailing, 0x6A80),
        ("the 67 header", &inline(&request), 0x6A80),
        (
            "peer's key is none for exchange",
            &derive_command(EXCHANGE, &plain),
            0x6A80,
        ),
        (
            "peer's key may show the point",
            &derive_command(EXCHANGE, &also_ecdh),
            0x6A80,
        ),
        (
            "peer's key is in no domain",
            &derive_command(EXCHANGE, &domainless),
            0x6A80,
        ),
        (
            "peer's key is on another curve",
            &derive_command(EXCHANGE, &other_curve),
            0x6A80,
        ),
        (
            "both on a curve of 384 bits",
            &derive_command(5, &long_curve),
            0x6A80,
        ),
    ]);
    a.ok(&select_command(ISSUER_NAME));
    a.refuses(&[(
        "another key selected",
        &derive_command(EXCHANGE, &request),
        0x6A88,
    )]);
    trust(&mut a, &mut b);
    a.ok("80 52 04 00 00");
    a.ok(&derive_command(EXCHANGE, &request));
    a.log_out();
    a.refuses(&[("no PIN", &derive_command(EXCHANGE, &request), 0x6982)]);
}

#[test]
fn a_request_with_any_byte_changed_is_refused() {
    let (mut a, _) = founder();
    let (mut b, request) = member(2, &mut a);
    trust(&mut a, &mut b);
    let content = request_content(&request);
    let before = a.state();
    let parts = parts(content);
    for (at, part) in parts.iter().enumerate() {
        let command = crypto_command(0x62, EXCHANGE, 0x84, &flipped(content, at));
        assert_word(a.send(&command).status, *part, at);
    }
    for length in 1..content.len() {
        let command = crypto_command(0x62, EXCHANGE, 0x84, &content[..length]);
        assert_eq!(a.send(&command).status, 0x6A80, "cut to {length}");
    }
    assert!(a.state() == before);
    a.ok(&derive_command(EXCHANGE, &request));
}

#[test]
fn a_membership_below_an_expired_chain_joins_as_a_card_has_no_clock() {
    let public =
        |sentence: &[u8]| EcPrivateKey::from_bytes(CURVE, &Hash::Sha256.digest(sentence)).unwrap();
    let root = public(b"virtual HSM2 root, a key that everybody has");
    let issuer = public(b"virtual HSM2 device issuer, a key that everybody has");
    let mut rng = hsm2_emulator::crypto::CardRng::from_seed([6; 32]);
    // A year at the beginning of the century, over before any card was made.
    let mut issue = |authority, holder, role, key: &EcPrivateKey, by: &EcPrivateKey| {
        let fields = CertificateFields {
            authority,
            holder,
            role,
            effective: [0, 1, 0, 1, 0, 1],
            expiration: [0, 2, 0, 1, 0, 1],
            extensions: None,
        };
        let certificate = cvc::issue(&fields, key, Parameters::Inherited, by, &mut rng).unwrap();
        let content = Tlv::new(&certificate)
            .expect(0x7F21)
            .unwrap()
            .value
            .to_vec();
        Certificate {
            content,
            holder: holder.to_vec(),
        }
    };
    let device = EcPrivateKey::from_bytes(CURVE, &[0x31; 32]).unwrap();
    let old_issuer = issue(ROOT_NAME, ISSUER_NAME, Role::Issuer, &issuer, &root);
    let old_device = issue(
        ISSUER_NAME,
        b"ZZVT000009900001",
        Role::Device,
        &device,
        &issuer,
    );

    let signer = EcPrivateKey::from_bytes(CURVE, &[0x32; 32]).unwrap();
    let fields = RequestFields {
        authority: None,
        holder: b"ZZGROUP00001",
        oid: &cvc::OID_ECDSA_SHA256,
        extensions: None,
    };
    let mut rng = hsm2_emulator::crypto::CardRng::from_seed([7; 32]);
    let request = cvc::request(&fields, &RequestKey::Ec(&signer), &mut rng).unwrap();
    let request = cvc::authenticate(&request, &old_device.holder, &device, &mut rng).unwrap();
    let mut card = Bench::new(2, "97 01 01");
    let signed = [&[0x54], device_key(&mut card).x()].concat();
    let signature = signer
        .sign_prehash(&Hash::Sha256.digest(&signed), &mut rng)
        .unwrap();
    let membership = Writer::new()
        .raw(request_content(&request))
        .element(0x54, &signature.to_plain())
        .into_vec();
    trust_chain(&mut card, &[old_device, old_issuer]);
    let uid = &signer.public_point()[1..];
    let status = card.ok(&join_command(0, &membership));
    assert_eq!(status, [&[0; 10], uid].concat());
}
