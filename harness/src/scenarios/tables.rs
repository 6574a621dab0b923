//! Every algorithm with every key that it goes with, row by row.

use crate::apdu::apdu;
use crate::judge::{self, Hash, RsaPadding};
use crate::key::curves::{CURVES, Curve};
use crate::scenario::{List, Start};
use crate::suite::fixture::{self, RSA_BITS};

/// Algorithms that hash on the card: low digit, hash.
const HASHES: [(u8, Hash, &str); 5] = [
    (1, Hash::Sha1, "sha1"),
    (2, Hash::Sha224, "sha224"),
    (3, Hash::Sha256, "sha256"),
    (4, Hash::Sha384, "sha384"),
    (5, Hash::Sha512, "sha512"),
];

pub(super) fn add(list: &mut List) {
    for curve in &CURVES {
        ecdsa(list, curve);
        ecdh(list, curve);
    }
    for bits in RSA_BITS {
        rsa_signatures(list, bits);
        rsa_decryption(list, bits);
    }
}

fn ecdsa(list: &mut List, curve: &'static Curve) {
    for (digit, hash, word) in HASHES {
        let name = curve.name;
        list.add(
            format!("ecdsa.{word}.{name}"),
            format!("ECDSA with {word} made on the card, on {name}, verifies"),
        )
        .source(format!("vendor Java card service, algorithm 7{digit}"))
        .needs(format!("curve-{name}"))
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(name)?;
            let message = t.dice.bytes(200);
            let sign = apdu(0x8068_0070).p1(key.id).p2(0x70 | digit);
            let signature = t.ok(sign.data(&message).le(512))?;
            let good = judge::ecdsa(key.ec()?, &hash.of(&message)?, &signature)?;
            t.check(good, "a signature that verifies", || {
                hex::encode_upper(&signature)
            })
        });
    }
}

fn ecdh(list: &mut List, curve: &'static Curve) {
    let name = curve.name;
    list.add(
        format!("ecdh.agrees.{name}"),
        format!("ECDH on {name} gives the point that OpenSSL computes"),
    )
    .source("OpenSC card-sc-hsm.c, algorithm 80: 04 || x || y in and out")
    .needs(format!("curve-{name}"))
    .start(Start::Keys)
    .run(move |t| {
        let key = fixture::key(name)?;
        let private = t.dice.bytes(curve.width().min(33) - 1);
        let public = judge::multiply(name, &private, None)?;
        let shared = t.ok(apdu(0x8062_0080).p1(key.id).data(&public).le(512))?;
        let expected = judge::multiply(name, &private, Some(key.ec()?.public()))?;
        t.same("the shared point", expected, shared)
    });

    list.add(
        format!("ecdh.point_off_the_curve.{name}"),
        format!("ECDH on {name} with a point that is not on it answers 6A80"),
    )
    .source("SEC 1, 3.2.2: public keys are validated; the word is (inferred)")
    .needs(format!("curve-{name}"))
    .start(Start::Keys)
    .run(move |t| {
        let key = fixture::key(name)?;
        let mut point = key.ec()?.public().to_vec();
        if let Some(last) = point.last_mut() {
            *last ^= 1;
        }
        t.refused(apdu(0x8062_0080).p1(key.id).data(&point).le(512), 0x6a80)
    });
}

fn rsa_signatures(list: &mut List, bits: u16) {
    let name = format!("rsa-{bits}");
    let key_name = name.clone();
    list.add(
        format!("rsa.raw.{bits}"),
        format!("The raw signature of RSA-{bits} gives its input back by the public exponent"),
    )
    .source("OpenSC card-sc-hsm.c, algorithm 20")
    .needs(name.as_str())
    .start(Start::Keys)
    .run(move |t| {
        let key = fixture::key(&key_name)?;
        let (n, e) = key.rsa()?;
        let mut input = t.dice.bytes(n.len());
        // Below the modulus.
        if let Some(first) = input.first_mut() {
            *first = 0;
        }
        let signature = t.ok(apdu(0x8068_0020).p1(key.id).data(&input).le(512))?;
        let back = judge::rsa_recover(&n, &e, &signature)?.unwrap_or_default();
        t.same("the input", input, back)
    });

    for (digit, hash, word) in HASHES {
        if bits > 1024 || hash != Hash::Sha512 {
            // Hash and salt of SHA-512 do not fit a key of 1024 bits.
            pss(list, bits, digit, hash, word);
        }
        if hash == Hash::Sha224 {
            // The card does not make this one for RSA.
            continue;
        }
        let key_name = name.clone();
        list.add(
            format!("rsa.pkcs1.{word}.{bits}"),
            format!("PKCS#1 v1.5 with {word} made on the card, by RSA-{bits}, verifies"),
        )
        .source(format!(
            "sc-hsm-embedded token-sc-hsm.c, algorithm 3{digit}"
        ))
        .needs(name.as_str())
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(&key_name)?;
            let (n, e) = key.rsa()?;
            let message = t.dice.bytes(150);
            let sign = apdu(0x8068_0030).p1(key.id).p2(0x30 | digit);
            let signature = t.ok(sign.data(&message).le(512))?;
            let good = judge::rsa_pkcs1(&n, &e, hash, &hash.of(&message)?, &signature)?;
            t.check(good, "a signature that verifies", || {
                hex::encode_upper(&signature)
            })
        });
    }
}

fn pss(list: &mut List, bits: u16, digit: u8, hash: Hash, word: &'static str) {
    let name = format!("rsa-{bits}");
    for (on_card, where_) in [(true, "card"), (false, "host")] {
        if on_card && hash == Hash::Sha224 {
            continue;
        }
        let key_name = name.clone();
        let draft = list
            .add(
                format!("rsa.pss.{word}_on_{where_}.{bits}"),
                format!("PSS with {word} made on the {where_}, by RSA-{bits}, verifies"),
            )
            .source(format!(
                "OpenSC issue 529 (vendor), algorithm 4{}",
                if on_card { digit } else { 0 }
            ))
            .needs(name.as_str())
            .start(Start::Keys);
        let draft = match on_card {
            true => draft,
            false => draft.needs("pss-hash"),
        };
        draft.run(move |t| {
            let key = fixture::key(&key_name)?;
            let (n, e) = key.rsa()?;
            let message = t.dice.bytes(150);
            let digest = hash.of(&message)?;
            let (algorithm, input) = if on_card {
                (0x40 | digit, &message)
            } else {
                (0x40, &digest)
            };
            let sign = apdu(0x8068_0000).p1(key.id).p2(algorithm);
            let signature = t.ok(sign.data(input).le(512))?;
            let good = judge::rsa_pss(&n, &e, hash, &digest, &signature)?;
            t.check(good, "a signature that verifies", || {
                hex::encode_upper(&signature)
            })
        });
    }
}

fn rsa_decryption(list: &mut List, bits: u16) {
    let name = format!("rsa-{bits}");
    for (algorithm, padding, word) in [
        (0x21, RsaPadding::None, "raw"),
        (0x22, RsaPadding::Pkcs1, "pkcs1"),
        (0x23, RsaPadding::OaepSha1, "oaep"),
    ] {
        let key_name = name.clone();
        list.add(
            format!("rsa.decrypt_{word}.{bits}"),
            format!("What OpenSSL encrypted for RSA-{bits} ({word}) comes back"),
        )
        .source(format!(
            "OpenSC card-sc-hsm.c and vendor Java card service, algorithm {algorithm:02X}"
        ))
        .needs(name.as_str())
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(&key_name)?;
            let (n, e) = key.rsa()?;
            let mut message = match padding {
                RsaPadding::None => t.dice.bytes(n.len()),
                _ => t.dice.bytes(32),
            };
            if padding == RsaPadding::None
                && let Some(first) = message.first_mut()
            {
                *first = 0;
            }
            let sent = judge::rsa_encrypt(&n, &e, padding, &message)?;
            let decipher = apdu(0x8062_0000).p1(key.id).p2(algorithm);
            let back = t.ok(decipher.data(&sent).le(512))?;
            t.same("the message", message, back)
        });
    }
}
