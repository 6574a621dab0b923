use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn field(value: &Value, name: &str) -> Vec<u8> {
    hex::decode(value[name].as_str().unwrap()).unwrap()
}

fn cases(text: &str, name: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    let cases = file[name].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

const AES: &str = include_str!("../../../../vectors/crypto/aes.json");
const CARD: &str = include_str!("../../../../vectors/crypto/card.json");

#[test]
fn cbc_gives_the_examples_of_the_standard() {
    for case in cases(AES, "cbc") {
        let (key, plain, cipher) = (
            field(&case, "key"),
            field(&case, "plaintext"),
            field(&case, "ciphertext"),
        );
        let iv = field(&case, "iv").try_into().unwrap();
        assert_eq!(aes_cbc_encrypt(&key, &iv, &plain).unwrap(), cipher);
        assert_eq!(aes_cbc_decrypt(&key, &iv, &cipher).unwrap(), plain);
    }
}

#[test]
fn cmac_gives_the_examples_of_the_standard() {
    for case in cases(AES, "cmac") {
        let (key, message, expected) = (
            field(&case, "key"),
            field(&case, "message"),
            field(&case, "cmac"),
        );
        assert_eq!(aes_cmac(&key, &message).unwrap(), *expected);
        aes_cmac_verify(&key, &message, &expected).unwrap();
        aes_cmac_verify(&key, &message, &expected[..8]).unwrap();
    }
}

#[test]
fn key_blobs_decrypt_and_authenticate() {
    for case in cases(CARD, "aes_blobs") {
        let plain = aes_cbc_decrypt(&field(&case, "kenc"), &[0; 16], &field(&case, "cryptogram"));
        assert_eq!(plain.unwrap(), field(&case, "plaintext_padded"));
        let (key, data, tag) = (
            field(&case, "kmac"),
            field(&case, "maced"),
            field(&case, "cmac"),
        );
        aes_cmac_verify(&key, &data, &tag).unwrap();
    }
}

#[test]
fn wrong_lengths_are_refused() {
    for length in [0, 1, 15, 17, 31, 33, 64] {
        let key = vec![0; length];
        assert_eq!(
            aes_cbc_encrypt(&key, &[0; 16], &[0; 16]),
            Err(Error::Length)
        );
        assert_eq!(
            aes_cbc_decrypt(&key, &[0; 16], &[0; 16]),
            Err(Error::Length)
        );
        assert_eq!(aes_cmac(&key, b""), Err(Error::Length));
    }
    for length in [1, 15, 17, 1023] {
        let data = vec![0; length];
        assert_eq!(
            aes_cbc_encrypt(&[0; 32], &[0; 16], &data),
            Err(Error::Length)
        );
        assert_eq!(
            aes_cbc_decrypt(&[0; 32], &[0; 16], &data),
            Err(Error::Length)
        );
    }
    assert_eq!(aes_cbc_encrypt(&[0; 32], &[0; 16], &[]), Ok(vec![]));
    for length in [0, 3, 17] {
        let tag = vec![0; length];
        assert_eq!(aes_cmac_verify(&[0; 16], b"", &tag), Err(Error::Length));
    }
}

proptest! {
    #[test]
    fn decryption_undoes_encryption(
        key in prop_oneof![vec_of(16), vec_of(24), vec_of(32)],
        iv: [u8; 16],
        blocks in 0usize..8,
        fill: u8,
    ) {
        let data = vec![fill; 16 * blocks];
        let cipher = aes_cbc_encrypt(&key, &iv, &data).unwrap();
        prop_assert_eq!(aes_cbc_decrypt(&key, &iv, &cipher).unwrap(), data);
    }

    #[test]
    fn a_flipped_bit_changes_the_tag(key: [u8; 32], data: Vec<u8>, bit in 0usize..128) {
        let mut tag = aes_cmac(&key, &data).unwrap();
        aes_cmac_verify(&key, &data, &tag).unwrap();
        tag[bit / 8] ^= 0x80 >> (bit % 8);
        prop_assert_eq!(aes_cmac_verify(&key, &data, &tag), Err(Error::Signature));
    }
}

fn vec_of(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), length)
}
