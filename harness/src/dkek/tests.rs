use std::cell::Cell;

use serde_json::Value;

use super::kdf::{FileKey, TOTAL_ROUNDS};
use super::share_file::{FILE_LEN, ShareFile, ShareFileError};
use super::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../vectors/dkek.json")).unwrap()
}

fn genuine(id: &str) -> Value {
    let file: Value =
        serde_json::from_str(include_str!("../../../vectors/real-tokens.json")).unwrap();
    let mut records = file["records"].as_array().unwrap().iter();
    records.find(|record| record["id"] == id).unwrap().clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn dkek(value: &Value) -> Dkek {
    Dkek::new(bytes(value).try_into().unwrap())
}

#[test]
fn shares_combine_and_keys_derive_as_in_the_vectors() {
    let vectors = vectors();
    let vectors = vectors["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let shares: Vec<Dkek> = vector["shares"]
            .as_array()
            .unwrap()
            .iter()
            .map(dkek)
            .collect();
        let assembled = Dkek::assemble(&shares);
        let reversed: Vec<Dkek> = shares.into_iter().rev().collect();
        assert_eq!(
            assembled.expose(),
            &bytes(&vector["dkek"])[..],
            "{}",
            vector["name"]
        );
        assert_eq!(Dkek::assemble(&reversed), assembled);
        assert_eq!(assembled.check_value().0, bytes(&vector["kcv"])[..]);
        assert_eq!(
            assembled.encryption_key().expose(),
            &bytes(&vector["kenc"])[..]
        );
        assert_eq!(assembled.mac_key().expose(), &bytes(&vector["kmac"])[..]);
    }
}

/// One derivation serves opening, sealing, and the report of progress: it takes seconds.
#[test]
fn share_file_vector_opens_and_is_written_byte_for_byte() {
    let vector = vectors()["share_file"].clone();
    let file = ShareFile::parse(&bytes(&vector["file"])).unwrap();
    let done = Cell::new(0);
    let password = vector["password_ascii"].as_str().unwrap();
    let key = FileKey::derive(password.as_bytes(), file.salt(), &|n| {
        done.set(done.get() + n)
    });
    assert_eq!(done.get(), TOTAL_ROUNDS);
    assert_eq!(key.key, bytes(&vector["key"])[..]);
    assert_eq!(key.iv, bytes(&vector["iv"])[..]);

    let share = file.open(&key).unwrap();
    assert_eq!(share, dkek(&vector["share"]));
    let written = ShareFile::seal(&share, *file.salt(), &key);
    assert_eq!(written.to_bytes(), bytes(&vector["file"])[..]);

    let wrong = FileKey {
        key: [1; 32],
        iv: key.iv,
    };
    assert_eq!(file.open(&wrong), Err(ShareFileError::WrongPassword));
}

#[test]
fn share_file_of_a_genuine_card_opens() {
    let record = genuine("dkek-share-file");
    let file = ShareFile::parse(&bytes(&record["response_hex"])).unwrap();
    let key = FileKey::derive(
        record["password"].as_str().unwrap().as_bytes(),
        file.salt(),
        &|_| {},
    );
    let share = file.open(&key).unwrap();
    assert_eq!(share, dkek(&record["dkek_hex"]));
    assert_eq!(share.check_value().to_string(), "97E303855DC1C54D");
}

#[test]
fn files_of_another_shape_are_refused() {
    let file = bytes(&vectors()["share_file"]["file"]);
    for len in (0..FILE_LEN).chain([FILE_LEN + 1]) {
        let mut other = file.clone();
        other.resize(len, 0);
        assert_eq!(ShareFile::parse(&other), Err(ShareFileError::Length(len)));
    }
    let mut other = file;
    other[7] ^= 1;
    assert_eq!(ShareFile::parse(&other), Err(ShareFileError::Magic));
}

#[test]
fn secrets_do_not_show_in_debug() {
    let share = Dkek::new([0xab; 32]);
    assert!(!format!("{share:?}").contains("ab") && !format!("{share:?}").contains("171"));
}
