//! SIGN: every algorithm verified, and every refusal. RSA and P-256 are verified by code that the card
//! does not use; the other curves by the card's own arithmetic, which unit tests hold to signatures
//! made with OpenSSL, and by OpenSSL itself in the harness.

use hsm2_emulator::crypto::{Curve, EcdsaSignature, verify_prehash};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::{Pkcs1v15Sign, Pss};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::keys::{Bench, crypto_command};

const MESSAGE: &[u8] = b"the message is signed, not its hash";

/// What precedes the hash in a DigestInfo (RFC 8017 section 9.2, note 1).
const DIGEST_INFO_SHA1: &str = "3021300906052b0e03021a05000414";
const DIGEST_INFO_SHA256: &str = "3031300d060960864801650304020105000420";
const DIGEST_INFO_SHA384: &str = "3041300d060960864801650304020205000430";
const DIGEST_INFO_SHA512: &str = "3051300d060960864801650304020305000440";

fn pkcs1(digest_info: &str) -> Pkcs1v15Sign {
    Pkcs1v15Sign {
        hash_len: None,
        prefix: hex::decode(digest_info).unwrap().into(),
    }
}

#[test]
fn pkcs1_signatures_verify() {
    let mut card = Bench::new(1, "");
    for (key, bits) in [(1, 1024), (2, 1536), (3, 2048)] {
        let public = card.generate_rsa(key, bits, "");
        let rows = [
            (0x31, DIGEST_INFO_SHA1, Sha1::digest(MESSAGE).to_vec()),
            (0x33, DIGEST_INFO_SHA256, Sha256::digest(MESSAGE).to_vec()),
            (0x34, DIGEST_INFO_SHA384, Sha384::digest(MESSAGE).to_vec()),
            (0x35, DIGEST_INFO_SHA512, Sha512::digest(MESSAGE).to_vec()),
        ];
        for (algorithm, prefix, hash) in rows {
            let signature = card.sign(key, algorithm, MESSAGE);
            assert_eq!(signature.len(), usize::from(bits / 8));
            let verified = public.verify(pkcs1(prefix), &hash, &signature);
            assert_eq!(verified, Ok(()), "{algorithm:02X} with {bits} bits");

            let digest_info = [hex::decode(prefix).unwrap(), hash].concat();
            let padded_by_card = card.sign(key, 0x30, &digest_info);
            assert_eq!(padded_by_card, signature, "30 with the DigestInfo");
            let mut block = vec![0xFF; signature.len()];
            (block[0], block[1]) = (0x00, 0x01);
            let text = signature.len() - digest_info.len();
            block[text - 1] = 0x00;
            block[text..].copy_from_slice(&digest_info);
            assert_eq!(card.sign(key, 0x20, &block), signature, "20 with the block");
        }
        // Not only DigestInfos: 30 pads what it gets.
        let short = card.sign(key, 0x30, b"x");
        public.verify(pkcs1(""), b"x", &short).unwrap();
    }
}

#[test]
fn pss_signatures_verify_with_a_salt_as_long_as_the_hash() {
    let mut card = Bench::new(1, "");
    let public = card.generate_rsa(1, 2048, "");
    let signature = |card: &mut Bench, algorithm, hash: &[u8]| {
        (
            card.sign(1, algorithm, MESSAGE),
            card.sign(1, 0x40, hash),
            card.sign(1, 0x40, hash),
        )
    };
    macro_rules! check {
        ($hash:ty, $algorithm:expr) => {{
            let hash = <$hash>::digest(MESSAGE);
            let (of_message, of_hash, again) = signature(&mut card, $algorithm, &hash);
            let verify = |signature: &[u8]| public.verify(Pss::<$hash>::new(), &hash, signature);
            assert_eq!(verify(&of_message), Ok(()), "{:02X}", $algorithm);
            assert_eq!(verify(&of_hash), Ok(()), "40 for {:02X}", $algorithm);
            assert_eq!(verify(&again), Ok(()));
            assert_ne!(of_hash, again, "the salt is drawn anew");
        }};
    }
    check!(Sha1, 0x41);
    check!(Sha256, 0x43);
    check!(Sha384, 0x44);
    check!(Sha512, 0x45);
    let sha224 = Sha224::digest(MESSAGE);
    let signed = card.sign(1, 0x40, &sha224);
    public
        .verify(Pss::<Sha224>::new(), &sha224, &signed)
        .unwrap();
}

/// OpenSC hands over a `DigestInfo` where it hashes itself.
#[test]
fn pss_takes_the_hash_out_of_a_digest_info() {
    let mut card = Bench::new(1, "");
    let public = card.generate_rsa(1, 2048, "");
    let hash = Sha256::digest(MESSAGE);
    let prefix = hex::decode(DIGEST_INFO_SHA256).unwrap();
    let signed = card.sign(1, 0x40, &[prefix.as_slice(), &hash].concat());
    assert_eq!(public.verify(Pss::<Sha256>::new(), &hash, &signed), Ok(()));

    let one_short = [prefix.as_slice(), &hash[..31]].concat();
    let one_long = [prefix.as_slice(), &hash, &[0]].concat();
    let other_prefix = [&[0x31], &prefix[1..], &hash].concat();
    card.refuses(&[
        (
            "one short",
            &crypto_command(0x68, 1, 0x40, &one_short),
            0x6A80,
        ),
        (
            "one long",
            &crypto_command(0x68, 1, 0x40, &one_long),
            0x6A80,
        ),
        (
            "no DigestInfo",
            &crypto_command(0x68, 1, 0x40, &other_prefix),
            0x6A80,
        ),
    ]);
}

#[test]
fn ecdsa_signatures_verify_on_p256_with_the_crate_of_the_curve() {
    let mut card = Bench::new(1, "");
    let public = card.generate_ec(1, Curve::Secp256r1, "");
    let public = p256::ecdsa::VerifyingKey::from_sec1_bytes(&public.point).unwrap();
    let rows = [
        (0x71, Sha1::digest(MESSAGE).to_vec()),
        (0x72, Sha224::digest(MESSAGE).to_vec()),
        (0x73, Sha256::digest(MESSAGE).to_vec()),
        (0x74, Sha384::digest(MESSAGE).to_vec()),
        (0x75, Sha512::digest(MESSAGE).to_vec()),
    ];
    for (algorithm, hash) in rows {
        for signature in [card.sign(1, algorithm, MESSAGE), card.sign(1, 0x70, &hash)] {
            // Minimal DER only: this parser takes nothing else.
            let signature = p256::ecdsa::Signature::from_der(&signature).unwrap();
            let verified = public.verify_prehash(&hash, &signature);
            assert!(verified.is_ok(), "{algorithm:02X}");
        }
    }
}

#[test]
fn ecdsa_signatures_verify_on_every_curve() {
    let mut card = Bench::new(1, "");
    for (key, curve) in (1..).zip(Curve::ALL) {
        let public = card.generate_ec(key, curve, "");
        assert_eq!(public.curve, curve);
        let rows = [
            (0x71, Sha1::digest(MESSAGE).to_vec()),
            (0x72, Sha224::digest(MESSAGE).to_vec()),
            (0x73, Sha256::digest(MESSAGE).to_vec()),
            (0x74, Sha384::digest(MESSAGE).to_vec()),
            (0x75, Sha512::digest(MESSAGE).to_vec()),
        ];
        for (algorithm, hash) in rows {
            for der in [
                card.sign(key, algorithm, MESSAGE),
                card.sign(key, 0x70, &hash),
            ] {
                let signature = EcdsaSignature::from_der(curve, &der).unwrap();
                assert_eq!(signature.to_der(), der, "minimal DER");
                let verify = |hash: &[u8]| verify_prehash(curve, &public.point, hash, &signature);
                assert_eq!(verify(&hash), Ok(()), "{algorithm:02X} {curve}");
                assert!(verify(&Sha256::digest(b"another message")).is_err());
            }
        }
        let odd = card.sign(key, 0x70, &[0x5A; 100]);
        let odd = EcdsaSignature::from_der(curve, &odd).unwrap();
        verify_prehash(curve, &public.point, &[0x5A; 100], &odd).unwrap();
    }
}

/// Keys 01 EC, 02 RSA-1024, 03 EC for 73 only, 04 EC for 73 only and used up, 05 RSA for 33 only.
fn bench() -> Bench {
    let mut card = Bench::new(1, "");
    card.generate_ec(1, Curve::Secp256r1, "");
    card.generate_rsa(2, 1024, "");
    card.generate_ec(3, Curve::Secp256r1, "91 01 73");
    card.generate_ec(4, Curve::Secp256r1, "90 04 00000001 91 01 73");
    card.sign(4, 0x73, MESSAGE);
    card.generate_rsa(5, 1024, "91 01 33");
    card
}

#[test]
fn refuses_each_fault_with_its_word() {
    let mut card = bench();
    let above_modulus = crypto_command(0x68, 2, 0x20, &[0xFF; 128]);
    let one_short = crypto_command(0x68, 2, 0x20, &[0x00; 127]);
    let one_long = crypto_command(0x68, 2, 0x20, &[0x00; 129]);
    let digest_info_118 = crypto_command(0x68, 2, 0x30, &[1; 118]);
    let no_hash = crypto_command(0x68, 2, 0x40, &[1; 21]);
    let no_room_for_salt = crypto_command(0x68, 2, 0x45, &[1]);
    card.refuses(&[
        ("no data field", "80 68 01 73 00", 0x6700),
        ("no data field nor Le", "80 68 01 73", 0x6700),
        ("Le too small, EC", "80 68 01 73 01 AA 08", 0x6700),
        ("Le one too small, RSA", "80 68 02 33 01 AA 7F", 0x6700),
        ("no such key", "80 68 06 73 01 AA 00", 0x6A88),
        ("the device key", "80 68 00 73 01 AA 00", 0x6A88),
        ("used up", "80 68 04 73 01 AA 00", 0x6984),
        ("algorithm 00", "80 68 01 00 01 AA 00", 0x6A81),
        ("algorithm 32", "80 68 02 32 01 AA 00", 0x6A81),
        ("algorithm 42", "80 68 02 42 01 AA 00", 0x6A81),
        ("algorithm of DECIPHER", "80 68 02 21 01 AA 00", 0x6A81),
        ("the default algorithm", "80 68 01 A0 01 AA 00", 0x6A81),
        ("not in the list", "80 68 03 70 01 AA 00", 0x6A81),
        ("not in the list, RSA", "80 68 05 31 01 AA 00", 0x6A81),
        ("RSA with an EC key", "80 68 01 33 01 AA 00", 0x6A81),
        ("ECDSA with an RSA key", "80 68 02 73 01 AA 00", 0x6A81),
        ("20 above the modulus", &above_modulus, 0x6A80),
        ("20 too short", &one_short, 0x6A80),
        ("20 too long", &one_long, 0x6A80),
        ("30 too long for its padding", &digest_info_118, 0x6A80),
        ("40 with no hash's length", &no_hash, 0x6A80),
        ("no room for hash and salt", &no_room_for_salt, 0x6A80),
    ]);
    card.log_out();
    card.refuses(&[("no PIN", "80 68 01 73 01 AA 00", 0x6982)]);
}

#[test]
fn boundaries_that_are_still_taken() {
    let mut card = bench();
    assert_eq!(card.sign(2, 0x30, &[1; 117]).len(), 128);
    assert_eq!(card.sign(2, 0x44, &[1]).len(), 128, "48 + 48 + 2 fit 128");
    assert_eq!(card.sign(2, 0x20, &[0; 128]), [0; 128]);
    assert_eq!(card.ok("80 68 02 33 01 AA 80").len(), 128, "Le just enough");
    assert!(card.ok("80 68 02 33 01 AA").is_empty(), "no Le, no data");
}

#[test]
fn checks_in_this_order() {
    let mut card = bench();
    card.refuses(&[
        ("key before algorithm", "80 68 06 00 01 AA 00", 0x6A88),
        ("counter before list", "80 68 04 70 01 AA 00", 0x6984),
        ("list before data", "80 68 05 20 01 AA 00", 0x6A81),
        ("kind before data", "80 68 01 20 01 AA 00", 0x6A81),
    ]);
    card.log_out();
    card.refuses(&[
        ("form before PIN", "80 68 06 00 00", 0x6700),
        ("PIN before key", "80 68 06 73 01 AA 00", 0x6982),
        ("PIN before counter", "80 68 04 73 01 AA 00", 0x6982),
        ("PIN before algorithm", "80 68 01 00 01 AA 00", 0x6982),
    ]);
}
