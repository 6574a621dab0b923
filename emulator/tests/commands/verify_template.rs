//! VERIFY of biometric templates, which no card has.

use crate::support::Reader;

#[test]
fn there_are_no_templates() {
    let mut reader = Reader::initialised();
    reader.refuses(&[
        ("template 1", "80 20 00 85 03 7F2400", 0x6A88),
        ("template 2", "80 20 00 86 03 7F2400", 0x6A88),
        ("its state", "80 20 00 85", 0x6A88),
        ("its state, class 00", "00 20 00 85", 0x6A88),
        ("the user PIN", "80 20 00 81 06 363438323139", 0x6E00),
        ("the state of the SO-PIN", "80 20 00 88", 0x6E00),
        ("P1 01", "80 20 01 85 03 7F2400", 0x6A86),
    ]);
}
