//! DERIVE EC KEY.

use elliptic_curve::ff::PrimeField;
use elliptic_curve::point::AffineCoordinates;
use hsm2_emulator::crypto::{Curve, EcdsaSignature, verify_prehash};
use sha2::{Digest, Sha256};

use crate::keys::Bench;
use crate::support::lc_data;

const SHARE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Order of secp256r1.
const ORDER: &str = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

/// DERIVE EC KEY with this parameter.
fn derive(key: u8, new: u8, parameter: &[u8]) -> String {
    let data = [&[0x98], parameter].concat();
    format!("80 76 {key:02X} {new:02X} {}", lc_data(&data))
}

/// The point 04‖x‖y of secp256r1 plus so many times the generator, by another library.
fn shifted(point: &[u8], by: [u8; 32]) -> Vec<u8> {
    let x = p256::FieldBytes::try_from(&point[1..33]).unwrap();
    let y = p256::FieldBytes::try_from(&point[33..]).unwrap();
    let point = p256::ProjectivePoint::from(p256::AffinePoint::from_coordinates(&x, &y).unwrap());
    let by = p256::Scalar::from_repr(by.into()).unwrap();
    let sum = (point + p256::ProjectivePoint::GENERATOR * by).to_affine();
    [&[4], &sum.x()[..], &sum.y()[..]].concat()
}

#[test]
fn the_host_can_compute_the_new_public_key() {
    let mut card = Bench::new(1, "");
    let public = card.generate_ec(1, Curve::Secp256r1, "91 02 9873");
    let parameter = <[u8; 32]>::from(Sha256::digest(b"parameter"));
    assert_eq!(card.ok(&derive(1, 2, &parameter)), [0; 0]);
    let signature = card.sign(2, 0x73, b"message");
    let signature = EcdsaSignature::from_der(Curve::Secp256r1, &signature).unwrap();
    let hash = Sha256::digest(b"message");
    let derived = shifted(&public.point, parameter);
    verify_prehash(Curve::Secp256r1, &derived, &hash, &signature).unwrap();

    // Short parameters are numbers as they stand, and the same parameter gives the same key.
    let mut short = [0; 32];
    short[31] = 5;
    card.ok(&derive(1, 3, &[5]));
    card.ok(&derive(1, 4, &short));
    for key in [3, 4] {
        let signature = card.sign(key, 0x73, b"message");
        let signature = EcdsaSignature::from_der(Curve::Secp256r1, &signature).unwrap();
        let derived = shifted(&public.point, short);
        verify_prehash(Curve::Secp256r1, &derived, &hash, &signature).unwrap();
    }
    // Neither a request nor a description is made.
    card.refused("00 A4 00 00 02 CE02 00", 0x6A82);
    card.refused("00 A4 00 00 02 C402 00", 0x6A82);
    // The new key outlasts the process.
    let mut card = card.reopened();
    card.sign(2, 0x73, b"message");
}

#[test]
fn the_new_key_may_do_what_the_old_one_may_and_no_more() {
    let mut card = Bench::new(1, "97 01 02");
    card.ok("80 52 01 01 01 01 00");
    card.import_share(1, SHARE);
    card.generate_ec(1, Curve::Secp256r1, "90 04 00000002 91 02 9873 92 01 01");
    card.generate_ec(2, Curve::Secp256r1, "91 03 987392 92 01 01");
    card.ok(&derive(1, 3, &[1]));
    card.ok(&derive(2, 4, &[1]));
    assert_eq!(
        card.attributes(1),
        "9004000000019102987392 0101".replace(' ', "")
    );
    assert_eq!(card.attributes(3), "91029873920101", "no counter");
    assert_eq!(card.attributes(4), "9103987392920101");
    card.refuses(&[
        ("ECDH is not listed", "80 62 03 80 01 00 00", 0x6A81),
        // Under the KEK it would give away the old key, which must not be wrapped.
        ("nor is wrapping", "80 72 03 92 00 00 00", 0x6985),
        ("the domain has a key", "80 52 03 01 00", 0x6A89),
    ]);
    card.wrap(4);
    card.ok(&derive(1, 5, &[2]));
    card.refuses(&[("the old key is used up", &derive(1, 6, &[3]), 0x6984)]);
    // A derived key is one to derive from.
    card.ok(&derive(3, 6, &[3]));
}

#[test]
fn every_refusal_has_its_word() {
    let mut card = Bench::new(1, "");
    card.generate_ec(1, Curve::Secp256r1, "91 02 9873");
    card.generate_ec(2, Curve::Secp256r1, "");
    card.generate_ec(3, Curve::Secp256r1, "91 01 73");
    card.generate_rsa(4, 1024, "91 02 9833");
    card.ok("00 48 05 B0 04 91 02 9810");
    let order = hex::decode(ORDER).unwrap();
    let mut below = order.clone();
    below[31] -= 1;
    let rows = [
        ("no data", "80 76 01 09".into(), 0x6700),
        ("another algorithm", "80 76 01 09 02 99 01".into(), 0x6A81),
        ("no parameter", derive(1, 9, &[]), 0x6A80),
        ("zero", derive(1, 9, &[0]), 0x6A80),
        ("zero at full width", derive(1, 9, &[0; 32]), 0x6A80),
        ("the order", derive(1, 9, &order), 0x6A80),
        ("above the order", derive(1, 9, &[0xFF; 32]), 0x6A80),
        (
            "a byte too long",
            derive(1, 9, &[&[0], &below[..]].concat()),
            0x6A80,
        ),
        // Recorded on a genuine token.
        ("a key without list", derive(2, 9, &[1]), 0x6A81),
        ("not in the list", derive(3, 9, &[1]), 0x6A81),
        ("an RSA key", derive(4, 9, &[1]), 0x6A81),
        ("an AES key", derive(5, 9, &[1]), 0x6A81),
        ("no such key", derive(8, 9, &[1]), 0x6A88),
        ("the device key", derive(0, 9, &[1]), 0x6A88),
        ("the new number is taken", derive(1, 2, &[1]), 0x6A89),
        ("the old number", derive(1, 1, &[1]), 0x6A89),
        ("the device key's number", derive(1, 0, &[1]), 0x6A89),
        ("the number before the key", derive(8, 2, &[1]), 0x6A89),
    ];
    for (name, command, status) in &rows {
        card.refuses(&[(name, command, *status)]);
    }
    card.ok(&derive(1, 9, &below));
    card.log_out();
    card.refuses(&[
        ("no PIN", &derive(1, 10, &[1]), 0x6982),
        ("PIN before key", &derive(8, 10, &[1]), 0x6982),
        ("form before PIN", "80 76 01 0A 01 97", 0x6A81),
    ]);
}
