//! GENERATE SYMMETRIC KEY and the use of AES keys.

use crate::support::{Reader, lc_data};

/// A card with AES keys 01 (128 bits, no list), 02 (256 bits, list 10 18) and EC key 03.
fn reader() -> Reader {
    let mut reader = Reader::initialised_with("92 01 01");
    reader.ok("00 48 01 B0");
    reader.ok("00 48 02 B2 04 91 02 10 18");
    reader
}

#[test]
fn what_is_enciphered_deciphers() {
    let mut reader = reader();
    for (length, key) in [("B0", 0x10), ("B1", 0x11), ("B2", 0x12)] {
        reader.ok(&format!("00 48 {key:02X} {length}"));
        let plain = [0x5A; 1024];
        let data = lc_data(&plain);
        let cryptogram = reader.ok(&format!("80 78 {key:02X} 10 {data} 00 00"));
        assert_ne!(cryptogram, plain);
        let data = lc_data(&cryptogram);
        assert_eq!(
            reader.ok(&format!("80 78 {key:02X} 11 {data} 00 00")),
            plain
        );
    }
}

#[test]
fn a_known_key_gives_the_published_answers() {
    // The AES-128 key of the published blob vectors, 40 to 4F, and its published wrapping.
    let blobs: serde_json::Value =
        serde_json::from_str(include_str!("../../../vectors/blobs.json")).unwrap();
    let blob = blobs["vectors"][0]["blob"].as_str().unwrap();
    let dkek = blobs["dkek"].as_str().unwrap();
    let mut reader = Reader::initialised_with("92 01 01");
    reader.ok(&format!("80 52 00 00 20 {dkek} 00"));
    reader.ok(&format!("80 74 05 93 {:02X} {blob}", blob.len() / 2));
    // Both computed with `openssl enc -aes-128-cbc -nopad` and `openssl mac CMAC`.
    let message = lc_data(b"sixteen byte msg");
    assert_eq!(
        hex::encode(reader.ok(&format!("80 78 05 10 {message} 00"))),
        "4ebbcdd03dc76555398dee383e8bb0a0"
    );
    assert_eq!(
        hex::encode(reader.ok(&format!("80 78 05 18 {message} 00"))),
        "46809e654287dc428e7a2688a731a88f"
    );
}

#[test]
fn a_key_that_lists_it_derives_secrets() {
    let mut reader = Reader::initialised_with("92 01 01");
    reader.ok("00 48 01 B2 06 91 04 10111899");
    let derived = reader.ok("80 78 01 99 05 0102030405 00");
    assert_eq!(derived.len(), 32);
    assert_eq!(reader.ok("80 78 01 99 05 0102030405 20"), derived);
    assert_ne!(reader.ok("80 78 01 99 05 0102030406 20"), derived);
    reader.ok("00 48 02 B2 03 91 01 99");
    assert_ne!(reader.ok("80 78 02 99 05 0102030405 00"), derived);
    reader.run(&[
        ("Le too small", "80 78 01 99 01 00 1F", 0x6700),
        ("no parameter", "80 78 01 99", 0x6700),
        ("two uses", "00 48 03 B0 09 91 01 99 90 04 00000002", 0x9000),
        ("first", "80 78 03 99 01 00 00", 0x9000),
        (
            "another algorithm costs none",
            "80 78 03 10 01 00 00",
            0x6A81,
        ),
        ("second", "80 78 03 99 01 00 00", 0x9000),
        ("no third", "80 78 03 99 01 00 00", 0x6984),
    ]);
}

#[test]
fn a_known_key_derives_what_openssl_derives() {
    // AES-128, 40 to 4F, with the list 10 11 18 99.
    let blobs = crate::vectors::blobs();
    let vector = &blobs["vectors"][0];
    let blob = vector["blob"].as_str().unwrap();
    let dkek = blobs["dkek"].as_str().unwrap();
    let mut reader = Reader::initialised_with("92 01 01");
    reader.ok(&format!("80 52 00 00 20 {dkek} 00"));
    reader.ok(&format!("80 74 05 93 {:02X} {blob}", blob.len() / 2));
    // openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:4041..4F
    //             -kdfopt hexinfo:0102030405 HKDF
    assert_eq!(
        hex::encode(reader.ok("80 78 05 99 05 0102030405 00")),
        "a8fa959fe4b5468bf4ab7a5e8ffe3f26c62b4d231ceb05beb240f231abf51788"
    );
}

#[test]
fn every_refusal_has_its_word() {
    let mut reader = reader();
    reader.refuses(&[
        ("unknown size", "00 48 05 B3", 0x6A86),
        ("number in use", "00 48 01 B0", 0x6A89),
        ("device key", "00 48 00 B0", 0x6A89),
        ("absent domain", "00 48 05 B0 03 92 01 01", 0x6A88),
        ("counter of zero", "00 48 05 B0 06 90 04 00000000", 0x6A80),
        ("no data", "80 78 01 10", 0x6700),
        (
            "result above Le",
            "80 78 01 10 10 000102030405060708090A0B0C0D0E0F 08",
            0x6700,
        ),
        (
            "absent key",
            "80 78 09 10 10 000102030405060708090A0B0C0D0E0F 00",
            0x6A88,
        ),
        ("not a multiple of 16", "80 78 01 10 01 00 00", 0x6A80),
        (
            "not listed",
            "80 78 02 11 10 000102030405060708090A0B0C0D0E0F 00",
            0x6A81,
        ),
        ("derivation, not listed", "80 78 01 99 01 00 00", 0x6A81),
        ("signature", "80 68 01 70 01 00 00", 0x6A81),
        (
            "unknown algorithm",
            "80 78 01 12 10 000102030405060708090A0B0C0D0E0F 00",
            0x6A81,
        ),
    ]);
    reader.ok("80 78 02 10 10 000102030405060708090A0B0C0D0E0F 00");
    reader.ok("00 48 06 B0 06 90 04 00000002");
    reader.refuses(&[("a failed use costs nothing", "80 78 06 10 01 00 00", 0x6A80)]);
    reader.ok("80 78 06 18 01 00 00");
    reader.ok("80 78 06 18 01 00 00");
    reader.refuses(&[("no third use", "80 78 06 18 01 00 00", 0x6984)]);
    reader.log_out();
    reader.refuses(&[
        ("generate without PIN", "00 48 07 B0", 0x6982),
        ("use without PIN", "80 78 01 18 01 00 00", 0x6982),
    ]);
}

#[test]
fn the_recorded_answers_for_other_kinds_of_keys() {
    let mut reader = Reader::initialised();
    // An RSA-1024 key, made as OpenSC makes them.
    reader.ok("00 46 01 00 00 0035 5F29 01 00 42 09 555443413030303031 \
         7F49 15 06 0A 04007F00070202020102 82 03 010001 02 02 0400 5F20 0B 5A5A565430303030303031 \
         00 00");
    // Recorded on a Nitrokey HSM 2 for 99, and reported for 10 and 11.
    reader.refused("80 78 01 99 05 0102030405 00", 0x6A81);
    reader.refused("80 78 01 10 10 000102030405060708090A0B0C0D0E0F 00", 0x6A81);
    reader.refused("80 78 01 11 10 000102030405060708090A0B0C0D0E0F 00", 0x6A81);
}
