//! MANAGE KEY DOMAIN: the slots of a card and the DKEKs in them.

use crate::apdu::{Apdu, apdu};
use crate::judge;
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::Stop;
use crate::suite::fixture;

/// A slot of [`Start::Domains`] that is absent, and one behind the last.
const ABSENT: u8 = 1;
const BEYOND: u8 = fixture::SLOTS;

const STATUS: u8 = 0;
const CREATE: u8 = 1;
const DELETE: u8 = 3;
const CLEAR: u8 = 4;

/// The check value while there is no KEK.
const NO_KEK: [u8; 8] = [0; 8];

fn manage(action: u8, slot: u8, data: &[u8]) -> Apdu {
    apdu(0x8052_0000).p1(action).p2(slot).data(data).le(256)
}

/// The check value of the DKEK in slot 0.
fn check_value() -> Result<Vec<u8>, Stop> {
    judge::check_value(fixture::dkek().expose())
}

/// What is refused, `name action slot data word`: the words are decided where no host tests them.
const REFUSED: [(&str, u8, u8, &[u8], u16); 20] = [
    ("status_of_absent", STATUS, ABSENT, &[], 0x6a88),
    ("status_beyond", STATUS, BEYOND, &[], 0x6a86),
    ("status_of_ff", STATUS, 0xff, &[], 0x6a86),
    ("share_for_absent", STATUS, ABSENT, &[7; 32], 0x6a88),
    ("share_beyond", STATUS, BEYOND, &[7; 32], 0x6a86),
    ("share_of_1", STATUS, 0, &[7; 1], 0x6700),
    ("share_of_31", STATUS, 0, &[7; 31], 0x6700),
    ("share_of_33", STATUS, 0, &[7; 33], 0x6700),
    ("share_too_many", STATUS, 0, &[7; 32], 0x6985),
    ("create_existing", CREATE, 0, &[2], 0x6a86),
    ("create_beyond", CREATE, BEYOND, &[2], 0x6a86),
    ("create_without_number", CREATE, ABSENT, &[], 0x6700),
    ("create_with_two_numbers", CREATE, ABSENT, &[1, 2], 0x6700),
    ("delete_absent", DELETE, ABSENT, &[], 0x6a88),
    ("delete_beyond", DELETE, BEYOND, &[], 0x6a86),
    ("delete_with_data", DELETE, 0, &[1], 0x6700),
    ("clear_absent", CLEAR, ABSENT, &[], 0x6a88),
    ("clear_beyond", CLEAR, BEYOND, &[], 0x6a86),
    ("clear_with_data", CLEAR, 0, &[1], 0x6700),
    ("unknown_action", 0x7f, 0, &[], 0x6a86),
];

pub(super) fn add(list: &mut List) {
    list.add(
        "key_domain.none.status_is_6d00",
        "A card that was initialised without key domains answers 6D00 to a status query",
    )
    .source("OpenSC sc-hsm-tool.c prints nothing about a DKEK then")
    .start(Start::Fresh)
    .run(|t| t.refused(apdu(0x8052_0000).le(256), 0x6d00));

    list.add(
        "key_domain.dkek.check_value_is_that_of_the_shares",
        "A DKEK of two shares shows the check value that follows from them",
    )
    .source("verified on a genuine share file: first 8 bytes of SHA-256")
    .needs("dkek")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        let status = t.ok(apdu(0x8052_0000).le(256))?;
        let expected = [&[2, 0], check_value()?.as_slice()].concat();
        t.same("the status", expected, status)
    });

    for (name, action, slot, data, word) in REFUSED {
        list.add(
            format!("key_domain.refused.{name}"),
            format!(
                "MANAGE KEY DOMAIN {action:02X} of slot {slot:02X} answers {word:04X} ({name})"
            ),
        )
        .source("sc-hsm-embedded keydomain.c for 6A86 and 6A88 of a status (the others inferred)")
        .needs("key-domains")
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(move |t| {
            t.refused(manage(action, slot, data), word)?;
            let status = t.ok(manage(STATUS, 0, &[]))?;
            let expected = [&[2, 0], check_value()?.as_slice()].concat();
            t.same("slot 0 as before", expected, status)
        });
    }
    for (name, action, slot, data) in [
        ("create", CREATE, ABSENT, &[2][..]),
        ("delete", DELETE, 0, &[]),
        ("clear", CLEAR, 0, &[]),
    ] {
        list.add(
            format!("key_domain.login.needed_to_{name}"),
            format!("MANAGE KEY DOMAIN without login answers 6982 ({name})"),
        )
        .source("compatible card (inferred)")
        .needs("key-domains")
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(move |t| {
            t.select()?;
            t.refused(manage(action, slot, data), 0x6982)
        });
    }
    add_life(list);
}

/// A slot through its states.
fn add_life(list: &mut List) {
    let domains = |list: &mut List, id: &str, title: &str, body: fn(&mut _) -> _| {
        list.add(id, title)
            .source("vendor's key manager and a compatible card (partly inferred)")
            .needs("key-domains")
            .effect(Effect::Wipes)
            .start(Start::Domains)
            .run(body);
    };
    domains(
        list,
        "key_domain.life.create_import_clear_delete",
        "A slot counts its shares down, shows the check value, forgets it, and is deleted",
        |t| {
            let shares = fixture::shares();
            let created = t.ok(manage(CREATE, ABSENT, &[2]))?;
            t.same("after create", [&[2, 2], &NO_KEK[..]].concat(), created)?;
            let one = t.ok(manage(STATUS, ABSENT, shares[0].expose()))?;
            t.same("after one share", [&[2, 1], &NO_KEK[..]].concat(), one)?;
            let both = t.ok(manage(STATUS, ABSENT, shares[1].expose()))?;
            let check = check_value()?;
            t.same("after both", [&[2, 0], &check[..]].concat(), both)?;
            let cleared = t.ok(manage(CLEAR, ABSENT, &[]))?;
            t.same("after clear", [&[2, 2], &NO_KEK[..]].concat(), cleared)?;
            t.refused(manage(DELETE, ABSENT, &[]), 0x9000)?;
            t.refused(manage(STATUS, ABSENT, &[]), 0x6a88)
        },
    );
    domains(
        list,
        "key_domain.shares.order_does_not_matter",
        "Shares in another order, imported without login, make the same DKEK",
        |t| {
            t.ok(manage(CREATE, ABSENT, &[2]))?;
            t.select()?;
            let shares = fixture::shares();
            t.ok(manage(STATUS, ABSENT, shares[1].expose()))?;
            let status = t.ok(manage(STATUS, ABSENT, shares[0].expose()))?;
            let check = check_value()?;
            t.same("the status", [&[2, 0], &check[..]].concat(), status)
        },
    );
    domains(
        list,
        "key_domain.shares.all_zero_share_has_the_known_check_value",
        "One share of zeros makes the DKEK of published scripts, check value 66687AADF862BD77",
        |t| {
            t.ok(manage(CREATE, ABSENT, &[1]))?;
            let status = t.ok(manage(STATUS, ABSENT, &[0; 32]))?;
            let check = [0x66, 0x68, 0x7a, 0xad, 0xf8, 0x62, 0xbd, 0x77];
            t.same("the status", [&[1, 0], &check[..]].concat(), status)
        },
    );
    domains(
        list,
        "key_domain.shares.none_makes_a_random_dkek",
        "A domain of no shares has a DKEK at once, which takes no share and differs each time",
        |t| {
            let one = t.ok(manage(CREATE, ABSENT, &[0]))?;
            t.refused(manage(STATUS, ABSENT, &[7; 32]), 0x6985)?;
            t.refused(manage(DELETE, ABSENT, &[]), 0x9000)?;
            let two = t.ok(manage(CREATE, ABSENT, &[0]))?;
            t.check(
                one.len() == 10 && !one.ends_with(&NO_KEK) && one != two,
                "ten bytes with a check value of its own",
                || hex::encode_upper(&two),
            )
        },
    );
    list.add(
        "key_domain.delete.bound_key_is_6a89",
        "A domain that has keys answers 6A89 to its deletion and stays",
    )
    .source("compatible card (inferred)")
    .needs("key-domains")
    .effect(Effect::Wipes)
    .start(Start::Keys)
    .run(|t| {
        t.refused(manage(DELETE, 0, &[]), 0x6a89)?;
        t.ok(manage(STATUS, 0, &[])).map(|_| ())
    });
}
