//! What GENERATE ASYMMETRIC KEY PAIR refuses; nothing is made then.

use super::{
    ECDSA_SHA_256, HOLDER, RSA_SHA_256, generate, is_absent, of_size, on_curve, p256, request_for,
    template,
};
use crate::apdu::{Apdu, apdu};
use crate::card::cvc::object;
use crate::judge::{self, Hash};
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::Stop;
use crate::suite::fixture;

/// Data fields that are refused with 6A80, by name.
fn malformed(what: &str) -> Result<Vec<u8>, Stop> {
    let curve = p256()?;
    let [a, b, p, n, g] = curve.parameters();
    let flipped = |field: &[u8]| {
        let mut field = field.to_vec();
        if let Some(last) = field.last_mut() {
            *last ^= 1;
        }
        field
    };
    let good = on_curve(curve);
    let changed = |fields: [&[u8]; 5]| request_for(&template(&ECDSA_SHA_256, fields, 1), &[]);
    Ok(match what {
        "other_prime" => changed([&flipped(&p), &a, &b, &g, &n]),
        "other_a" => changed([&p, &flipped(&a), &b, &g, &n]),
        "other_b" => changed([&p, &a, &flipped(&b), &g, &n]),
        "other_generator" => changed([&p, &a, &b, &flipped(&g), &n]),
        // As many bytes, and on the curve: the generator's negative.
        "negative_generator" => {
            let mut minus_one = n.clone();
            if let Some(last) = minus_one.last_mut() {
                // The order is odd.
                *last -= 1;
            }
            let negative = judge::multiply("secp256r1", &minus_one, None)?;
            changed([&p, &a, &b, &negative, &n])
        }
        "other_order" => changed([&p, &a, &b, &g, &flipped(&n)]),
        "cofactor_2" => request_for(&template(&ECDSA_SHA_256, [&p, &a, &b, &g, &n], 2), &[]),
        "unknown_algorithm" => request_for(&template(&[0x2a, 3, 4], [&p, &a, &b, &g, &n], 1), &[]),
        "curve_for_rsa" => request_for(&template(&RSA_SHA_256, [&p, &a, &b, &g, &n], 1), &[]),
        "rsa_1000" => request_for(&of_size(&1000_u16.to_be_bytes()), &[]),
        "rsa_8192" => request_for(&of_size(&8192_u16.to_be_bytes()), &[]),
        "rsa_size_of_one_byte" => request_for(&of_size(&[0x80]), &[]),
        "no_template" => request_for(&[], &[]),
        "no_profile" => [
            object(0x42, &[b"UTCA00001"]),
            good,
            object(0x5f20, &[HOLDER]),
        ]
        .concat(),
        "profile_1" => [object(0x5f29, &[&[1]]), good, object(0x5f20, &[HOLDER])].concat(),
        "no_holder" => [object(0x5f29, &[&[0]]), good].concat(),
        "empty_holder" => [object(0x5f29, &[&[0]]), good, object(0x5f20, &[])].concat(),
        "long_holder" => [
            object(0x5f29, &[&[0]]),
            good,
            object(0x5f20, &[&[b'A'; 21]]),
        ]
        .concat(),
        "cut_off" => {
            let mut data = request_for(&good, &[]);
            data.pop();
            data
        }
        "zero_uses" => request_for(&good, &object(0x90, &[&[0; 4]])),
        "empty_list" => request_for(&good, &object(0x91, &[])),
        "list_twice" => request_for(&good, &[0x91, 1, 0x70, 0x91, 1, 0x73]),
        "unknown_object" => request_for(&good, &[0x9f, 1, 0]),
        other => return Err(Stop::Harness(format!("no data field is called {other}"))),
    })
}

const MALFORMED: [&str; 23] = [
    "other_prime",
    "other_a",
    "other_b",
    "other_generator",
    "negative_generator",
    "other_order",
    "cofactor_2",
    "unknown_algorithm",
    "curve_for_rsa",
    "rsa_1000",
    "rsa_8192",
    "rsa_size_of_one_byte",
    "no_template",
    "no_profile",
    "profile_1",
    "no_holder",
    "empty_holder",
    "long_holder",
    "cut_off",
    "zero_uses",
    "empty_list",
    "list_twice",
    "unknown_object",
];

pub(super) fn add(list: &mut List) {
    for what in MALFORMED {
        list.add(
            format!("generate.malformed.{what}_is_6a80"),
            format!("GENERATE ASYMMETRIC KEY PAIR answers 6A80 and makes no key ({what})"),
        )
        .source("the form that OpenSC sends, violated (inferred)")
        .needs("curve-secp256r1")
        .effect(Effect::Creates)
        .start(Start::LoggedIn)
        .run(move |t| {
            let key = t.free_key()?;
            t.refused(generate(key, &malformed(what)?), 0x6a80)?;
            is_absent(t, key)
        });
    }
    let refused = |list: &mut List, id: &str, title: &str, command: fn(u8, &[u8]) -> Apdu, word| {
        // Whoever lets a card try to make its device key anew must be able to lose that.
        let effect = match word {
            0x6a89 => Effect::Wipes,
            _ => Effect::Creates,
        };
        list.add(format!("generate.refused.{id}"), title)
            .source("ISO 7816-4, table 6 (inferred)")
            .needs("curve-secp256r1")
            .effect(effect)
            .start(Start::LoggedIn)
            .run(move |t| {
                let key = t.free_key()?;
                let data = request_for(&on_curve(p256()?), &[]);
                t.refused(command(key, &data), word)?;
                is_absent(t, key)
            });
    };
    refused(
        list,
        "without_data_is_6700",
        "GENERATE ASYMMETRIC KEY PAIR without data answers 6700",
        |key, _| apdu(0x0046_0000).p1(key).all(),
        0x6700,
    );
    refused(
        list,
        "other_p2_is_6a86",
        "GENERATE ASYMMETRIC KEY PAIR with P2 01 answers 6A86",
        |key, data| generate(key, data).p2(1),
        0x6a86,
    );
    refused(
        list,
        "small_le_is_6700",
        "GENERATE ASYMMETRIC KEY PAIR with an Le below the request answers 6700 and makes no key",
        |key, data| generate(key, data).le(100),
        0x6700,
    );
    refused(
        list,
        "device_key_is_6a89",
        "The device key is not made anew: key 00 answers 6A89",
        |_, data| generate(0, data),
        0x6a89,
    );
    list.add(
        "generate.refused.existing_is_6a89",
        "A key number in use answers 6A89, and the key stays",
    )
    .source("ISO 7816-4, table 6 (inferred: hosts choose free numbers)")
    .needs("curve-secp256r1")
    .effect(Effect::Wipes)
    .start(Start::Keys)
    .run(|t| {
        let old = fixture::key("secp256r1")?;
        let data = request_for(&on_curve(p256()?), &[]);
        t.refused(generate(old.id, &data), 0x6a89)?;
        let hash = Hash::Sha256.of(b"still there")?;
        let signature = t.ok(apdu(0x8068_0070).p1(old.id).data(&hash).le(512))?;
        let good = judge::ecdsa(old.ec()?, &hash, &signature)?;
        t.check(good, "a signature of the old key", || {
            hex::encode_upper(&signature)
        })
    });
    list.add(
        "generate.refused.absent_domain_is_6a88",
        "A key for a key domain that is absent answers 6A88",
    )
    .source("compatible card (inferred)")
    .needs("key-domains")
    .needs("curve-secp256r1")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        let data = request_for(&on_curve(p256()?), &[0x92, 1, 1]);
        t.refused(generate(9, &data), 0x6a88)?;
        is_absent(t, 9)
    });
    list.add(
        "generate.login.needed",
        "GENERATE ASYMMETRIC KEY PAIR without login answers 6982",
    )
    .source("OpenSC pkcs15init/pkcs15-sc-hsm.c logs in before")
    .needs("curve-secp256r1")
    .effect(Effect::Creates)
    .run(|t| {
        let key = t.free_key()?;
        let data = request_for(&on_curve(p256()?), &[]);
        t.refused(generate(key, &data), 0x6982)?;
        is_absent(t, key)
    });
}
