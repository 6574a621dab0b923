//! SIGN: every algorithm with every kind of key.

use crate::apdu::{Apdu, apdu};
use crate::judge::{self, Hash};
use crate::key::curves::CURVES;
use crate::scenario::{List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::fixture;

/// Algorithms that a kind of key does not have, `key algorithm`.
const NOT_FOR_THIS_KEY: [(&str, u8); 14] = [
    ("secp256r1", 0x20),
    ("secp256r1", 0x30),
    ("secp256r1", 0x33),
    ("secp256r1", 0x40),
    ("secp256r1", 0x43),
    ("rsa-2048", 0x70),
    ("rsa-2048", 0x73),
    ("rsa-2048", 0x32),
    ("rsa-2048", 0x42),
    ("rsa-2048", 0x00),
    ("aes-256", 0x20),
    ("aes-256", 0x33),
    ("aes-256", 0x70),
    ("aes-256", 0x73),
];

/// Data of a length that the algorithm does not take, `key algorithm length`.
const WRONG_LENGTHS: [(&str, u8, usize); 8] = [
    ("rsa-2048", 0x20, 255),
    ("rsa-2048", 0x20, 257),
    ("rsa-2048", 0x20, 32),
    ("rsa-2048", 0x30, 246),
    ("rsa-2048", 0x40, 19),
    ("rsa-2048", 0x40, 33),
    ("rsa-2048", 0x40, 65),
    ("rsa-1024", 0x30, 118),
];

fn sign(key: u8, algorithm: u8, data: &[u8]) -> Apdu {
    apdu(0x8068_0000).p1(key).p2(algorithm).data(data).le(512)
}

fn ecdsa_verifies(t: &mut Bench, name: &str, hash: Hash) -> Result<(), Stop> {
    let key = fixture::key(name)?;
    let digest = hash.of(&t.dice.bytes(100))?;
    let signature = t.ok(sign(key.id, 0x70, &digest))?;
    let good = judge::ecdsa(key.ec()?, &digest, &signature)?;
    t.check(good, "a signature that verifies", || {
        hex::encode_upper(&signature)
    })
}

pub(super) fn add(list: &mut List) {
    add_ecdsa(list);
    add_digest_info(list);
    add_refusals(list);
}

fn add_ecdsa(list: &mut List) {
    for curve in &CURVES {
        let name = curve.name;
        list.add(
            format!("sign.ecdsa.{name}"),
            format!("ECDSA over a SHA-256 made on the host, on {name}, verifies"),
        )
        .source("OpenSC card-sc-hsm.c, algorithm 70")
        .needs(format!("curve-{name}"))
        .start(Start::Keys)
        .run(move |t| ecdsa_verifies(t, name, Hash::Sha256));
    }
    for hash in Hash::ALL {
        if hash == Hash::Sha256 {
            // Above, with every curve.
            continue;
        }
        list.add(
            format!("sign.ecdsa_external.{hash:?}"),
            format!("ECDSA takes a hash {hash:?} of the host, whatever its length"),
        )
        .source("FIPS 186-5, 6.4.1: the leftmost bits count (inferred)")
        .needs("curve-secp256r1")
        .start(Start::Keys)
        .run(move |t| ecdsa_verifies(t, "secp256r1", hash));
    }
}

/// DER of a DigestInfo before the hash (RFC 8017, 9.2, note 1).
const DIGEST_INFO: [(Hash, &str, &str); 4] = [
    (Hash::Sha1, "sha1", "3021300906052B0E03021A05000414"),
    (
        Hash::Sha256,
        "sha256",
        "3031300D060960864801650304020105000420",
    ),
    (
        Hash::Sha384,
        "sha384",
        "3041300D060960864801650304020205000430",
    ),
    (
        Hash::Sha512,
        "sha512",
        "3051300D060960864801650304020305000440",
    ),
];

fn add_digest_info(list: &mut List) {
    for (hash, word, prefix) in DIGEST_INFO {
        list.add(
            format!("sign.rsa_digest_info.{word}"),
            format!("Algorithm 30 pads a DigestInfo with {word} to a PKCS#1 v1.5 signature"),
        )
        .source("sc-hsm-embedded token-sc-hsm.c, algorithm 30")
        .needs("rsa-2048")
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key("rsa-2048")?;
            let (n, e) = key.rsa()?;
            let digest = hash.of(&t.dice.bytes(90))?;
            let prefix = hex::decode(prefix).unwrap_or_default();
            let signature = t.ok(sign(key.id, 0x30, &[prefix, digest.clone()].concat()))?;
            let good = judge::rsa_pkcs1(&n, &e, hash, &digest, &signature)?;
            t.check(good, "a signature that verifies", || {
                hex::encode_upper(&signature)
            })
        });
    }
    for length in [1_usize, 36, 245] {
        list.add(
            format!("sign.rsa_digest_info.any_{length}_bytes"),
            format!("Algorithm 30 pads any {length} bytes, as TLS 1.1 wants its two hashes"),
        )
        .source("RFC 8017, 9.2; RFC 4346, 4.7 (inferred)")
        .needs("rsa-2048")
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key("rsa-2048")?;
            let (n, e) = key.rsa()?;
            let input = t.dice.bytes(length);
            let signature = t.ok(sign(key.id, 0x30, &input))?;
            let back = judge::rsa_recover(&n, &e, &signature)?.unwrap_or_default();
            let filling = vec![0xff; n.len() - 3 - length];
            let block = [&[0, 1], filling.as_slice(), &[0], &input].concat();
            t.same("the padded block", block, back)
        });
    }
}

fn add_refusals(list: &mut List) {
    for (name, algorithm) in NOT_FOR_THIS_KEY {
        list.add(
            format!("sign.not_for_this_key.{name}-{algorithm:02X}"),
            format!("SIGN with algorithm {algorithm:02X} and key {name} answers 6A81"),
        )
        .source("recorded for 10, 11 and 99 on RSA and EC keys (inferred for SIGN)")
        .needs(super::symmetric::need_of(name))
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(name)?;
            t.refused(sign(key.id, algorithm, &[7; 32]), 0x6a81)
        });
    }
    for (name, algorithm, length) in WRONG_LENGTHS {
        list.add(
            format!("sign.wrong_length.{name}-{algorithm:02X}-{length}"),
            format!("{length} bytes for algorithm {algorithm:02X} of key {name} answer 6A80"),
        )
        .source("OpenSC card-sc-hsm.c takes 6A80 for wrong data (inferred)")
        .needs(name)
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(name)?;
            t.refused(sign(key.id, algorithm, &vec![1; length]), 0x6a80)
        });
    }
    list.add(
        "sign.rsa_raw.block_above_the_modulus_is_6a80",
        "A raw RSA block that is not below the modulus answers 6A80",
    )
    .source("RFC 8017, 5.2.1: representative out of range (inferred)")
    .needs("rsa-2048")
    .start(Start::Keys)
    .run(|t| {
        let key = fixture::key("rsa-2048")?;
        t.refused(sign(key.id, 0x20, &[0xff; 256]), 0x6a80)
    });
    list.add(
        "sign.data.missing_is_6700",
        "SIGN without data answers 6700",
    )
    .source("ISO 7816-4, 5.6 (inferred)")
    .start(Start::Keys)
    .run(|t| {
        let key = fixture::key("secp256r1")?;
        t.refused(apdu(0x8068_0070).p1(key.id).le(256), 0x6700)
    });
    list.add(
        "sign.le.too_small_is_6700",
        "SIGN with an Le that has no room for the signature answers 6700",
    )
    .source("ISO 7816-4, 5.6 (inferred)")
    .needs("rsa-2048")
    .start(Start::Keys)
    .run(|t| {
        let key = fixture::key("rsa-2048")?;
        t.refused(sign(key.id, 0x33, b"message").le(255), 0x6700)
    });
    list.add(
        "sign.key.absent_is_6a88",
        "SIGN with a key that is not there answers 6A88",
    )
    .source("recorded for WRAP KEY (inferred for SIGN)")
    .start(Start::Domains)
    .run(|t| t.refused(sign(0xfe, 0x70, &[7; 32]), 0x6a88));

    list.add("sign.login.needed", "SIGN without login answers 6982")
        .source("OpenSC card-sc-hsm.c")
        .start(Start::Keys)
        .run(|t| {
            t.select()?;
            let key = fixture::key("secp256r1")?;
            t.refused(sign(key.id, 0x70, &[7; 32]), 0x6982)
        });
}
