//! GET CHALLENGE.

use std::collections::BTreeSet;

use crate::support::Reader;

#[test]
fn returns_le_bytes_up_to_the_limit_of_the_profile() {
    let mut reader = Reader::virgin();
    let rows = [
        ("08", 8),
        ("01", 1),
        ("00", 256),
        ("000008", 8),
        ("000400", 1024),
        ("000401", 1024),
        ("000000", 1024),
    ];
    for (le, length) in rows {
        assert_eq!(
            reader.ok(&format!("00 84 0000 {le}")).len(),
            length,
            "Le {le}"
        );
    }
}

#[test]
fn no_two_challenges_are_equal() {
    let mut reader = Reader::virgin();
    let challenges: BTreeSet<_> = (0..100).map(|_| reader.ok("00 84 0000 10")).collect();
    assert_eq!(challenges.len(), 100);
}

#[test]
fn a_challenge_is_not_shown_with_its_card() {
    let mut reader = Reader::virgin();
    let challenge = reader.ok("00 84 0000 08");
    let shown = format!("{:?}", reader.card);
    let digits = format!("{challenge:?}");
    assert!(!shown.contains(digits.trim_matches(['[', ']'])), "{shown}");
    assert!(
        shown.contains("challenge: Some(Secret(8 bytes))"),
        "{shown}"
    );
}

#[test]
fn refusals() {
    let mut reader = Reader::initialised();
    reader.refuses(&[
        ("P1", "00 84 01 00 08", 0x6A86),
        ("P2", "00 84 00 01 08", 0x6A86),
        ("P1 before Le", "00 84 01 00", 0x6A86),
        ("no Le", "00 84 00 00", 0x6700),
        ("a data field", "00 84 00 00 01 00 08", 0x6700),
    ]);
}
