//! AES keys: GENERATE SYMMETRIC KEY, and what such a key does.

use crate::apdu::{Apdu, apdu};
use crate::judge;
use crate::scenario::{Effect, List, Start};
use crate::suite::fixture;

/// Algorithms that a kind of key does not have.
const NOT_FOR_THIS_KEY: [(&str, u8); 9] = [
    ("secp256r1", 0x10),
    ("secp256r1", 0x11),
    ("secp256r1", 0x18),
    ("rsa-2048", 0x10),
    ("rsa-2048", 0x11),
    ("rsa-2048", 0x18),
    ("aes-256", 0x12),
    ("aes-256", 0x70),
    ("aes-256", 0x99),
];

/// Conditions of use that no key has.
const MALFORMED: [(&str, &[u8]); 6] = [
    ("zero_uses", &[0x90, 4, 0, 0, 0, 0]),
    ("short_counter", &[0x90, 2, 0, 1]),
    ("empty_list", &[0x91, 0]),
    (
        "long_list",
        &[
            0x91, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
        ],
    ),
    ("list_twice", &[0x91, 1, 0x10, 0x91, 1, 0x11]),
    ("unknown_object", &[0x9f, 0]),
];

/// The capability that a key of the fixture takes.
pub(super) fn need_of(name: &str) -> String {
    match name {
        aes if aes.starts_with("aes-") => "aes".into(),
        rsa if rsa.starts_with("rsa-") => rsa.into(),
        curve => format!("curve-{curve}"),
    }
}

fn cipher(key: u8, algorithm: u8, data: &[u8]) -> Apdu {
    apdu(0x8078_0000).p1(key).p2(algorithm).data(data).le(1024)
}

pub(super) fn add(list: &mut List) {
    for bits in fixture::AES_BITS {
        for (algorithm, what) in [(0x10, "encipher"), (0x11, "decipher")] {
            for blocks in [1_usize, 5, 60] {
                list.add(
                    format!("symmetric.{what}.aes-{bits}-{blocks}_blocks"),
                    format!("AES-{bits} in CBC mode does to {blocks} blocks what OpenSSL does"),
                )
                .source("sc-hsm-embedded token-sc-hsm.c: the IV is zero on the card")
                .needs("aes")
                .needs("extended-length")
                .start(Start::Keys)
                .run(move |t| {
                    let key = fixture::key(&format!("aes-{bits}"))?;
                    let data = t.dice.bytes(16 * blocks);
                    let expected = judge::aes_cbc(key.aes()?.expose(), algorithm == 0x10, &data)?;
                    let answer = t.ok(cipher(key.id, algorithm, &data))?;
                    t.same("the result", expected, answer)
                });
            }
        }
        for length in [1_usize, 16, 31, 200] {
            list.add(
                format!("symmetric.cmac.aes-{bits}-{length}_bytes"),
                format!("The CMAC of {length} bytes with AES-{bits} is OpenSSL's"),
            )
            .source("NIST SP 800-38B; sc-hsm-embedded, algorithm 18")
            .needs("aes")
            .start(Start::Keys)
            .run(move |t| {
                let key = fixture::key(&format!("aes-{bits}"))?;
                let data = t.dice.bytes(length);
                let expected = judge::cmac(key.aes()?.expose(), &data)?;
                let answer = t.ok(cipher(key.id, 0x18, &data))?;
                t.same("the CMAC", expected, answer)
            });
        }
    }
    add_refusals(list);
    add_generation(list);
}

fn add_refusals(list: &mut List) {
    for (algorithm, length) in [(0x10, 15_usize), (0x10, 17), (0x11, 15), (0x11, 33)] {
        list.add(
            format!("symmetric.wrong_length.{algorithm:02X}-{length}"),
            format!("{length} bytes, no whole blocks, for algorithm {algorithm:02X} answer 6A80"),
        )
        .source("sc-hsm-embedded sends whole blocks only (inferred)")
        .needs("aes")
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key("aes-256")?;
            t.refused(cipher(key.id, algorithm, &vec![7; length]), 0x6a80)
        });
    }
    for (name, algorithm) in NOT_FOR_THIS_KEY {
        list.add(
            format!("symmetric.not_for_this_key.{name}-{algorithm:02X}"),
            format!("Algorithm {algorithm:02X} of 80 78 with key {name} answers 6A81"),
        )
        .source("recorded: 10, 11 and 99 on RSA and EC keys (the others inferred)")
        .needs("aes")
        .needs(need_of(name))
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(name)?;
            t.refused(cipher(key.id, algorithm, &[7; 16]), 0x6a81)
        });
    }
    list.add(
        "symmetric.key.absent_is_6a88",
        "80 78 with a key that is not there answers 6A88",
    )
    .source("recorded for WRAP KEY (inferred here)")
    .needs("aes")
    .start(Start::Domains)
    .run(|t| t.refused(cipher(0xfe, 0x10, &[7; 16]), 0x6a88));
    list.add(
        "symmetric.data.missing_is_6700",
        "80 78 without data, or with an Le that is too small, answers 6700",
    )
    .source("ISO 7816-4, 5.6 (inferred)")
    .needs("aes")
    .start(Start::Keys)
    .run(|t| {
        let key = fixture::key("aes-256")?;
        for algorithm in [0x10, 0x11, 0x18] {
            let command = apdu(0x8078_0000).p1(key.id).p2(algorithm);
            t.refused(command.clone().le(256), 0x6700)?;
            t.refused(command.data([7; 32]).le(15), 0x6700)?;
        }
        Ok(())
    });
    list.add("symmetric.login.needed", "80 78 without login answers 6982")
        .source("all hosts log in before (inferred)")
        .needs("aes")
        .start(Start::Keys)
        .run(|t| {
            t.select()?;
            let key = fixture::key("aes-256")?;
            t.refused(cipher(key.id, 0x10, &[7; 16]), 0x6982)
        });
}

fn add_generation(list: &mut List) {
    for (kind, bits) in [(0xb0, 128), (0xb1, 192), (0xb2, 256)] {
        list.add(
            format!("generate_symmetric.size.{bits}"),
            format!("A new AES-{bits} key deciphers what it enciphered, and is deleted"),
        )
        .source("sc-hsm-embedded token-sc-hsm.c: B0, B1, B2")
        .needs("aes")
        .effect(Effect::Creates)
        .start(Start::LoggedIn)
        .run(move |t| {
            let id = t.free_key()?;
            t.refused(apdu(0x0048_0000).p1(id).p2(kind), 0x9000)?;
            let data = t.dice.bytes(32);
            let secret = t.ok(cipher(id, 0x10, &data))?;
            let back = t.ok(cipher(id, 0x11, &secret))?;
            t.delete(0xcc00 | u16::from(id))?;
            t.same("what was enciphered", data, back)?;
            t.refused(cipher(id, 0x10, &[7; 16]), 0x6a88)
        });
    }
    for (what, objects) in MALFORMED {
        list.add(
            format!("generate_symmetric.malformed.{what}"),
            format!("Conditions of use that are malformed ({what}) answer 6A80 and make no key"),
        )
        .source("vendor Java card service for the objects (the word inferred)")
        .needs("aes")
        .effect(Effect::Creates)
        .start(Start::LoggedIn)
        .run(move |t| {
            let id = t.free_key()?;
            let command = apdu(0x0048_0000).p1(id).p2(0xb2).data(objects);
            t.refused(command, 0x6a80)?;
            t.refused(cipher(id, 0x10, &[7; 16]), 0x6a88)
        });
    }
    list.add(
        "generate_symmetric.domain.absent_is_6a88",
        "GENERATE SYMMETRIC KEY for a key domain that is absent answers 6A88 and makes no key",
    )
    .source("compatible card (inferred)")
    .needs("aes")
    .needs("key-domains")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        t.refused(apdu(0x0048_09b2).data([0x92, 1, 1]), 0x6a88)?;
        t.refused(cipher(9, 0x10, &[7; 16]), 0x6a88)
    });
    list.add(
        "generate_symmetric.kind.unknown_is_6a86",
        "GENERATE SYMMETRIC KEY with a P2 other than B0, B1, B2 answers 6A86",
    )
    .source("ISO 7816-4, 5.6 (inferred)")
    .needs("aes")
    .effect(Effect::Creates)
    .start(Start::LoggedIn)
    .run(|t| {
        let id = t.free_key()?;
        t.refused(apdu(0x0048_00b3).p1(id), 0x6a86)
    });
    list.add(
        "generate_symmetric.key.existing_is_6a89",
        "GENERATE SYMMETRIC KEY over a key that exists answers 6A89 and leaves the key",
    )
    .source("ISO 7816-4, 5.6 (inferred: hosts choose free numbers)")
    .needs("aes")
    .start(Start::Keys)
    .effect(Effect::Wipes)
    .run(|t| {
        let key = fixture::key("aes-256")?;
        t.refused(apdu(0x0048_00b2).p1(key.id), 0x6a89)?;
        let expected = judge::aes_cbc(key.aes()?.expose(), true, &[7; 16])?;
        let answer = t.ok(cipher(key.id, 0x10, &[7; 16]))?;
        t.same("the old key's result", expected, answer)
    });
    list.add(
        "generate_symmetric.login.needed",
        "GENERATE SYMMETRIC KEY without login answers 6982",
    )
    .source("all hosts log in before (inferred)")
    .needs("aes")
    .effect(Effect::Creates)
    .run(|t| {
        let id = t.free_key()?;
        t.refused(apdu(0x0048_00b2).p1(id), 0x6982)
    });
    list.add(
        "generate_symmetric.uses.counter_expires",
        "An AES key made for two uses refuses the third with 6984; a refused use costs none",
    )
    .source("commands of vendor's host: 90 is the use counter; 6984 (inferred)")
    .needs("aes")
    .effect(Effect::Creates)
    .start(Start::LoggedIn)
    .run(|t| {
        let id = t.free_key()?;
        let objects = [0x90, 4, 0, 0, 0, 2];
        t.ok(apdu(0x0048_00b2).p1(id).data(objects))?;
        t.ok(cipher(id, 0x10, &[7; 16]))?;
        t.refused(cipher(id, 0x10, &[7; 15]), 0x6a80)?;
        t.ok(cipher(id, 0x10, &[7; 16]))?;
        t.refused(cipher(id, 0x10, &[7; 16]), 0x6984)?;
        t.delete(0xcc00 | u16::from(id))
    });
    list.add(
        "generate_symmetric.algorithms.unlisted_is_6a81",
        "An AES key that lists CMAC only refuses CBC with 6A81",
    )
    .source("recorded: an algorithm that is not listed answers 6A81")
    .needs("aes")
    .effect(Effect::Creates)
    .start(Start::LoggedIn)
    .run(|t| {
        let id = t.free_key()?;
        t.ok(apdu(0x0048_00b2).p1(id).data([0x91, 1, 0x18]))?;
        t.ok(cipher(id, 0x18, &[7; 16]))?;
        t.refused(cipher(id, 0x10, &[7; 16]), 0x6a81)?;
        t.delete(0xcc00 | u16::from(id))
    });
}
