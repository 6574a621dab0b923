//! SIGN: every algorithm with every kind of key.

use crate::apdu::{Apdu, apdu};
use crate::judge::{self, Hash};
use crate::key::curves::CURVES;
use crate::scenario::{List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::fixture;

/// What the judge makes of an RSA signature.
#[derive(Clone, Copy)]
enum Padding {
    Pkcs1,
    Pss,
}

/// Algorithms with which the card hashes the message.
const RSA_HASHED: [(u8, Padding, Hash); 8] = [
    (0x31, Padding::Pkcs1, Hash::Sha1),
    (0x33, Padding::Pkcs1, Hash::Sha256),
    (0x34, Padding::Pkcs1, Hash::Sha384),
    (0x35, Padding::Pkcs1, Hash::Sha512),
    (0x41, Padding::Pss, Hash::Sha1),
    (0x43, Padding::Pss, Hash::Sha256),
    (0x44, Padding::Pss, Hash::Sha384),
    (0x45, Padding::Pss, Hash::Sha512),
];

const ECDSA_HASHED: [(u8, Hash); 5] = [
    (0x71, Hash::Sha1),
    (0x72, Hash::Sha224),
    (0x73, Hash::Sha256),
    (0x74, Hash::Sha384),
    (0x75, Hash::Sha512),
];

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

fn rsa_verifies(
    t: &mut Bench,
    name: &str,
    algorithm: u8,
    (padding, hash): (Padding, Hash),
    is_hashed_by_card: bool,
) -> Result<(), Stop> {
    let key = fixture::key(name)?;
    let (n, e) = key.rsa()?;
    let message = t.dice.bytes(200);
    let digest = hash.of(&message)?;
    let input = if is_hashed_by_card { &message } else { &digest };
    let signature = t.ok(sign(key.id, algorithm, input))?;
    let good = match padding {
        Padding::Pkcs1 => judge::rsa_pkcs1(&n, &e, hash, &digest, &signature)?,
        Padding::Pss => judge::rsa_pss(&n, &e, hash, &digest, &signature)?,
    };
    t.check(good, "a signature that verifies", || {
        hex::encode_upper(&signature)
    })
}

fn ecdsa_verifies(
    t: &mut Bench,
    name: &str,
    algorithm: u8,
    hash: Hash,
    is_hashed_by_card: bool,
) -> Result<(), Stop> {
    let key = fixture::key(name)?;
    let message = t.dice.bytes(100);
    let digest = hash.of(&message)?;
    let input = if is_hashed_by_card { &message } else { &digest };
    let signature = t.ok(sign(key.id, algorithm, input))?;
    let good = judge::ecdsa(key.ec()?, &digest, &signature)?;
    t.check(good, "a signature that verifies", || {
        hex::encode_upper(&signature)
    })
}

pub(super) fn add(list: &mut List) {
    add_ecdsa(list);
    add_rsa(list);
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
        .run(move |t| ecdsa_verifies(t, name, 0x70, Hash::Sha256, false));
    }
    for (algorithm, hash) in ECDSA_HASHED {
        list.add(
            format!("sign.ecdsa_hashed.{algorithm:02X}"),
            format!("ECDSA with the hash {hash:?} made on the card verifies"),
        )
        .source("OpenSC card-sc-hsm.h, algorithms 71 to 75")
        .needs("curve-secp256r1")
        .start(Start::Keys)
        .run(move |t| ecdsa_verifies(t, "secp256r1", algorithm, hash, true));
    }
    for hash in Hash::ALL {
        list.add(
            format!("sign.ecdsa_external.{hash:?}"),
            format!("ECDSA takes a hash {hash:?} of the host, whatever its length"),
        )
        .source("FIPS 186-5, 6.4.1: the leftmost bits count (inferred)")
        .needs("curve-secp256r1")
        .start(Start::Keys)
        .run(move |t| ecdsa_verifies(t, "secp256r1", 0x70, hash, false));
    }
}

fn add_rsa(list: &mut List) {
    for (algorithm, padding, hash) in RSA_HASHED {
        list.add(
            format!("sign.rsa_hashed.{algorithm:02X}"),
            format!("RSA with algorithm {algorithm:02X}, {hash:?} made on the card, verifies"),
        )
        .source("OpenSC card-sc-hsm.h; PSS by the vendor in OpenSC issue 529")
        .needs("rsa-2048")
        .start(Start::Keys)
        .run(move |t| rsa_verifies(t, "rsa-2048", algorithm, (padding, hash), true));
    }
    for hash in Hash::ALL {
        list.add(
            format!("sign.rsa_pss_external.{hash:?}"),
            format!("RSA-PSS over a hash {hash:?} of the host takes the hash from its length"),
        )
        .source("OpenSC issue 1404: neither hash nor salt is transmitted (inferred)")
        .needs("rsa-2048")
        .needs("pss-hash")
        .start(Start::Keys)
        .run(move |t| rsa_verifies(t, "rsa-2048", 0x40, (Padding::Pss, hash), false));
    }
    for bits in fixture::RSA_BITS {
        let name = format!("rsa-{bits}");
        list.add(
            format!("sign.rsa_raw.{bits}"),
            format!("The block that the host padded comes back from an RSA-{bits} signature"),
        )
        .source("OpenSC card-sc-hsm.c and GnuPG app-sc-hsm.c, algorithm 20")
        .needs(name.clone())
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(&name)?;
            let (n, e) = key.rsa()?;
            let mut block = t.dice.bytes(n.len());
            if let Some(first) = block.first_mut() {
                *first = 0; // below the modulus
            }
            let signature = t.ok(sign(key.id, 0x20, &block))?;
            let back = judge::rsa_recover(&n, &e, &signature)?;
            t.same("the block", block, back.unwrap_or_default())
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
