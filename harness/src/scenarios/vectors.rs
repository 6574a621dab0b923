//! The published vectors on a card: DKEK shares, wrapped keys, and a key that a genuine token wrapped.

mod vector;

use self::vector::{Blobs, Dkeks, Vector, genuine};
use crate::apdu::apdu;
use crate::dkek::Dkek;
use crate::judge::{self, Hash, SealedRsa};
use crate::key::Key;
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::fixture;

/// A slot of [`Start::Domains`] that is absent.
const SLOT: u8 = 1;
/// Number of the unwrapped key.
const KEY: u8 = 9;

/// Makes a domain with this DKEK in one share; the card must show its check value.
fn domain(t: &mut Bench, shares: &[[u8; 32]], check_value: &[u8]) -> Result<(), Stop> {
    let count = u8::try_from(shares.len()).unwrap_or(u8::MAX);
    t.card().create_dkek(SLOT, count)?;
    for share in shares {
        t.card().import_share(SLOT, &Dkek::new(*share))?;
    }
    let status = t.ok(apdu(0x8052_0000).p2(SLOT).le(256))?;
    t.same("the status", [&[count, 0], check_value].concat(), status)
}

/// The key does what the published one does.
fn works(t: &mut Bench, vector: &Vector) -> Result<(), Stop> {
    let message = t.dice.bytes(64);
    let digest = Hash::Sha256.of(&message)?;
    let good = match &vector.key {
        Key::Aes(key) => {
            let answer = t.ok(apdu(0x8078_0010).p1(KEY).data(&message).le(256))?;
            answer == judge::aes_cbc(key.expose(), true, &message)?
        }
        Key::Rsa(key) => {
            let signature = t.ok(apdu(0x8068_0033).p1(KEY).data(&message).le(512))?;
            let (n, e) = (key.modulus(), key.public_exponent());
            judge::rsa_pkcs1(&n, &e, Hash::Sha256, &digest, &signature)?
        }
        Key::Ec(key) => {
            let signature = t.ok(apdu(0x8068_0070).p1(KEY).data(&digest).le(512))?;
            judge::ecdsa(key, &digest, &signature)?
        }
    };
    t.check(good, "the published key", || "another".into())?;
    let shown = super::generate::conditions(t, KEY)?;
    let listed = match vector.algorithms.as_slice() {
        [] => vec![0x92, 1, SLOT],
        list => [crate::card::cvc::object(0x91, &[list]), vec![0x92, 1, SLOT]].concat(),
    };
    t.same("the conditions of use", listed, shown)
}

pub(super) fn add(list: &mut List) {
    let blobs = Blobs::read();
    for (at, vector) in blobs.vectors.into_iter().enumerate() {
        let need = vector.need();
        list.add(
            format!("vectors.blob.{:02}-{}", at + 1, vector.slug()),
            format!(
                "The published blob \"{}\" is unwrapped and is the published key",
                vector.name
            ),
        )
        .source("vectors/blobs.json: the vendor's DKEK script, recomputed")
        .needs("key-domains")
        .needs(need)
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(move |t| {
            domain(t, &[blobs.dkek], &blobs.check_value)?;
            t.refused(apdu(0x8074_0093).p1(KEY).data(&vector.blob), 0x9000)?;
            works(t, &vector)
        });
    }
    for (at, (name, blob)) in blobs.negative.into_iter().enumerate() {
        list.add(
            format!(
                "vectors.negative.{:02}-{}_is_6a80",
                at + 1,
                vector::slug(&name)
            ),
            format!("The published blob \"{name}\" answers 6A80 and makes no key"),
        )
        .source("vectors/blobs.json; OpenSC takes 6A80 for a blob that does not fit (inferred)")
        .needs("key-domains")
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(move |t| {
            domain(t, &[blobs.dkek], &blobs.check_value)?;
            t.refused(apdu(0x8074_0093).p1(KEY).data(&blob), 0x6a80)?;
            super::generate::is_absent(t, KEY)
        });
    }
    for (at, dkek) in Dkeks::read().into_iter().enumerate() {
        list.add(
            format!("vectors.dkek.{:02}-{}_shares", at + 1, dkek.shares.len()),
            format!(
                "The published shares \"{}\" show the published check value",
                dkek.name
            ),
        )
        .source(
            "vectors/dkek.json: first 8 bytes of SHA-256 of the XOR, verified on a genuine file",
        )
        .needs("key-domains")
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(move |t| domain(t, &dkek.shares, &dkek.check_value));
    }
    add_genuine(list);
    add_crt(list);
}

fn add_genuine(list: &mut List) {
    list.add(
        "vectors.genuine.key_wrapped_by_a_token_signs",
        "A key that a genuine token wrapped is unwrapped under its published DKEK and signs",
    )
    .source("recorded: DENK0105702, wrapped-ec-k1 in vectors/real-tokens.json")
    .needs("key-domains")
    .needs("curve-secp256k1")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        let genuine = genuine()?;
        domain(t, &[genuine.dkek], &genuine.check_value)?;
        t.refused(apdu(0x8074_0093).p1(KEY).data(&genuine.blob), 0x9000)?;
        let hash = t.dice.bytes(32);
        let signature = t.ok(apdu(0x8068_0070).p1(KEY).data(&hash).le(512))?;
        let good = judge::ecdsa_by("secp256k1", &genuine.point, &hash, &signature)?;
        t.check(good, "a signature under the token's own public key", || {
            hex::encode_upper(&signature)
        })
    });
}

/// RSA blobs with the parts of the Chinese remainder theorem, type 06.
fn add_crt(list: &mut List) {
    for bits in fixture::RSA_BITS {
        let word = if bits <= 2048 { 0x9000 } else { 0x6a80 };
        list.add(
            format!("vectors.crt.rsa-{bits}_is_{word:04x}"),
            format!("A blob of type 06 with RSA-{bits} answers {word:04X}"),
        )
        .source("vendor's DKEK script writes type 06; above 2048 bits a genuine token refused it")
        .needs("dkek")
        .needs(format!("rsa-{bits}"))
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(move |t| {
            let key = fixture::key(&format!("rsa-{bits}"))?;
            let Key::Rsa(rsa) = &key.key else {
                return Err(Stop::Harness("an RSA key that is none".into()));
            };
            let (n, e) = key.rsa()?;
            let parts = rsa.crt()?;
            let blob = judge::seal_rsa_crt(
                fixture::dkek().expose(),
                &SealedRsa {
                    private: [&parts.dp, &parts.dq, &parts.p, &parts.qinv, &parts.q],
                    modulus: &n,
                    exponent: &e,
                },
            )?;
            t.card().write(0x2f10, &blob)?;
            t.refused(apdu(0x8074_0093).p1(KEY), word)?;
            if word != 0x9000 {
                return super::generate::is_absent(t, KEY);
            }
            let message = t.dice.bytes(64);
            let signature = t.ok(apdu(0x8068_0033).p1(KEY).data(&message).le(512))?;
            let digest = Hash::Sha256.of(&message)?;
            let good = judge::rsa_pkcs1(&n, &e, Hash::Sha256, &digest, &signature)?;
            t.check(good, "a signature of the sealed key", || {
                hex::encode_upper(&signature)
            })
        });
    }
}
