//! DECIPHER: RSA with and without padding, and key agreement.

use crate::apdu::{Apdu, apdu};
use crate::judge::{self, RsaPadding};
use crate::scenario::{List, Start};
use crate::suite::fixture;

/// Algorithms that a kind of key does not have.
const NOT_FOR_THIS_KEY: [(&str, u8); 6] = [
    ("secp256r1", 0x21),
    ("secp256r1", 0x22),
    ("rsa-2048", 0x80),
    ("rsa-2048", 0x20),
    ("aes-256", 0x21),
    ("aes-256", 0x80),
];

fn decipher(key: u8, algorithm: u8, data: &[u8]) -> Apdu {
    apdu(0x8062_0000).p1(key).p2(algorithm).data(data).le(512)
}

pub(super) fn add(list: &mut List) {
    add_rsa(list);
    add_ecdh(list);
    for (name, algorithm) in NOT_FOR_THIS_KEY {
        list.add(
            format!("decipher.not_for_this_key.{name}-{algorithm:02X}"),
            format!("DECIPHER with algorithm {algorithm:02X} and key {name} answers 6A81"),
        )
        .source("recorded for 10, 11 and 99 on RSA and EC keys (inferred for DECIPHER)")
        .needs(super::symmetric::need_of(name))
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(name)?;
            t.refused(decipher(key.id, algorithm, &[7; 32]), 0x6a81)
        });
    }
    list.add(
        "decipher.key.absent_is_6a88",
        "DECIPHER with a key that is not there answers 6A88",
    )
    .source("recorded for WRAP KEY (inferred for DECIPHER)")
    .start(Start::Domains)
    .run(|t| t.refused(decipher(0xfe, 0x21, &[7; 256]), 0x6a88));
    for (algorithm, name) in [(0x21, "rsa-2048"), (0x22, "rsa-2048"), (0x80, "secp256r1")] {
        list.add(
            format!("decipher.data.missing_for_{algorithm:02X}_is_6700"),
            format!("DECIPHER with algorithm {algorithm:02X} without data, or with an Le too small, answers 6700"),
        )
        .source("ISO 7816-4, 5.6 (inferred)")
        .needs(super::symmetric::need_of(name))
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(name)?;
            let command = apdu(0x8062_0000).p1(key.id).p2(algorithm);
            t.refused(command.clone().le(256), 0x6700)?;
            let block = if name == "secp256r1" {
                key.ec()?.public().to_vec()
            } else {
                let (n, e) = key.rsa()?;
                judge::rsa_encrypt(&n, &e, RsaPadding::Pkcs1, b"message")?
            };
            t.refused(command.data(block).le(6), 0x6700)
        });
    }
    list.add(
        "decipher.login.needed",
        "DECIPHER without login answers 6982",
    )
    .source("OpenSC card-sc-hsm.c")
    .needs("rsa-2048")
    .start(Start::Keys)
    .run(|t| {
        t.select()?;
        let key = fixture::key("rsa-2048")?;
        t.refused(decipher(key.id, 0x21, &[7; 256]), 0x6982)
    });
}

fn add_rsa(list: &mut List) {
    for algorithm in [0x21, 0x22, 0x23] {
        for (what, length) in [("short", 255), ("long", 257)] {
            list.add(
                format!("decipher.rsa.{algorithm:02X}_{what}_is_6a80"),
                format!("{length} bytes for RSA-2048 and algorithm {algorithm:02X} answer 6A80"),
            )
            .source("RFC 8017, 7.1.2 and 7.2.2: wrong length (inferred)")
            .needs("rsa-2048")
            .start(Start::Keys)
            .run(move |t| {
                let key = fixture::key("rsa-2048")?;
                t.refused(decipher(key.id, algorithm, &vec![1; length]), 0x6a80)
            });
        }
    }
    // A block whose padding begins wrongly, whatever follows: 00 01 is no PKCS#1 block type 2, and a
    // first byte of 01 no OAEP block.
    for (algorithm, start) in [(0x22, [0, 1]), (0x23, [1, 0])] {
        list.add(
            format!("decipher.rsa.{algorithm:02X}_wrong_padding_is_6a80"),
            format!("A block without the padding of algorithm {algorithm:02X} answers 6A80"),
        )
        .source("RFC 8017, 7.1.2 and 7.2.2: decryption error (inferred)")
        .needs("rsa-2048")
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key("rsa-2048")?;
            let (n, e) = key.rsa()?;
            let block = [start.to_vec(), t.dice.bytes(n.len() - start.len())].concat();
            let cryptogram = judge::rsa_encrypt(&n, &e, RsaPadding::None, &block)?;
            t.refused(decipher(key.id, algorithm, &cryptogram), 0x6a80)
        });
    }
}

fn add_ecdh(list: &mut List) {
    let point = |first: u8, length: usize| [vec![first], vec![0; length]].concat();
    for (what, data) in [
        ("infinity", vec![0]),
        ("zeros", point(4, 64)),
        ("short", point(4, 63)),
        ("long", point(4, 65)),
        ("without_04", vec![0; 64]),
    ] {
        list.add(
            format!("ecdh.no_point.{what}"),
            format!(
                "{} bytes that are no point ({what}) answer 6A80",
                data.len()
            ),
        )
        .source("SEC 1, 2.3.4 (inferred)")
        .needs("curve-secp256r1")
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key("secp256r1")?;
            t.refused(decipher(key.id, 0x80, &data), 0x6a80)
        });
    }
}
