//! SIGN: every algorithm with every kind of key.

use crate::apdu::apdu;
use crate::judge::{self, Hash};
use crate::key::curves::CURVES;
use crate::scenario::{List, Start};
use crate::suite::fixture;

pub(super) fn add(list: &mut List) {
    for curve in &CURVES {
        let name = curve.name;
        list.add(
            format!("sign.ecdsa.{name}"),
            format!("ECDSA over a SHA-256 made on the host, on {name}, verifies"),
        )
        .source("OpenSC card-sc-hsm.c, algorithm 70")
        .needs(format!("curve-{name}"))
        .start(Start::Keys)
        .run(move |t| {
            let key = fixture::key(name)?;
            let hash = Hash::Sha256.of(&t.dice.bytes(100))?;
            let signature = t.ok(apdu(0x8068_0070).p1(key.id).data(&hash).le(512))?;
            let good = judge::ecdsa(key.ec()?, &hash, &signature)?;
            t.check(good, "a signature that verifies", || {
                hex::encode_upper(&signature)
            })
        });
    }

    list.add(
        "sign.key.absent_is_6a88",
        "SIGN with a key that is not there answers 6A88",
    )
    .source("recorded for WRAP KEY (inferred for SIGN)")
    .start(Start::Domains)
    .run(|t| t.refused(apdu(0x8068_fe70).data([7; 32]).le(512), 0x6a88));

    list.add("sign.login.needed", "SIGN without login answers 6982")
        .source("OpenSC card-sc-hsm.c")
        .start(Start::Keys)
        .run(|t| {
            t.select()?;
            let key = fixture::key("secp256r1")?;
            t.refused(apdu(0x8068_0070).p1(key.id).data([7; 32]).le(512), 0x6982)
        });
}
