//! CHANGE REFERENCE DATA.

use crate::state::{QUERY_SO, QUERY_USER};
use crate::support::Reader;

/// 648219 to 135790.
const CHANGE: &str = "00 24 00 81 0C 363438323139 313335373930";
const OLD: &str = "00 20 00 81 06 363438323139";
const NEW: &str = "00 20 00 81 06 313335373930";

#[test]
fn the_new_pin_works_the_old_one_does_not() {
    let mut reader = Reader::initialised();
    reader.log_out();
    reader.run(&[
        ("a try is spent", "00 20 00 81 06 303030303030", 0x63C2),
        ("change", CHANGE, 0x9000),
        ("verified, with all tries", QUERY_USER, 0x9000),
    ]);
    reader.power_cycle();
    reader.run(&[
        ("all tries", QUERY_USER, 0x63C3),
        ("old", OLD, 0x63C2),
        ("new", NEW, 0x9000),
    ]);
}

#[test]
fn old_and_new_are_split_by_the_length_of_the_old_one() {
    let mut reader = Reader::initialised();
    reader.run(&[
        (
            "6 to 16",
            "00 24 00 81 16 363438323139 30303030303030303030303030303030",
            0x9000,
        ),
        (
            "16 to 7",
            "00 24 00 81 17 30303030303030303030303030303030 31313131313131",
            0x9000,
        ),
        (
            "7 to 6",
            "00 24 00 81 0D 31313131313131 323232323232",
            0x9000,
        ),
        ("verify", "00 20 00 81 06 323232323232", 0x9000),
    ]);
}

#[test]
fn the_so_pin_changes_too() {
    let mut reader = Reader::initialised();
    reader.run(&[
        (
            "wrong",
            "00 24 00 88 10 0000000000000000 1111111111111111",
            0x63CE,
        ),
        (
            "change",
            "00 24 00 88 10 3537363231383830 1111111111111111",
            0x9000,
        ),
        ("verified", QUERY_SO, 0x9000),
        ("the user stays verified", QUERY_USER, 0x9000),
        ("old", "00 20 00 88 08 3537363231383830", 0x63CE),
        ("new", "00 20 00 88 08 1111111111111111", 0x9000),
        (
            "INITIALIZE DEVICE knows it",
            "80 50 00 00 12 81 06 363438323139 82 08 1111111111111111",
            0x9000,
        ),
    ]);
}

#[test]
fn refusals_spend_no_try() {
    let mut reader = Reader::initialised();
    reader.refuses(&[
        ("P1 01, no old PIN", "00 24 01 81 06 313335373930", 0x6A86),
        ("P1 before P2", "00 24 01 80 06 313335373930", 0x6A86),
        ("P2", "00 24 00 82 0C 363438323139 313335373930", 0x6A88),
        ("P2 before the length", "00 24 00 82", 0x6A88),
        ("no data", "00 24 00 81", 0x6A80),
        ("11 bytes", "00 24 00 81 0B 363438323139 3133353739", 0x6A80),
        (
            "33 bytes",
            "00 24 00 81 21 000000000000000000000000000000000000000000000000000000000000000000",
            0x6A80,
        ),
        (
            "SO-PIN, 15 bytes",
            "00 24 00 88 0F 353736323138383011111111111111",
            0x6A80,
        ),
        (
            "SO-PIN, 17 bytes",
            "00 24 00 88 11 3537363231383830111111111111111111",
            0x6A80,
        ),
    ]);
    let mut virgin = Reader::virgin();
    virgin.refuses(&[
        ("virgin", CHANGE, 0x6A88),
        (
            "virgin, SO-PIN",
            "00 24 00 88 10 3537363231383830 1111111111111111",
            0x6A88,
        ),
    ]);
}

#[test]
fn a_wrong_old_pin_spends_a_try_ends_the_authentication_and_blocks_at_last() {
    let mut reader = Reader::initialised();
    let wrong = "00 24 00 81 0C 363438323138 313335373930";
    reader.run(&[
        ("wrong", wrong, 0x63C2),
        ("the user", QUERY_USER, 0x63C2),
        ("wrong", wrong, 0x63C1),
        ("the old PIN still counts", OLD, 0x9000),
        ("wrong", wrong, 0x63C2),
        ("wrong", wrong, 0x63C1),
        ("the last one", wrong, 0x6983),
        ("the right one comes too late", CHANGE, 0x6983),
        ("for VERIFY too", OLD, 0x6983),
    ]);
}

#[test]
fn a_new_pin_of_no_allowed_length_is_refused_and_the_tries_come_back() {
    let mut reader = Reader::initialised();
    reader.ok("00 24 00 81 0E 363438323139 3030303030303030");
    reader.log_out();
    reader.run(&[
        ("a try is spent", OLD, 0x63C2),
        (
            "8 and 4 bytes",
            "00 24 00 81 0C 3030303030303030 31313131",
            0x6A80,
        ),
        ("all tries are back", QUERY_USER, 0x63C3),
        (
            "8 and 17 bytes",
            "00 24 00 81 19 3030303030303030 3131313131313131313131313131313131",
            0x6A80,
        ),
        (
            "8 and 4 bytes, wrong PIN",
            "00 24 00 81 0C 3030303030303031 31313131",
            0x63C2,
        ),
        (
            "the PIN is as before",
            "00 20 00 81 08 3030303030303030",
            0x9000,
        ),
    ]);
}

#[test]
fn less_data_than_the_old_pin_is_a_wrong_pin() {
    let mut reader = Reader::initialised();
    reader.ok("00 24 00 81 16 363438323139 30303030303030303030303030303030");
    reader.refused("00 24 00 81 0C 303030303030303030303030", 0x63C2);
    reader.refused("00 24 00 81 10 30303030303030303030303030303031", 0x63C1);
}

#[test]
fn ends_a_transport_state() {
    let mut reader = Reader::virgin();
    reader.ok("80 50 00 00 16 80 02 0002 81 06 363438323139 82 08 3537363231383830");
    reader.log_out();
    reader.run(&[
        ("transport", QUERY_USER, 0x6984),
        ("wrong", "00 24 00 81 0C 303030303030 313131313131", 0x63C2),
        ("still transport", QUERY_USER, 0x6984),
        ("change", CHANGE, 0x9000),
        ("verified", QUERY_USER, 0x9000),
        ("the user may write", "00 D7 CA01 06 54020000 5300", 0x9000),
    ]);
    reader.log_out();
    reader.run(&[("no transport", QUERY_USER, 0x63C3), ("new", NEW, 0x9000)]);
}

#[test]
fn a_shorter_pin_has_no_more_tries_than_it_may_have() {
    // 8 bytes with 10 tries, then 7, 6 and again 8 bytes.
    let rows = [
        ("00 24 00 81 0F 3131313131313131 32323232323232", 0x63C5),
        ("00 24 00 81 0D 32323232323232 333333333333", 0x63C3),
        ("00 24 00 81 0E 333333333333 3434343434343434", 0x63C3),
    ];
    let mut reader = Reader::virgin();
    reader.ok("80 50 00 00 17 81 08 3131313131313131 82 08 3537363231383830 91 01 0A");
    for (change, left) in rows {
        reader.ok(change);
        reader.log_out();
        reader.refused(QUERY_USER, left);
    }
    // The same for a PIN that the SO-PIN sets.
    reader.ok("80 50 00 00 17 81 08 3131313131313131 82 08 3537363231383830 91 01 0A");
    reader.ok("00 2C 00 81 0E 3537363231383830 313131313131");
    reader.refused(QUERY_USER, 0x63C3);
}
