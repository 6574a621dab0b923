//! UPDATE BINARY.

use hsm2_emulator::profile::NITROKEY_HSM2;

use crate::state::{generate_ec, update};
use crate::support::{Reader, bytes};

#[test]
fn creates_fills_extends_and_overwrites() {
    let mut reader = Reader::initialised();
    let rows = [
        ("an empty object creates", "00 D7 CA01 06 54020000 5300", ""),
        (
            "the current file",
            "00 D7 0000 09 54020000 5303 010203",
            "010203",
        ),
        (
            "at the end",
            "00 D7 CA01 08 54020003 5302 0405",
            "0102030405",
        ),
        ("inside", "00 D7 CA01 07 54020001 5301 FF", "01FF030405"),
        (
            "over the end",
            "00 D7 0000 08 54020004 5302 EEDD",
            "01FF0304EEDD",
        ),
        ("even", "00 D6 0000 02 AABB", "AABB0304EEDD"),
        ("even, at the end", "00 D6 0006 01 CC", "AABB0304EEDDCC"),
        (
            "a shorter value keeps the rest",
            "00 D7 CA01 07 54020000 5301 00",
            "00BB0304EEDDCC",
        ),
        (
            "nothing at the end",
            "00 D7 CA01 06 54020007 5300",
            "00BB0304EEDDCC",
        ),
        (
            "Le is no harm",
            "00 D7 CA01 07 54020000 5301 99 00",
            "99BB0304EEDDCC",
        ),
    ];
    for (name, command, content) in rows {
        assert_eq!(reader.ok(command), Vec::<u8>::new(), "{name}");
        assert_eq!(reader.content(0xCA01), bytes(content), "{name}");
    }
}

#[test]
fn every_length_of_the_data_object_is_written() {
    let mut reader = Reader::initialised();
    for length in [0, 1, 127, 128, 255, 256, 1000] {
        let content: Vec<u8> = (0..=255).cycle().take(length).collect();
        let id = 0xCA00 | u16::try_from(length % 251).unwrap();
        reader.put(id, &content);
        assert_eq!(reader.content(id), content, "{length} bytes");
    }
}

#[test]
fn the_file_written_becomes_the_current_one() {
    let mut reader = Reader::initialised();
    reader.put(0xCA01, &[1]);
    reader.put(0xCA02, &[2]);
    assert_eq!(reader.ok("00 B0 0000 01"), [2]);
    reader.refused("00 D7 3F00 07 54020000 5301 00", 0x6982);
    assert_eq!(
        reader.ok("00 B0 0000 01"),
        [2],
        "a refused write selects nothing"
    );
}

#[test]
fn refusals() {
    let mut reader = Reader::initialised();
    reader.ok(&generate_ec(1, b"UTCA00001", ""));
    reader.put(0xCA01, &[1, 2, 3]);
    reader.log_out();
    reader.log_in();
    reader.refuses(&[
        ("no current file", "00 D7 0000 07 54020000 5301 00", 0x6986),
        ("even, no current file", "00 D6 0000 01 00", 0x6986),
        (
            "no current file before the offset",
            "00 D7 0000 07 54020009 5301 00",
            0x6986,
        ),
    ]);
    reader.ok("00 A4 00 00 02 CA01 00");
    reader.refuses(&[
        ("no data field", "00 D7 CA01", 0x6700),
        ("no data field, Le", "00 D7 CA01 00", 0x6700),
        ("even without data", "00 D6 0000", 0x6700),
        ("no offset", "00 D7 CA01 03 5301 00", 0x6A80),
        ("offset of one byte", "00 D7 CA01 06 540100 5301 00", 0x6A80),
        ("no data object", "00 D7 CA01 04 54020000", 0x6A80),
        ("another object", "00 D7 CA01 07 54020000 5201 00", 0x6A80),
        (
            "the objects swapped",
            "00 D7 CA01 07 5301 00 54020000",
            0x6A80,
        ),
        (
            "a third object",
            "00 D7 CA01 09 54020000 5301 00 5300",
            0x6A80,
        ),
        ("data cut short", "00 D7 CA01 07 54020000 5302 00", 0x6A80),
        ("behind the end", "00 D7 CA01 07 54020004 5301 00", 0x6B00),
        (
            "behind the end of a new file",
            "00 D7 CA02 07 54020001 5301 00",
            0x6B00,
        ),
        (
            "nothing behind the end",
            "00 D7 CA01 06 54020004 5300",
            0x6B00,
        ),
        ("even, behind the end", "00 D6 0004 01 00", 0x6B00),
        ("even, a short file identifier", "00 D6 8100 01 00", 0x6A82),
        ("a key", "00 D7 CC01 07 54020000 5301 00", 0x6982),
        ("an absent key", "00 D7 CC09 07 54020000 5301 00", 0x6982),
        ("the device key", "00 D7 CC00 07 54020000 5301 00", 0x6982),
        (
            "the device certificates",
            "00 D7 2F02 07 54020000 5301 00",
            0x6982,
        ),
        ("3F00", "00 D7 3F00 07 54020000 5301 00", 0x6982),
        ("3FFF", "00 D7 3FFF 07 54020000 5301 00", 0x6982),
        ("FFFF", "00 D7 FFFF 07 54020000 5301 00", 0x6982),
        (
            "the right before the offset",
            "00 D7 2F02 07 5402FFFF 5301 00",
            0x6982,
        ),
    ]);
    reader.ok("00 A4 00 00 02 2F02 00");
    reader.refuses(&[
        (
            "the current file is nobody's to write",
            "00 D7 0000 07 54020000 5301 00",
            0x6982,
        ),
        ("even", "00 D6 0000 01 00", 0x6982),
    ]);
}

#[test]
fn nobody_but_the_user_writes() {
    let mut reader = Reader::initialised();
    reader.put(0xCA01, &[1, 2, 3]);
    reader.log_out();
    reader.refuses(&[
        ("an existing file", "00 D7 CA01 07 54020000 5301 00", 0x6982),
        ("a new file", "00 D7 CA02 07 54020000 5301 00", 0x6982),
        ("the scratch file", "00 D7 2F10 07 54020000 5301 00", 0x6982),
        ("a private object", "00 D7 CD01 07 54020000 5301 00", 0x6982),
        (
            "before the current file",
            "00 D7 0000 07 54020000 5301 00",
            0x6982,
        ),
        (
            "before the offset",
            "00 D7 CA01 07 54020009 5301 00",
            0x6982,
        ),
        ("even", "00 D6 0000 01 00", 0x6982),
        (
            "a malformed command stays one",
            "00 D7 CA01 03 5301 00",
            0x6A80,
        ),
    ]);
    reader.ok("00 20 00 88 08 3537363231383830");
    reader.refuses(&[(
        "nor the security officer",
        "00 D7 CA01 07 54020000 5301 00",
        0x6982,
    )]);
}

#[test]
fn a_file_does_not_outgrow_its_limit() {
    let mut reader = Reader::initialised();
    let limit = reader.card.profile().file_max;
    let mut size = 0;
    while size < limit {
        let block = 1000.min(limit - size);
        reader.ok(&update(
            0xCA01,
            u16::try_from(size).unwrap(),
            &vec![0x5A; block],
        ));
        size += block;
    }
    assert_eq!(reader.content(0xCA01).len(), limit);
    let end = u16::try_from(limit).unwrap();
    reader.refuses(&[
        ("one byte too many", &update(0xCA01, end, &[0]), 0x6A84),
        ("over the limit", &update(0xCA01, end - 1, &[0, 0]), 0x6A84),
        (
            "behind the end stays that",
            &update(0xCA01, end + 1, &[0]),
            0x6B00,
        ),
    ]);
    reader.ok(&update(0xCA01, end - 1, &[0xFF]));
}

#[test]
fn the_scratch_file_starts_anew_at_offset_zero_and_costs_no_memory() {
    let mut reader = Reader::initialised();
    let used = reader.card.memory().used(&NITROKEY_HSM2.footprint);
    reader.put(0x2F10, &[1; 300]);
    reader.ok(&update(0x2F10, 300, &[2; 50]));
    let size = |reader: &mut Reader| reader.ok("00 A4 00 00 02 2F10 00")[4..6].to_vec();
    assert_eq!(size(&mut reader), [0x01, 0x5E]);
    reader.put(0x2F10, &[3]);
    assert_eq!(size(&mut reader), [0x00, 0x01]);
    reader.refused(&update(0x2F10, 2, &[0]), 0x6B00);
    assert_eq!(reader.card.memory().used(&NITROKEY_HSM2.footprint), used);
    assert!(!reader.list().contains(&0x2F10));
}
