//! READ BINARY.

use crate::support::{Reader, bytes};

/// A card whose user is authenticated, with CA01 = 00..09, a private CD01, a key and a scratch
/// file; no file is current.
fn reader() -> Reader {
    let mut reader = Reader::initialised();
    reader.put(0xCA01, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    reader.put(0xCD01, &[0xEE]);
    reader.ok(&crate::state::generate_ec(1, b"UTCA00001", ""));
    reader.log_out();
    reader.log_in();
    reader
}

#[test]
fn returns_what_is_there_and_says_where_the_file_ends() {
    let mut reader = reader();
    let rows = [
        (
            "all, exactly",
            "00 B1 CA01 04 54020000 0A",
            "00010203040506070809",
            0x9000,
        ),
        (
            "all, extended",
            "00 B1 CA01 00 0004 54020000 000A",
            "00010203040506070809",
            0x9000,
        ),
        (
            "current file",
            "00 B1 0000 04 54020002 03",
            "020304",
            0x9000,
        ),
        ("even", "00 B0 0002 03", "020304", 0x9000),
        ("even, extended", "00 B0 0002 000003", "020304", 0x9000),
        ("the last byte", "00 B1 CA01 04 54020009 01", "09", 0x9000),
        (
            "one byte more than there is",
            "00 B1 CA01 04 54020009 02",
            "09",
            0x6282,
        ),
        (
            "Le 00 is 256",
            "00 B1 CA01 04 54020000 00",
            "00010203040506070809",
            0x6282,
        ),
        (
            "Le 0000 is 65536",
            "00 B1 CA01 00 0004 54020000 0000",
            "00010203040506070809",
            0x6282,
        ),
        ("even, past the end", "00 B0 0008 00", "0809", 0x6282),
        ("at the end", "00 B1 CA01 04 5402000A 00", "", 0x6282),
        ("behind the end", "00 B1 CA01 04 5402000B 01", "", 0x6282),
        (
            "far behind the end",
            "00 B1 CA01 04 5402FFFF 00",
            "",
            0x6282,
        ),
        ("even, behind the end", "00 B0 7FFF 00", "", 0x6282),
    ];
    for (name, command, data, status) in rows {
        let answer = reader.send(command);
        assert_eq!(
            (answer.data, answer.status),
            (bytes(data), status),
            "{name}"
        );
    }
}

#[test]
fn refusals() {
    let mut reader = reader();
    reader.refuses(&[
        ("no current file", "00 B1 0000 04 54020000 00", 0x6986),
        ("even, no current file", "00 B0 0000 00", 0x6986),
    ]);
    reader.ok("00 A4 00 00 02 CA01 00");
    reader.refuses(&[
        ("no data field", "00 B1 CA01 00", 0x6700),
        ("no Le", "00 B1 CA01 04 54020000", 0x6700),
        (
            "even with a data field",
            "00 B0 0000 04 54020000 00",
            0x6700,
        ),
        ("even without Le", "00 B0 0000", 0x6700),
        ("another tag", "00 B1 CA01 04 53020000 00", 0x6A80),
        ("offset of one byte", "00 B1 CA01 03 540100 00", 0x6A80),
        (
            "offset of three bytes",
            "00 B1 CA01 05 5403000000 00",
            0x6A80,
        ),
        (
            "something behind the offset",
            "00 B1 CA01 06 540200005300 00",
            0x6A80,
        ),
        ("offset cut short", "00 B1 CA01 03 540200 00", 0x6A80),
        ("the data field before Le", "00 B1 CA01 03 540200", 0x6A80),
        ("no such file", "00 B1 CA02 04 54020000 00", 0x6A82),
        ("a short file identifier", "00 B0 8100 00", 0x6A82),
        ("a short identifier before Le", "00 B0 8100", 0x6A82),
        ("a key", "00 B1 CC01 04 54020000 00", 0x6982),
        ("the device key", "00 B1 CC00 04 54020000 00", 0x6982),
        ("an absent key", "00 B1 CC09 04 54020000 00", 0x6982),
        ("a reserved identifier", "00 B1 3F00 04 54020000 00", 0x6982),
        ("the scratch file", "00 B1 2F10 04 54020000 00", 0x6982),
    ]);
    reader.ok("00 A4 00 00 02 CC01 00");
    reader.refuses(&[(
        "the current file is a key",
        "00 B1 0000 04 54020000 00",
        0x6982,
    )]);
}

#[test]
fn a_private_data_object_needs_the_user() {
    let mut reader = reader();
    assert_eq!(reader.ok("00 B1 CD01 04 54020000 01"), [0xEE]);
    reader.log_out();
    reader.ok("00 A4 00 00 02 CD01 00");
    reader.refuses(&[
        ("a private object", "00 B1 CD01 04 54020000 01", 0x6982),
        ("as the current file", "00 B1 0000 04 54020000 01", 0x6982),
        ("even", "00 B0 0000 01", 0x6982),
        (
            "nobody learns that it is absent",
            "00 B1 CD02 04 54020000 01",
            0x6982,
        ),
        (
            "a malformed command stays one",
            "00 B1 CD01 03 540100 01",
            0x6A80,
        ),
    ]);
    reader.ok("00 B1 CA01 04 54020000 01");
}

#[test]
fn what_is_written_to_the_scratch_file_is_never_read() {
    let mut reader = reader();
    reader.put(0x2F10, &[1, 2, 3]);
    reader.refuses(&[
        ("by its identifier", "00 B1 2F10 04 54020000 01", 0x6982),
        ("as the current file", "00 B1 0000 04 54020000 01", 0x6982),
    ]);
}

#[test]
fn the_file_read_becomes_the_current_one() {
    let mut reader = reader();
    reader.put(0xCA02, &[0xA2]);
    reader.ok("00 B1 CA01 04 54020000 01");
    assert_eq!(reader.ok("00 B1 0000 04 54020001 01"), [1]);
    reader.refused("00 B1 CA03 04 54020000 01", 0x6A82);
    assert_eq!(
        reader.ok("00 B0 0001 01"),
        [1],
        "a refused read selects nothing"
    );
}
