//! WRAP KEY.

use hsm2_emulator::crypto::Curve;

use crate::keys::Bench;

const SHARE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Keys 01 unrestricted, 02 RSA for 33 and 92, 03 for 73 only, 04 used up, 05 with 2 uses.
fn bench() -> Bench {
    let mut card = Bench::with_dkek(&[SHARE]);
    card.generate_ec(1, Curve::Secp256r1, "");
    card.generate_rsa(2, 1024, "91 02 3392");
    card.generate_ec(3, Curve::Secp256r1, "91 01 73");
    card.generate_ec(4, Curve::Secp256r1, "90 04 00000001");
    card.sign(4, 0x73, b"x");
    card.generate_ec(5, Curve::Secp256r1, "90 04 00000002");
    card
}

#[test]
fn refuses_each_fault_with_its_word() {
    let mut card = bench();
    card.refuses(&[
        ("P2", "80 72 01 93 00 00 00", 0x6A86),
        ("data field", "80 72 01 92 01 00 00", 0x6700),
        ("Le too small", "80 72 01 92 00", 0x6700),
        (
            "Le too small, and no use is spent",
            "80 72 05 92 10",
            0x6700,
        ),
        ("no such key", "80 72 06 92 00 00 00", 0x6A88),
        ("the device key", "80 72 00 92 00 00 00", 0x6A88),
        ("used up", "80 72 04 92 00 00 00", 0x6984),
        ("not in the list", "80 72 03 92 00 00 00", 0x6985),
        ("P2 before data", "80 72 01 93 01 00 00", 0x6A86),
    ]);
    card.log_out();
    card.refuses(&[
        ("no PIN", "80 72 01 92 00 00 00", 0x6982),
        ("PIN before key", "80 72 06 92 00 00 00", 0x6982),
        ("form before PIN", "80 72 01 92 01 00 00", 0x6700),
    ]);
}

#[test]
fn wrapping_is_a_use() {
    let mut card = bench();
    card.wrap(5);
    assert_eq!(card.attributes(5), "900400000001920100");
    card.sign(5, 0x73, b"x");
    card.refuses(&[("used up", "80 72 05 92 00 00 00", 0x6984)]);
}

#[test]
fn equal_keys_give_different_blobs() {
    let mut card = bench();
    assert_ne!(card.wrap(1), card.wrap(1));
    assert_eq!(card.wrap(1).len(), 363);
    // The algorithm list is in the blob: 2 bytes more than without.
    let blob = card.wrap(2);
    assert_eq!(hex::encode(&blob[21..25]), "00023392");
}
