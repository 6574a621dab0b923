//! PSO VERIFY CERTIFICATE: a card and the chain of another one.

use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::cvc::{self, CertificateFields, Parameters, Role, SignedBody, tag};
use hsm2_emulator::tlv::{Reader as Tlv, Writer};

use crate::public_key_authentication::select_key;
use crate::support::{Reader, lc_data};

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
