use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::{CardRng, Hash};

#[derive(Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    curve: String,
    private: String,
    public: String,
    peer_private: String,
    peer_public: String,
    shared_x: String,
    signatures: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    hash: String,
    hash_bytes: String,
    high_s: bool,
    der: String,
    plain: String,
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn curve(name: &str) -> Curve {
    Curve::ALL.into_iter().find(|c| c.name() == name).unwrap()
}

fn groups() -> Vec<Group> {
    let text = include_str!("../../../../vectors/crypto/ec.json");
    let file: File = serde_json::from_str(text).unwrap();
    assert_eq!(file.groups.len(), Curve::ALL.len());
    file.groups
}

/// Adds a signed number to a big endian one of fixed width.
fn offset(number: &[u8], by: i16) -> Vec<u8> {
    let mut carry = by;
    let mut out = number.to_vec();
    for byte in out.iter_mut().rev() {
        let sum = i16::from(*byte) + carry;
        *byte = u8::try_from(sum.rem_euclid(256)).unwrap();
        carry = sum.div_euclid(256);
    }
    assert_eq!(carry, 0);
    out
}

/// a - b for big endian numbers of one width, a not below b.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut out = vec![0; a.len()];
    for i in (0..a.len()).rev() {
        let sum = i16::from(a[i]) - i16::from(b[i]) - borrow;
        out[i] = u8::try_from(sum.rem_euclid(256)).unwrap();
        borrow = i16::from(sum < 0);
    }
    assert_eq!(borrow, 0);
    out
}

#[test]
fn public_keys_and_agreement_are_those_of_openssl() {
    for group in groups() {
        let curve = curve(&group.curve);
        let key = EcPrivateKey::from_bytes(curve, &bytes(&group.private)).unwrap();
        let peer = EcPrivateKey::from_bytes(curve, &bytes(&group.peer_private)).unwrap();
        assert_eq!(hex::encode(key.public_point()), group.public, "{curve}");
        assert_eq!(
            hex::encode(peer.public_point()),
            group.peer_public,
            "{curve}"
        );

        let shared = key.ecdh(&peer.public_point()).unwrap();
        assert_eq!(shared, peer.ecdh(&key.public_point()).unwrap());
        assert_eq!(hex::encode(&shared[1..=curve.field_len()]), group.shared_x);
        check_point(curve, &shared).unwrap();
        assert_eq!(hex::encode(key.secret_bytes()), group.private);
    }
}

#[test]
fn signatures_of_openssl_verify_with_s_in_either_half() {
    for group in groups() {
        let curve = curve(&group.curve);
        let public = bytes(&group.public);
        for high in [false, true] {
            assert!(group.signatures.iter().any(|case| case.high_s == high));
        }
        for case in &group.signatures {
            let hash = bytes(&case.hash_bytes);
            let signature = EcdsaSignature::from_der(curve, &bytes(&case.der)).unwrap();
            assert_eq!(hex::encode(signature.to_plain()), case.plain);
            assert_eq!(hex::encode(signature.to_der()), case.der);
            let plain = EcdsaSignature::from_plain(curve, &bytes(&case.plain)).unwrap();
            assert_eq!(plain, signature);
            verify_prehash(curve, &public, &hash, &signature)
                .unwrap_or_else(|error| panic!("{curve} {}: {error}", case.hash));

            // The mirrored S is as good, any other change is not.
            let order = curve.parameters().n;
            let mirrored = EcdsaSignature {
                s: difference(order, &signature.s),
                ..signature.clone()
            };
            verify_prehash(curve, &public, &hash, &mirrored).unwrap();
        }
    }
}

#[test]
fn tampered_signatures_are_refused() {
    for group in groups() {
        let curve = curve(&group.curve);
        let (n, public) = (curve.parameters().n, bytes(&group.public));
        let case = &group.signatures[0];
        let hash = bytes(&case.hash_bytes);
        let good = EcdsaSignature::from_der(curve, &bytes(&case.der)).unwrap();
        let refused = |public: &[u8], hash: &[u8], r: Vec<u8>, s: Vec<u8>| {
            let signature = EcdsaSignature { r, s };
            assert_eq!(
                verify_prehash(curve, public, hash, &signature),
                Err(Error::Signature),
                "{curve}"
            );
        };
        let (r, s) = (good.r, good.s);
        refused(&public, &hash, offset(&r, 1), s.clone());
        refused(&public, &hash, r.clone(), offset(&s, -1));
        refused(&public, &hash, s.clone(), r.clone());
        refused(&bytes(&group.peer_public), &hash, r.clone(), s.clone());
        let mut other = hash.clone();
        other[0] ^= 0x80;
        refused(&public, &other, r.clone(), s.clone());
        let zero = vec![0; n.len()];
        for out_of_range in [zero, n.to_vec(), offset(n, 1), vec![0xFF; n.len()]] {
            refused(&public, &hash, out_of_range.clone(), s.clone());
            refused(&public, &hash, r.clone(), out_of_range);
        }
        // Wrong widths.
        refused(&public, &hash, [&[0], &r[..]].concat(), s.clone());
        refused(&public, &hash, r.clone(), s[1..].to_vec());
        refused(&public, &hash, vec![], vec![]);
    }
}

#[test]
fn own_signatures_verify_and_use_both_halves() {
    for curve in Curve::ALL {
        let mut rng = CardRng::from_seed([3; 32]);
        let key = EcPrivateKey::generate(curve, &mut rng);
        let half = {
            // n / 2, as bytes.
            let mut carry = 0;
            let halve = |byte: &u8| {
                let half = byte >> 1 | carry;
                carry = byte << 7;
                half
            };
            curve.parameters().n.iter().map(halve).collect::<Vec<_>>()
        };
        let mut seen = [false; 2];
        for hash in [
            &[][..],
            &[0; 32],
            &[7; 20],
            &[0xFF; 64],
            &[0xFF; 66],
            &[0xA5; 100],
        ] {
            for _ in 0..4 {
                let signature = key.sign_prehash(hash, &mut rng).unwrap();
                assert_eq!(signature.to_plain().len(), 2 * curve.order_len());
                verify_prehash(curve, &key.public_point(), hash, &signature).unwrap();
                seen[usize::from(signature.s > half)] = true;
            }
        }
        assert_eq!(seen, [true, true], "{curve}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_hash_another_nonce() {
    for curve in Curve::ALL {
        let run = |hash: &[u8]| {
            let mut rng = CardRng::from_seed([9; 32]);
            let key = EcPrivateKey::generate(curve, &mut rng);
            let signature = key.sign_prehash(hash, &mut rng).unwrap();
            (key.secret_bytes(), signature)
        };
        assert_eq!(run(&[1; 32]), run(&[1; 32]));
        // A generator that repeats itself must not repeat the nonce.
        assert_ne!(run(&[1; 32]).1.r, run(&[2; 32]).1.r);
    }
}

#[test]
fn a_long_hash_counts_with_its_leftmost_bits() {
    for group in groups() {
        let curve = curve(&group.curve);
        let key = EcPrivateKey::from_bytes(curve, &bytes(&group.private)).unwrap();
        let hash = [0x5A; 80];
        let signature = key
            .sign_prehash(&hash, &mut CardRng::from_seed([1; 32]))
            .unwrap();
        let verifies = |flipped: usize| {
            let mut hash = hash;
            hash[flipped / 8] ^= 0x80 >> (flipped % 8);
            verify_prehash(curve, &key.public_point(), &hash, &signature).is_ok()
        };
        assert!(!verifies(curve.order_bits() - 1), "{curve}");
        assert!(verifies(curve.order_bits()), "{curve}");
    }
}

#[test]
fn truncation_to_521_bits_shifts_the_number_into_place() {
    // A signature over a number z of 512 bits is one over any hash whose leftmost 521 bits are z.
    let group = groups()
        .into_iter()
        .find(|g| g.curve == "secp521r1")
        .unwrap();
    let curve = Curve::Secp521r1;
    let case = group
        .signatures
        .iter()
        .find(|c| c.hash == "SHA-512")
        .unwrap();
    let signature = EcdsaSignature::from_der(curve, &bytes(&case.der)).unwrap();
    // z shifted left by 7, in 66 bytes, and bits behind that do not count.
    let z = [&[0, 0][..], &bytes(&case.hash_bytes)].concat();
    let mut hash: Vec<u8> = z
        .iter()
        .zip(z.iter().skip(1).chain([&0]))
        .map(|(high, low)| high << 7 | low >> 1)
        .collect();
    *hash.last_mut().unwrap() |= 0x55;
    hash.extend_from_slice(&[0xEE; 14]);
    verify_prehash(curve, &bytes(&group.public), &hash, &signature).unwrap();
}

#[test]
fn edge_scalars_give_the_known_multiples_of_the_base_point() {
    for curve in Curve::ALL {
        let known = curve.parameters();
        let public = |d: &[u8]| EcPrivateKey::from_bytes(curve, d).unwrap().public_point();
        assert_eq!(public(&[1]), known.g);
        // -G has the same x and the other y.
        let minus = public(&offset(known.n, -1));
        let (g_y, minus_y) = (
            &known.g[1 + curve.field_len()..],
            &minus[1 + curve.field_len()..],
        );
        assert_eq!(minus[..=curve.field_len()], known.g[..=curve.field_len()]);
        assert_eq!(difference(known.p, g_y), minus_y);
        // The table and the general multiplication agree, digits of every kind included.
        let small = |d: i16| d.to_be_bytes().to_vec();
        let mut scalars: Vec<_> = (1..100).chain([0x3FF, 0x400, 0x7FFF]).map(small).collect();
        scalars.extend((1..100).map(|below| offset(known.n, -below)));
        for d in scalars {
            let key = EcPrivateKey::from_bytes(curve, &d).unwrap();
            assert_eq!(
                *key.ecdh(known.g).unwrap(),
                key.public_point(),
                "{curve} {d:02x?}"
            );
        }
    }
}

#[test]
fn scalars_out_of_range_make_no_key() {
    for curve in Curve::ALL {
        let n = curve.parameters().n;
        let refused = |d: &[u8]| EcPrivateKey::from_bytes(curve, d).unwrap_err();
        assert_eq!(refused(&[]), Error::Range);
        assert_eq!(refused(&[0]), Error::Range);
        assert_eq!(refused(n), Error::Range);
        assert_eq!(refused(&offset(n, 1)), Error::Range);
        assert_eq!(refused(&vec![0xFF; n.len()]), Error::Range);
        assert_eq!(refused(&[&[0], &offset(n, -1)[..]].concat()), Error::Length);
    }
}

#[test]
fn points_that_are_none_are_refused() {
    for curve in Curve::ALL {
        let key = EcPrivateKey::from_bytes(curve, &[5]).unwrap();
        let length = curve.field_len();
        let good = curve.parameters().g.to_vec();
        let mut candidates = vec![
            vec![],
            vec![0],
            vec![4],
            good[1..].to_vec(),
            good[..2 * length].to_vec(),
            [&good[..], &[0]].concat(),
            [&[2], &good[1..=length]].concat(),
            [&[6], &good[1..]].concat(),
            [&[4][..], &vec![0; 2 * length]].concat(),
            [&[4], curve.parameters().p, &good[1 + length..]].concat(),
        ];
        let mut off = good.clone();
        *off.last_mut().unwrap() ^= 1;
        candidates.push(off);
        for point in candidates {
            assert_eq!(key.ecdh(&point), Err(Error::Point), "{curve} {point:02x?}");
            assert_eq!(check_point(curve, &point), Err(Error::Point));
            let signature = EcdsaSignature {
                r: vec![1; length],
                s: vec![1; length],
            };
            assert_eq!(
                verify_prehash(curve, &point, &[1], &signature),
                Err(Error::Point)
            );
        }
        key.ecdh(&good).unwrap();
    }
}

#[test]
fn points_of_another_curve_of_the_same_length_are_refused() {
    let key = EcPrivateKey::from_bytes(Curve::Secp256r1, &[5]).unwrap();
    for other in [Curve::Secp256k1, Curve::BrainpoolP256r1] {
        assert_eq!(key.ecdh(other.parameters().g), Err(Error::Point));
    }
}

#[test]
fn malformed_der_is_refused() {
    let good = bytes("3006020101020102");
    assert!(EcdsaSignature::from_der(Curve::Secp256r1, &good).is_ok());
    for text in [
        "",
        "30",
        "3000",
        "300602010102010200",    // trailing byte
        "3007020101020102",      // too long
        "3005020101020102",      // too short
        "308106020101020102",    // length not minimal
        "3106020101020102",      // not a SEQUENCE
        "3006030101020102",      // not an INTEGER
        "3007020200010201 02",   // r not minimal
        "3006020181020102",      // r negative
        "30050200020102",        // r empty
        "3080020101020102 0000", // indefinite length
    ] {
        let der = bytes(&text.replace(' ', ""));
        let read = EcdsaSignature::from_der(Curve::Secp256r1, &der);
        assert_eq!(read, Err(Error::Signature), "{text}");
    }
    let too_wide = [&[0x30, 0x26, 2, 33][..], &[1; 33], &[2, 1, 1]].concat();
    assert!(EcdsaSignature::from_der(Curve::Secp256r1, &too_wide).is_err());
    assert!(EcdsaSignature::from_der(Curve::Secp384r1, &too_wide).is_ok());
    assert!(EcdsaSignature::from_plain(Curve::Secp256r1, &[1; 63]).is_err());
    assert!(EcdsaSignature::from_plain(Curve::Secp256r1, &[1; 65]).is_err());
}

#[test]
fn debug_shows_the_curve_only() {
    let key = EcPrivateKey::from_bytes(Curve::Secp256r1, &[0x77; 32]).unwrap();
    assert_eq!(format!("{key:?}"), "EcPrivateKey(secp256r1, ..)");
}

#[test]
fn sums_of_keys_are_taken_modulo_the_order_on_every_curve() {
    for curve in Curve::ALL {
        let order = curve.parameters().n;
        let mut last = order.to_vec();
        *last.last_mut().unwrap() -= 1;
        let key = |scalar: &[u8]| EcPrivateKey::from_bytes(curve, scalar).unwrap();
        let sum = |one: &[u8], other: &[u8]| key(one).plus(other).map(|sum| sum.public_point());
        assert_eq!(sum(&[1], &[2]), Ok(key(&[3]).public_point()), "{curve}");
        assert_eq!(sum(&last, &[2]), Ok(key(&[1]).public_point()), "{curve}");
        assert_eq!(sum(&[2], &last), Ok(key(&[1]).public_point()), "{curve}");
        for (one, other, error) in [
            (&last[..], &[1][..], Error::Range),
            (&[1], &last, Error::Range),
            (&[1], &[], Error::Range),
            (&[1], &[0], Error::Range),
            (&[1], order, Error::Range),
            (&[1], &[&[0], &last[..]].concat(), Error::Length),
        ] {
            assert_eq!(sum(one, other), Err(error), "{curve}");
        }
    }
}

mod card_vectors {
    use super::*;
    use serde_json::Value;

    fn card() -> Value {
        serde_json::from_str(include_str!("../../../../vectors/crypto/card.json")).unwrap()
    }

    fn field(value: &Value, name: &str) -> Vec<u8> {
        bytes(value[name].as_str().unwrap())
    }

    #[test]
    fn keys_of_key_blobs_have_their_curve_and_public_point() {
        let card = card();
        let mut count = 0;
        for entry in card["blob_keys"].as_array().unwrap() {
            if entry["type"] != "0c" {
                continue;
            }
            let get = |name| field(&entry["fields"], name);
            let curve = Curve::from_parameters(
                &get("p"),
                &get("a"),
                &get("b"),
                &get("generator_g"),
                &get("order_n"),
                None,
            )
            .unwrap();
            let key = EcPrivateKey::from_bytes(curve, &get("secret_d")).unwrap();
            assert_eq!(key.public_point(), get("public_point_q"));
            count += 1;
        }
        assert_eq!(count, 3);
    }

    #[test]
    fn agreements_give_the_whole_point() {
        let card = card();
        let agreement = &card["agreement"];
        let curve = Curve::BrainpoolP256r1;
        let key = |name| EcPrivateKey::from_bytes(curve, &field(agreement, name)).unwrap();
        let shared = key("private_a")
            .ecdh(&key("private_b").public_point())
            .unwrap();
        let expected = [
            &[4],
            &field(agreement, "shared_x")[..],
            &field(agreement, "shared_y"),
        ];
        assert_eq!(*shared, expected.concat());

        let chip = &card["chip_authentication"];
        let device = EcPrivateKey::from_bytes(curve, &field(chip, "device_private")).unwrap();
        let shared = device.ecdh(&field(chip, "terminal_public")).unwrap();
        assert_eq!(shared[1..33], field(chip, "shared_x"));
    }

    #[test]
    fn the_signature_of_public_key_authentication_verifies() {
        let card = card();
        let case = &card["signature"];
        let curve = Curve::BrainpoolP256r1;
        let key = EcPrivateKey::from_bytes(curve, &field(case, "private")).unwrap();
        let hash = Hash::Sha256.digest(&field(case, "message"));
        let signature = EcdsaSignature::from_plain(curve, &field(case, "plain")).unwrap();
        verify_prehash(curve, &key.public_point(), &hash, &signature).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sign_then_verify(which in 0usize..Curve::ALL.len(), seed: [u8; 32], hash: Vec<u8>) {
        let curve = Curve::ALL[which];
        let mut rng = CardRng::from_seed(seed);
        let key = EcPrivateKey::generate(curve, &mut rng);
        let signature = key.sign_prehash(&hash, &mut rng).unwrap();
        verify_prehash(curve, &key.public_point(), &hash, &signature).unwrap();
        let der = signature.to_der();
        prop_assert_eq!(EcdsaSignature::from_der(curve, &der), Ok(signature));
    }

    #[test]
    fn table_and_general_multiplication_agree(which in 0usize..Curve::ALL.len(), seed: [u8; 32]) {
        let curve = Curve::ALL[which];
        let key = EcPrivateKey::generate(curve, &mut CardRng::from_seed(seed));
        let shared = key.ecdh(curve.parameters().g).unwrap();
        prop_assert_eq!(&*shared, &key.public_point());
    }

    #[test]
    fn der_never_panics_and_reads_only_what_it_would_write(der: Vec<u8>) {
        if let Ok(signature) = EcdsaSignature::from_der(Curve::Secp521r1, &der) {
            prop_assert_eq!(signature.to_der(), der);
        }
    }
}
