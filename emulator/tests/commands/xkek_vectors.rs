//! The published membership and the computed exchange, against the card's own functions.

use hsm2_emulator::blob::Envelope;
use hsm2_emulator::crypto::{Curve, EcPrivateKey};
use hsm2_emulator::cvc::{AuthenticatedRequest, EcPublicKey, Role, SignedBody};
use hsm2_emulator::domain::Kek;
use hsm2_emulator::profile::{NITROKEY_HSM2, SharedPointKek};
use hsm2_emulator::tlv::Reader as Tlv;
use serde_json::Value;

use crate::keys::{ec_public_key, parse_request, request_content};
use crate::vectors::{self, hex};

/// Checks a certificate with its issuer's key and returns its own.
#[track_caller]
fn certified(certificate: &[u8], issuer: &EcPublicKey, role: Role) -> EcPublicKey {
    let content = Tlv::new(certificate).expect(0x7F21).unwrap().value;
    let body = SignedBody::parse(content).unwrap();
    assert_eq!(body.role, Some(role));
    issuer.verify(body.body, body.signature).unwrap();
    body.ec_public_key(Some(issuer.curve)).unwrap()
}

#[track_caller]
fn root(certificate: &[u8]) -> EcPublicKey {
    let content = Tlv::new(certificate).expect(0x7F21).unwrap().value;
    let body = SignedBody::parse(content).unwrap();
    let key = body.ec_public_key(None).unwrap();
    key.verify(body.body, body.signature).unwrap();
    key
}

/// Checks both signatures of a request and returns its key.
#[track_caller]
fn attested(content: &[u8], device: &EcPublicKey) -> EcPublicKey {
    let request = AuthenticatedRequest::parse(content).unwrap();
    device
        .verify(request.covered, request.outer_signature)
        .unwrap();
    let key = request.request.ec_public_key(None).unwrap();
    let request = request.request;
    key.verify(request.body, request.signature).unwrap();
    key
}

/// Checks the group signer's signature of a device.
#[track_caller]
fn vouches(signer: &EcPublicKey, device: &EcPublicKey, signature: &[u8]) {
    let x_only = [&[0x54], device.x()].concat();
    signer.verify(&x_only, signature).unwrap();
    for other in [device.x().to_vec(), [&[0x54], &device.point[..]].concat()] {
        assert!(signer.verify(&other, signature).is_err());
    }
}

#[test]
fn the_published_membership_verifies_down_to_its_root() {
    let published = &vectors::kdm()["published"];
    let root = root(&hex(&published["root_certificate_public"]));
    let file = hex(&published["file"]);
    let mut fields = Tlv::new(Tlv::new(&file).expect(0x30).unwrap().value);
    fields.expect(0x06).unwrap();
    let issuer = certified(fields.expect(0x61).unwrap().value, &root, Role::Issuer);
    let device = certified(fields.expect(0x62).unwrap().value, &issuer, Role::Device);
    let request = fields.expect(0x63).unwrap().value;
    let signer = attested(request_content(request), &device);
    assert_eq!(signer.point[1..], hex(&published["expected_uid_xy"]));
    vouches(&signer, &device, fields.expect(0x54).unwrap().value);
    fields.finish().unwrap();
}

#[test]
fn the_computed_memberships_verify() {
    let xkek = vectors::xkek();
    let certificates = &xkek["certificates"];
    let root = root(&hex(&certificates["root"]));
    let issuer = certified(&hex(&certificates["dica"]), &root, Role::Issuer);
    let of_signer = certified(&hex(&certificates["device_G"]), &issuer, Role::Device);
    let computed = &vectors::kdm()["computed"];
    for (member, device) in [("member_A", "device_A"), ("member_B", "device_B")] {
        let device = certified(&hex(&certificates[device]), &issuer, Role::Device);
        let data = hex(&computed[member]["command_data"]);
        let signer = attested(&data, &of_signer);
        let rest = AuthenticatedRequest::parse(&data).unwrap().rest;
        vouches(&signer, &device, Tlv::new(rest).expect(0x54).unwrap().value);
        assert_eq!(signer.point[1..], hex(&computed["key_domain_uid_xy"]));
    }
}

#[test]
fn both_sides_of_the_exchange_make_the_kek_of_the_vectors() {
    let xkek = vectors::xkek();
    let shared = [
        &[0x04][..],
        &hex(&xkek["z_x_coordinate"]),
        &hex(&xkek["z_y_coordinate"]),
    ]
    .concat();
    let agree = |own: &Value, peer: &Value| {
        let own = EcPrivateKey::from_bytes(Curve::BrainpoolP256r1, &hex(own)).unwrap();
        own.ecdh(&ec_public_key(&hex(peer)).point).unwrap()
    };
    let keys = &xkek["private_keys"];
    assert_eq!(
        *agree(&keys["exchange_A"], &xkek["exchange_request_B"]),
        shared
    );
    assert_eq!(
        *agree(&keys["exchange_B"], &xkek["exchange_request_A"]),
        shared
    );

    let kek = Kek::from_shared_point(&shared, SharedPointKek::X).unwrap();
    assert_eq!(kek.kcv()[..], hex(&xkek["kcv"]));
    assert_eq!(kek.encryption_key()[..], hex(&xkek["kenc"]));
    assert_eq!(kek.mac_key()[..], hex(&xkek["kmac"]));
    let blob = hex(&xkek["wrapped_aes128_example"]);
    let unsealed = Envelope::parse(&blob).unwrap().open(&kek, &NITROKEY_HSM2);
    let unsealed = unsealed.unwrap();
    assert_eq!(unsealed.algorithms, Some(vec![0x10, 0x11, 0x18, 0x99]));
    assert_eq!(unsealed.material.aes().unwrap().len(), 16);

    let extension = hex(&xkek["extension_65"]);
    let request = hex(&xkek["exchange_request_A"]);
    let request = parse_request(&request).request;
    assert_eq!(request.extensions.unwrap(), &extension[2..]);
}

#[test]
fn a_shared_point_of_another_size_makes_no_kek() {
    for length in [0, 1, 33, 49, 64, 66, 97, 133] {
        assert!(
            Kek::from_shared_point(&vec![4; length], SharedPointKek::X).is_none(),
            "{length}"
        );
    }
}
