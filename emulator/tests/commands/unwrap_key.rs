//! UNWRAP KEY: blobs of the vectors and of a genuine token open, nothing else does.

use hsm2_emulator::crypto::{Curve, EcdsaSignature, verify_prehash};
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
