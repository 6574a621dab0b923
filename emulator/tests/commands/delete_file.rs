//! DELETE FILE.

use hsm2_emulator::profile::NITROKEY_HSM2;

use crate::state::generate_ec;
use crate::support::Reader;

#[test]
fn deletes_with_and_without_collecting_garbage() {
    let mut reader = Reader::initialised();
    for p2 in ["00", "80"] {
        for id in [0x2F03, 0xC401, 0xCA01, 0xCD01, 0xCF01] {
            reader.put(id, &[1, 2]);
            let used = reader.card.memory().used(&NITROKEY_HSM2.footprint);
            assert_eq!(
                reader.ok(&format!("00 E4 02 {p2} 02 {id:04X}")),
                Vec::<u8>::new()
            );
            reader.refused(&format!("00 A4 00 00 02 {id:04X} 00"), 0x6A82);
            assert!(!reader.list().contains(&id), "{id:04X}");
            assert!(
                reader.card.memory().used(&NITROKEY_HSM2.footprint) < used,
                "memory comes back"
            );
        }
    }
}

#[test]
fn a_key_goes_alone() {
    let mut reader = Reader::initialised();
    reader.ok(&generate_ec(1, b"UTCA00001", ""));
    reader.put(0xC401, &[0xA0, 0]);
    reader.ok("00 E4 02 00 02 CC01");
    assert_eq!(reader.list(), [0x2F02, 0xCE01, 0xC401, 0xCC00]);
    reader.refuses(&[
        (
            "signing",
            "80 68 01 70 20 0000000000000000000000000000000000000000000000000000000000000000 00",
            0x6A88,
        ),
        ("deleting again", "00 E4 02 00 02 CC01", 0x6A82),
    ]);
}

#[test]
fn the_current_file_is_gone_when_it_is_deleted() {
    let mut reader = Reader::initialised();
    reader.put(0xCA02, &[2]);
    reader.put(0xCA01, &[1]);
    reader.ok("00 E4 02 00 02 CA02");
    assert_eq!(reader.ok("00 B0 0000 01"), [1], "another file was deleted");
    reader.ok("00 E4 02 00 02 CA01");
    reader.refused("00 B0 0000 01", 0x6986);
}

#[test]
fn the_scratch_file_can_be_deleted_too() {
    let mut reader = Reader::initialised();
    reader.refused("00 E4 02 00 02 2F10", 0x6A82);
    reader.put(0x2F10, &[1]);
    reader.ok("00 E4 02 00 02 2F10");
    reader.refused("00 A4 00 00 02 2F10 00", 0x6A82);
}

#[test]
fn refusals() {
    let mut reader = Reader::initialised();
    reader.put(0xCA01, &[1, 2, 3]);
    reader.refuses(&[
        ("P1 00", "00 E4 00 00 02 CA01", 0x6A86),
        ("P2 01", "00 E4 02 01 02 CA01", 0x6A86),
        ("P1 before the length", "00 E4 00 00 01 CA", 0x6A86),
        ("no identifier", "00 E4 02 00", 0x6700),
        ("one byte", "00 E4 02 00 01 CA", 0x6700),
        ("three bytes", "00 E4 02 00 03 CA0100", 0x6700),
        ("no such file", "00 E4 02 00 02 CA02", 0x6A82),
        ("no such key", "00 E4 02 00 02 CC09", 0x6A82),
        ("the device key", "00 E4 02 00 02 CC00", 0x6982),
        ("the device certificates", "00 E4 02 00 02 2F02", 0x6982),
        ("a reserved identifier", "00 E4 02 00 02 3F00", 0x6982),
    ]);
    reader.log_out();
    reader.refuses(&[
        ("not the user", "00 E4 02 00 02 CA01", 0x6982),
        (
            "nobody learns that it is absent",
            "00 E4 02 00 02 CA02",
            0x6982,
        ),
        ("P2 stays wrong", "00 E4 02 01 02 CA01", 0x6A86),
        ("a wrong length too", "00 E4 02 00 01 CA", 0x6700),
    ]);
    reader.ok("00 20 00 88 08 3537363231383830");
    reader.refuses(&[("the security officer", "00 E4 02 00 02 CA01", 0x6982)]);
}
