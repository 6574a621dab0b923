use proptest::prelude::*;
use serde_json::Value;

use super::container::{self, KeyFile};
use super::layout::{Blob, KeyType};
use super::open::{OpenError, open, read_key};
use super::seal::{seal, seal_with_prefix};
use super::*;
use crate::key::curves::CURVES;
use crate::key::{EcKey, Key, RsaKey};
use crate::secret::Secret;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../vectors/blobs.json")).unwrap()
}

fn genuine() -> Value {
    let file: Value =
        serde_json::from_str(include_str!("../../../vectors/real-tokens.json")).unwrap();
    let mut records = file["records"].as_array().unwrap().iter();
    records
        .find(|record| record["id"] == "wrapped-ec-k1")
        .unwrap()
        .clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn dkek(value: &Value) -> Dkek {
    Dkek::new(bytes(value).try_into().unwrap())
}

fn field(vector: &Value, name: &str) -> Vec<u8> {
    bytes(&vector["fields"][name])
}

/// The key of a vector, built from its fields and not from its blob.
fn expected(vector: &Value) -> Key {
    let secret = |name| Secret::new(field(vector, name));
    match vector["key_type"].as_u64().unwrap() {
        0x05 => {
            let (n, e) = (field(vector, "modulus"), field(vector, "public_exponent"));
            Key::Rsa(RsaKey::from_exponents(&n, &e, &secret("private_exponent")).unwrap())
        }
        0x0c => {
            let p = field(vector, "p");
            let curve = CURVES
                .iter()
                .find(|curve| curve.parameters()[2] == p)
                .unwrap();
            Key::Ec(EcKey::new(curve, &secret("secret_d"), None).unwrap())
        }
        0x0f => Key::aes(secret("key")).unwrap(),
        other => panic!("type {other}"),
    }
}

#[test]
fn vectors_open_and_are_sealed_byte_for_byte() {
    let vectors = vectors();
    let dkek = dkek(&vectors["dkek"]);
    let mut sealed = 0;
    for vector in vectors["vectors"].as_array().unwrap() {
        let blob = bytes(&vector["blob"]);
        let parsed = Blob::parse(&blob).unwrap();
        assert_eq!(
            parsed.algorithms,
            bytes(&vector["allowed_algorithms"]),
            "{}",
            vector["name"]
        );
        assert_eq!(parsed.header_len, bytes(&vector["header"]).len());
        let key = open(&blob, &dkek).unwrap();
        if vector["key_type"] == 6 {
            let Key::Rsa(key) = key else {
                panic!("{}", vector["name"])
            };
            assert_eq!(key.modulus(), field(vector, "modulus"));
            assert_eq!(key.crt().unwrap().p.expose(), field(vector, "p"));
            continue;
        }
        let prefix = bytes(&vector["random_prefix"]).try_into().unwrap();
        let algorithms = bytes(&vector["allowed_algorithms"]);
        for key in [key, expected(vector)] {
            let again = seal_with_prefix(&key, &dkek, &algorithms, prefix).unwrap();
            assert_eq!(again, blob, "{}", vector["name"]);
            sealed += 1;
        }
    }
    assert_eq!(sealed, 18);
}

#[test]
fn negative_vectors_are_refused_for_the_right_reason() {
    let vectors = vectors();
    let dkek_of_all = dkek(&vectors["dkek"]);
    let negative = vectors["negative"].as_array().unwrap();
    let result = |i: usize| open(&bytes(&negative[i]["blob"]), &dkek_of_all).unwrap_err();
    assert_eq!(result(0), OpenError::Mac);
    assert!(matches!(result(1), OpenError::OtherDkek { .. }));
    assert!(matches!(result(2), OpenError::OtherDkek { .. }));
    assert!(open(&bytes(&negative[2]["blob"]), &dkek(&negative[2]["dkek"])).is_ok());
}

#[test]
fn key_wrapped_by_a_genuine_card_opens_and_its_point_is_d_times_g() {
    let record = genuine();
    let bytes = bytes(&record["response_hex"]);
    let file = KeyFile::parse(&bytes).unwrap();
    assert_eq!(file.blob.len(), 363);
    assert_eq!(file.description.unwrap().raw.len(), 0x41);
    assert_eq!(file.certificate.unwrap().tag, 0x67);
    // Opening recomputes the point and compares it with the one in the blob.
    let Key::Ec(key) = open(file.blob, &dkek(&record["dkek_hex"])).unwrap() else {
        panic!()
    };
    assert_eq!(key.curve().name, "secp256k1");
    // The point is in the card's own certificate request, too.
    let public = key.public();
    assert!(
        file.certificate
            .unwrap()
            .raw
            .windows(65)
            .any(|window| window == public)
    );
}

#[test]
fn every_flipped_bit_is_refused() {
    let vectors = vectors();
    let dkek = dkek(&vectors["dkek"]);
    for vector in [
        &vectors["vectors"][0],
        &vectors["vectors"][3],
        &vectors["vectors"][6],
    ] {
        let blob = bytes(&vector["blob"]);
        for bit in 0..8 * blob.len() {
            let mut flipped = blob.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                open(&flipped, &dkek).is_err(),
                "{} bit {bit}",
                vector["name"]
            );
        }
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let vectors = vectors();
    let dkek = dkek(&vectors["dkek"]);
    for vector in vectors["vectors"].as_array().unwrap() {
        let blob = bytes(&vector["blob"]);
        for len in 0..blob.len() {
            assert!(
                open(&blob[..len], &dkek).is_err(),
                "{} at {len}",
                vector["name"]
            );
        }
        for extra in 1..=32 {
            let longer = [blob.as_slice(), &vec![0; extra]].concat();
            assert!(
                open(&longer, &dkek).is_err(),
                "{} + {extra}",
                vector["name"]
            );
        }
    }
    let whole = bytes(&genuine()["response_hex"]);
    for len in 0..whole.len() {
        let parsed = KeyFile::parse(&whole[..len]).map(|file| Blob::parse(file.blob).is_ok());
        assert_ne!(parsed, Ok(true), "container at {len}");
    }
}

#[test]
fn layout_errors_name_the_offset() {
    let blob = bytes(&vectors()["vectors"][0]["blob"]);
    let offset = |change: fn(&mut Vec<u8>)| {
        let mut changed = blob.clone();
        change(&mut changed);
        Blob::parse(&changed).unwrap_err().offset
    };
    assert_eq!(offset(|b| b.truncate(5)), 0);
    assert_eq!(offset(|b| b[8] = 7), 8);
    assert_eq!(offset(|b| b[9] = 0xff), 11);
    assert_eq!(offset(|b| b.truncate(20)), 19);
    assert_eq!(offset(|b| b.truncate(70)), 29);
}

/// Content that only a faulty writer makes: authentic, so nothing but these checks stands between.
#[test]
fn faulty_content_is_refused() {
    let vectors = vectors();
    let content = |index: usize| bytes(&vectors["vectors"][index]["plaintext_padded"]);
    let refused = |key_type, plain: &[u8]| match read_key(key_type, plain) {
        Err(OpenError::Content(_) | OpenError::Key(_)) => true,
        Err(other) => panic!("{other}"),
        Ok(_) => false,
    };
    let cases = [
        (KeyType::Aes, 0),
        (KeyType::Rsa, 3),
        (KeyType::Ec, 6),
        (KeyType::RsaCrt, 9),
    ];
    for (key_type, index) in cases {
        let plain = content(index);
        assert!(!refused(key_type, &plain));
        for len in 0..26 {
            assert!(
                refused(key_type, &plain[..len.min(25)]),
                "{key_type:?} cut at {len}"
            );
        }
        for size in [0, 1, 8, 15, 17, 512, 0xffff] {
            let mut other = plain.clone();
            other[8..10].copy_from_slice(&u16::to_be_bytes(size));
            assert!(refused(key_type, &other), "{key_type:?} size {size}");
        }
        if key_type != KeyType::Aes {
            // One bit of each field: curve parameter, private part, public part, length.
            for at in [12, 13, 60, plain.len() - 24] {
                let mut other = plain.clone();
                other[at] ^= 1;
                assert!(refused(key_type, &other), "{key_type:?} at {at}");
            }
        }
    }
}

#[test]
fn every_curve_round_trips_at_full_width() {
    let dkek = Dkek::random().unwrap();
    for curve in &CURVES {
        let key = Key::Ec(EcKey::new(curve, &Secret::from(&[3][..]), None).unwrap());
        let blob = seal(&key, &dkek, &[0x73]).unwrap();
        // Header 28, prefix and size 10, seven lengths, five numbers and two points, padding, MAC.
        let plain = 10 + 14 + 9 * curve.width() + 2;
        assert_eq!(
            blob.len(),
            28 + (plain + 1).next_multiple_of(16) + 16,
            "{}",
            curve.name
        );
        let Key::Ec(opened) = open(&blob, &dkek).unwrap() else {
            panic!()
        };
        assert_eq!(opened.curve(), curve);
        assert_eq!(opened.private().expose().len(), curve.width());
    }
}

#[test]
fn what_no_card_takes_is_not_sealed() {
    let dkek = Dkek::new([7; 32]);
    let key = Key::aes(Secret::from(&[1; 16][..])).unwrap();
    assert!(seal(&key, &dkek, &[0x10; 16]).is_ok());
    let error = seal(&key, &dkek, &[0x10; 17]).unwrap_err().to_string();
    assert!(error.contains("at most 16 algorithms, not 17"), "{error}");

    let rsa = |bits| {
        let key = openssl::rsa::Rsa::generate(bits).unwrap();
        let part = |number: &openssl::bn::BigNumRef| number.to_vec();
        let d = Secret::new(part(key.d()));
        Key::Rsa(RsaKey::from_exponents(&part(key.n()), &part(key.e()), &d).unwrap())
    };
    assert!(seal(&rsa(1024), &dkek, &[]).is_ok());
    let error = seal(&rsa(1280), &dkek, &[]).unwrap_err().to_string();
    assert!(error.contains("1280"), "{error}");
    assert!(error.contains("1024, 1536, 2048, 3072 or 4096"), "{error}");
}

#[test]
fn sealing_twice_gives_different_bytes() {
    let dkek = Dkek::new([7; 32]);
    let key = Key::aes(Secret::from(&[1; 16][..])).unwrap();
    assert_ne!(
        seal(&key, &dkek, &[]).unwrap(),
        seal(&key, &dkek, &[]).unwrap()
    );
}

#[test]
fn containers_round_trip_and_a_certificate_needs_a_description() {
    let vectors = vectors();
    for vector in vectors["vectors"].as_array().unwrap() {
        let blob = bytes(&vector["blob"]);
        let key = open(&blob, &dkek(&vectors["dkek"])).unwrap();
        let description = container::description(&key, "backup 1");
        let file = container::write(&blob, Some(&description), Some(&[0x30, 0]));
        let read = KeyFile::parse(&file).unwrap();
        assert_eq!(read.blob, blob);
        assert_eq!(read.label(), Some("backup 1"));
        assert_eq!(read.certificate.unwrap().raw, [0x30, 0]);
        let file = container::write(&blob, None, Some(&[0x30, 0]));
        assert_eq!(KeyFile::parse(&file).unwrap().description, None);
    }
}

#[test]
fn a_bare_blob_whose_check_value_looks_like_a_container_is_read_as_bare() {
    let mut blob = bytes(&vectors()["vectors"][0]["blob"]);
    blob[..5].copy_from_slice(&[0x30, 0x82, 0x01, 0x00, 0x04]);
    assert_eq!(KeyFile::parse(&blob).unwrap().blob, blob);
}

#[test]
fn a_report_holds_no_secret() {
    let vectors = vectors();
    let dkek = dkek(&vectors["dkek"]);
    for vector in vectors["vectors"].as_array().unwrap() {
        let blob = bytes(&vector["blob"]);
        let report = show::report(&KeyFile::parse(&blob).unwrap(), Some(&dkek)).unwrap();
        let text = format!("{report}\n{}", serde_json::to_string(&report).unwrap()).to_lowercase();
        let secrets = [
            "key",
            "private_exponent",
            "secret_d",
            "p",
            "q",
            "dp1",
            "dq1",
        ];
        for name in secrets {
            let is_curve_prime = vector["key_type"] == 12 && name == "p";
            let secret = vector["fields"][name].as_str().filter(|_| !is_curve_prime);
            assert!(secret.is_none_or(|secret| !text.contains(secret)), "{name}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_cut_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Blob::parse(&bytes);
        let _ = KeyFile::parse(&bytes).map(|file| file.label().map(str::len));
        let _ = open(&bytes, &Dkek::new([0; 32]));
    }

    #[test]
    fn any_content_is_read_or_refused(
        kind in prop::sample::select(vec![KeyType::Rsa, KeyType::RsaCrt, KeyType::Ec, KeyType::Aes]),
        content in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let _ = read_key(kind, &content);
    }

    #[test]
    fn any_aes_key_round_trips(key in prop::sample::select(vec![16, 24, 32]).prop_flat_map(|len|
        prop::collection::vec(any::<u8>(), len)), algorithms in prop::collection::vec(any::<u8>(), 0..=16)) {
        let dkek = Dkek::new([9; 32]);
        let sealed = seal(&Key::aes(Secret::from(&key[..])).unwrap(), &dkek, &algorithms).unwrap();
        prop_assert_eq!(Blob::parse(&sealed).unwrap().algorithms, &algorithms[..]);
        let Key::Aes(opened) = open(&sealed, &dkek).unwrap() else { panic!() };
        prop_assert_eq!(opened.expose(), &key[..]);
    }
}
