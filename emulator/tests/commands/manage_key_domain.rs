//! MANAGE KEY DOMAIN: every form in every state, and keys whose domain changes under them.
//!
//! Joining and deriving with real peers is in `xkek`.

use hsm2_emulator::crypto::Curve;

use crate::keys::Bench;
use crate::{vectors, xkek};

const SHARE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER: &str = "8dac594ccb16cd07af430711b9a7dcc3588704c34ed74b6b02e2a9c0fe81b6e4";
const KCV_OF_SHARE: &str = "630dcd2966c43366";
const KCV_OF_BOTH: &str = "28e276c10026ab78";
const NO_KCV: &str = "0000000000000000";

fn import(share: &str) -> String {
    format!("80 52 00 00 20 {share} 00")
}

#[test]
fn shares_make_the_dkek_of_the_vectors() {
    for (layout, create) in [("92 01", false), ("97 01 01", true)] {
        for vector in vectors::dkek() {
            let shares = vector["shares"].as_array().unwrap();
            let count = u8::try_from(shares.len()).unwrap();
            let mut card = if create {
                let mut card = Bench::new(1, layout);
                card.ok(&format!("80 52 01 00 01 {count:02X} 00"));
                card
            } else {
                Bench::new(1, &format!("{layout} {count:02X}"))
            };
            assert_eq!(card.domain(0), [&[count, count][..], &[0; 8]].concat());
            for (outstanding, share) in (0..count).rev().zip(shares) {
                let status = card.import_share(0, vectors::text(share));
                let kcv = match outstanding {
                    0 => vectors::hex(&vector["kcv"]),
                    _ => vec![0; 8],
                };
                let expected = [&[count, outstanding][..], &kcv].concat();
                assert_eq!(status, expected, "{}", vector["name"]);
                assert_eq!(card.domain(0), expected);
            }
            let mut card = card.reopened();
            assert_eq!(card.kcv(0), vectors::hex(&vector["kcv"]));
        }
    }
}

#[test]
fn shares_may_come_in_any_order_and_in_other_sessions() {
    let mut card = Bench::new(1, "92 01 02");
    card.import_share(0, OTHER);
    card.log_out();
    let mut card = card.reopened();
    card.log_out();
    let status = card.import_share(0, SHARE);
    assert_eq!(hex::encode(status), format!("0200{KCV_OF_BOTH}"));
}

#[test]
fn a_card_without_key_domains_knows_no_command_of_them() {
    let mut card = Bench::new(1, "");
    card.generate_ec(1, Curve::Secp256r1, "");
    card.refuses(&[
        ("status", "80 52 00 00 00", 0x6D00),
        ("status of another slot", "80 52 00 05 00", 0x6D00),
        ("share", &import(SHARE), 0x6D00),
        ("create", "80 52 01 00 01 01 00", 0x6D00),
        ("join", "80 52 02 00 01 00 00", 0x6D00),
        ("delete", "80 52 03 00 00", 0x6D00),
        ("clear", "80 52 04 00 00", 0x6D00),
        ("wrap", "80 72 01 92 00 00 00", 0x6D00),
        ("unwrap", "80 74 02 93 01 00", 0x6D00),
        ("a form that no card knows", "80 52 05 00 00", 0x6A86),
        ("a share too short", "80 52 00 00 01 00 00", 0x6700),
    ]);
    let mut card = Bench::new(1, "97 01 00");
    card.refuses(&[("no slots is no key domains", "80 52 00 00 00", 0x6D00)]);
}

#[test]
fn every_form_on_an_absent_slot() {
    let mut card = Bench::new(1, "97 01 02");
    card.refuses(&[
        ("status", "80 52 00 00 00", 0x6A88),
        ("status in extended form", "80 52 00 01 00 00 00", 0x6A88),
        ("share", &import(SHARE), 0x6A88),
        ("delete", "80 52 03 00 00", 0x6A88),
        ("clear", "80 52 04 00 00", 0x6A88),
        ("no such slot: status", "80 52 00 02 00", 0x6A86),
        (
            "no such slot: share",
            &import(SHARE).replacen("00 00", "00 02", 1),
            0x6A86,
        ),
        ("no such slot: create", "80 52 01 02 01 01 00", 0x6A86),
        ("no such slot: join", "80 52 02 FF 01 00 00", 0x6A86),
        ("no such slot: delete", "80 52 03 02 00", 0x6A86),
        ("no such slot: clear", "80 52 04 02 00", 0x6A86),
        ("P1", "80 52 05 00 00", 0x6A86),
        ("P1 with data", "80 52 FF 00 01 00 00", 0x6A86),
        ("create without data", "80 52 01 00 00", 0x6700),
        ("create with 2 bytes", "80 52 01 00 02 0101 00", 0x6700),
        ("delete with data", "80 52 03 00 01 00 00", 0x6700),
        ("clear with data", "80 52 04 00 01 00 00", 0x6700),
        ("join without membership", "80 52 02 00 00", 0x6A88),
        ("join with rubbish", "80 52 02 00 01 00 00", 0x6A80),
        (
            "Le too small for the status",
            "80 52 01 00 01 01 09",
            0x6700,
        ),
        ("form before slot", "80 52 01 02 00", 0x6700),
    ]);
    assert_eq!(
        card.ok("80 52 01 00 01 02 00"),
        [2, 2, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    card.refused("80 52 00 01 00", 0x6A88);
}

#[test]
fn every_form_on_a_slot_that_exists() {
    let after = |commands: &[&str]| {
        let mut card = Bench::new(1, "97 01 02");
        for command in commands {
            card.ok(command);
        }
        card
    };
    let states = [
        ("waits for a share", after(&["80 52 01 00 01 01 00"])),
        ("complete", after(&["80 52 01 00 01 01 00", &import(SHARE)])),
        ("random", after(&["80 52 01 00 01 00 00"])),
        (
            "random, cleared",
            after(&["80 52 01 00 01 00 00", "80 52 04 00 00"]),
        ),
        ("joined", xkek::joined("97 01 02")),
        ("joined and exchanged", xkek::exchanged("97 01 02")),
    ];
    for (state, mut card) in states {
        println!("{state}");
        let too_small = format!("80 52 00 00 {:02X}", card.domain(0).len() - 1);
        card.refuses(&[
            ("create", "80 52 01 00 01 01 00", 0x6A86),
            ("create random", "80 52 01 00 01 00 00", 0x6A86),
            ("join", "80 52 02 00 01 00 00", 0x6A86),
            (
                "share of 31 bytes",
                &format!("80 52 00 00 1F {} 00", &SHARE[2..]),
                0x6700,
            ),
            (
                "share of 33 bytes",
                &format!("80 52 00 00 21 {SHARE}00 00"),
                0x6700,
            ),
            ("share of 1 byte", "80 52 00 00 01 00 00", 0x6700),
            ("status, Le too small", &too_small, 0x6700),
        ]);
        if state != "waits for a share" {
            card.refuses(&[("a share that nobody awaits", &import(SHARE), 0x6985)]);
        }
        card.generate_ec(1, Curve::Secp256r1, "92 01 00");
        card.refuses(&[("delete with a key", "80 52 03 00 00", 0x6A89)]);
        card.log_out();
        let status = card.domain(0);
        card.refuses(&[
            ("create without PIN", "80 52 01 01 01 01 00", 0x6982),
            ("join without PIN", "80 52 02 01 01 00 00", 0x6982),
            ("delete without PIN", "80 52 03 00 00", 0x6982),
            ("clear without PIN", "80 52 04 00 00", 0x6982),
            ("PIN before the slot exists", "80 52 03 05 00", 0x6982),
        ]);
        assert_eq!(card.domain(0), status, "status needs no PIN");
        card.log_in();
        card.delete_key(1);
        assert!(card.ok("80 52 03 00 00").is_empty(), "deleted");
        card.refused("80 52 00 00 00", 0x6A88);
    }
}

#[test]
fn clearing_keeps_the_number_of_shares_and_forgets_those_that_came() {
    let mut card = Bench::new(1, "92 01 02");
    card.import_share(0, SHARE);
    let status = card.ok("80 52 04 00 00");
    assert_eq!(hex::encode(status), format!("0202{NO_KCV}"), "pending");
    card.import_share(0, SHARE);
    card.import_share(0, OTHER);
    assert_eq!(hex::encode(card.kcv(0)), KCV_OF_BOTH);
    let status = card.ok("80 52 04 00 00");
    assert_eq!(hex::encode(status), format!("0202{NO_KCV}"), "complete");
    let status = card.import_share(0, OTHER);
    assert_eq!(hex::encode(status), format!("0201{NO_KCV}"));
}

#[test]
fn keys_outlive_their_kek_and_travel_when_it_is_back() {
    let mut card = Bench::with_dkek(&[SHARE]);
    let public = card.generate_ec(1, Curve::Secp256r1, "");
    let blob = card.wrap(1);
    assert_eq!(hex::encode(&blob[..8]), KCV_OF_SHARE);
    card.ok("80 52 04 00 00");
    card.refuses(&[
        ("wrap without KEK", "80 72 01 92 00 00 00", 0x6A88),
        (
            "unwrap without KEK",
            &crate::keys::unwrap_command(2, &blob),
            0x6A88,
        ),
        ("delete", "80 52 03 00 00", 0x6A89),
    ]);
    verify(&mut card, 1, &public);

    // Another group takes the card over: the key goes out under the new DKEK, the old blob is void.
    card.import_share(0, OTHER);
    let under_other = card.wrap(1);
    assert_ne!(under_other[..8], blob[..8]);
    card.refuses(&[("old blob", &crate::keys::unwrap_command(2, &blob), 0x6A80)]);
    card.ok("80 52 04 00 00");
    card.import_share(0, SHARE);
    assert_eq!(card.unwrap_key(2, &blob), 0x9000);
    verify(&mut card, 2, &public);
    card.refuses(&[(
        "new blob",
        &crate::keys::unwrap_command(3, &under_other),
        0x6A80,
    )]);
}

#[track_caller]
fn verify(card: &mut Bench, key: u8, public: &hsm2_emulator::cvc::EcPublicKey) {
    let der = card.sign(key, 0x73, b"message");
    let signature = hsm2_emulator::crypto::EcdsaSignature::from_der(public.curve, &der).unwrap();
    public.verify(b"message", &signature.to_plain()).unwrap();
}

#[test]
fn a_random_dkek_stays_in_its_card_and_never_comes_back() {
    let mut card = Bench::new(1, "92 01 00");
    let status = card.domain(0);
    assert_eq!((status.len(), &status[..2]), (10, &[0, 0][..]));
    assert_ne!(status[2..], [0; 8]);
    let public = card.generate_ec(1, Curve::Secp256r1, "");
    let blob = card.wrap(1);
    let mut card = card.reopened();
    assert_eq!(card.unwrap_key(2, &blob), 0x9000);
    verify(&mut card, 2, &public);
    let mut twin = Bench::new(2, "92 01 00");
    assert_ne!(twin.kcv(0), status[2..]);
    assert_eq!(twin.unwrap_key(2, &blob), 0x6A80);

    let cleared = card.ok("80 52 04 00 00");
    assert_eq!(hex::encode(cleared), format!("0000{NO_KCV}"));
    card.refuses(&[("share", &import(SHARE), 0x6985)]);
    card.delete_key(1);
    card.delete_key(2);
    card.ok("80 52 03 00 00");
    let renewed = card.ok("80 52 01 00 01 00 00");
    assert_ne!(renewed, status);
}

#[test]
fn slots_are_apart_and_the_lowest_of_equal_keks_takes_a_blob() {
    let mut card = Bench::new(1, "97 01 03");
    for slot in [0, 1, 2] {
        card.ok(&format!("80 52 01 {slot:02X} 01 01 00"));
    }
    card.import_share(0, SHARE);
    card.import_share(1, OTHER);
    card.import_share(2, OTHER);
    card.generate_ec(1, Curve::Secp256r1, "92 01 02");
    card.generate_ec(2, Curve::Secp256r1, "");
    assert_eq!(card.attributes(1), "920102");
    assert_eq!(card.attributes(2), "", "no domain unless named");
    card.refuses(&[("wrap a key of no domain", "80 72 02 92 00 00 00", 0x6A88)]);
    let blob = card.wrap(1);
    assert_eq!(card.unwrap_key(3, &blob), 0x9000);
    assert_eq!(card.attributes(3), "920101");
    card.ok("80 52 04 01 00");
    assert_eq!(card.unwrap_key(4, &blob), 0x9000);
    assert_eq!(card.attributes(4), "920102");
    card.refuses(&[("delete 1", "80 52 03 01 00", 0x6A89)]);
    card.ok("80 52 03 00 00");
}

#[test]
fn initialising_again_leaves_no_domain_and_no_kek() {
    let mut card = Bench::with_dkek(&[SHARE]);
    card.generate_ec(1, Curve::Secp256r1, "");
    let blob = card.wrap(1);
    assert_eq!(card.initialise("92 01 01"), 0x9000);
    assert_eq!(hex::encode(card.domain(0)), format!("0101{NO_KCV}"));
    card.refuses(&[("the key is gone", "80 68 01 73 01 AA 00", 0x6A88)]);
    assert_eq!(card.unwrap_key(1, &blob), 0x6A88);
    assert_eq!(card.initialise("97 01 10"), 0x9000);
    for slot in 0..16 {
        card.refused(&format!("80 52 00 {slot:02X} 00"), 0x6A88);
    }
    card.refused("80 52 00 10 00", 0x6A86);
}

#[test]
fn a_key_made_while_slot_0_is_absent_does_not_fall_into_the_next_domain() {
    let mut card = Bench::with_dkek(&[SHARE]);
    card.ok("80 52 03 00 00");
    card.generate_ec(1, Curve::Secp256r1, "");
    assert_eq!(card.attributes(1), "");
    card.ok("80 52 01 00 01 01 00");
    card.import_share(0, OTHER);
    card.refuses(&[("wrap", "80 72 01 92 00 00 00", 0x6A88)]);
}
