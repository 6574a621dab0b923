//! DECIPHER with RSA keys and agreement with EC keys; algorithm 84 is in `xkek`.

use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey};
use rsa::{Oaep, Pkcs1v15Encrypt};
use sha1::Sha1;

use crate::keys::{Bench, crypto_command};
use crate::support::bytes;

#[test]
fn returns_what_the_public_key_encrypted() {
    let mut card = Bench::new(1, "");
    for (key, bits) in [(1, 1024), (2, 2048)] {
        let public = card.generate_rsa(key, bits, "");
        let mut rng = CardRng::from_seed([9; 32]);
        for text in [&b""[..], b"x", &[0xA5; 60]] {
            let pkcs1 = public.encrypt(&mut rng, Pkcs1v15Encrypt, text).unwrap();
            assert_eq!(card.decipher(key, 0x22, &pkcs1), text);
            let block = card.decipher(key, 0x21, &pkcs1);
            assert_eq!(block.len(), usize::from(bits / 8));
            assert_eq!(block[..2], [0x00, 0x02], "the padding stays with 21");
            assert!(block.ends_with(text));
            let oaep = public.encrypt(&mut rng, Oaep::<Sha1>::new(), text).unwrap();
            assert_eq!(card.decipher(key, 0x23, &oaep), text);
        }
    }
}

#[test]
fn agrees_on_the_same_point_on_every_curve() {
    let mut card = Bench::new(1, "");
    let mut rng = CardRng::from_seed([9; 32]);
    for (key, curve) in (1..).zip(Curve::ALL) {
        let public = card.generate_ec(key, curve, "");
        let peer = EcPrivateKey::generate(curve, &mut rng);
        let point = card.decipher(key, 0x80, &peer.public_point());
        assert_eq!(point, *peer.ecdh(&public.point).unwrap(), "{curve}");
        assert_eq!((point.len(), point[0]), (curve.point_len(), 0x04));
    }
}

/// Keys 01 EC, 02 RSA-1024, 03 EC that may not agree, 04 EC used up, 05 RSA that may not decipher.
fn bench() -> Bench {
    let mut card = Bench::new(1, "");
    card.generate_ec(1, Curve::Secp256r1, "");
    card.generate_rsa(2, 1024, "");
    card.generate_ec(3, Curve::Secp256r1, "91 01 73");
    card.generate_ec(4, Curve::Secp256r1, "90 04 00000001 91 01 80");
    let generator = Curve::Secp256r1.parameters().g;
    card.decipher(4, 0x80, generator);
    card.generate_rsa(5, 1024, "91 01 33");
    card
}

#[test]
fn refuses_each_fault_with_its_word() {
    let mut card = bench();
    let p256 = Curve::Secp256r1.parameters();
    let with_point = |point: &[u8]| crypto_command(0x62, 1, 0x80, point);
    let mut off_curve = p256.g.to_vec();
    off_curve[64] ^= 1;
    let off_curve = with_point(&off_curve);
    let compressed = with_point(&[&[0x03], &p256.g[1..33]].concat());
    let bare = with_point(&p256.g[1..]);
    let short = with_point(&p256.g[..64]);
    let infinity = with_point(&[0]);
    let zeros = with_point(&[&[0x04][..], &[0; 64]].concat());
    let foreign = with_point(Curve::BrainpoolP256r1.parameters().g);
    let longer_curve = with_point(Curve::Secp384r1.parameters().g);
    let block = |algorithm, data: &[u8]| crypto_command(0x62, 2, algorithm, data);
    let unpadded = block(0x22, &[0; 128]);
    let no_oaep = block(0x23, &[0; 128]);
    let above_modulus = block(0x21, &[0xFF; 128]);
    let one_short = block(0x21, &[0; 127]);
    let one_long = block(0x21, &[0; 129]);
    card.refuses(&[
        ("no data field", "80 62 02 21 00", 0x6700),
        (
            "Le too small",
            &format!("80 62 02 21 80 {} 7F", "00".repeat(128)),
            0x6700,
        ),
        ("no such key", "80 62 06 80 01 AA 00", 0x6A88),
        ("the device key", "80 62 00 80 01 AA 00", 0x6A88),
        ("used up", "80 62 04 80 01 AA 00", 0x6984),
        ("unknown algorithm", "80 62 01 83 01 AA 00", 0x6A81),
        ("algorithm of SIGN", "80 62 02 20 01 AA 00", 0x6A81),
        ("not in the list", "80 62 03 80 01 AA 00", 0x6A81),
        ("not in the list, RSA", "80 62 05 21 01 AA 00", 0x6A81),
        ("RSA with an EC key", "80 62 01 21 01 AA 00", 0x6A81),
        ("ECDH with an RSA key", "80 62 02 80 01 AA 00", 0x6A81),
        ("above the modulus", &above_modulus, 0x6A80),
        ("block too short", &one_short, 0x6A80),
        ("block too long", &one_long, 0x6A80),
        ("no PKCS#1 padding", &unpadded, 0x6A80),
        ("no OAEP padding", &no_oaep, 0x6A80),
        ("point off the curve", &off_curve, 0x6A80),
        ("compressed point", &compressed, 0x6A80),
        ("point without 04", &bare, 0x6A80),
        ("point cut", &short, 0x6A80),
        ("point at infinity", &infinity, 0x6A80),
        ("04 and zeros", &zeros, 0x6A80),
        ("point of another curve", &foreign, 0x6A80),
        ("point of a longer curve", &longer_curve, 0x6A80),
    ]);
    card.log_out();
    card.refuses(&[
        ("no PIN", "80 62 01 80 01 AA 00", 0x6982),
        ("form before PIN", "80 62 01 80 00", 0x6700),
        ("PIN before key", "80 62 06 80 01 AA 00", 0x6982),
    ]);
}

#[test]
fn checks_in_this_order() {
    let mut card = bench();
    card.refuses(&[
        ("key before algorithm", "80 62 06 00 01 AA 00", 0x6A88),
        ("counter before list", "80 62 04 21 01 AA 00", 0x6984),
        ("list before data", "80 62 05 21 01 AA 00", 0x6A81),
    ]);
}

#[test]
fn oaep_with_another_hash_or_label_is_wrong_padding() {
    let mut card = Bench::new(1, "");
    let public = card.generate_rsa(1, 1024, "");
    let mut rng = CardRng::from_seed([9; 32]);
    let other_hash = Oaep::<sha2::Sha256>::new();
    let other_hash = public.encrypt(&mut rng, other_hash, b"x").unwrap();
    let other_hash = crypto_command(0x62, 1, 0x23, &other_hash);
    let wrong_type = bytes(&format!("0001{}00AA", "FF".repeat(124)));
    let wrong_type = rsa::hazmat::rsa_encrypt(
        &public,
        &rsa::BoxedUint::from_be_slice(&wrong_type, 1024).unwrap(),
    );
    let wrong_type = wrong_type.unwrap().to_be_bytes();
    let wrong_type = crypto_command(0x62, 1, 0x22, &wrong_type);
    card.refuses(&[
        ("OAEP with SHA-256", &other_hash, 0x6A80),
        ("padding of a signature", &wrong_type, 0x6A80),
    ]);
}
