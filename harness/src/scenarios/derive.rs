//! Keys and secrets that follow from a key and a parameter, and algorithm identifiers without a
//! function.

use crate::apdu::{Apdu, apdu};
use crate::blob::seal::seal;
use crate::judge;
use crate::key::curves::CURVES;
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::fixture::{self, AES_BITS};

/// Numbers of the key that others are derived from, and of the one derived.
const OLD: u8 = 1;
const NEW: u8 = 2;

const RULE: &str = "sc-hsm-embedded for what is sent; the rule of derivation is (inferred)";

/// DERIVE EC KEY.
fn derive(parameter: &[u8]) -> Apdu {
    apdu(0x8076_0000)
        .p1(OLD)
        .p2(NEW)
        .parts(&[&[0x98], parameter])
}

/// Puts a fixture key on the card that lists these algorithms.
fn put(t: &mut Bench, name: &str, listed: &[u8]) -> Result<(), Stop> {
    let blob = seal(&fixture::key(name)?.key, &fixture::dkek(), listed)?;
    Ok(t.card().unwrap_key(OLD, &blob)?)
}

fn is_absent(t: &mut Bench) -> Result<(), Stop> {
    super::generate::is_absent(t, NEW)
}

pub(super) fn add(list: &mut List) {
    for curve in &CURVES {
        let name = curve.name;
        list.add(
            format!("derive.ec.{name}"),
            format!("A key derived on {name} signs under the public key that a host computes"),
        )
        .source(RULE)
        .needs("ec-derive")
        .needs("dkek")
        .needs(format!("curve-{name}"))
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(move |t| {
            put(t, name, &[0x98, 0x70])?;
            let parameter = t.dice.bytes(curve.width().min(33) - 1);
            t.refused(derive(&parameter), 0x9000)?;
            let old = fixture::key(name)?.ec()?;
            let public = judge::derived_key(name, old.private().expose(), &parameter)?;
            let hash = t.dice.bytes(32);
            let signature = t.ok(apdu(0x8068_0070).p1(NEW).data(&hash).le(512))?;
            let good = judge::ecdsa_by(name, &public, &hash, &signature)?;
            t.check(good, "a signature of the derived key", || {
                hex::encode_upper(&signature)
            })
        });
    }
    add_ec_conditions(list);
    add_ec_refusals(list);
    add_aes(list);
    add_without_function(list);
}

fn scenario(list: &mut List, id: &str, title: &str, body: fn(&mut Bench) -> Result<(), Stop>) {
    list.add(format!("derive.{id}"), title)
        .source(RULE)
        .needs("ec-derive")
        .needs("dkek")
        .needs("curve-secp256r1")
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(body);
}

fn add_ec_conditions(list: &mut List) {
    scenario(
        list,
        "ec_conditions.list_and_domain_are_inherited",
        "A derived key may do what the old one may and no more, and leaves the card as little",
        |t| {
            put(t, "secp256r1", &[0x98, 0x70])?;
            t.refused(derive(&[7]), 0x9000)?;
            let old = super::generate::conditions(t, OLD)?;
            let new = super::generate::conditions(t, NEW)?;
            t.same("the conditions of use", old, new)?;
            let data = [7; 32];
            t.refused(apdu(0x8068_0073).p1(NEW).data(data).le(256), 0x6a81)?;
            t.refused(apdu(0x8072_0092).p1(NEW).all(), 0x6985)
        },
    );
    scenario(
        list,
        "ec_conditions.derivation_is_a_use",
        "A derivation counts as a use of the old key; the new key has no counter",
        |t| {
            let conditions = [0x90, 4, 0, 0, 0, 1, 0x91, 2, 0x98, 0x70];
            let template = super::generate::on_curve(super::generate::p256()?);
            let data = super::generate::request_for(&template, &conditions);
            t.ok(super::generate::generate(OLD, &data))?;
            t.refused(derive(&[7]), 0x9000)?;
            t.delete(0xcc00 | u16::from(NEW))?;
            t.refused(derive(&[7]), 0x6984)?;
            is_absent(t)
        },
    );
}

fn add_ec_refusals(list: &mut List) {
    scenario(
        list,
        "ec_refused.key_without_a_list_is_6a81",
        "A key that does not list 98 is not derived from, with or without a list",
        |t| {
            t.card().unwrap_key(OLD, &fixture::key("secp256r1")?.blob)?;
            t.refused(derive(&[7]), 0x6a81)?;
            t.delete(0xcc00 | u16::from(OLD))?;
            put(t, "secp256r1", &[0x70])?;
            t.refused(derive(&[7]), 0x6a81)?;
            is_absent(t)
        },
    );
    scenario(
        list,
        "ec_refused.form_violated",
        "DERIVE EC KEY without data answers 6700, with another first byte than 98 6A81",
        |t| {
            put(t, "secp256r1", &[0x98])?;
            t.refused(apdu(0x8076_0102), 0x6700)?;
            t.refused(apdu(0x8076_0102).data([0x99, 7]), 0x6a81)?;
            is_absent(t)
        },
    );
    scenario(
        list,
        "ec_refused.parameter_out_of_range_is_6a80",
        "A parameter of zero, of the order or above, or none, and one that gives no key answer 6A80",
        |t| {
            put(t, "secp256r1", &[0x98])?;
            let order = super::generate::p256()?.parameters()[3].clone();
            let old = fixture::key("secp256r1")?.ec()?;
            let negative = judge::difference(&order, old.private().expose())?;
            let long = [vec![0], vec![7; 32]].concat();
            for parameter in [vec![], vec![0; 32], order, vec![0xff; 32], negative, long] {
                t.refused(derive(&parameter), 0x6a80)?;
            }
            is_absent(t)
        },
    );
    scenario(
        list,
        "ec_refused.existing_is_6a89",
        "A key number in use answers 6A89, and the key there stays",
        |t| {
            put(t, "secp256r1", &[0x98, 0x70])?;
            t.refused(derive(&[7]), 0x9000)?;
            t.refused(derive(&[8]), 0x6a89)?;
            t.refused(apdu(0x8076_0101).data([0x98, 7]), 0x6a89)?;
            let old = fixture::key("secp256r1")?.ec()?;
            let public = judge::derived_key("secp256r1", old.private().expose(), &[7])?;
            let signature = t.ok(apdu(0x8068_0270).data([7; 32]).le(512))?;
            let good = judge::ecdsa_by("secp256r1", &public, &[7; 32], &signature)?;
            t.check(good, "a signature of the first derived key", || {
                hex::encode_upper(&signature)
            })
        },
    );
    scenario(
        list,
        "ec_refused.absent_key_is_6a88",
        "DERIVE EC KEY of a key that is not there answers 6A88",
        |t| {
            t.refused(derive(&[7]), 0x6a88)?;
            is_absent(t)
        },
    );
    scenario(
        list,
        "ec_refused.rsa_key_is_6a81",
        "DERIVE EC KEY of an RSA or AES key answers 6A81, whatever it lists",
        |t| {
            for name in ["rsa-1024", "aes-128"] {
                put(t, name, &[0x98])?;
                t.refused(derive(&[7]), 0x6a81)?;
                t.delete(0xcc00 | u16::from(OLD))?;
            }
            is_absent(t)
        },
    );
    scenario(
        list,
        "ec_login.needed",
        "DERIVE EC KEY without login answers 6982",
        |t| {
            put(t, "secp256r1", &[0x98])?;
            t.select()?;
            t.refused(derive(&[7]), 0x6982)
        },
    );
}

fn add_aes(list: &mut List) {
    for bits in AES_BITS {
        for length in [1_usize, 16, 200] {
            list.add(
                format!("derive.aes.{bits}-{length}_bytes"),
                format!("An AES-{bits} key that lists 99 derives from {length} bytes what HKDF gives"),
            )
            .source("sc-hsm-embedded: 32 bytes; SP 800-56C in the way that the virtual card has (inferred)")
            .needs("aes-derive")
            .needs("dkek")
            .effect(Effect::Wipes)
            .start(Start::Domains)
            .run(move |t| {
                let name = format!("aes-{bits}");
                put(t, &name, &[0x99])?;
                let parameter = t.dice.bytes(length);
                let secret = fixture::key(&name)?.aes()?;
                let expected = judge::hkdf_sha256(secret.expose(), &parameter)?;
                let command = apdu(0x8078_0099).p1(OLD).data(&parameter).le(256);
                let derived = t.ok(&command)?;
                t.same("the derived secret", expected, derived)
            });
        }
    }
    list.add(
        "derive.aes_refused.key_without_a_list_is_6a81",
        "An AES key that does not list 99 derives nothing",
    )
    .source("recorded: an algorithm that is not listed answers 6A81")
    .needs("aes")
    .needs("dkek")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        for listed in [&[][..], &[0x10, 0x11]] {
            put(t, "aes-128", listed)?;
            let command = apdu(0x8078_0099).p1(OLD).data([1, 2, 3, 4, 5]).le(256);
            t.refused(command, 0x6a81)?;
            t.delete(0xcc00 | u16::from(OLD))?;
        }
        Ok(())
    });
    list.add(
        "derive.aes_refused.form_violated",
        "Derivation without data, or with an Le below 32, answers 6700",
    )
    .source("ISO 7816-4, table 6 (inferred)")
    .needs("aes-derive")
    .needs("dkek")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        put(t, "aes-128", &[0x99])?;
        t.refused(apdu(0x8078_0099).p1(OLD).le(256), 0x6700)?;
        t.refused(apdu(0x8078_0099).p1(OLD).data([7]).le(31), 0x6700)
    });
}

/// Identifiers that stand in lists of hosts, and that no source gives a function.
fn add_without_function(list: &mut List) {
    for (what, header) in [
        ("decipher_83", 0x8062_0083),
        ("sign_94", 0x8068_0094),
        ("sign_a0", 0x8068_00a0),
        ("cipher_94", 0x8078_0094),
    ] {
        list.add(
            format!("derive.no_function.{what}_is_6a81"),
            format!("An algorithm identifier without a known function answers 6A81 ({what})"),
        )
        .source("vendor's lists of algorithms and OCF name it, no host sends it (inferred)")
        .needs("dkek")
        .needs("aes")
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(move |t| {
            // Listed or not: the card keeps the identifier and gives it no function.
            let [.., algorithm] = u32::to_be_bytes(header);
            for name in ["secp256r1", "rsa-1024", "aes-128"] {
                for listed in [&[][..], &[algorithm]] {
                    put(t, name, listed)?;
                    t.refused(apdu(header).p1(OLD).data([7; 16]).le(256), 0x6a81)?;
                    t.delete(0xcc00 | u16::from(OLD))?;
                }
            }
            Ok(())
        });
    }
}
