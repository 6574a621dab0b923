//! Class and instruction bytes.

use hsm2_emulator::command::COMMANDS;

use crate::support::Reader;

#[test]
fn no_command_works_before_the_applet_is_selected_or_with_the_other_class() {
    let mut reader = Reader::initialised();
    for entry in COMMANDS {
        let other = 0x80 ^ entry.cla;
        // VERIFY is one command for PINs and one for templates.
        if COMMANDS
            .iter()
            .any(|known| (known.cla, known.ins) == (other, entry.ins))
        {
            continue;
        }
        let answer = reader.send_bytes(&[other, entry.ins, 0, 0]);
        assert_eq!(answer.status, 0x6E00, "{entry:?}");
    }
    reader.card.reset();
    for entry in COMMANDS {
        let answer = reader.send_bytes(&[entry.cla, entry.ins, 0, 0]);
        assert_eq!(answer.status, 0x6D00, "{entry:?}");
    }
}

#[test]
fn refusals() {
    let mut reader = Reader::initialised();
    reader.refuses(&[
        ("an unknown instruction", "00 FE 00 00", 0x6D00),
        (
            "proprietary SELECT",
            "80 A4 04 00 0B E82B0601040181C31F0201 00",
            0x6E00,
        ),
        ("logical channel 1", "01 20 00 81", 0x6881),
        ("secure messaging", "0C 20 00 81", 0x6882),
        ("proprietary secure messaging", "84 58 00 00 00", 0x6882),
        ("chaining", "10 20 00 81", 0x6884),
        ("another class", "40 20 00 81", 0x6E00),
        ("the class before the instruction", "40 FE 00 00", 0x6E00),
    ]);
}
