//! ENUMERATE OBJECTS.

use crate::state::generate_ec;
use crate::support::{Reader, bytes};

#[test]
fn lists_the_certificates_files_as_they_were_created_and_keys() {
    let mut reader = Reader::virgin();
    assert_eq!(reader.list(), [0x2F02, 0xCC00], "virgin");
    reader.initialise("");
    reader.put(0xCD02, &[1]);
    reader.ok(&generate_ec(7, b"UTCA00001", ""));
    reader.put(0x2F03, &[1]);
    reader.ok(&generate_ec(3, b"UTCA00001", ""));
    reader.put(0xC401, &[1]);
    reader.put(0x2F10, &[1]);
    let list = [
        0x2F02, 0xCD02, 0xCE07, 0x2F03, 0xCE03, 0xC401, 0xCC00, 0xCC03, 0xCC07,
    ];
    assert_eq!(reader.list(), list);
    reader.put(0xCD02, &[9, 9, 9]);
    reader.power_cycle();
    assert_eq!(reader.list(), list, "no PIN, and writing moves no file");
    reader.log_in();
    reader.ok("00 E4 02 00 02 CD02");
    reader.put(0xCD02, &[1]);
    assert_eq!(
        reader.list(),
        [
            0x2F02, 0xCE07, 0x2F03, 0xCE03, 0xC401, 0xCD02, 0xCC00, 0xCC03, 0xCC07
        ],
        "made again, it is the youngest"
    );
}

#[test]
fn takes_every_le_that_is_large_enough() {
    let mut reader = Reader::initialised();
    for command in ["80 58 00 00 00", "80 58 00 00 04", "80 58 00 00 00 00 04"] {
        assert_eq!(reader.ok(command), bytes("2F02 CC00"), "{command}");
    }
    assert_eq!(
        reader.ok("80 58 00 00"),
        Vec::<u8>::new(),
        "without Le there are no data"
    );
}

#[test]
fn refusals() {
    let mut reader = Reader::initialised();
    reader.refuses(&[
        ("P1", "80 58 01 00 00", 0x6A86),
        ("P2", "80 58 00 01 00", 0x6A86),
        ("P2 before the data field", "80 58 00 01 01 00", 0x6A86),
        ("a data field", "80 58 00 00 01 00 00", 0x6700),
        ("Le too small", "80 58 00 00 03", 0x6700),
        ("extended Le too small", "80 58 00 00 00 00 03", 0x6700),
    ]);
}
