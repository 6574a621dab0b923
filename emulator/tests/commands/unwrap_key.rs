//! UNWRAP KEY: blobs of the vectors and of a genuine token open, nothing else does.

use std::collections::BTreeSet;
use std::ops::Range;

use hsm2_emulator::blob::{self, Envelope};
use hsm2_emulator::crypto::{CardRng, Curve, EcdsaSignature, verify_prehash};
use hsm2_emulator::domain::Kek;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::tlv::Reader as Tlv;

use crate::keys::{Bench, unwrap_command};
use crate::vectors;

/// A card under the DKEK of `vectors/blobs.json`, which is that of the two shares.
fn bench() -> Bench {
    let shares = &vectors::dkek()[1]["shares"];
    let shares: Vec<_> = shares
        .as_array()
        .unwrap()
        .iter()
        .map(vectors::text)
        .collect();
    let mut card = Bench::with_dkek(&shares);
    assert_eq!(card.kcv(0), vectors::hex(&vectors::blobs()["kcv"]));
    card
}

/// The blob of this name.
fn blob(name: &str) -> Vec<u8> {
    let blobs = vectors::blobs();
    let mut blobs = blobs["vectors"].as_array().unwrap().iter();
    vectors::hex(&blobs.find(|vector| vector["name"] == name).unwrap()["blob"])
}

#[test]
fn every_blob_of_the_vectors_opens() {
    let mut card = bench();
    let mut opened = 0;
    for (key, vector) in (1..).zip(vectors::blobs()["vectors"].as_array().unwrap()) {
        let blob = vectors::hex(&vector["blob"]);
        assert_eq!(card.unwrap_key(key, &blob), 0x9000, "{}", vector["name"]);
        let list = vectors::text(&vector["allowed_algorithms"]);
        let expected = match list.len() / 2 {
            0 => "920100".to_owned(),
            length => format!("91{length:02X}{list}920100"),
        };
        assert_eq!(card.attributes(key), expected, "{}", vector["name"]);
        card.refused(&format!("00 A4 00 00 02 CE{key:02X}"), 0x6A82);
        card.refused(&format!("00 A4 00 00 02 C4{key:02X}"), 0x6A82);
        opened += 1;
    }
    assert_eq!(opened, 10);
}

#[test]
fn the_blob_may_come_through_the_scratch_file_which_is_then_empty() {
    let mut card = bench();
    card.write_scratch(&blob("RSA-2048 non-CRT"));
    card.write_scratch(&blob("EC secp256r1"));
    card.ok("80 74 01 93");
    assert_eq!(
        card.decipher(1, 0x80, Curve::Secp256r1.parameters().g)
            .len(),
        65
    );
    card.refuses(&[
        ("consumed", "80 74 02 93", 0x6A88),
        ("wrong KCV", &unwrap_command(2, &[0; 60]), 0x6A80),
    ]);
    // A refused blob stays: the host may try another key number.
    card.write_scratch(&blob("EC secp256r1"));
    card.refused("80 74 01 93", 0x6A89);
    card.ok("80 74 02 93");
}

#[test]
fn a_key_of_a_genuine_token_opens_under_its_dkek() {
    let record = vectors::real_token("wrapped-ec-k1");
    let mut card = Bench::with_dkek(&[vectors::text(&record["dkek_hex"])]);
    assert_eq!(card.kcv(0), vectors::hex(&record["kcv_hex"]));
    let container = vectors::hex(&record["response_hex"]);
    let mut content = Tlv::new(Tlv::new(&container).expect(0x30).unwrap().value);
    let blob = content.expect(0x04).unwrap().value;
    assert_eq!(card.unwrap_key(1, blob), 0x9000);

    // The public key as the blob's plain text ends with it: d·G is that of the card's key.
    let point = card.decipher(1, 0x80, Curve::Secp256k1.parameters().g);
    let der = card.sign(1, 0x70, &[0x11; 32]);
    let signature = EcdsaSignature::from_der(Curve::Secp256k1, &der).unwrap();
    verify_prehash(Curve::Secp256k1, &point, &[0x11; 32], &signature).unwrap();
    // What the card seals again has the form of the genuine blob.
    let again = card.wrap(1);
    assert_eq!((again.len(), &again[..27]), (blob.len(), &blob[..27]));
}

#[test]
fn refuses_each_fault_with_its_word() {
    let mut card = bench();
    let aes = blob("AES-128, algorithms 10 11 18 99");
    assert_eq!(card.unwrap_key(1, &aes), 0x9000);
    let fresh = unwrap_command(2, &aes);
    let p2 = fresh.replacen("80 74 02 93", "80 74 02 92", 1);
    let exists = unwrap_command(1, &aes);
    card.refuses(&[
        ("P2", &p2, 0x6A86),
        ("key exists", &exists, 0x6A89),
        ("the device key's number", &unwrap_command(0, &aes), 0x6A89),
        ("no blob", "80 74 02 93", 0x6A88),
        ("existence before blob", "80 74 01 93", 0x6A89),
        ("existence before form", &unwrap_command(1, &[0]), 0x6A89),
        ("one byte", &unwrap_command(2, &[0]), 0x6A80),
    ]);
    let blobs = vectors::blobs();
    let mut negatives = 0;
    for vector in blobs["negative"].as_array().unwrap() {
        let command = unwrap_command(2, &vectors::hex(&vector["blob"]));
        card.refuses(&[(vectors::text(&vector["name"]), &command, 0x6A80)]);
        negatives += 1;
    }
    assert_eq!(negatives, 3);
    card.log_out();
    card.refuses(&[
        ("no PIN", &fresh, 0x6982),
        ("P2 before PIN", &p2, 0x6A86),
        ("PIN before existence", &exists, 0x6982),
    ]);
    card.log_in();
    card.ok("80 52 04 00 00");
    card.refuses(&[
        ("no KEK", &fresh, 0x6A88),
        ("no KEK before form", &unwrap_command(2, &[0]), 0x6A88),
    ]);
}

/// Every blob of the vectors, by name.
fn every_blob() -> Vec<(String, Vec<u8>)> {
    let blobs = vectors::blobs();
    let blobs = blobs["vectors"].as_array().unwrap().iter();
    blobs
        .map(|vector| {
            let name = vectors::text(&vector["name"]).to_owned();
            (name, vectors::hex(&vector["blob"]))
        })
        .collect()
}

/// UNWRAP KEY in bytes.
fn unwrap_bytes(blob: &[u8]) -> Vec<u8> {
    let length = u16::try_from(blob.len()).unwrap().to_be_bytes();
    [&[0x80, 0x74, 1, 0x93, 0], &length[..], blob].concat()
}

#[test]
fn one_wrong_bit_anywhere_is_refused() {
    let mut card = bench();
    let kinds: BTreeSet<u8> = every_blob().iter().map(|(_, blob)| blob[8]).collect();
    assert_eq!(kinds, BTreeSet::from([0x05, 0x06, 0x0C, 0x0F]));
    for (name, good) in every_blob() {
        let before = card.state();
        let mut wrong = unwrap_bytes(&good);
        let start = wrong.len() - good.len();
        for bit in 0..8 * good.len() {
            let (at, mask) = (start + bit / 8, 0x80 >> (bit % 8));
            wrong[at] ^= mask;
            assert_eq!(card.send_bytes(&wrong).status, 0x6A80, "{name}, bit {bit}");
            wrong[at] ^= mask;
        }
        assert!(card.state() == before, "{name}");
        assert_eq!(card.send_bytes(&wrong).status, 0x9000, "{name}");
        card.delete_key(1);
    }
}

#[test]
fn a_reordered_blob_is_refused() {
    let mut card = bench();
    let before = card.state();
    for (name, good) in every_blob() {
        let mut tried = 0;
        let mut refused = |what: &str, first: Range<usize>, second: Range<usize>| {
            let mut wrong = good[..first.start].to_vec();
            wrong.extend_from_slice(&good[second.clone()]);
            wrong.extend_from_slice(&good[first.clone()]);
            wrong.extend_from_slice(&good[second.end..]);
            if wrong != good {
                let status = card.send_bytes(&unwrap_bytes(&wrong)).status;
                assert_eq!(status, 0x6A80, "{name}, {what} at {first:?}");
                tried += 1;
            }
        };
        // KCV and type, four fields with a length of two bytes each, cryptogram and MAC.
        let mut bounds = vec![0, 8, 9];
        for _ in 0..4 {
            let at = *bounds.last().unwrap();
            let length = usize::from(u16::from_be_bytes([good[at], good[at + 1]]));
            bounds.push(at + 2 + length);
        }
        let header = *bounds.last().unwrap();
        bounds.extend([good.len() - 16, good.len()]);
        for three in bounds.windows(3) {
            refused("fields", three[0]..three[1], three[1]..three[2]);
        }
        // Blocks of the cryptogram, the MAC being the last, and of the whole from its start.
        for start in [header, 0] {
            let blocks = (good.len() - start) / 16;
            for block in 1..blocks {
                let at = start + 16 * block;
                refused("blocks", at - 16..at, at..at + 16);
            }
        }
        assert!(tried > 8, "{name}");
    }
    assert!(card.state() == before);
}

#[test]
fn every_blob_cut_or_lengthened_is_refused() {
    let mut card = bench();
    let before = card.state();
    for vector in vectors::blobs()["vectors"].as_array().unwrap() {
        let good = vectors::hex(&vector["blob"]);
        for length in 1..good.len() {
            assert_eq!(card.unwrap_key(1, &good[..length]), 0x6A80, "{length}");
        }
        for more in [1, 16] {
            let longer = [&good[..], &vec![0; more]].concat();
            assert_eq!(card.unwrap_key(1, &longer), 0x6A80);
        }
    }
    assert!(card.state() == before);
}

#[test]
fn every_kind_of_key_returns_as_it_left() {
    let mut card = bench();
    for curve in Curve::ALL {
        let public = card.generate_ec(1, curve, "91 03 738092");
        let blob = card.wrap(1);
        card.delete_key(1);
        assert_eq!(card.unwrap_key(1, &blob), 0x9000, "{curve}");
        assert_eq!(card.decipher(1, 0x80, curve.parameters().g), public.point);
        assert_eq!(card.attributes(1), "9103738092920100");
        card.delete_key(1);
        card.ok("00 E4 02 00 02 CE01");
    }
    for bits in [1024, 1536, 2048] {
        card.generate_rsa(1, bits, "");
        let input = vec![0x01; usize::from(bits / 8)];
        let before = card.sign(1, 0x20, &input);
        let blob = card.wrap(1);
        card.delete_key(1);
        assert_eq!(card.unwrap_key(1, &blob), 0x9000, "{bits}");
        assert_eq!(card.sign(1, 0x20, &input), before, "{bits}");
        // Again from the card file: by primes this time.
        card = card.reopened();
        assert_eq!(card.sign(1, 0x20, &input), before, "{bits}");
        card.delete_key(1);
    }
    for (p2, length) in [(0xB0, 16usize), (0xB1, 24), (0xB2, 32)] {
        card.ok(&format!("00 48 02 {p2:02X} 06 91 04 10111892"));
        let plain = format!("80 78 02 10 10 {} 00", "5A".repeat(16));
        let before = card.ok(&plain);
        let blob = card.wrap(2);
        assert_eq!(blob.len(), 29 + (11 + length).next_multiple_of(16) + 16);
        card.delete_key(2);
        assert_eq!(card.unwrap_key(2, &blob), 0x9000);
        assert_eq!(card.ok(&plain), before, "AES, {length} bytes");
        card.delete_key(2);
    }
}

#[test]
fn a_use_counter_does_not_come_along() {
    let mut card = bench();
    card.generate_ec(1, Curve::Secp256r1, "90 04 00000005");
    let blob = card.wrap(1);
    assert_eq!(card.unwrap_key(2, &blob), 0x9000);
    assert_eq!(card.attributes(2), "920100");
}

#[test]
fn a_list_longer_than_a_key_can_be_generated_with_is_refused() {
    let mut card = bench();
    let dkek = <[u8; 32]>::try_from(vectors::hex(&vectors::blobs()["dkek"])).unwrap();
    let kek = Kek::new(&dkek);
    let original = blob("EC secp256r1");
    let unsealed = Envelope::parse(&original)
        .and_then(|envelope| envelope.open(&kek, &NITROKEY_HSM2))
        .unwrap();
    let mut rng = CardRng::from_seed([4; 32]);
    let mut sealed = |length| {
        let list = vec![0x73; length];
        let key = &unsealed.material;
        blob::seal(&kek, key, Some(&list), &NITROKEY_HSM2, &mut rng).unwrap()
    };
    let (longest, too_long) = (sealed(16), sealed(17));
    card.refuses(&[("17", &unwrap_command(1, &too_long), 0x6A80)]);
    assert_eq!(card.unwrap_key(1, &longest), 0x9000);
    assert_eq!(card.attributes(1), format!("9110{}920100", "73".repeat(16)));
}
