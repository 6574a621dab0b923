//! Use counters and lists of algorithms of keys of every kind, as each command respects them.

use super::generate::{conditions, delete, generate, on_curve, p256, request_for};
use crate::apdu::{Apdu, apdu};
use crate::blob::seal::seal;
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::fixture;

/// A counter of two uses, and the list of algorithms.
fn two_uses(algorithms: &[u8]) -> Vec<u8> {
    let mut objects = vec![0x90, 4, 0, 0, 0, 2, 0x91];
    objects.push(u8::try_from(algorithms.len()).unwrap_or_default());
    objects.extend_from_slice(algorithms);
    objects
}

/// What is done with a key, and what the card must refuse before the key is used up.
struct Use {
    name: &'static str,
    title: &'static str,
    listed: &'static [u8],
    good: fn(&mut Bench, u8) -> Result<Apdu, Stop>,
    wrong_data: fn(u8) -> Apdu,
    wrong_data_word: u16,
}

const USES: [Use; 3] = [
    Use {
        name: "ecdsa",
        title: "An EC key made for two uses signs twice, then answers 6984; a refused use costs none",
        listed: &[0x70],
        good: |_, key| Ok(apdu(0x8068_0070).p1(key).data([7; 32]).le(256)),
        wrong_data: |key| apdu(0x8068_0070).p1(key).le(256),
        wrong_data_word: 0x6700,
    },
    Use {
        name: "ecdh",
        title: "An EC key made for two uses agrees twice, then answers 6984; a refused use costs none",
        listed: &[0x80],
        good: |_, key| {
            let point = fixture::key("secp256r1")?.ec()?.public().to_vec();
            Ok(apdu(0x8062_0080).p1(key).data(point).le(256))
        },
        wrong_data: |key| apdu(0x8062_0080).p1(key).data([4; 65]).le(256),
        wrong_data_word: 0x6a80,
    },
    Use {
        name: "ecdsa_hash",
        title: "A use counter counts signatures with a hash made on the card, too",
        listed: &[0x73],
        good: |t, key| Ok(apdu(0x8068_0073).p1(key).data(t.dice.bytes(100)).le(256)),
        wrong_data: |key| apdu(0x8068_0073).p1(key).le(256),
        wrong_data_word: 0x6700,
    },
];

pub(super) fn add(list: &mut List) {
    for Use {
        name,
        title,
        listed,
        good,
        wrong_data,
        wrong_data_word,
    } in USES
    {
        list.add(format!("generate.uses.{name}_counter_expires"), title)
            .source("commands of vendor's host: 90 is the use counter; 6984 (inferred)")
            .needs("curve-secp256r1")
            .effect(Effect::Creates)
            .start(Start::LoggedIn)
            .run(move |t| {
                let key = t.free_key()?;
                let data = request_for(&on_curve(p256()?), &two_uses(listed));
                t.ok(generate(key, &data))?;
                for left in [1, 0] {
                    let command = good(t, key)?;
                    t.ok(command)?;
                    t.refused(
                        wrong_data(key),
                        if left > 0 {
                            wrong_data_word
                        } else {
                            expired(wrong_data_word)
                        },
                    )?;
                    let shown = conditions(t, key)?;
                    let counter = [0x90, 4, 0, 0, 0, left];
                    t.check(
                        shown.starts_with(&counter),
                        &format!("{left} uses left"),
                        || hex::encode_upper(&shown),
                    )?;
                }
                let command = good(t, key)?;
                t.refused(command, 0x6984)?;
                delete(t, key)
            });
    }
    rsa(list);
    unlisted(list);
    wrapped(list);
}

/// A malformed command stays that; all others end at the expired counter.
fn expired(word: u16) -> u16 {
    if word == 0x6700 { word } else { 0x6984 }
}

fn rsa(list: &mut List) {
    list.add(
        "generate.uses.rsa_counter_expires",
        "An RSA key made for two uses signs once and deciphers once, then answers 6984 to both",
    )
    .source("commands of vendor's host: 90 is the use counter; 6984 (inferred)")
    .needs("rsa-1024")
    .effect(Effect::Creates)
    .start(Start::LoggedIn)
    .run(|t| {
        let key = t.free_key()?;
        let template = super::generate::of_size(&1024_u16.to_be_bytes());
        t.ok(generate(
            key,
            &request_for(&template, &two_uses(&[0x21, 0x33])),
        ))?;
        let sign = || apdu(0x8068_0033).p1(key).data([7; 32]).le(256);
        let decipher = || apdu(0x8062_0021).p1(key).data([1; 128]).le(256);
        t.ok(sign())?;
        t.refused(apdu(0x8062_0021).p1(key).data([1; 127]).le(256), 0x6a80)?;
        t.ok(decipher())?;
        t.refused(sign(), 0x6984)?;
        t.refused(decipher(), 0x6984)?;
        delete(t, key)
    });
}

/// Commands under an algorithm that a key of that kind has, and its list does not.
fn unlisted(list: &mut List) {
    for (what, listed, command) in [
        ("sign", 0x80, 0x8068_0070),
        ("sign_hashing", 0x70, 0x8068_0073),
        ("agree", 0x70, 0x8062_0080),
    ] {
        list.add(
            format!("generate.algorithms.unlisted_to_{what}_is_6a81"),
            format!("An EC key that lists {listed:02X} only refuses another algorithm ({what}) with 6A81"),
        )
        .source("recorded: an algorithm that is not listed answers 6A81")
        .needs("curve-secp256r1")
        .effect(Effect::Creates)
        .start(Start::LoggedIn)
        .run(move |t| {
            let key = t.free_key()?;
            let data = request_for(&on_curve(p256()?), &[0x91, 1, listed]);
            t.ok(generate(key, &data))?;
            let point = fixture::key("secp256r1")?.ec()?.public().to_vec();
            t.refused(apdu(command).p1(key).data(point).le(256), 0x6a81)?;
            delete(t, key)
        });
    }
    list.add(
        "generate.algorithms.travel_with_a_blob",
        "The list in a blob holds for the unwrapped key: RSA that lists 33 signs with it and nothing else",
    )
    .source("vendor's DKEK script writes the list into the blob; 6A81 recorded")
    .needs("dkek")
    .needs("rsa-2048")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        let blob = seal(&fixture::key("rsa-2048")?.key, &fixture::dkek(), &[0x33])?;
        t.card().unwrap_key(1, &blob)?;
        t.ok(apdu(0x8068_0133).data([7; 32]).le(256))?;
        t.refused(apdu(0x8068_0120).data([1; 256]).le(256), 0x6a81)?;
        t.refused(apdu(0x8062_0121).data([1; 256]).le(256), 0x6a81)?;
        t.refused(apdu(0x8072_0192).all(), 0x6985)
    });
}

fn wrapped(list: &mut List) {
    list.add(
        "generate.uses.wrap_counts_and_expires",
        "Wrapping is a use: a key made for one use is wrapped once, then answers 6984",
    )
    .source("compatible card (inferred)")
    .needs("dkek")
    .needs("curve-secp256r1")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        let one = [0x90, 4, 0, 0, 0, 1, 0x92, 1, 0];
        t.ok(generate(1, &request_for(&on_curve(p256()?), &one)))?;
        t.refused(apdu(0x8072_0192).data([0]).all(), 0x6700)?;
        t.ok(apdu(0x8072_0192).all())?;
        t.refused(apdu(0x8072_0192).all(), 0x6984)?;
        t.refused(apdu(0x8068_0170).data([7; 32]).le(256), 0x6984)
    });
}
