//! Requests and memberships that a device signed and that are wrong all the same: one builder, and
//! one table that goes through the three commands that take them.

use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey, EcdsaSignature, Hash};
use hsm2_emulator::cvc::{self, CertificateFields, Parameters, Role, SignedBody, tag};
use hsm2_emulator::identity::{ISSUER_NAME, ROOT_NAME};
use hsm2_emulator::tlv::{Reader as Tlv, Writer};

use crate::keys::{Bench, crypto_command, ec_template, extended};
use crate::public_key_authentication::select_key;
use crate::support::{bytes, lc_data};

const CURVE: Curve = Curve::BrainpoolP256r1;
/// Name of the device that vouches for all of these requests.
const DEVICE: &[u8] = b"ZZBADREQ100000";

type Elements = Vec<(u16, Vec<u8>)>;

fn device_key() -> EcPrivateKey {
    EcPrivateKey::from_bytes(CURVE, &[0x21; 32]).unwrap()
}

/// The key that the requests are for: a custodian's, a group signer's, an exchange key.
fn subject() -> EcPrivateKey {
    EcPrivateKey::from_bytes(CURVE, &[0x22; 32]).unwrap()
}

fn plain_signature(key: &EcPrivateKey, message: &[u8]) -> Vec<u8> {
    let mut rng = CardRng::from_seed([3; 32]);
    let hash = Hash::Sha256.digest(message);
    key.sign_prehash(&hash, &mut rng).unwrap().to_plain()
}

fn encoded(elements: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let elements = elements.iter();
    elements
        .fold(Writer::new(), |out, (tag, value)| out.element(*tag, value))
        .into_vec()
}

/// Content of 7F49 of the subject, as elements.
fn public_key() -> Elements {
    let domain = CURVE.parameters();
    vec![
        (0x06, cvc::OID_ECDSA_SHA256.to_vec()),
        (0x81, domain.p.to_vec()),
        (0x82, domain.a.to_vec()),
        (0x83, domain.b.to_vec()),
        (0x84, domain.g.to_vec()),
        (0x85, domain.n.to_vec()),
        (0x86, subject().public_point()),
        (0x87, vec![1]),
    ]
}

/// A body that each of the three commands takes.
fn body() -> Elements {
    let uid = &subject().public_point()[1..];
    let extension = Writer::new()
        .nested(0x73, |extension| {
            extension
                .element(0x06, &bytes("2B0601040181C31F030202"))
                .element(0x80, uid)
        })
        .into_vec();
    vec![
        (tag::PROFILE, vec![0]),
        (tag::AUTHORITY, b"UTCA00001".to_vec()),
        (tag::PUBLIC_KEY, encoded(&public_key())),
        (tag::HOLDER, b"ZZCUSTOD100001".to_vec()),
        (tag::EXTENSIONS, extension),
    ]
}

/// The elements of a request: body and the signature of its own key.
fn request(body: &[(u16, Vec<u8>)]) -> Elements {
    let body = encoded(body);
    let whole = encoded(&[(tag::BODY, body.clone())]);
    let signature = plain_signature(&subject(), &whole);
    vec![(tag::BODY, body), (tag::SIGNATURE, signature)]
}

/// The elements of an authenticated request: request, name and signature of the device.
fn authenticated(request: &[(u16, Vec<u8>)]) -> Elements {
    let mut elements = vec![
        (tag::CERTIFICATE, encoded(request)),
        (tag::AUTHORITY, DEVICE.to_vec()),
    ];
    let signature = plain_signature(&device_key(), &encoded(&elements));
    elements.push((tag::SIGNATURE, signature));
    elements
}

fn good() -> Elements {
    authenticated(&request(&body()))
}

/// Ways to spoil a list of elements that all have to be there, once and in this order; `optional` may
/// be missing.
fn disordered(name: &str, good: &Elements, optional: &[u16]) -> Vec<(String, Elements)> {
    let mut rows = Vec::new();
    for at in 0..good.len() {
        let tag = good[at].0;
        let mut doubled = good.clone();
        doubled.insert(at, good[at].clone());
        rows.push((format!("{name}: {tag:04X} twice"), doubled));
        if at > 0 {
            let mut swapped = good.clone();
            swapped.swap(at - 1, at);
            rows.push((format!("{name}: {tag:04X} too early"), swapped));
        }
        if !optional.contains(&tag) {
            let mut missing = good.clone();
            missing.remove(at);
            rows.push((format!("{name}: no {tag:04X}"), missing));
        }
    }
    let mut unknown = good.clone();
    unknown.push((0x80, vec![]));
    rows.push((format!("{name}: an unknown element"), unknown));
    rows
}

/// A list of elements with another value for one of them.
fn with(elements: &Elements, tag: u16, value: &[u8]) -> Elements {
    let mut elements = elements.clone();
    let place = elements.iter_mut().find(|(known, _)| *known == tag);
    place.unwrap().1 = value.to_vec();
    elements
}

/// A point of order 2 on a curve with the same prime and the same a: y is 0, and b what makes it so.
pub(crate) fn small_order(curve: Curve, x: u8) -> Vec<u8> {
    let mut point = vec![0; curve.point_len()];
    point[0] = 4;
    point[curve.field_len()] = x;
    point
}

/// Points that no command takes, with the reason.
pub(crate) fn bad_points(curve: Curve) -> Vec<(&'static str, Vec<u8>)> {
    let good = curve.parameters().g.to_vec();
    let mut off = good.clone();
    *off.last_mut().unwrap() ^= 1;
    let compressed = [&[2], &good[1..=curve.field_len()]].concat();
    let beyond = [
        &[4][..],
        curve.parameters().p,
        &good[1 + curve.field_len()..],
    ]
    .concat();
    vec![
        ("infinity", vec![0]),
        ("infinity at full width", vec![0; curve.point_len()]),
        ("04 and zeros", small_order(curve, 0)),
        ("order 2 on another curve", small_order(curve, 1)),
        ("off the curve", off),
        ("x = p", beyond),
        ("compressed", compressed),
        ("a byte short", good[..good.len() - 1].to_vec()),
        ("a byte long", [&good[..], &[0]].concat()),
    ]
}

/// 7F49 that is no key the card has parameters for.
fn bad_keys() -> Vec<(String, Elements)> {
    let good = public_key();
    let other = Curve::Secp256r1.parameters();
    let mut rows = disordered("key", &good, &[0x87]);
    for (tag, foreign) in [
        (0x81, other.p),
        (0x82, other.a),
        (0x83, other.b),
        (0x84, other.g),
        (0x85, other.n),
        (0x86, other.g),
    ] {
        let name = format!("key: {tag:02X} of another curve");
        rows.push((name, with(&good, tag, foreign)));
        let mut flipped = good
            .iter()
            .find(|(known, _)| *known == tag)
            .unwrap()
            .1
            .clone();
        *flipped.last_mut().unwrap() ^= 1;
        rows.push((
            format!("key: a bit of {tag:02X}"),
            with(&good, tag, &flipped),
        ));
    }
    for cofactor in [&[][..], &[0], &[2], &[0, 1]] {
        let name = format!("key: cofactor {cofactor:?}");
        rows.push((name, with(&good, 0x87, cofactor)));
    }
    for (name, point) in bad_points(CURVE) {
        rows.push((format!("key: {name}"), with(&good, 0x86, &point)));
    }
    let point = (0x86, subject().public_point());
    let oid = (0x06, cvc::OID_ECDSA_SHA256.to_vec());
    rows.push((
        "key: no parameters".into(),
        vec![oid.clone(), point.clone()],
    ));
    let stray = vec![oid, point, (0x87, vec![1])];
    rows.push(("key: a cofactor alone".into(), stray));
    let rsa = vec![
        (0x06, cvc::OID_RSA_SHA256.to_vec()),
        (0x81, vec![0xC1; 128]),
        (0x82, vec![1, 0, 1]),
    ];
    rows.push(("key: RSA".into(), rsa));
    rows.push(("key: unknown algorithm".into(), with(&good, 0x06, &[0x2A])));
    rows
}

/// Signatures of the right length, or not, that no key made.
fn bad_signatures(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (r, s) = good.split_at(32);
    let order = CURVE.parameters().n;
    let plain = EcdsaSignature {
        r: r.to_vec(),
        s: s.to_vec(),
    };
    vec![
        ("r = 0", [&[0; 32], s].concat()),
        ("s = 0", [r, &[0; 32]].concat()),
        ("r = n", [order, s].concat()),
        ("s = n", [r, order].concat()),
        ("s and r", [s, r].concat()),
        ("none", vec![]),
        ("63 bytes", good[..63].to_vec()),
        ("65 bytes", [good, &[0]].concat()),
        ("DER", plain.to_der()),
    ]
}

/// All wrong requests with the word that each of the three commands answers.
fn table() -> Vec<(String, Elements, u16)> {
    let (good_body, good_request, good) = (body(), request(&body()), good());
    let mut malformed: Vec<(String, Elements)> = Vec::new();
    let mut bodies = disordered("body", &good_body, &[tag::AUTHORITY, tag::EXTENSIONS]);
    for value in [&[][..], &[1], &[0, 0], &[0; 200]] {
        let name = format!("profile of {} bytes", value.len());
        bodies.push((name, with(&good_body, tag::PROFILE, value)));
    }
    for length in [0, 21, 200] {
        for (name, tag) in [("holder", tag::HOLDER), ("authority", tag::AUTHORITY)] {
            let long = with(&good_body, tag, &vec![b'A'; length]);
            bodies.push((format!("{name} of {length} bytes"), long));
        }
    }
    for (name, key) in bad_keys() {
        bodies.push((name, with(&good_body, tag::PUBLIC_KEY, &encoded(&key))));
    }
    for (name, body) in bodies {
        malformed.push((name, authenticated(&request(&body))));
    }
    for (name, request) in disordered("request", &good_request, &[]) {
        malformed.push((name, authenticated(&request)));
    }
    malformed.extend(disordered("whole", &good, &[]));
    for length in [0, 21, 200] {
        let long = with(&good, tag::AUTHORITY, &vec![b'A'; length]);
        malformed.push((format!("device of {length} bytes"), long));
    }
    let mut rows: Vec<_> = malformed
        .into_iter()
        .map(|(name, elements)| (name, elements, 0x6A80))
        .collect();
    for (name, signature) in bad_signatures(&good_request[1].1) {
        let request = with(&good_request, tag::SIGNATURE, &signature);
        rows.push((
            format!("inner signature: {name}"),
            authenticated(&request),
            0x6985,
        ));
    }
    for (name, signature) in bad_signatures(&good[2].1) {
        let whole = with(&good, tag::SIGNATURE, &signature);
        rows.push((format!("outer signature: {name}"), whole, 0x6985));
    }
    rows
}

/// Lets a card verify the chain of the device that vouches, and selects its key.
fn trust(card: &mut Bench) {
    let own = card.read(0x2F02);
    let mut own = Tlv::new(&own);
    own.expect(0x7F21).unwrap();
    let issuer = own.expect(0x7F21).unwrap().value;
    // The key of the virtual issuer: everybody has it.
    let sentence = b"virtual HSM2 device issuer, a key that everybody has";
    let issuer_key = EcPrivateKey::from_bytes(CURVE, &Hash::Sha256.digest(sentence)).unwrap();
    let fields = CertificateFields {
        authority: ISSUER_NAME,
        holder: DEVICE,
        role: Role::Device,
        effective: [2, 4, 0, 1, 0, 1],
        expiration: [4, 9, 1, 2, 3, 1],
        extensions: None,
    };
    let mut rng = CardRng::from_seed([4; 32]);
    let inherited = Parameters::Inherited;
    let device = cvc::issue(&fields, &device_key(), inherited, &issuer_key, &mut rng).unwrap();
    let device = Tlv::new(&device).expect(0x7F21).unwrap().value.to_vec();
    card.ok(&select_key("B6", ROOT_NAME));
    card.ok(&format!("00 2A 00 BE {}", lc_data(issuer)));
    card.ok(&select_key("B6", ISSUER_NAME));
    card.ok(&format!("00 2A 00 BE {}", lc_data(&device)));
    card.ok(&select_key("B6", DEVICE));
}

/// A card that can register custodians, join a domain and derive, and trusts the device.
fn bench() -> Bench {
    let mut card = Bench::new(1, "93 02 03 01 97 01 03");
    trust(&mut card);
    card
}

/// The group signer's word that the card is a member.
fn member_signature(card: &mut Bench) -> Vec<u8> {
    let own = card.read(0x2F02);
    let own = Tlv::new(&own).expect(0x7F21).unwrap().value.to_vec();
    let key = SignedBody::parse(&own).unwrap().ec_public_key(Some(CURVE));
    plain_signature(&subject(), &[&[0x54], key.unwrap().x()].concat())
}

fn register(request: &[u8]) -> String {
    format!("80 54 00 00 {} 0000", extended(request))
}

fn join(slot: u8, request: &[u8], member: &[(u16, Vec<u8>)]) -> String {
    let data = [request, &encoded(member)].concat();
    format!("80 52 02 {slot:02X} {} 0000", extended(&data))
}

fn derive(request: &[u8]) -> String {
    format!("80 62 01 84 {} 0000", extended(request))
}

#[test]
fn what_is_wrong_with_a_request_is_wrong_for_every_command() {
    let mut card = bench();
    let member = vec![(0x54, member_signature(&mut card))];
    let good = encoded(&good());
    // A domain and a key to derive with.
    card.ok(&join(0, &good, &member));
    card.generate(1, &ec_template(CURVE, "91 01 84 92 01 00"));
    let table = table();
    assert!(table.len() > 90, "{}", table.len());
    for (name, elements, word) in &table {
        let request = encoded(elements);
        let commands = [
            ("register", register(&request)),
            ("join", join(1, &request, &member)),
            ("derive", derive(&request)),
        ];
        for (purpose, command) in &commands {
            card.refuses(&[(&format!("{purpose}, {name}"), command, *word)]);
        }
    }
    assert_eq!(card.ok("80 54 00 00 04"), [3, 3, 1, 0]);
    card.ok(&derive(&good));
    assert_eq!(card.ok(&register(&good)), [3, 2, 1, 0]);
}

#[test]
fn what_names_no_authority_or_domain_is_a_request_all_the_same() {
    let mut card = bench();
    let member = vec![(0x54, member_signature(&mut card))];
    let mut bare = body();
    bare.retain(|(tag, _)| ![tag::AUTHORITY, tag::EXTENSIONS].contains(tag));
    let bare = encoded(&authenticated(&request(&bare)));
    card.ok(&join(0, &bare, &member));
    card.generate(1, &ec_template(CURVE, "91 01 84 92 01 00"));
    card.refuses(&[("no domain in a request", &derive(&bare), 0x6A80)]);
    for (name, extension, word) in [
        (
            "another extension",
            "73 0F 06 0B 2B0601040181C31F030203 80 00",
            0x6A80,
        ),
        ("no identifier", "73 00", 0x6A80),
        (
            "another domain",
            "73 0F 06 0B 2B0601040181C31F030202 80 00",
            0x6A88,
        ),
    ] {
        let other = with(&body(), tag::EXTENSIONS, &bytes(extension));
        let other = encoded(&authenticated(&request(&other)));
        card.refuses(&[(name, &derive(&other), word)]);
    }
    assert_eq!(card.domain(0)[2..10], [0; 8], "no KEK came of it");
    assert_eq!(card.ok(&register(&bare)), [3, 2, 1, 0]);
}

#[test]
fn the_member_is_named_once_by_a_signature_of_the_group() {
    let mut card = bench();
    let signature = member_signature(&mut card);
    let good = encoded(&good());
    for (name, wrong) in bad_signatures(&signature) {
        let command = join(0, &good, &[(0x54, wrong)]);
        card.refuses(&[(name, &command, 0x6985)]);
    }
    let one = (0x54, signature);
    let rows = [
        ("no member", vec![]),
        ("two members", vec![one.clone(), one.clone()]),
        ("an unknown element", vec![one.clone(), (0x55, vec![])]),
        ("the member first", vec![(0x55, vec![]), one.clone()]),
    ];
    for (name, member) in &rows {
        card.refuses(&[(name, &join(0, &good, member), 0x6A80)]);
    }
    card.ok(&join(0, &good, &[one]));
}

#[test]
fn agreement_takes_no_point_of_small_order() {
    let mut card = bench();
    for (key, curve) in (1..).zip(Curve::ALL) {
        card.generate_ec(key, curve, "");
        for (name, point) in bad_points(curve) {
            let command = crypto_command(0x62, key, 0x80, &point);
            card.refuses(&[(&format!("{curve}, {name}"), &command, 0x6A80)]);
        }
    }
}

#[test]
fn chip_authentication_takes_no_point_of_small_order() {
    let mut card = bench();
    for (name, point) in bad_points(CURVE) {
        card.ok(crate::channel::SET_PROTOCOL);
        let command = crate::channel::general_authenticate(&point);
        card.refuses(&[(name, &command, 0x6A80)]);
    }
}
