//! WRAP KEY and UNWRAP KEY.

use crate::apdu::{Apdu, apdu};
use crate::blob::layout::Blob;
use crate::card::cvc::object;
use crate::judge::{self, Hash};
use crate::key::curves::CURVES;
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::fixture::{self, AES_BITS, RSA_BITS};

/// A key number that the fixture leaves free.
const FREE: u8 = 0x64;

/// One key of each kind.
const KINDS: [&str; 6] = [
    "secp256r1",
    "secp521r1",
    "brainpoolP512r1",
    "rsa-1024",
    "rsa-2048",
    "aes-256",
];

/// Places in the blob of secp256r1 where a flipped bit must show: each field of the header, the
/// cryptogram, and the MAC, counted from the end where negative.
const TAMPERED: [(&str, isize); 12] = [
    ("check_value", 0),
    ("check_value_end", 7),
    ("type", 8),
    ("oid_length", 10),
    ("oid", 11),
    ("list_length", 22),
    ("access_length", 24),
    ("key_oid_length", 26),
    ("cryptogram", 27),
    ("cryptogram_end", -17),
    ("mac", -16),
    ("mac_end", -1),
];

fn wrap(key: u8) -> Apdu {
    apdu(0x8072_0092).p1(key).all()
}

fn unwrap(blob: &[u8]) -> Apdu {
    apdu(0x8074_0093).p1(FREE).data(blob)
}

/// The blob is refused with 6A80 and no key is there.
fn is_refused(t: &mut Bench, blob: &[u8]) -> Result<(), Stop> {
    t.refused(unwrap(blob), 0x6a80)?;
    let objects = t.objects()?;
    t.check(
        !objects.contains(&(0xcc00 | u16::from(FREE))),
        "no key",
        || format!("{objects:04X?}"),
    )
}

/// The key with this number does what the fixture's key does.
fn works(t: &mut Bench, id: u8, name: &str) -> Result<(), Stop> {
    let key = fixture::key(name)?;
    let message = t.dice.bytes(64);
    let digest = Hash::Sha256.of(&message)?;
    let good = if name.starts_with("aes") {
        let answer = t.ok(apdu(0x8078_0010).p1(id).data(&message).le(256))?;
        answer == judge::aes_cbc(key.aes()?.expose(), true, &message)?
    } else if name.starts_with("rsa") {
        let (n, e) = key.rsa()?;
        let signature = t.ok(apdu(0x8068_0033).p1(id).data(&message).le(512))?;
        judge::rsa_pkcs1(&n, &e, Hash::Sha256, &digest, &signature)?
    } else {
        let signature = t.ok(apdu(0x8068_0070).p1(id).data(&digest).le(512))?;
        judge::ecdsa(key.ec()?, &digest, &signature)?
    };
    t.check(good, "the key that was wrapped", || "another".into())
}

pub(super) fn add(list: &mut List) {
    add_round_trips(list);
    add_tampered(list);
    add_refusals(list);
}

/// Every key of the fixture, and the capability that it takes.
fn names() -> impl Iterator<Item = (String, String)> {
    let curves = CURVES.iter().map(|curve| curve.name);
    let curves = curves.map(|name| (name.to_string(), format!("curve-{name}")));
    let rsa = RSA_BITS.map(|bits| (format!("rsa-{bits}"), format!("rsa-{bits}")));
    let aes = AES_BITS.map(|bits| (format!("aes-{bits}"), "aes".to_string()));
    curves.chain(rsa).chain(aes)
}

fn add_round_trips(list: &mut List) {
    for (name, need) in names() {
        // In one command up to what every card takes, and through the file one key of each kind.
        for through_file in [false, true] {
            if through_file && !KINDS.contains(&name.as_str()) {
                continue;
            }
            let way = if through_file { "file" } else { "command" };
            let name = name.clone();
            list.add(
                format!("wrap.round_trip.{name}_by_{way}"),
                format!("{name} is wrapped, deleted, unwrapped by {way}, and is the same key"),
            )
            .source("vendor Java card service; OpenSC card-sc-hsm.c for EF 2F10")
            .needs("dkek")
            .needs(need.as_str())
            .effect(Effect::Wipes)
            .start(Start::Keys)
            .run(move |t| {
                let id = fixture::key(&name)?.id;
                let blob = t.ok(wrap(id))?;
                t.delete(0xcc00 | u16::from(id))?;
                t.refused(wrap(id), 0x6a88)?;
                if through_file {
                    t.card().unwrap_key_in_blocks(id, &blob)?;
                } else {
                    t.card().unwrap_key(id, &blob)?;
                }
                works(t, id, &name)
            });
        }
        list.add(
            format!("wrap.blob.{name}"),
            format!("OpenSSL opens the blob of {name} with the DKEK; the next blob is another"),
        )
        .source("vendor DKEK script; genuine blob of a secp256k1 key")
        .needs("dkek")
        .needs(need)
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(&name)?;
            let (one, two) = (t.ok(wrap(key.id))?, t.ok(wrap(key.id))?);
            for blob in [&one, &two] {
                let listed = judge::blob(blob, fixture::dkek().expose(), &key.key)?;
                t.same("the list of algorithms", [], listed)?;
            }
            t.check(one != two, "two blobs", || hex::encode_upper(&two))
        });
    }
}

fn add_tampered(list: &mut List) {
    let tampered =
        |list: &mut List, id: String, title: String, body: fn(&mut Bench, isize) -> _, at| {
            list.add(id, title)
                .source("OpenSC card-sc-hsm.c takes 6A80 for a blob that does not fit (inferred)")
                .needs("dkek")
                .effect(Effect::Wipes)
                .start(Start::Domains)
                .run(move |t| body(t, at));
        };
    for (what, at) in TAMPERED {
        tampered(
            list,
            format!("wrap.tampered.{what}_is_6a80"),
            format!("A bit flipped in a blob ({what}) answers 6A80 and makes no key"),
            |t, at| {
                let mut blob = fixture::key("secp256r1")?.blob.clone();
                let place = blob.len().saturating_add_signed(at) % blob.len();
                if let Some(byte) = blob.get_mut(place) {
                    *byte ^= 1;
                }
                is_refused(t, &blob)
            },
            at,
        );
    }
    for cut in [1, 16, 32, 300, 340, 362] {
        tampered(
            list,
            format!("wrap.truncated.by_{cut}_is_6a80"),
            format!("A blob that lacks its last {cut} bytes answers 6A80 and makes no key"),
            |t, cut| {
                let blob = &fixture::key("secp256r1")?.blob;
                let length = blob.len().saturating_add_signed(-cut);
                is_refused(t, blob.get(..length).unwrap_or_default())
            },
            cut,
        );
    }
    tampered(
        list,
        "wrap.tampered.any_bit_is_6a80".into(),
        "Any bit flipped in a blob, forty by dice, answers 6A80".into(),
        |t, tries| {
            let blob = &fixture::key("secp256r1")?.blob;
            for _ in 0..tries {
                let mut tampered = blob.clone();
                let dice = t.dice.bytes(3);
                let number = dice
                    .iter()
                    .fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
                if let Some(byte) = tampered.get_mut((number / 8) % blob.len()) {
                    *byte ^= 1 << (number % 8);
                }
                is_refused(t, &tampered)?;
            }
            t.card().unwrap_key(FREE, blob)?;
            works(t, FREE, "secp256r1")
        },
        40,
    );
}

fn add_refusals(list: &mut List) {
    list.add(
        "wrap.key.absent_is_6a88",
        "WRAP KEY of a key that is not there answers 6A88",
    )
    .source("recorded, OpenSC issue 2685")
    .needs("dkek")
    .start(Start::Domains)
    .run(|t| t.refused(wrap(0xfe), 0x6a88));
    for (what, header, word) in [
        ("wrap_p2", 0x8072_0193, 0x6a86),
        ("unwrap_p2", 0x8074_6492, 0x6a86),
        ("unwrap_existing", 0x8074_0193, 0x6a89),
        ("unwrap_without_blob", 0x8074_6493, 0x6a88),
    ] {
        list.add(
            format!("wrap.refused.{what}_is_{word:04x}"),
            format!("Command {header:08X} answers {word:04X} ({what})"),
        )
        .source("OpenSC card-sc-hsm.c for the forms (the words inferred)")
        .needs("dkek")
        .effect(Effect::Wipes)
        .start(Start::Keys)
        .run(move |t| t.refused(apdu(header), word));
    }
    list.add(
        "wrap.form.data_or_small_le_is_6700",
        "WRAP KEY with data, or with an Le that is too small, answers 6700",
    )
    .source("ISO 7816-4, table 6 (inferred)")
    .needs("dkek")
    .start(Start::Keys)
    .run(|t| {
        let id = fixture::key("secp256r1")?.id;
        t.refused(wrap(id).data([0]), 0x6700)?;
        t.refused(wrap(id).le(256), 0x6700)?;
        t.ok(wrap(id)).map(|_| ())
    });
    for (what, header) in [("wrap", 0x8072_0192), ("unwrap", 0x8074_6493)] {
        list.add(
            format!("wrap.login.needed_to_{what}"),
            format!("Without login {what} answers 6982"),
        )
        .source("sc-hsm-tool.c logs in before")
        .needs("dkek")
        .start(Start::Keys)
        .run(move |t| {
            t.select()?;
            t.refused(apdu(header), 0x6982)
        });
        list.add(
            format!("wrap.none.{what}_is_6d00"),
            format!("A card without key domains answers 6D00 to {what}"),
        )
        .source("sc-hsm-tool.c: \"Card not initialized for key wrap\"")
        .start(Start::Fresh)
        .run(move |t| {
            t.login()?;
            t.refused(apdu(header), 0x6d00)
        });
    }
    list.add(
        "wrap.kek.cleared_is_6a88",
        "A key whose domain has no KEK answers 6A88 to WRAP KEY and goes on signing",
    )
    .source("compatible card")
    .needs("key-domains")
    .effect(Effect::Wipes)
    .start(Start::Keys)
    .run(|t| {
        t.card().clear_kek(0)?;
        let id = fixture::key("secp256r1")?.id;
        t.refused(wrap(id), 0x6a88)?;
        works(t, id, "secp256r1")
    });
    for (listed, word) in [(&[0x10][..], 0x6985), (&[0x10, 0x92], 0x9000)] {
        list.add(
            format!("wrap.list.of_{}_is_{word:04x}", listed.len()),
            format!("WRAP KEY of an AES key that lists {listed:02X?} answers {word:04X}"),
        )
        .source("compatible card (inferred); the list travels by the vendor's DKEK script")
        .needs("dkek")
        .needs("aes")
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(move |t| {
            let attributes = [object(0x91, &[listed]), object(0x92, &[&[0]])].concat();
            t.ok(apdu(0x0048_00b2).p1(1).data(attributes))?;
            let blob = t.send(wrap(1))?.is(word)?;
            if word == 0x9000 {
                t.same("the list", listed, Blob::parse(&blob)?.algorithms)?;
                t.ok(unwrap(&blob))?;
                t.refused(apdu(0x8078_6411).data([7; 16]).le(256), 0x6a81)?;
            }
            Ok(())
        });
    }
}
