//! PSO VERIFY CERTIFICATE: a card and the chain of another one.

use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey, EcdsaSignature, Hash};
use hsm2_emulator::cvc::{self, CertificateFields, Parameters, Role, SignedBody, tag};
use hsm2_emulator::tlv::{Reader as Tlv, Writer};

use crate::public_key_authentication::select_key;
use crate::state::image;
use crate::support::{Reader, bytes, lc_data};

const ROOT: &[u8] = b"ZZVIRTROOT00001";

/// Contents of the certificates of another card.
struct Chain {
    issuer: Vec<u8>,
    device: Vec<u8>,
}

impl Chain {
    fn new() -> Self {
        let other = Reader::named("VT0000002");
        let chain = other.card.memory().device().unwrap().certificates.clone();
        let mut chain = Tlv::new(&chain);
        let [device, issuer] = [(); 2].map(|()| chain.expect(0x7F21).unwrap().value.to_vec());
        Self { issuer, device }
    }
}

fn holder(content: &[u8]) -> &[u8] {
    SignedBody::parse(content).unwrap().holder
}

fn verify(content: &[u8]) -> String {
    format!("00 2A 00 BE {}", lc_data(content))
}

/// The certificate with other elements in its body; the signature stays, so that it is wrong.
fn altered(content: &[u8], alter: impl Fn(u16, &[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut whole = Tlv::new(content);
    let mut fields = Tlv::new(whole.expect(tag::BODY).unwrap().value);
    let mut body = Writer::new();
    while !fields.is_empty() {
        let field = fields.next_element().unwrap();
        if let Some(value) = alter(field.tag, field.value) {
            body = body.element(field.tag, &value);
        }
    }
    Writer::new()
        .element(tag::BODY, &body.into_vec())
        .raw(whole.remaining())
        .into_vec()
}

/// A certificate that the device of the chain issued: its signature is right.
fn signed_by_a_device() -> Vec<u8> {
    let other = Reader::named("VT0000002");
    let device = other.card.memory().device().unwrap();
    let key = device.key().unwrap();
    let fields = CertificateFields {
        authority: &device.holder,
        holder: b"ZZVT000009900001",
        role: Role::Device,
        effective: [2, 6, 0, 1, 0, 1],
        expiration: [3, 6, 0, 1, 0, 1],
        extensions: None,
    };
    let mut rng = CardRng::from_seed([9; 32]);
    let certificate = cvc::issue(&fields, key, Parameters::Inherited, key, &mut rng).unwrap();
    Tlv::new(&certificate)
        .expect(0x7F21)
        .unwrap()
        .value
        .to_vec()
}

#[test]
fn a_chain_is_followed_down_from_the_root_whoever_asks() {
    let chain = Chain::new();
    let mut reader = Reader::virgin();
    reader.ok(&select_key("B6", ROOT));
    reader.ok(&verify(&chain.issuer));
    reader.refused(&select_key("B6", holder(&chain.device)), 0x6A88);
    reader.ok(&select_key("B6", holder(&chain.issuer)));
    let framed = Writer::new().element(0x7F21, &chain.device).into_vec();
    reader.ok(&verify(&framed));
    reader.ok(&select_key("B6", holder(&chain.device)));
    // Nobody remembers it in the next session.
    reader.log_out();
    reader.refused(&select_key("B6", holder(&chain.issuer)), 0x6A88);
}

#[test]
fn every_refusal_has_its_word() {
    let chain = Chain::new();
    let Chain { issuer, device } = &chain;
    let without = |gone: &'static [u16]| {
        altered(issuer, |tag, value| {
            (!gone.contains(&tag)).then(|| value.to_vec())
        })
    };
    // A request has neither role nor dates.
    let request = without(&[tag::ROLE_TEMPLATE, tag::EFFECTIVE, tag::EXPIRATION]);
    let rsa = altered(issuer, |tag, value| match tag {
        tag::PUBLIC_KEY => Some(
            Writer::new()
                .element(0x06, &cvc::OID_RSA_SHA256)
                .element(0x81, &[0xC1; 128])
                .element(0x82, &[1, 0, 1])
                .into_vec(),
        ),
        _ => Some(value.to_vec()),
    });
    let mut wrong_signature = issuer.clone();
    *wrong_signature.last_mut().unwrap() ^= 1;
    let other_holder = altered(issuer, |tag, value| match tag {
        tag::HOLDER => Some(b"ZZVIRTISSR99999".to_vec()),
        _ => Some(value.to_vec()),
    });
    let framed_and_more = [&Writer::new().element(0x7F21, issuer).into_vec()[..], &[0]].concat();
    let below_device = signed_by_a_device();
    let cut = &issuer[..issuer.len() - 1];

    let mut reader = Reader::initialised();
    reader.refuses(&[
        ("P1P2 00AE", "00 2A 00 AE 01 00", 0x6A86),
        ("P1P2 before the data", "00 2A 9E 9A", 0x6A86),
        ("no data", "00 2A 00 BE", 0x6700),
        ("no certificate", "00 2A 00 BE 02 5300", 0x6A80),
        ("cut short", &verify(cut), 0x6A80),
        ("more behind the frame", &verify(&framed_and_more), 0x6A80),
        ("no key is selected", &verify(issuer), 0x6A88),
    ]);
    reader.ok(&select_key("B6", ROOT));
    reader.refuses(&[
        ("below another key", &verify(device), 0x6A88),
        ("below nobody", &verify(&without(&[tag::AUTHORITY])), 0x6A88),
        ("a request", &verify(&request), 0x6A80),
        ("an RSA key", &verify(&rsa), 0x6A80),
        ("a wrong signature", &verify(&wrong_signature), 0x6985),
        ("another body", &verify(&other_holder), 0x6985),
    ]);
    reader.ok(&verify(issuer));
    reader.ok(&select_key("B6", holder(issuer)));
    reader.ok(&verify(device));
    reader.ok(&select_key("B6", holder(device)));
    reader.refuses(&[("below a device", &verify(&below_device), 0x6985)]);
    // What was refused is not known.
    reader.refused(&select_key("B6", b"ZZVIRTISSR99999"), 0x6A88);
}

#[test]
fn a_certificate_cut_anywhere_is_refused() {
    let Chain { issuer, .. } = Chain::new();
    let framed = Writer::new().element(0x7F21, &issuer).into_vec();
    let mut reader = Reader::initialised();
    reader.ok(&select_key("B6", ROOT));
    for whole in [&issuer, &framed] {
        let memory = image(reader.card.memory());
        for length in 1..whole.len() {
            let answer = reader.send(&verify(&whole[..length]));
            assert_eq!(answer.status, 0x6A80, "cut to {length}");
        }
        assert!(image(reader.card.memory()) == memory);
        assert!(reader.is_logged_in());
        reader.refused(&select_key("B6", holder(&issuer)), 0x6A88);
    }
    // The root is still selected.
    reader.ok(&verify(&framed));
    reader.ok(&select_key("B6", holder(&issuer)));
}

/// A key that everybody has: its scalar is the hash of a sentence.
fn public_knowledge(sentence: &str) -> EcPrivateKey {
    let scalar = Hash::Sha256.digest(sentence.as_bytes());
    EcPrivateKey::from_bytes(Curve::BrainpoolP256r1, &scalar).unwrap()
}

fn root_key() -> EcPrivateKey {
    public_knowledge("virtual HSM2 root, a key that everybody has")
}

fn issuer_key() -> EcPrivateKey {
    public_knowledge("virtual HSM2 device issuer, a key that everybody has")
}

/// Content of a certificate with this body, signed.
fn signed(body: &[u8], key: &EcPrivateKey) -> Vec<u8> {
    let body = Writer::new().element(tag::BODY, body).into_vec();
    let mut rng = CardRng::from_seed([3; 32]);
    let hash = Hash::Sha256.digest(&body);
    let signature = key.sign_prehash(&hash, &mut rng).unwrap();
    Writer::new()
        .raw(&body)
        .element(tag::SIGNATURE, &signature.to_plain())
        .into_vec()
}

/// The elements of a certificate's body: authority, holder, role byte, and the content of 7F49.
fn fields(authority: &[u8], holder: &[u8], role: u8, key: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let role = Writer::new()
        .element(0x06, &[0x2B, 6, 1, 4, 1, 0x81, 0xC3, 0x1F, 3, 1, 1])
        .element(0x53, &[role])
        .into_vec();
    vec![
        (tag::PROFILE, vec![0]),
        (tag::AUTHORITY, authority.to_vec()),
        (tag::PUBLIC_KEY, key.to_vec()),
        (tag::HOLDER, holder.to_vec()),
        (tag::ROLE_TEMPLATE, role),
        (tag::EFFECTIVE, vec![2, 4, 0, 1, 0, 1]),
        (tag::EXPIRATION, vec![4, 9, 1, 2, 3, 1]),
    ]
}

fn body(fields: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let elements = fields.iter();
    elements
        .fold(Writer::new(), |body, (tag, value)| {
            body.element(*tag, value)
        })
        .into_vec()
}

/// Content of 7F49 with this point and more elements before it.
fn key_content(parameters: &[u8], point: &[u8]) -> Vec<u8> {
    Writer::new()
        .element(0x06, &cvc::OID_ECDSA_SHA256)
        .raw(parameters)
        .element(0x86, point)
        .into_vec()
}

/// Some public key.
fn some_key() -> Vec<u8> {
    key_content(&[], &public_knowledge("somebody").public_point())
}

const ISSUER: &[u8] = b"ZZVIRTISSU00001";

#[test]
fn each_role_certifies_what_is_below_it() {
    let chain = Chain::new();
    let (root, issuer) = (root_key(), issuer_key());
    let rows = [
        (ROOT, &root, 0xC0, 0x6985),
        (ROOT, &root, 0x80, 0x9000),
        (ROOT, &root, 0x00, 0x9000),
        (ISSUER, &issuer, 0xC0, 0x6985),
        (ISSUER, &issuer, 0x80, 0x6985),
        (ISSUER, &issuer, 0x00, 0x9000),
    ];
    for (authority, key, role, status) in rows {
        let mut reader = Reader::virgin();
        reader.ok(&select_key("B6", ROOT));
        reader.ok(&verify(&chain.issuer));
        reader.ok(&select_key("B6", authority));
        let certificate = fields(authority, b"ZZNEWKEY00001", role, &some_key());
        let certificate = signed(&body(&certificate), key);
        let name = format!("{role:02X} below {}", String::from_utf8_lossy(authority));
        reader.run(&[
            (&name, &verify(&certificate), status),
            (
                "it is known if it was accepted",
                &select_key("B6", b"ZZNEWKEY00001"),
                if status == 0x9000 { 0x9000 } else { 0x6A88 },
            ),
        ]);
    }
}

#[test]
fn no_certificate_takes_the_name_of_the_root() {
    let chain = Chain::new();
    let mut reader = Reader::virgin();
    reader.ok(&select_key("B6", ROOT));
    let impostor = signed(&body(&fields(ROOT, ROOT, 0x80, &some_key())), &root_key());
    reader.ok(&verify(&impostor));
    reader.ok(&select_key("B6", ROOT));
    // Still the root's own key.
    reader.ok(&verify(&chain.issuer));
}

#[test]
fn an_issuer_cannot_certify_itself_into_a_loop() {
    let chain = Chain::new();
    let mut reader = Reader::virgin();
    reader.ok(&select_key("B6", ROOT));
    reader.ok(&verify(&chain.issuer));
    reader.ok(&select_key("B6", ISSUER));
    let key = key_content(&[], &issuer_key().public_point());
    let issuer = signed(&body(&fields(ISSUER, ISSUER, 0x80, &key)), &issuer_key());
    reader.refuses(&[("an issuer below itself", &verify(&issuer), 0x6985)]);
    let root = signed(&body(&fields(ISSUER, ROOT, 0xC0, &key)), &issuer_key());
    reader.refuses(&[("the root below its issuer", &verify(&root), 0x6985)]);
}

#[test]
fn the_oldest_of_seventeen_certificates_is_forgotten() {
    let name = |number: usize| format!("ZZNEWKEY{number:05}").into_bytes();
    let mut reader = Reader::virgin();
    reader.ok(&select_key("B6", ROOT));
    let mut learn = |number: usize| {
        let fields = fields(ROOT, &name(number), 0x80, &some_key());
        reader.ok(&verify(&signed(&body(&fields), &root_key())));
    };
    (0..16).for_each(&mut learn);
    // What is verified again takes its own place.
    learn(15);
    let known = |reader: &mut Reader, number: usize| {
        let answer = reader.send(&select_key("B6", &name(number)));
        // Only the root certifies here.
        reader.ok(&select_key("B6", ROOT));
        answer.status
    };
    assert_eq!(known(&mut reader, 0), 0x9000);
    let fields = fields(ROOT, &name(16), 0x80, &some_key());
    reader.ok(&verify(&signed(&body(&fields), &root_key())));
    assert_eq!(known(&mut reader, 0), 0x6A88);
    for number in 1..=16 {
        assert_eq!(known(&mut reader, number), 0x9000, "{number}");
    }
}

#[test]
fn a_chain_with_a_gap_ends_at_the_gap() {
    let chain = Chain::new();
    let mut reader = Reader::virgin();
    reader.ok(&select_key("B6", ROOT));
    reader.refuses(&[
        (
            "the device without its issuer",
            &verify(&chain.device),
            0x6A88,
        ),
        ("its issuer", &select_key("B6", ISSUER), 0x6A88),
    ]);
}

#[test]
fn dates_are_read_and_not_compared() {
    let mut reader = Reader::virgin();
    reader.ok(&select_key("B6", ROOT));
    let mut expired = fields(ROOT, b"ZZEXPIRED00001", 0x80, &some_key());
    expired[5].1 = vec![0, 1, 0, 1, 0, 1];
    expired[6].1 = vec![0, 2, 0, 1, 0, 1];
    reader.ok(&verify(&signed(&body(&expired), &root_key())));
    for date in [
        vec![2, 4, 0, 1, 0],
        vec![2, 4, 0, 1, 0, 10],
        vec![2, 4, 0, 1, 0, 1, 0],
        vec![],
    ] {
        let mut malformed = fields(ROOT, b"ZZEXPIRED00002", 0x80, &some_key());
        malformed[5].1 = date;
        let certificate = signed(&body(&malformed), &root_key());
        reader.refuses(&[("a date that is none", &verify(&certificate), 0x6A80)]);
    }
}

#[test]
fn every_field_is_there_once_and_in_its_place() {
    let good = fields(ROOT, b"ZZNEWKEY00001", 0x80, &some_key());
    let mut reader = Reader::virgin();
    reader.ok(&select_key("B6", ROOT));
    let mut refused = |name: String, fields: &[(u16, Vec<u8>)], status| {
        let certificate = signed(&body(fields), &root_key());
        reader.refuses(&[(&name, &verify(&certificate), status)]);
    };
    for at in 0..good.len() {
        let tag = good[at].0;
        let mut missing = good.clone();
        missing.remove(at);
        // Without an authority it is below nobody.
        let status = if tag == tag::AUTHORITY {
            0x6A88
        } else {
            0x6A80
        };
        refused(format!("{tag:04X} is missing"), &missing, status);
        let mut doubled = good.clone();
        doubled.insert(at, good[at].clone());
        refused(format!("{tag:04X} twice"), &doubled, 0x6A80);
        if at > 0 {
            let mut swapped = good.clone();
            swapped.swap(at - 1, at);
            refused(format!("{tag:04X} too early"), &swapped, 0x6A80);
        }
    }
    for at in [1, 3] {
        for length in [0, 21, 200] {
            let mut long = good.clone();
            long[at].1 = vec![b'A'; length];
            refused(format!("a name of {length} bytes"), &long, 0x6A80);
        }
    }
    for other in [vec![1], vec![], vec![0, 0], vec![0; 200]] {
        let mut profile = good.clone();
        let name = format!("profile {other:?}");
        profile[0].1 = other;
        refused(name, &profile, 0x6A80);
    }
    for (name, template) in [
        ("no byte of a role", "06 0B 2B0601040181C31F030101 53 00"),
        ("the role first", "53 01 80 06 0B 2B0601040181C31F030101"),
        ("a role of nothing", "53 01 80"),
        ("no role", "06 0B 2B0601040181C31F030101"),
        (
            "two roles",
            "06 0B 2B0601040181C31F030101 53 01 80 53 01 80",
        ),
        ("an empty template", ""),
    ] {
        let mut role = good.clone();
        role[4].1 = bytes(template);
        refused(name.into(), &role, 0x6A80);
    }
    let mut role = good.clone();
    role[4].1 = bytes("06 0B 2B0601040181C31F030101 53 01 40");
    refused("an unknown role".into(), &role, 0x6A80);
    let mut more = good.clone();
    more.push((0x80, vec![]));
    refused("an unknown field".into(), &more, 0x6A80);
    reader.ok(&verify(&signed(&body(&good), &root_key())));
}

#[test]
fn the_key_is_a_point_of_a_curve_that_the_card_has() {
    let domain = |change: &dyn Fn(&mut [Vec<u8>; 5])| {
        let curve = Curve::BrainpoolP256r1.parameters();
        let mut values = [curve.p, curve.a, curve.b, curve.g, curve.n].map(<[u8]>::to_vec);
        change(&mut values);
        let tags = [0x81, 0x82, 0x83, 0x84, 0x85].iter().zip(&values);
        tags.fold(Writer::new(), |domain, (tag, value)| {
            domain.element(*tag, value)
        })
        .into_vec()
    };
    let point = public_knowledge("somebody").public_point();
    let mut off = point.clone();
    off[64] ^= 1;
    let other = Curve::Secp256r1.parameters();
    let with_cofactor = |parameters: &[u8], cofactor: &[u8]| {
        let mut key = key_content(parameters, &point);
        key.extend(Writer::new().element(0x87, cofactor).into_vec());
        key
    };
    let rows: [(&str, Vec<u8>); 18] = [
        ("a cofactor without parameters", with_cofactor(&[], &[1])),
        ("another cofactor alone", with_cofactor(&[], &[2])),
        ("cofactor 2", with_cofactor(&domain(&|_| {}), &[2])),
        ("cofactor 0", with_cofactor(&domain(&|_| {}), &[0])),
        ("no cofactor in 87", with_cofactor(&domain(&|_| {}), &[])),
        (
            "a byte long",
            key_content(&[], &[&point[..], &[0]].concat()),
        ),
        ("off the curve", key_content(&[], &off)),
        ("of another curve", key_content(&[], other.g)),
        ("infinity", key_content(&[], &[0])),
        ("infinity at full width", key_content(&[], &[0; 65])),
        (
            "compressed",
            key_content(&[], &[&[2], &point[1..33]].concat()),
        ),
        ("a byte short", key_content(&[], &point[..64])),
        ("no point", key_content(&[], &[])),
        (
            "another a",
            key_content(&domain(&|d| d[1][31] ^= 1), &point),
        ),
        (
            "another generator",
            key_content(&domain(&|d| d[3] = point.clone()), &point),
        ),
        (
            "another order",
            key_content(&domain(&|d| d[4][31] ^= 1), &point),
        ),
        (
            "the parameters of another curve",
            key_content(
                &domain(&|d| {
                    *d = [other.p, other.a, other.b, other.g, other.n].map(<[u8]>::to_vec);
                }),
                &point,
            ),
        ),
        (
            "half of the parameters",
            key_content(&Writer::new().element(0x81, other.p).into_vec(), &point),
        ),
    ];
    let mut reader = Reader::virgin();
    reader.ok(&select_key("B6", ROOT));
    for (name, key) in rows {
        let certificate = signed(
            &body(&fields(ROOT, b"ZZNEWKEY00001", 0x80, &key)),
            &root_key(),
        );
        reader.refuses(&[(name, &verify(&certificate), 0x6A80)]);
    }
    let good = domain(&|_| {});
    for key in [key_content(&good, &point), with_cofactor(&good, &[1])] {
        let fields = fields(ROOT, b"ZZNEWKEY00001", 0x80, &key);
        reader.ok(&verify(&signed(&body(&fields), &root_key())));
    }
}

#[test]
fn a_signature_has_r_and_s_in_their_range_and_length() {
    let good = signed(
        &body(&fields(ROOT, b"ZZNEWKEY00001", 0x80, &some_key())),
        &root_key(),
    );
    let (whole, signature) = good.split_at(good.len() - 64);
    let (r, s) = signature.split_at(32);
    let order = Curve::BrainpoolP256r1.parameters().n;
    let zero = [0; 32];
    let with = |r: &[u8], s: &[u8]| [whole, r, s].concat();
    let mut reader = Reader::virgin();
    reader.ok(&select_key("B6", ROOT));
    for (name, certificate) in [
        ("r = 0", with(&zero, s)),
        ("s = 0", with(r, &zero)),
        ("both 0", with(&zero, &zero)),
        ("r = n", with(order, s)),
        ("s = n", with(r, order)),
        ("r above n", with(&[0xFF; 32], s)),
        ("s and r", with(s, r)),
    ] {
        reader.refuses(&[(name, &verify(&certificate), 0x6985)]);
    }
    let with_signature = |signature: &[u8]| {
        let body = &whole[..whole.len() - 3];
        let signature = Writer::new().element(tag::SIGNATURE, signature).into_vec();
        verify(&[body, &signature].concat())
    };
    let plain = EcdsaSignature {
        r: r.to_vec(),
        s: s.to_vec(),
    };
    for (name, signature) in [
        ("none", vec![]),
        ("a byte short", signature[..63].to_vec()),
        ("a byte long", [signature, &[0]].concat()),
        ("DER", plain.to_der()),
    ] {
        reader.refuses(&[(name, &with_signature(&signature), 0x6985)]);
    }
    reader.ok(&with_signature(signature));
}
