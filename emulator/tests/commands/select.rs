//! SELECT.

use hsm2_emulator::card::Card;

use crate::state::generate_ec;
use crate::support::{Reader, SELECT_APPLET, bytes};

#[test]
fn shows_the_applet_in_the_form_that_p2_asks_for() {
    let mut reader = Reader::initialised();
    let rows = [
        ("00", "6F 0A 82 01 78 85 05 0001 00 03 06"),
        ("04", "62 0A 82 01 78 85 05 0001 00 03 06"),
        ("0C", ""),
    ];
    for (p2, template) in rows {
        let command = format!("00 A4 04 {p2} 0B E82B0601040181C31F0201 00");
        assert_eq!(reader.ok(&command), bytes(template), "P2 {p2}");
    }
}

#[test]
fn shows_the_options_of_initialize_device() {
    let mut reader = Reader::virgin();
    let options = |reader: &mut Reader| reader.ok(SELECT_APPLET)[7..9].to_vec();
    assert_eq!(options(&mut reader), [0x00, 0x00], "virgin");
    for wanted in [[0x00, 0x01], [0x00, 0x00], [0x00, 0x21], [0x00, 0x02]] {
        let data = [
            &bytes("80 02")[..],
            &wanted,
            &bytes("81 06 363438323139 82 08 3537363231383830"),
        ]
        .concat();
        reader.ok(&format!(
            "80 50 00 00 {:02X} {}",
            data.len(),
            hex::encode(&data)
        ));
        assert_eq!(options(&mut reader), wanted);
    }
}

#[test]
fn shows_size_and_identifier_of_a_file() {
    let mut reader = Reader::initialised();
    reader.put(0xCA01, &[7; 0x0123]);
    let rows = [
        ("00 A4 00 00", "6F 0B 80 02 0123 82 01 01 83 02 CA01"),
        ("00 A4 02 00", "6F 0B 80 02 0123 82 01 01 83 02 CA01"),
        ("00 A4 00 04", "62 0B 80 02 0123 82 01 01 83 02 CA01"),
        ("00 A4 02 0C", ""),
    ];
    for (header, template) in rows {
        reader.log_out();
        assert_eq!(reader.ok(&format!("{header} 02 CA01 00")), bytes(template));
        assert_eq!(
            reader.ok("00 B1 0000 04 54020000 01"),
            [7],
            "{header}: current"
        );
    }
}

#[test]
fn a_key_is_a_file_of_size_zero_with_its_conditions_of_use() {
    let mut reader = Reader::initialised_with("97 01 02");
    reader.ok("80 52 01 01 01 01 00");
    reader.ok(&generate_ec(1, b"UTCA00001", ""));
    reader.ok(&generate_ec(
        2,
        b"UTCA00001",
        "90 04 00000102 91 02 7073 92 01 01",
    ));
    let rows = [
        ("CC00", "6F 0B 80 02 0000 82 01 01 83 02 CC00"),
        ("CC01", "6F 0B 80 02 0000 82 01 01 83 02 CC01"),
        (
            "CC02",
            "6F 1A 80 02 0000 82 01 01 83 02 CC02 A5 0D 90 04 00000102 91 02 7073 92 01 01",
        ),
    ];
    for (key, template) in rows {
        let answer = reader.ok(&format!("00 A4 00 00 02 {key} 00"));
        assert_eq!(hex::encode(answer), hex::encode(bytes(template)), "{key}");
    }
}

#[test]
fn refusals() {
    let mut reader = Reader::initialised();
    reader.put(0xCA01, &[1, 2, 3]);
    reader.refuses(&[
        ("P1 01", "00 A4 01 00 02 CA01 00", 0x6A86),
        ("P1 08, a path", "00 A4 08 00 02 CA01 00", 0x6A86),
        ("P2 01", "00 A4 00 01 02 CA01 00", 0x6A86),
        (
            "P2 02, the next applet",
            "00 A4 04 02 0B E82B0601040181C31F0201 00",
            0x6A86,
        ),
        ("P2 before a foreign AID", "00 A4 04 08 02 A000 00", 0x6A86),
        ("P1 before the length", "00 A4 03 00 01 CA 00", 0x6A86),
        ("foreign AID", "00 A4 04 00 06 D27600012401 00", 0x6A82),
        (
            "the AID cut short",
            "00 A4 04 00 0A E82B0601040181C31F02 00",
            0x6A82,
        ),
        (
            "the AID and more",
            "00 A4 04 00 0C E82B0601040181C31F020100 00",
            0x6A82,
        ),
        ("no AID", "00 A4 04 00 00", 0x6A82),
        ("no such file", "00 A4 00 00 02 CA02 00", 0x6A82),
        ("no such key", "00 A4 00 00 02 CC07 00", 0x6A82),
        ("no scratch file yet", "00 A4 00 00 02 2F10 00", 0x6A82),
        ("the master file", "00 A4 00 00 02 3F00 00", 0x6A82),
        ("one byte of identifier", "00 A4 00 00 01 CA 00", 0x6700),
        (
            "three bytes of identifier",
            "00 A4 00 00 03 CA0100 00",
            0x6700,
        ),
        ("no identifier", "00 A4 00 00 00", 0x6700),
        (
            "Le too small for the applet's template",
            "00 A4 04 00 0B E82B0601040181C31F0201 0B",
            0x6700,
        ),
        (
            "Le too small for the file's template",
            "00 A4 00 00 02 2F02 0C",
            0x6700,
        ),
    ]);
}

#[test]
fn without_the_applet_there_are_no_files() {
    let mut reader = Reader::initialised();
    reader.card.reset();
    reader.refuses(&[
        ("a file", "00 A4 00 00 02 2F02 00", 0x6D00),
        ("P1 02", "00 A4 02 00 02 2F02 00", 0x6D00),
        ("an identifier of one byte", "00 A4 00 00 01 2F 00", 0x6D00),
        ("a foreign AID", "00 A4 04 00 06 D27600012401 00", 0x6A82),
        ("P1", "00 A4 03 00 02 2F02 00", 0x6A86),
        ("P2", "00 A4 00 0F 02 2F02 00", 0x6A86),
    ]);
    reader.ok(SELECT_APPLET);
    reader.ok("00 A4 00 00 02 2F02 00");
}

#[test]
fn selecting_the_applet_starts_a_session() {
    let mut reader = Reader::initialised();
    reader.put(0xCA01, &[1]);
    reader.put(0x2F10, &[2]);
    reader.ok("00 20 00 88 08 3537363231383830");
    reader.ok("00 22 81 B6 11 83 0F 5A5A56495254524F4F543030303031");
    reader.run(&[
        ("the user", "00 20 00 81", 0x9000),
        ("the security officer", "00 20 00 88", 0x9000),
        ("scratch", "00 A4 00 00 02 2F10 00", 0x9000),
        ("re-selection", SELECT_APPLET, 0x9000),
        ("the user is logged out", "00 20 00 81", 0x63C3),
        ("the security officer too", "00 20 00 88", 0x63CF),
        ("no file is current", "00 B1 0000 04 54020000 00", 0x6986),
        ("the scratch file is gone", "00 A4 00 00 02 2F10 00", 0x6A82),
        ("the file is not", "00 A4 00 00 02 CA01 00", 0x9000),
    ]);
}

#[test]
fn power_off_and_reset_end_the_session() {
    let mut reader = Reader::initialised();
    let ends: [fn(&mut Card); 2] = [Card::reset, |card| {
        card.power_off();
        card.power_on();
    }];
    for end in ends {
        reader.log_out();
        reader.log_in();
        end(&mut reader.card);
        reader.refused("00 20 00 81", 0x6D00);
        reader.ok(SELECT_APPLET);
        assert!(!reader.is_logged_in());
    }
}
