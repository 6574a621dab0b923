//! GENERATE ASYMMETRIC KEY PAIR: every kind of key, what is refused, and conditions of use.

mod refused;

use crate::apdu::{Apdu, apdu};
use crate::card::cvc::object;
use crate::der::Reader;
use crate::judge::{self, Hash, Public, Scheme};
use crate::key::curves::{CURVES, Curve};
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::fixture::RSA_BITS;

/// id-TA-ECDSA-SHA-256.
const ECDSA_SHA_256: [u8; 10] = [4, 0, 0x7f, 0, 7, 2, 2, 2, 2, 3];
/// id-TA-RSA-v1-5-SHA-256.
const RSA_SHA_256: [u8; 10] = [4, 0, 0x7f, 0, 7, 2, 2, 2, 1, 2];

/// Name of the new key in its request.
const HOLDER: &[u8] = b"UTTEST00001";

/// Template 7F49 of a key on a curve.
pub(super) fn on_curve(curve: &Curve) -> Vec<u8> {
    let [a, b, p, n, g] = curve.parameters();
    template(&ECDSA_SHA_256, [&p, &a, &b, &g, &n], 1)
}

fn template(oid: &[u8], [p, a, b, g, n]: [&[u8]; 5], cofactor: u8) -> Vec<u8> {
    object(
        0x7f49,
        &[
            &object(0x06, &[oid]),
            &object(0x81, &[p]),
            &object(0x82, &[a]),
            &object(0x83, &[b]),
            &object(0x84, &[g]),
            &object(0x85, &[n]),
            &object(0x87, &[&[cofactor]]),
        ],
    )
}

/// Template 7F49 of an RSA key; the size as the bytes of its object.
pub(super) fn of_size(bits: &[u8]) -> Vec<u8> {
    rsa_template(&RSA_SHA_256, bits)
}

fn rsa_template(oid: &[u8], bits: &[u8]) -> Vec<u8> {
    object(
        0x7f49,
        &[
            &object(0x06, &[oid]),
            &object(0x82, &[&[1, 0, 1]]),
            &object(0x02, &[bits]),
        ],
    )
}

/// The whole data field: names, template, conditions of use.
pub(super) fn request_for(template: &[u8], conditions: &[u8]) -> Vec<u8> {
    [
        &object(0x5f29, &[&[0]]),
        &object(0x42, &[b"UTCA00001"]),
        template,
        &object(0x5f20, &[HOLDER]),
        conditions,
    ]
    .concat()
}

pub(super) fn generate(key: u8, data: &[u8]) -> Apdu {
    apdu(0x0046_0000).p1(key).data(data).all()
}

/// The curve that most scenarios here use.
pub(super) fn p256() -> Result<&'static Curve, Stop> {
    let found = CURVES.iter().find(|curve| curve.name == "secp256r1");
    found.ok_or_else(|| Stop::Harness("the curve secp256r1 is not known".into()))
}

/// Deletes a key and its request.
pub(super) fn delete(t: &mut Bench, key: u8) -> Result<(), Stop> {
    t.delete(u16::from_be_bytes([0xcc, key]))?;
    t.delete(u16::from_be_bytes([0xce, key]))
}

/// The conditions of use that SELECT shows of a key, content of A5; empty when there are none.
pub(super) fn conditions(t: &mut Bench, key: u8) -> Result<Vec<u8>, Stop> {
    let shown = t.ok(apdu(0x00a4_0204).data([0xcc, key]).le(256))?;
    let mut fields = Reader::new(&shown).expect(0x62, "the template")?.reader();
    while !fields.is_empty() {
        let field = fields.element()?;
        if field.tag == 0xa5 {
            return Ok(field.content.to_vec());
        }
    }
    Ok(Vec::new())
}

/// Neither the key nor its request is there.
pub(super) fn is_absent(t: &mut Bench, key: u8) -> Result<(), Stop> {
    let objects = t.objects()?;
    let left = [0xcc, 0xce].map(|kind| u16::from_be_bytes([kind, key]));
    t.check(
        !left.iter().any(|file| objects.contains(file)),
        "neither a key nor a request",
        || format!("{objects:04X?}"),
    )
}

pub(super) fn add(list: &mut List) {
    for curve in &CURVES {
        ec(list, curve);
    }
    for bits in RSA_BITS {
        rsa(list, bits);
    }
    refused::add(list);
    schemes(list);
    add_conditions(list);
    super::uses::add(list);
}

/// Makes a key, lets the judge look at its request, and gives its public key.
fn made(t: &mut Bench, key: u8, template: &[u8]) -> Result<Public, Stop> {
    let device = t.device()?;
    let answer = t.ok(generate(key, &request_for(template, &[])))?;
    let made = judge::request(&answer, &device)?;
    t.same("the holder's name", HOLDER, &made.holder)?;
    t.same(
        "the authority's name",
        b"UTCA00001",
        made.authority.unwrap_or_default(),
    )?;
    t.same("the device's name", &device.holder, &made.device)?;
    let file = apdu(0x00b1_ce00).p2(key).data([0x54, 2, 0, 0]).all();
    let stored = t.send(file)?.is_any(&[0x9000, 0x6282])?;
    t.same("the request in its file", answer, stored)?;
    Ok(made.public)
}

fn ec(list: &mut List, curve: &'static Curve) {
    let name = curve.name;
    list.add(
        format!("generate.ec.{name}"),
        format!("A key made on {name} signed its request, the device both, and the key signs"),
    )
    .source("OpenSC pkcs15init/pkcs15-sc-hsm.c; requests recorded and verified on firmware 4.1")
    .needs(format!("curve-{name}"))
    .effect(Effect::Creates)
    .start(Start::LoggedIn)
    .run(move |t| {
        let key = t.free_key()?;
        let Public::Ec(found, point) = made(t, key, &on_curve(curve))? else {
            return Err(t.finding("an EC key", "another kind"));
        };
        t.check(found == name, name, || found.to_string())?;
        let hash = Hash::Sha256.of(&t.dice.bytes(50))?;
        let signature = t.ok(apdu(0x8068_0070).p1(key).data(&hash).le(512))?;
        let good = judge::ecdsa_by(name, &point, &hash, &signature)?;
        t.check(good, "a signature of the new key", || {
            hex::encode_upper(&signature)
        })?;
        delete(t, key)
    });
}

fn rsa(list: &mut List, bits: u16) {
    list.add(
        format!("generate.rsa.{bits}"),
        format!(
            "A new RSA-{bits} key has that size, signed its request, the device both, and signs"
        ),
    )
    .source("OpenSC pkcs15init/pkcs15-sc-hsm.c; a request of RSA recorded on firmware 4.1")
    .needs(format!("rsa-{bits}"))
    .effect(Effect::Creates)
    .start(Start::LoggedIn)
    .run(move |t| {
        let key = t.free_key()?;
        let Public::Rsa(n, e) = made(t, key, &of_size(&bits.to_be_bytes()))? else {
            return Err(t.finding("an RSA key", "another kind"));
        };
        let top = n.first().copied().unwrap_or_default();
        t.check(
            n.len() == usize::from(bits / 8) && top >= 0x80,
            &format!("a modulus of {bits} bits"),
            || format!("{} bytes that begin with {top:02X}", n.len()),
        )?;
        t.same("the exponent", [1, 0, 1], &e)?;
        let message = t.dice.bytes(60);
        let signature = t.ok(apdu(0x8068_0033).p1(key).data(&message).le(512))?;
        let digest = Hash::Sha256.of(&message)?;
        let good = judge::rsa_pkcs1(&n, &e, Hash::Sha256, &digest, &signature)?;
        t.check(good, "a signature of the new key", || {
            hex::encode_upper(&signature)
        })?;
        delete(t, key)
    });
}

/// Last two arcs of the algorithms that a request can name, below 0.4.0.127.0.7.2.2.2.
const SCHEMES: [(&str, [u8; 2]); 7] = [
    ("ecdsa_sha1", [2, 1]),
    ("ecdsa_sha224", [2, 2]),
    ("ecdsa_sha384", [2, 4]),
    ("ecdsa_sha512", [2, 5]),
    ("rsa_sha1", [1, 1]),
    ("rsa_sha256", [1, 2]),
    ("rsa_sha512", [1, 5]),
];

/// The algorithm in the template is the one that the new key signs its request with.
fn schemes(list: &mut List) {
    for (name, arcs) in SCHEMES {
        let is_rsa = name.starts_with("rsa");
        list.add(
            format!("generate.request.{name}"),
            format!(
                "A new key signs its request with the algorithm that the template names, {name}"
            ),
        )
        .source("BSI TR-03110 part 3, A.6.4; OCF SmartCardHSMCardService names them (inferred)")
        .needs(if is_rsa {
            "rsa-1024"
        } else {
            "curve-secp256r1"
        })
        .effect(Effect::Creates)
        .start(Start::LoggedIn)
        .run(move |t| {
            let key = t.free_key()?;
            let oid = [&[4, 0, 0x7f, 0, 7, 2, 2, 2][..], &arcs].concat();
            let [a, b, p, n, g] = p256()?.parameters();
            let template = if is_rsa {
                rsa_template(&oid, &1024_u16.to_be_bytes())
            } else {
                template(&oid, [&p, &a, &b, &g, &n], 1)
            };
            let device = t.device()?;
            let answer = t.ok(generate(key, &request_for(&template, &[])))?;
            // The judge verifies with the algorithm that the request names.
            let made = judge::request(&answer, &device)?;
            let Some(Scheme::Ecdsa(wanted) | Scheme::Rsa(wanted)) = Scheme::by_oid(&oid) else {
                return t.skip("the judge does not know the algorithm");
            };
            t.check(made.hash == wanted, &format!("{wanted:?}"), || {
                format!("{:?}", made.hash)
            })?;
            delete(t, key)
        });
    }
}

fn add_conditions(list: &mut List) {
    list.add(
        "generate.conditions.select_shows_them_as_given",
        "SELECT of a key shows its use counter and its list of algorithms as they were given",
    )
    .source("OCF SmartCardHSMCardService for A5 of a key's template")
    .needs("curve-secp256r1")
    .effect(Effect::Creates)
    .start(Start::LoggedIn)
    .run(|t| {
        let key = t.free_key()?;
        // Neither sorted nor without repetition: the card keeps what it was given.
        let given = [
            0x90, 4, 0, 0, 1, 2, //
            0x91, 4, 0x73, 0x70, 0x94, 0x70,
        ];
        t.ok(generate(key, &request_for(&on_curve(p256()?), &given)))?;
        let shown = conditions(t, key)?;
        t.check(shown.starts_with(&given), &hex::encode_upper(given), || {
            hex::encode_upper(&shown)
        })?;
        delete(t, key)
    });
    list.add(
        "generate.conditions.select_shows_the_domain",
        "SELECT of a key shows the key domain that it was made for",
    )
    .source("OCF SmartCardHSMCardService; key-generator of sc-hsm-embedded for tag 92")
    .needs("key-domains")
    .needs("curve-secp256r1")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        t.ok(apdu(0x8052_0101).data([1]).le(256))?;
        for (key, slot) in [(1, 1), (2, 0)] {
            let given = [0x92, 1, slot];
            t.ok(generate(key, &request_for(&on_curve(p256()?), &given)))?;
            let shown = conditions(t, key)?;
            t.same("the conditions of use", given, shown)?;
        }
        Ok(())
    });
}
