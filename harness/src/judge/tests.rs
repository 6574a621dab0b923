use super::*;
use crate::key::curves::CURVES;
use crate::suite::fixture;

#[test]
fn every_curve_is_known_and_agrees_with_the_keys_of_the_host() {
    for curve in &CURVES {
        let key = fixture::key(curve.name).unwrap().ec().unwrap();
        let public = multiply(curve.name, key.private().expose(), None).unwrap();
        assert_eq!(public, key.public(), "{}", curve.name);
        let shared = multiply(curve.name, key.private().expose(), Some(&public)).unwrap();
        assert_eq!(shared.len(), public.len());
        assert!(!ecdsa(key, &[7; 32], &[0x30, 6, 2, 1, 1, 2, 1, 1]).unwrap());
    }
    assert!(multiply("secp256r1", &[1], Some(&[4; 65])).is_err());
    assert!(multiply("no-such-curve", &[1], None).is_err());
}

#[test]
fn rsa_that_does_not_verify() {
    let (n, e) = fixture::key("rsa-2048").unwrap().rsa().unwrap();
    let digest = Hash::Sha256.of(b"x").unwrap();
    for signature in [vec![1; 256], vec![0xff; 256], vec![1; 255], vec![]] {
        assert!(!rsa_pkcs1(&n, &e, Hash::Sha256, &digest, &signature).unwrap());
        assert!(!rsa_pss(&n, &e, Hash::Sha256, &digest, &signature).unwrap());
    }
    assert_eq!(rsa_recover(&n, &e, &[1; 255]).unwrap(), None);
}

#[test]
fn symmetric_answers_of_the_standards() {
    // SP 800-38B, D.1, example 2, and FIPS 197's key in CBC with one block is ECB.
    let key = hex::decode("2b7e151628aed2a6abf7158809cf4f3c").unwrap();
    let block = hex::decode("6bc1bee22e409f96e93d7e117393172a").unwrap();
    let mac = hex::encode(cmac(&key, &block).unwrap());
    assert_eq!(mac, "070a16b46b4d4144f79bdd9dd04a287c");
    let encrypted = aes_cbc(&key, true, &block).unwrap();
    assert_eq!(hex::encode(&encrypted), "3ad77bb40d7a3660a89ecaf32466ef97");
    assert_eq!(aes_cbc(&key, false, &encrypted).unwrap(), block);
    assert!(aes_cbc(&key, true, &block[1..]).is_err());
}
