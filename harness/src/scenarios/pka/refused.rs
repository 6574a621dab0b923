//! What registration and authentication of custodians refuse.

use super::scene::{
    self, authenticate, challenge, choose, custodians, register, set_up, signed, status,
    trust_other,
};
use super::{COMPATIBLE, ready, scenario};
use crate::apdu::apdu;
use crate::card::Attributes;
use crate::card::cvc::{Kind, Request, object};
use crate::key::curves::CURVES;
use crate::scenario::{Effect, List, Start};
use crate::scenarios::generate::{generate, on_curve, request_for};
use crate::suite::bench::Stop;

const RECORDED: &str = "recorded on a genuine token: 6985";

/// Values of tag 93 that are none.
const NO_QUORUMS: [(&str, &[u8]); 6] = [
    ("none_of_none", &[0, 0]),
    ("none_of_two", &[2, 0]),
    ("three_of_two", &[2, 3]),
    ("one_of_91", &[91, 1]),
    ("one_byte", &[2]),
    ("three_bytes", &[3, 2, 1]),
];

pub(super) fn add(list: &mut List) {
    for (what, value) in NO_QUORUMS {
        list.add(
            format!("pka.setup.{what}_is_6a80"),
            format!(
                "INITIALIZE DEVICE with {value:02X?} in tag 93 answers 6A80 and changes nothing"
            ),
        )
        .source("sc-hsm-tool.c: 1 to 90 custodians (the word inferred)")
        .needs("pka")
        .effect(Effect::Wipes)
        .start(Start::Fresh)
        .run(move |t| {
            let data = [
                object(0x80, &[&[0, 1]]),
                object(0x82, &[&t.so_pin()?]),
                object(0x93, &[value]),
            ];
            t.refused(apdu(0x8050_0000).data(data.concat()), 0x6a80)?;
            t.login()?;
            t.refused("80540000 04", 0x6d00)
        });
    }
    add_registration(list);
    add_authentication(list);
}

fn add_registration(list: &mut List) {
    scenario(
        list,
        "register.twice_is_6985",
        "A key that is registered is not registered again",
        RECORDED,
        |t| {
            let all = custodians::<1>(t)?;
            set_up(t, 0x0001, None, [2, 1])?;
            register(t, &all[0])?.is(0x9000)?;
            register(t, &all[0])?.is(0x6985)?;
            status(t, [2, 1, 1, 0])
        },
    );
    scenario(
        list,
        "register.one_too_many_is_6985",
        "When all custodians are registered, another is not",
        COMPATIBLE,
        |t| {
            let all = custodians::<2>(t)?;
            set_up(t, 0x0001, None, [1, 1])?;
            register(t, &all[0])?.is(0x9000)?;
            register(t, &all[1])?.is(0x6985)?;
            status(t, [1, 0, 1, 0])
        },
    );
    scenario(
        list,
        "register.unverified_chain_is_6985",
        "A key from a device whose certificates were not verified is not registered",
        RECORDED,
        |t| {
            let all = custodians::<1>(t)?;
            set_up(t, 0x0001, None, [1, 1])?;
            let command = apdu(0x8054_0000).data(&all[0].request.content).le(256);
            t.refused(&command, 0x6985)?;
            trust_other(t)?;
            t.ok(&command)?;
            status(t, [1, 0, 1, 0])
        },
    );
    scenario(
        list,
        "register.own_device_selected_is_6985",
        "A request is refused while another device's key is selected than the one that signed it",
        "each signature is verified by the key it names (inferred)",
        |t| {
            let all = custodians::<1>(t)?;
            set_up(t, 0x0001, None, [1, 1])?;
            let own = t.chain()?;
            t.card().trust(&own)?;
            t.refused(
                apdu(0x8054_0000).data(&all[0].request.content).le(256),
                0x6985,
            )?;
            status(t, [1, 1, 1, 0])
        },
    );
    scenario(
        list,
        "register.tampered_request_is_6985",
        "A request with a bit changed in either signature is not registered",
        "OpenSC: the card verifies the chain; 6985 recorded for what does not verify",
        |t| {
            let all = custodians::<1>(t)?;
            set_up(t, 0x0001, None, [1, 1])?;
            trust_other(t)?;
            let good = &all[0].request.content;
            // The last byte is the device's signature; the key's own ends before 42, name, 5F37.
            let name = all[0].request.device.len();
            for from_end in [1, 64 + 3 + name + 2 + 1] {
                let mut bad = good.clone();
                let at = bad.len() - from_end;
                if let Some(byte) = bad.get_mut(at) {
                    *byte ^= 1;
                }
                t.refused(apdu(0x8054_0000).data(bad).le(256), 0x6985)?;
            }
            status(t, [1, 1, 1, 0])
        },
    );
    scenario(
        list,
        "register.malformed_is_6a80",
        "What is no authenticated request is not registered",
        "the form that OpenSC sends, violated (inferred)",
        |t| {
            let all = custodians::<1>(t)?;
            set_up(t, 0x0001, None, [1, 1])?;
            trust_other(t)?;
            let good = &all[0].request.content;
            let cut = good.get(..good.len() - 1).unwrap_or_default().to_vec();
            let framed = object(0x67, &[good]);
            let more = [good.as_slice(), &[0]].concat();
            for bad in [cut, framed, more, vec![0x7f]] {
                t.refused(apdu(0x8054_0000).data(bad).le(256), 0x6a80)?;
            }
            status(t, [1, 1, 1, 0])
        },
    );
    list.add(
        "pka.register.rsa_key_is_6a80",
        "An RSA key cannot be a custodian's",
    )
    .source("the vendor names EC keys only (inferred)")
    .needs("pka")
    .needs("rsa-1024")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .two_cards()
    .run(|t| {
        let other = t.other()?;
        other.login()?;
        let chain = other.chain()?;
        let plain = Attributes::default();
        let request = other.card().generate(1, Kind::Rsa(1024), &plain, &chain)?;
        set_up(t, 0x0001, None, [1, 1])?;
        trust_other(t)?;
        t.refused(apdu(0x8054_0000).data(request.content).le(256), 0x6a80)?;
        status(t, [1, 1, 1, 0])
    });
    scenario(
        list,
        "other.p1_03_is_6a86",
        "MANAGE PUBLIC KEY AUTHENTICATION with P1 03, or P2 01 for P1 00, answers 6A86",
        "ISO 7816-4, table 6",
        |t| {
            set_up(t, 0x0001, None, [1, 1])?;
            t.refused("80540300 00", 0x6a86)?;
            t.refused("80540001 00", 0x6a86)
        },
    );
}

fn add_authentication(list: &mut List) {
    scenario(
        list,
        "authenticate.wrong_signature_is_6300",
        "A signature that does not verify answers 6300 and uses the challenge up",
        "the vendor on n-of-m authentication: 6300",
        |t| {
            let all = ready(t, 0x0001, None)?;
            let random = challenge(t)?;
            let good = signed(t, &all[0], &random)?;
            choose(t, &all[0])?.is(0x9000)?;
            let mut bad = good.clone();
            if let Some(byte) = bad.first_mut() {
                *byte ^= 1;
            }
            t.refused(apdu(0x0082_0000).data(bad), 0x6300)?;
            t.refused(apdu(0x0082_0000).data(good), 0x6985)?;
            status(t, [1, 0, 1, 0])?;
            authenticate(t, &all[0])
        },
    );
    scenario(
        list,
        "authenticate.short_signature_is_6300",
        "Bytes that are no signature answer 6300",
        "the vendor on n-of-m authentication: 6300 (inferred for the length)",
        |t| {
            let all = ready(t, 0x0001, None)?;
            for bad in [
                vec![0; 64],
                vec![0xff; 64],
                vec![1; 63],
                vec![1; 65],
                vec![1],
            ] {
                challenge(t)?;
                choose(t, &all[0])?.is(0x9000)?;
                t.refused(apdu(0x0082_0000).data(bad), 0x6300)?;
            }
            status(t, [1, 0, 1, 0])
        },
    );
    scenario(
        list,
        "authenticate.signature_for_another_challenge_is_6300",
        "A signature over an older challenge answers 6300",
        "the vendor on n-of-m authentication: the challenge is signed",
        |t| {
            let all = ready(t, 0x0001, None)?;
            let older = challenge(t)?;
            let signature = signed(t, &all[0], &older)?;
            challenge(t)?;
            choose(t, &all[0])?.is(0x9000)?;
            t.refused(apdu(0x0082_0000).data(signature), 0x6300)?;
            status(t, [1, 0, 1, 0])
        },
    );
    scenario(
        list,
        "authenticate.signature_of_another_custodian_is_6300",
        "A signature of one custodian does not count for another",
        "each signature is verified by the selected key",
        |t| {
            let all = custodians::<2>(t)?;
            set_up(t, 0x0001, None, [2, 1])?;
            for custodian in &all {
                register(t, custodian)?.is(0x9000)?;
            }
            let random = challenge(t)?;
            let signature = signed(t, &all[0], &random)?;
            choose(t, &all[1])?.is(0x9000)?;
            t.refused(apdu(0x0082_0000).data(signature), 0x6300)?;
            status(t, [2, 0, 1, 0])
        },
    );
    scenario(
        list,
        "authenticate.p384_key_registers_and_never_counts",
        "A custodian's key on another curve than brainpoolP256r1 is registered, and its signatures answer 6300",
        "recorded on a genuine token with a P-384 key",
        |t| {
            let curve = CURVES.iter().find(|curve| curve.name == "secp384r1");
            let Some(curve) = curve else {
                return t.skip("the curve secp384r1 is not known");
            };
            let other = t.other()?;
            other.login()?;
            let chain = other.chain()?;
            let answer = other.ok(generate(1, &request_for(&on_curve(curve), &[])))?;
            let request = Request::parse(&answer, &chain.device)
                .map_err(|error| Stop::fail("a request that verifies", error.to_string()))?;
            let custodian = scene::Custodian { key: 1, request };
            set_up(t, 0x0001, None, [1, 1])?;
            register(t, &custodian)?.is(0x9000)?;
            let random = challenge(t)?;
            let signature = signed(t, &custodian, &random)?;
            choose(t, &custodian)?.is(0x9000)?;
            t.refused(apdu(0x0082_0000).data(signature), 0x6300)?;
            status(t, [1, 0, 1, 0])
        },
    );
    scenario(
        list,
        "authenticate.out_of_order_is_6985",
        "Without a selected key, or without a challenge, EXTERNAL AUTHENTICATE answers 6985",
        COMPATIBLE,
        |t| {
            let all = ready(t, 0x0001, None)?;
            let random = challenge(t)?;
            let signature = signed(t, &all[0], &random)?;
            t.refused(apdu(0x0082_0000).data(&signature), 0x6985)?;
            t.select()?;
            choose(t, &all[0])?.is(0x9000)?;
            t.refused(apdu(0x0082_0000).data(signature), 0x6985)?;
            status(t, [1, 0, 1, 0])
        },
    );
    scenario(
        list,
        "authenticate.before_all_are_registered_is_6985",
        "Nobody authenticates while a custodian is still to be registered",
        COMPATIBLE,
        |t| {
            let all = custodians::<1>(t)?;
            set_up(t, 0x0001, None, [2, 1])?;
            register(t, &all[0])?.is(0x9000)?;
            let random = challenge(t)?;
            let signature = signed(t, &all[0], &random)?;
            choose(t, &all[0])?.is(0x9000)?;
            t.refused(apdu(0x0082_0000).data(signature), 0x6985)?;
            status(t, [2, 1, 1, 0])
        },
    );
    scenario(
        list,
        "authenticate.form_violated",
        "EXTERNAL AUTHENTICATE without data answers 6700, with another P1 or P2 6A86",
        "ISO 7816-4, table 6",
        |t| {
            ready(t, 0x0001, None)?;
            t.refused("00820000", 0x6700)?;
            t.refused("00820100 01 00", 0x6a86)?;
            t.refused("00820001 01 00", 0x6a86)
        },
    );
    scenario(
        list,
        "select_key.twice_is_6985",
        "A custodian who has authenticated is not selected again; a name that nobody has is 6A88",
        COMPATIBLE,
        |t| {
            let all = ready(t, 0x0001, None)?;
            authenticate(t, &all[0])?;
            choose(t, &all[0])?.is(0x6985)?;
            let nobody = object(0x83, &[b"XXNOBODY00001"]);
            t.refused(apdu(0x0022_81a4).data(nobody), 0x6a88)
        },
    );
    list.add(
        "pka.none.authentication_is_6d00",
        "A card without public key authentication answers 6D00 to EXTERNAL AUTHENTICATE",
    )
    .source("as for the status query, OpenSC sc-hsm-tool.c (inferred)")
    .needs("pka")
    .start(Start::Fresh)
    .run(|t| {
        t.ok(apdu(0x0084_0000).le(8))?;
        t.refused(apdu(0x0082_0000).data([1; 64]), 0x6d00)?;
        t.refused("80540200 00", 0x6d00)?;
        t.refused(apdu(0x8054_0000).data([1]).le(4), 0x6d00)
    });
}
