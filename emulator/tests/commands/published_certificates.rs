//! The published issuer, device and request of `vectors/cvc.json`: keys on secp256k1 whose
//! certificates state no curve, so that it comes down from the root.

use hsm2_emulator::crypto::Curve;
use hsm2_emulator::cvc::{AuthenticatedRequest, EcPublicKey, Role, SignedBody};
use hsm2_emulator::tlv::{Reader as Tlv, Writer};
use hsm2_emulator::trust::Anchor;

use crate::keys::{extended, request_content};
use crate::support::{Reader, lc_data};
use crate::vectors::{self, hex, text};

const ROOT: &str = "ESPICOHSMCA00002";
const ISSUER: &str = "ESPICOHSMDV00002";
const DEVICE: &str = "ESPICOHSMTRLRA4C";

/// The entry whose name has this in it.
fn published(name: &str) -> Vec<u8> {
    let file = vectors::cvc();
    let mut found = file["published"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| text(&entry["name"]).contains(name));
    let entry = found.next().unwrap();
    assert!(found.next().is_none(), "{name} names one entry");
    hex(&entry["hex"])
}

/// The content of 7F21, the whole input.
fn content(certificate: &[u8]) -> &[u8] {
    let mut file = Tlv::new(certificate);
    let content = file.expect(0x7F21).unwrap().value;
    file.finish().unwrap();
    content
}

/// The key of a certificate, whose signature must be that of `above`.
#[track_caller]
fn verified(body: &SignedBody<'_>, above: &EcPublicKey) -> EcPublicKey {
    above.verify(body.body, body.signature).unwrap();
    let key = body.ec_public_key(Some(above.curve)).unwrap();
    assert_eq!(key.curve, Curve::Secp256k1);
    key
}

#[test]
fn the_published_chain_and_request_parse_and_verify() {
    let [root, issuer, device] = [ROOT, ISSUER, DEVICE].map(published);
    let root = SignedBody::parse(content(&root)).unwrap();
    let root_key = root.ec_public_key(None).unwrap();
    assert_eq!(root_key.curve, Curve::Secp256k1);

    let issuer = SignedBody::parse(content(&issuer)).unwrap();
    assert_eq!(issuer.authority, Some(ROOT.as_bytes()));
    assert_eq!(issuer.holder, ISSUER.as_bytes());
    assert_eq!(issuer.role, Some(Role::Issuer));
    assert_eq!(issuer.extensions, None);
    assert!(issuer.ec_public_key(None).is_err(), "it states no curve");
    let issuer_key = verified(&issuer, &root_key);
    assert_eq!(hex::encode(&issuer_key.x()[..4]), "e66b473e");
    // On another curve the point is none.
    assert!(issuer.ec_public_key(Some(Curve::Secp256r1)).is_err());

    let device = SignedBody::parse(content(&device)).unwrap();
    assert_eq!(device.authority, Some(ISSUER.as_bytes()));
    assert_eq!(device.holder, DEVICE.as_bytes());
    assert_eq!(device.role, Some(Role::Device));
    let device_key = verified(&device, &issuer_key);
    assert_eq!(hex::encode(&device_key.x()[..4]), "3400e4f4");
    // Each is signed by the one above, and by no other.
    for wrong in [&root_key, &device_key] {
        assert!(wrong.verify(device.body, device.signature).is_err());
    }

    let file = published("authentication public key request");
    let request = AuthenticatedRequest::parse(request_content(&file)).unwrap();
    assert_eq!(request.outer_authority, DEVICE.as_bytes());
    assert!(request.rest.is_empty());
    let inner = &request.request;
    assert_eq!(inner.authority, Some(DEVICE.as_bytes()));
    assert_eq!(inner.holder, DEVICE.as_bytes());
    assert_eq!((inner.role, inner.extensions), (None, None));
    let key = inner.ec_public_key(None).unwrap();
    assert_eq!(key.curve, Curve::BrainpoolP256r1);
    assert_eq!(hex::encode(&key.x()[..4]), "a8217de2");
    key.verify(inner.body, inner.signature).unwrap();
    device_key
        .verify(request.covered, request.outer_signature)
        .unwrap();
    assert!(
        issuer_key
            .verify(request.covered, request.outer_signature)
            .is_err()
    );
}

fn select(reader: &mut Reader, name: &str) -> u16 {
    let object = Writer::new().element(0x83, name.as_bytes()).into_vec();
    reader
        .send(&format!("00 22 81 B6 {}", lc_data(&object)))
        .status
}

fn verify(reader: &mut Reader, certificate: &[u8]) -> u16 {
    let data = lc_data(content(certificate));
    reader.send(&format!("00 2A 00 BE {data}")).status
}

/// Flips the lowest bit of the last byte, which belongs to the outermost signature.
fn forged(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

#[test]
fn a_card_that_trusts_the_published_root_takes_the_published_custodian() {
    let [root, issuer, device] = [ROOT, ISSUER, DEVICE].map(published);
    let request = published("authentication public key request");
    let register = |request: &[u8]| {
        let data = extended(request_content(request));
        format!("80 54 00 00 {data} 00 00")
    };

    let mut reader = Reader::initialised_with("93 02 01 01");
    assert_eq!(select(&mut reader, ROOT), 0x6A88, "not trusted yet");
    reader.card.trust(&Anchor::parse(&root).unwrap()).unwrap();
    assert_eq!(select(&mut reader, ROOT), 0x9000);
    assert_eq!(
        verify(&mut reader, &device),
        0x6A88,
        "the issuer is between"
    );
    assert_eq!(verify(&mut reader, &forged(&issuer)), 0x6985);
    assert_eq!(select(&mut reader, ISSUER), 0x6A88);
    assert_eq!(verify(&mut reader, &issuer), 0x9000);
    assert_eq!(select(&mut reader, ISSUER), 0x9000);
    assert_eq!(verify(&mut reader, &forged(&device)), 0x6985);
    assert_eq!(verify(&mut reader, &device), 0x9000);
    assert_eq!(
        reader.send(&register(&request)).status,
        0x6985,
        "its device is not selected"
    );
    assert_eq!(select(&mut reader, DEVICE), 0x9000);
    assert_eq!(reader.send(&register(&forged(&request))).status, 0x6985);
    assert_eq!(reader.ok("80 54 00 00 04"), [1, 1, 1, 0]);
    assert_eq!(reader.ok(&register(&request)), [1, 0, 1, 0]);
    assert_eq!(reader.ok("80 54 02 00 00"), DEVICE.as_bytes());
}
