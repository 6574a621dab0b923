//! INITIALIZE DEVICE.

use crate::state::{QUERY_SO, QUERY_USER, generate_ec};
use crate::support::{Reader, SELECT_APPLET, bytes, lc_data};

#[test]
fn leaves_the_user_authenticated_until_reselection() {
    let mut reader = Reader::initialised();
    assert!(reader.is_logged_in());
    reader.ok(SELECT_APPLET);
    reader.refused("00 20 00 81", 0x63C3);
}

#[test]
fn erases_files_and_needs_the_so_pin_the_second_time() {
    let mut reader = Reader::initialised();
    reader.log_out();
    reader.log_in();
    reader.ok("00 D7 CA01 09 54 02 0000 53 03 010203");
    reader.run(&[
        (
            "wrong SO-PIN",
            "80 50 00 00 12 81 06 363438323139 82 08 3030303030303030",
            0x63CE,
        ),
        ("the file is still there", "00 A4 00 00 02 CA01 00", 0x9000),
        (
            "right SO-PIN",
            "80 50 00 00 12 81 06 363438323139 82 08 3537363231383830",
            0x9000,
        ),
        ("the file is gone", "00 A4 00 00 02 CA01 00", 0x6A82),
        ("all tries of the SO-PIN are back", "00 20 00 88", 0x63CF),
    ]);
}

/// Options 0001, user PIN 648219, the right SO-PIN; more objects follow.
const START: &str = "80 02 0001 81 06 363438323139 82 08 3537363231383830";

/// INITIALIZE DEVICE with these objects.
fn initialize(objects: &str) -> String {
    let objects = bytes(objects);
    format!("80 50 00 00 {}", lc_data(&objects))
}

#[test]
fn the_form_of_every_object_is_checked_before_any_try_is_spent() {
    let mut reader = Reader::initialised();
    reader.put(0xCA01, &[1, 2, 3]);
    let rows = [
        ("no user PIN", "82 08 3537363231383830", 0x6A80),
        ("no SO-PIN", "81 06 363438323139", 0x6A80),
        (
            "SO-PIN of 7 bytes",
            "81 06 363438323139 82 07 35373632313838",
            0x6A80,
        ),
        (
            "SO-PIN of 9 bytes",
            "81 06 363438323139 82 09 353736323138383000",
            0x6A80,
        ),
        (
            "user PIN of 5 bytes",
            "81 05 3634383231 82 08 3537363231383830",
            0x6A80,
        ),
        (
            "user PIN of 17 bytes",
            "81 11 3634383231393634383231393634383231 82 08 3537363231383830",
            0x6A80,
        ),
        (
            "options of one byte",
            "80 01 01 81 06 363438323139 82 08 3537363231383830",
            0x6A80,
        ),
        (
            "an option that is none",
            "80 02 0041 81 06 363438323139 82 08 3537363231383830",
            0x6A80,
        ),
        (
            "an option of the high byte",
            "80 02 0101 81 06 363438323139 82 08 3537363231383830",
            0x6A80,
        ),
        (
            "no tries",
            "81 06 363438323139 82 08 3537363231383830 91 01 00",
            0x6A80,
        ),
        (
            "4 tries for 6 bytes",
            "81 06 363438323139 82 08 3537363231383830 91 01 04",
            0x6A80,
        ),
        (
            "6 tries for 7 bytes",
            "81 07 36343832313930 82 08 3537363231383830 91 01 06",
            0x6A80,
        ),
        (
            "11 tries for 8 bytes",
            "81 08 3634383231393030 82 08 3537363231383830 91 01 0B",
            0x6A80,
        ),
        (
            "tries of two bytes",
            "81 06 363438323139 82 08 3537363231383830 91 02 0003",
            0x6A80,
        ),
        (
            "shares of two bytes",
            "81 06 363438323139 82 08 3537363231383830 92 02 0001",
            0x6A80,
        ),
        (
            "no number of slots",
            "81 06 363438323139 82 08 3537363231383830 97 00",
            0x6A80,
        ),
        (
            "more slots than there are",
            "81 06 363438323139 82 08 3537363231383830 97 01 11",
            0x6A80,
        ),
        (
            "an unknown object",
            "81 06 363438323139 82 08 3537363231383830 98 00",
            0x6A80,
        ),
        (
            "the user PIN twice",
            "81 06 363438323139 81 06 363438323139 82 08 3537363231383830",
            0x6A80,
        ),
        (
            "an object cut short",
            "81 06 363438323139 82 08 35373632313838",
            0x6A80,
        ),
        (
            "custodians of one byte",
            "81 06 363438323139 82 08 3537363231383830 93 01 03",
            0x6A80,
        ),
        (
            "biometrics 1",
            "81 06 363438323139 82 08 3537363231383830 95 01 00",
            0x6A81,
        ),
        (
            "biometrics 2",
            "81 06 363438323139 82 08 3537363231383830 96 01 00",
            0x6A81,
        ),
        (
            "the form before the SO-PIN",
            "81 06 363438323139 82 08 0000000000000000 98 00",
            0x6A80,
        ),
        (
            "the slots before the SO-PIN",
            "81 06 363438323139 82 08 0000000000000000 97 01 11",
            0x6A80,
        ),
    ];
    for (name, objects, status) in rows {
        reader.refuses(&[(name, &initialize(objects), status)]);
    }
    reader.refuses(&[
        ("P1", "80 50 01 00 00", 0x6A86),
        ("P2", "80 50 00 01 00", 0x6A86),
        ("P2 before the length", "80 50 00 01", 0x6A86),
        ("neither data nor Le", "80 50 00 00", 0x6700),
        ("Le too small for the information", "80 50 00 00 06", 0x6700),
    ]);
}

#[test]
fn a_virgin_card_checks_the_form_too_and_stays_virgin() {
    let mut reader = Reader::virgin();
    reader.refuses(&[
        ("slots", &initialize(&format!("{START} 97 01 11")), 0x6A80),
        ("no SO-PIN", &initialize("81 06 363438323139"), 0x6A80),
    ]);
    reader.refused(QUERY_SO, 0x6A88);
}

#[test]
fn takes_every_form_that_hosts_send() {
    let rows = [
        (
            "the least there is",
            "81 06 363438323139 82 08 3537363231383830",
            3,
        ),
        (
            "another order",
            "91 01 01 82 08 3537363231383830 81 06 363438323139 80 02 0001",
            1,
        ),
        (
            "5 tries for 7 bytes",
            "81 07 36343832313930 82 08 3537363231383830 91 01 05",
            5,
        ),
        (
            "10 tries for 8 bytes",
            "81 08 3634383231393030 82 08 3537363231383830 91 01 0A",
            10,
        ),
        (
            "all slots",
            "81 06 363438323139 82 08 3537363231383830 97 01 10",
            3,
        ),
        (
            "DKEK shares and slots",
            "81 06 363438323139 82 08 3537363231383830 92 01 01 97 01 01",
            3,
        ),
    ];
    for (name, objects, tries) in rows {
        let mut reader = Reader::virgin();
        assert_eq!(reader.ok(&initialize(objects)), Vec::<u8>::new(), "{name}");
        assert!(reader.is_logged_in(), "{name}");
        reader.log_out();
        reader.run(&[(name, QUERY_USER, 0x63C0 | tries), (name, QUERY_SO, 0x63CF)]);
    }
}

#[test]
fn sets_key_domains_as_the_objects_say() {
    let rows = [
        ("none", "", 0x6D00),
        ("no slots", "97 01 00", 0x6D00),
        ("no slots wins over a DKEK", "92 01 02 97 01 00", 0x6D00),
        ("one DKEK", "92 01 02", 0x9000),
        ("a DKEK of the card", "92 01 00", 0x9000),
        ("a slot, absent", "97 01 01", 0x6A88),
        ("slots win", "92 01 02 97 01 01", 0x6A88),
    ];
    for (name, objects, status) in rows {
        let mut reader = Reader::initialised_with(objects);
        reader.run(&[(name, "80 52 00 00 00", status)]);
    }
}

#[test]
fn erases_everything_but_the_identity() {
    let mut reader = Reader::initialised_with("92 01 01");
    let device = reader.content(0x2F02);
    let virgin_memory = reader.ok("80 50 00 00 00");
    reader.ok(&generate_ec(1, b"UTCA00001", ""));
    reader.put(0x2F03, &[1]);
    reader.put(0xCD01, &[1]);
    reader.put(0x2F10, &[1]);
    reader.ok("00 20 00 88 08 3537363231383830");
    assert_ne!(reader.ok("80 50 00 00 00"), virgin_memory);
    reader.ok(&initialize(START));
    assert_eq!(reader.list(), [0x2F02, 0xCC00]);
    assert_eq!(reader.content(0x2F02), device);
    assert_eq!(reader.ok("80 50 00 00 00"), virgin_memory);
    reader.run(&[
        ("the key domain", "80 52 00 00 00", 0x6D00),
        ("the scratch file", "00 A4 00 00 02 2F10 00", 0x6A82),
        ("the security officer's authentication", QUERY_SO, 0x63CF),
        ("the user", QUERY_USER, 0x9000),
    ]);
}

#[test]
fn a_wrong_so_pin_erases_nothing_and_leaves_the_user_as_he_is() {
    let mut reader = Reader::initialised();
    reader.put(0xCA01, &[1, 2, 3]);
    let wrong = initialize("81 06 313131313131 82 08 0000000000000000");
    reader.refused(&wrong, 0x63CE);
    assert!(reader.is_logged_in());
    assert_eq!(reader.content(0xCA01), [1, 2, 3]);
    for left in (1..14).rev() {
        reader.refused(&wrong, 0x63C0 | left);
    }
    reader.refused(&wrong, 0x6983);
    reader.refuses(&[
        (
            "the right SO-PIN comes too late",
            &initialize(START),
            0x6983,
        ),
        ("and a wrong one", &wrong, 0x6983),
    ]);
    reader.log_out();
    reader.log_in();
    assert_eq!(reader.content(0xCA01), [1, 2, 3]);
}

#[test]
fn tells_free_memory_and_version() {
    let mut reader = Reader::virgin();
    let information = "00013DCC 00 0306";
    assert_eq!(reader.ok("80 50 00 00 00"), bytes(information));
    assert_eq!(
        reader.ok("80 50 00 00 07"),
        bytes(information),
        "an exact Le"
    );
    reader.initialise("");
    reader.put(0xCA01, &[0; 16]);
    reader.log_out();
    assert_eq!(
        reader.ok("80 50 00 00 00 00 00"),
        bytes("00013DAC 00 0306"),
        "the file and its administration are gone from it"
    );
}
