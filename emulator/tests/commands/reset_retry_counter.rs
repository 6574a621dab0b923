//! RESET RETRY COUNTER.

use crate::state::{QUERY_SO, QUERY_USER};
use crate::support::Reader;

/// A wrong PIN; VERIFY would spend no try of a transport PIN.
const WRONG: &str = "00 24 00 81 0C 303030303030 313131313131";
const RIGHT: &str = "00 20 00 81 06 363438323139";
const SO_LOGIN: &str = "00 20 00 88 08 3537363231383830";
/// P1 00: SO-PIN and new PIN 135790.
const SET: &str = "00 2C 00 81 0E 3537363231383830 313335373930";
/// P1 01: SO-PIN.
const UNBLOCK: &str = "00 2C 01 81 08 3537363231383830";
/// P1 02: new PIN 135790.
const SET_IN_SESSION: &str = "00 2C 02 81 06 313335373930";
/// P1 03.
const UNBLOCK_IN_SESSION: &str = "00 2C 03 81";
const NEW: &str = "00 20 00 81 06 313335373930";

/// A card whose user PIN is blocked, with these options.
fn blocked(options: &str) -> Reader {
    let mut reader = Reader::virgin();
    reader.ok(&format!(
        "80 50 00 00 16 80 02 {options} 81 06 363438323139 82 08 3537363231383830"
    ));
    reader.log_out();
    reader.run(&[
        ("1", WRONG, 0x63C2),
        ("2", WRONG, 0x63C1),
        ("3", WRONG, 0x6983),
    ]);
    reader
}

#[test]
fn unblocks_and_sets_a_new_pin() {
    let rows = [
        ("SO-PIN, new PIN", SET, NEW, RIGHT),
        ("SO-PIN", UNBLOCK, RIGHT, NEW),
        ("session, new PIN", SET_IN_SESSION, NEW, RIGHT),
        ("session", UNBLOCK_IN_SESSION, RIGHT, NEW),
    ];
    for (name, command, works, fails) in rows {
        let mut reader = blocked("0001");
        if name.starts_with("session") {
            reader.ok(SO_LOGIN);
        }
        reader.run(&[
            (name, command, 0x9000),
            ("the user is not authenticated", QUERY_USER, 0x63C3),
            (name, fails, 0x63C2),
            (name, works, 0x9000),
        ]);
    }
}

#[test]
fn the_authenticated_user_is_not_any_more() {
    let mut reader = Reader::initialised();
    assert!(reader.is_logged_in());
    reader.ok(UNBLOCK);
    assert!(!reader.is_logged_in());
}

#[test]
fn a_new_pin_ends_a_transport_state_unblocking_does_not() {
    let mut reader = blocked("0003");
    reader.run(&[
        ("unblock", UNBLOCK, 0x9000),
        ("still transport", QUERY_USER, 0x6984),
        ("set", SET, 0x9000),
        ("no transport", QUERY_USER, 0x63C3),
        ("new", NEW, 0x9000),
    ]);
}

#[test]
fn refusals_spend_no_try() {
    let mut reader = Reader::initialised();
    reader.refuses(&[
        ("P1 04", "00 2C 04 81", 0x6A86),
        ("P1 before P2", "00 2C 04 80", 0x6A86),
        ("P2 88", "00 2C 01 88 08 3537363231383830", 0x6A88),
        ("P2 82", "00 2C 01 82 08 3537363231383830", 0x6A88),
        ("P2 before the length", "00 2C 00 88 01 00", 0x6A88),
        ("P1 00, no data", "00 2C 00 81", 0x6A80),
        (
            "P1 00, SO-PIN only",
            "00 2C 00 81 08 3537363231383830",
            0x6A80,
        ),
        (
            "P1 00, 5 bytes",
            "00 2C 00 81 0D 3537363231383830 3133353739",
            0x6A80,
        ),
        (
            "P1 00, 17 bytes",
            "00 2C 00 81 19 3537363231383830 3030303030303030303030303030303030",
            0x6A80,
        ),
        ("P1 01, 7 bytes", "00 2C 01 81 07 35373632313838", 0x6A80),
        (
            "P1 01, a new PIN",
            "00 2C 01 81 0E 3537363231383830 313335373930",
            0x6A80,
        ),
        ("P1 02, no data", "00 2C 02 81", 0x6A80),
        ("P1 02, 5 bytes", "00 2C 02 81 05 3133353739", 0x6A80),
        (
            "P1 02, 17 bytes",
            "00 2C 02 81 11 3030303030303030303030303030303030",
            0x6A80,
        ),
        ("P1 03, data", "00 2C 03 81 08 3537363231383830", 0x6A80),
        ("P1 02 without the security officer", SET_IN_SESSION, 0x6982),
        (
            "P1 03 without the security officer",
            UNBLOCK_IN_SESSION,
            0x6982,
        ),
    ]);
    let mut virgin = Reader::virgin();
    virgin.refuses(&[
        ("virgin", SET, 0x6A88),
        ("virgin", UNBLOCK_IN_SESSION, 0x6A88),
    ]);
}

#[test]
fn the_options_of_initialize_device_may_forbid_it() {
    let mut off = blocked("0000");
    off.ok(SO_LOGIN);
    off.refuses(&[
        ("set", SET, 0x6985),
        ("unblock", UNBLOCK, 0x6985),
        ("set in session", SET_IN_SESSION, 0x6985),
        ("unblock in session", UNBLOCK_IN_SESSION, 0x6985),
        (
            "a wrong SO-PIN costs no try",
            "00 2C 01 81 08 0000000000000000",
            0x6985,
        ),
        (
            "a wrong length stays one",
            "00 2C 01 81 07 00000000000000",
            0x6A80,
        ),
    ]);
    let mut only = blocked("0021");
    only.ok(SO_LOGIN);
    only.refuses(&[
        ("set", SET, 0x6985),
        ("set in session", SET_IN_SESSION, 0x6985),
        (
            "before the SO-PIN",
            "00 2C 00 81 0E 0000000000000000 313335373930",
            0x6985,
        ),
    ]);
    only.ok(UNBLOCK_IN_SESSION);
    only.ok(UNBLOCK);
    only.ok(RIGHT);
    let mut only_is_not_enough = blocked("0020");
    only_is_not_enough.refuses(&[("unblock", UNBLOCK, 0x6985)]);
}

#[test]
fn a_wrong_so_pin_spends_its_tries_and_blocks_at_last() {
    let mut reader = blocked("0001");
    let wrong = "00 2C 00 81 0E 0000000000000000 313335373930";
    reader.ok(SO_LOGIN);
    reader.refused(wrong, 0x63CE);
    reader.refused(QUERY_SO, 0x63CE);
    reader.ok(UNBLOCK);
    reader.refused(QUERY_SO, 0x63CF);
    for left in (1..15).rev() {
        reader.refused(wrong, 0x63C0 | left);
    }
    reader.run(&[
        ("the last one", wrong, 0x6983),
        ("the right one comes too late", SET, 0x6983),
        ("unblock", UNBLOCK, 0x6983),
        ("the user PIN is as it was", RIGHT, 0x9000),
    ]);
}
