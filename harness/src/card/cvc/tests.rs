//! The published issuer, device and request of `vectors/cvc.json`, whose device keys are on secp256k1.

use super::*;
use crate::judge::Hash;

/// The entry whose name has this in it.
fn published(name: &str) -> Vec<u8> {
    let vectors = include_str!("../../../../vectors/cvc.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let mut all = vectors["published"].as_array().unwrap().iter();
    let entry = all.find(|entry| entry["name"].as_str().unwrap().contains(name));
    hex::decode(entry.unwrap()["hex"].as_str().unwrap()).unwrap()
}

fn certificate(name: &str) -> Certificate {
    let [certificate] = <[_; 1]>::try_from(Certificate::parse_all(&published(name)).unwrap())
        .expect("one certificate");
    certificate
}

/// The certificate with its point on the curve that the published root states: it names none itself.
fn below_the_root(mut certificate: Certificate) -> Certificate {
    let point = certificate.key.point().unwrap().to_vec();
    certificate.key = PublicKey {
        numbers: Public::Ec("secp256k1", point),
        hash: Hash::Sha256,
    };
    certificate
}

#[test]
fn the_published_issuer_and_device_say_who_they_are() {
    let root = certificate("ESPICOHSMCA00002");
    let rows = [
        (
            "ESPICOHSMDV00002",
            "ESPICOHSMCA00002",
            Role::Issuer,
            [[2, 5, 0, 4, 0, 6], [2, 6, 0, 4, 0, 6]],
            "04e66b473ec328caf39eaed840f9c7a4ba237e1dd19004861fa3f4f134bd2d5ea5",
        ),
        (
            "ESPICOHSMTRLRA4C",
            "ESPICOHSMDV00002",
            Role::Device,
            [[2, 5, 1, 1, 2, 8], [2, 6, 1, 1, 2, 8]],
            "043400e4f42ea8b78b2ab58d24c8297a4b1c13a73a631b531e58d0efb60d70dd66",
        ),
    ];
    let mut above = root.clone();
    assert!(root.is_signed_by(&root.key));
    for (holder, authority, role, validity, start_of_point) in rows {
        let stated = certificate(&format!(" {holder}"));
        assert_eq!(stated.holder, holder.as_bytes());
        assert_eq!(stated.authority, authority.as_bytes());
        assert_eq!((stated.role, stated.validity), (Some(role), Some(validity)));
        let point = hex::encode(stated.key.point().unwrap());
        assert!(point.starts_with(start_of_point), "{point}");
        assert!(stated.is_signed_by(&above.key), "{holder}");
        // One changed byte of what is signed, or another key, and it is not.
        assert!(!stated.is_signed_by(&stated.key));
        let mut changed = stated.clone();
        *changed.body.last_mut().unwrap() ^= 1;
        assert!(!changed.is_signed_by(&above.key));
        above = below_the_root(stated);
    }
}

#[test]
fn the_published_request_is_attested_by_its_device_alone() {
    let device = below_the_root(certificate(" ESPICOHSMTRLRA4C"));
    let file = published("authentication public key request");
    let request = Request::parse(&file, &device).unwrap();
    assert_eq!(request.device, device.holder);
    let inner = &request.request;
    assert_eq!(inner.holder, device.holder);
    assert_eq!(inner.authority, device.holder);
    assert_eq!((inner.role, inner.validity), (None, None));
    assert_eq!(inner.key.describe(), "EC brainpoolP256r1");
    let point = hex::encode(inner.key.point().unwrap());
    assert!(point.starts_with("04a8217de2cec275cdf9"), "{point}");
    assert_eq!(request.content, file[4..]);

    let issuer = below_the_root(certificate(" ESPICOHSMDV00002"));
    let refused = Request::parse(&file, &issuer).unwrap_err();
    assert!(refused.to_string().contains("does not verify"), "{refused}");
    // The last byte belongs to the signature of the device.
    let mut outer = file.clone();
    *outer.last_mut().unwrap() ^= 1;
    assert!(Request::parse(&outer, &device).is_err());
    for cut in 0..file.len() {
        let what = Request::parse(&file[..cut], &device);
        assert!(matches!(what, Err(Flaw::Malformed(_))), "cut to {cut}");
    }
}
