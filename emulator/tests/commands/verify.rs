//! VERIFY.

use crate::state::{QUERY_SO, QUERY_USER};
use crate::support::Reader;

const RIGHT: &str = "00 20 00 81 06 363438323139";
const WRONG: &str = "00 20 00 81 06 363438323138";
const RIGHT_SO: &str = "00 20 00 88 08 3537363231383830";
const WRONG_SO: &str = "00 20 00 88 08 3537363231383831";

fn logged_out() -> Reader {
    let mut reader = Reader::initialised();
    reader.log_out();
    reader
}

#[test]
fn a_virgin_card_has_no_pin() {
    let mut reader = Reader::virgin();
    reader.refuses(&[
        ("query of the user PIN", QUERY_USER, 0x6A88),
        ("query of the SO-PIN", QUERY_SO, 0x6A88),
        ("the user PIN", RIGHT, 0x6A88),
        ("the SO-PIN", RIGHT_SO, 0x6A88),
        (
            "no length that a PIN has",
            "00 20 00 81 05 3634383231",
            0x6A80,
        ),
    ]);
}

#[test]
fn refusals_spend_no_try() {
    let mut reader = logged_out();
    reader.refuses(&[
        ("P1 02", "00 20 02 81 06 363438323139", 0x6A86),
        ("P1 FF", "00 20 FF 81", 0x6A86),
        ("P1 before P2", "00 20 02 80", 0x6A86),
        ("reference 00", "00 20 00 00", 0x6A88),
        ("reference 82", "00 20 00 82 06 363438323139", 0x6A88),
        ("biometric template 1", "00 20 00 85", 0x6A88),
        ("biometric template 2", "00 20 00 86", 0x6A88),
        ("P2 before the length", "00 20 00 80 01 36", 0x6A88),
        ("5 bytes", "00 20 00 81 05 3634383231", 0x6A80),
        (
            "17 bytes",
            "00 20 00 81 11 3634383231393634383231393634383231",
            0x6A80,
        ),
        ("SO-PIN of 7 bytes", "00 20 00 88 07 35373632313838", 0x6A80),
        (
            "SO-PIN as 16 digits",
            "00 20 00 88 10 33353337333633323331333833383330",
            0x6A80,
        ),
        ("query", QUERY_USER, 0x63C3),
        ("query with Le", "00 20 00 81 00", 0x63C3),
        ("query of the SO-PIN", QUERY_SO, 0x63CF),
    ]);
}

#[test]
fn every_wrong_pin_spends_a_try_and_the_last_one_blocks() {
    let mut reader = logged_out();
    reader.run(&[
        ("first wrong PIN", WRONG, 0x63C2),
        ("query", QUERY_USER, 0x63C2),
        ("query again: no try spent", QUERY_USER, 0x63C2),
        ("second", "00 20 00 81 07 36343832313930", 0x63C1),
        ("query", QUERY_USER, 0x63C1),
        ("the last one", WRONG, 0x6983),
        ("query", QUERY_USER, 0x6983),
        ("the right PIN comes too late", RIGHT, 0x6983),
        ("power off does not help", QUERY_USER, 0x6983),
    ]);
    reader.power_cycle();
    reader.refuses(&[
        ("power off does not help", RIGHT, 0x6983),
        ("nor asking", QUERY_USER, 0x6983),
    ]);
    reader.run(&[
        ("the SO-PIN has its own tries", QUERY_SO, 0x63CF),
        ("and is not blocked", RIGHT_SO, 0x9000),
    ]);
}

#[test]
fn the_right_pin_brings_the_tries_back() {
    let mut reader = logged_out();
    reader.run(&[
        ("wrong", WRONG, 0x63C2),
        ("wrong", WRONG, 0x63C1),
        ("right", RIGHT, 0x9000),
        ("query", QUERY_USER, 0x9000),
        (
            "right again, P1 01, with Le",
            "00 20 01 81 06 363438323139 00",
            0x9000,
        ),
    ]);
    reader.log_out();
    reader.refused(QUERY_USER, 0x63C3);
}

#[test]
fn a_wrong_pin_ends_the_authentication() {
    let mut reader = Reader::initialised();
    reader.ok(RIGHT_SO);
    reader.run(&[
        ("wrong", WRONG, 0x63C2),
        ("the user", QUERY_USER, 0x63C2),
        ("the security officer stays", QUERY_SO, 0x9000),
        ("right", RIGHT, 0x9000),
        ("wrong SO-PIN", WRONG_SO, 0x63CE),
        ("the security officer", QUERY_SO, 0x63CE),
        ("the user stays", QUERY_USER, 0x9000),
    ]);
}

#[test]
fn the_so_pin_has_fifteen_tries() {
    let mut reader = logged_out();
    for left in (1..15).rev() {
        reader.refused(WRONG_SO, 0x63C0 | left);
    }
    reader.run(&[
        ("the last one", WRONG_SO, 0x6983),
        ("query", QUERY_SO, 0x6983),
        ("the right one", RIGHT_SO, 0x6983),
        (
            "no initialisation any more",
            "80 50 00 00 12 81 06 363438323139 82 08 3537363231383830",
            0x6983,
        ),
        ("the user PIN is not blocked", RIGHT, 0x9000),
    ]);
}

#[test]
fn pins_are_bytes_of_any_value_and_of_both_extreme_lengths() {
    for (lc, pin) in [
        ("06", "000000000000"),
        ("10", "FF00FF00FF00FF00FF00FF00FF00FF00"),
    ] {
        let mut reader = Reader::virgin();
        let length = 0x0C + pin.len() / 2;
        reader.ok(&format!(
            "80 50 00 00 {length:02X} 81 {lc} {pin} 82 08 0000000000000000"
        ));
        reader.log_out();
        reader.refused(RIGHT, 0x63C2);
        reader.ok(&format!("00 20 00 81 {lc} {pin}"));
        reader.ok("00 20 00 88 08 0000000000000000");
    }
}

#[test]
fn a_transport_pin_cannot_be_used_before_it_is_changed() {
    let mut reader = Reader::virgin();
    reader.ok("80 50 00 00 16 80 02 0002 81 06 363438323139 82 08 3537363231383830");
    reader.log_out();
    reader.refuses(&[
        ("query", QUERY_USER, 0x6984),
        ("the transport PIN", RIGHT, 0x6984),
        ("another PIN", WRONG, 0x6984),
        ("no length that a PIN has", "00 20 00 81 01 36", 0x6A80),
    ]);
    let wrong_change = "00 24 00 81 0C 303030303030 313131313131";
    reader.run(&[
        ("wrong", wrong_change, 0x63C2),
        ("wrong", wrong_change, 0x63C1),
        ("wrong", wrong_change, 0x6983),
        ("blocked comes before transport", QUERY_USER, 0x6983),
        ("for the PIN too", RIGHT, 0x6983),
    ]);
}
