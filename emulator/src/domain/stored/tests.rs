use crate::domain::{KeyDomain, Share};
use crate::profile::NITROKEY_HSM2;

/// A record in hexadecimal, whose KEK or sum of shares is of this many bytes 5A.
fn record(before: &str, length: usize) -> Vec<u8> {
    let content = format!("{before}{length:02X}{}", "5A".repeat(length));
    hex::decode(content.replace(' ', "")).unwrap()
}

fn load(record: &[u8]) -> Option<KeyDomain> {
    postcard::from_bytes(record).ok()
}

#[test]
fn what_card_files_hold_comes_back_byte_for_byte() {
    let rows: &[(&str, &str, &str)] = &[
        ("3 shares, 3 outstanding", "00 03 00 03", "0303"),
        ("3 shares, 1 outstanding", "00 03 00 01", "0301"),
        ("255 shares", "00 FF 00 FF", "FFFF"),
        ("3 shares, complete", "00 03 01", "0300"),
        ("random", "01 01", "0000"),
        ("XKEK, derived", "02 02 AABB 01", "0000"),
    ];
    for (name, before, counts) in rows {
        let stored = record(before, 32);
        let domain = load(&stored).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(
            hex::encode_upper(&domain.status(&NITROKEY_HSM2.domains)[..2]),
            *counts,
            "{name}"
        );
        assert_eq!(postcard::to_allocvec(&domain).unwrap(), stored, "{name}");
    }
    for stored in [&[1, 0][..], &[2, 2, 0xAA, 0xBB, 0]] {
        let domain = load(stored).unwrap();
        assert!(domain.kek().is_none());
        assert_eq!(postcard::to_allocvec(&domain).unwrap(), stored);
    }
}

#[test]
fn what_is_impossible_is_no_record() {
    let rows = [
        ("no shares", record("00 00 00 01", 32)),
        ("none outstanding", record("00 03 00 00", 32)),
        ("more outstanding than there are", record("00 03 00 04", 32)),
        ("a sum of 31 bytes", record("00 03 00 03", 31)),
        ("a sum of 33 bytes", record("00 03 00 03", 33)),
        ("no sum", record("00 03 00 03", 0)),
        ("a KEK of 31 bytes", record("00 03 01", 31)),
        ("a random KEK of 16 bytes", record("01 01", 16)),
        ("an XKEK of 33 bytes", record("02 02 AABB 01", 33)),
        ("an XKEK domain without UID", record("02 00 01", 32)),
        ("the same, not derived", vec![2, 0, 0]),
        ("another kind of domain", record("03 01", 32)),
    ];
    for (name, stored) in rows {
        assert!(load(&stored).is_none(), "{name}");
    }
}

#[test]
fn debug_shows_no_key() {
    for before in ["00 03 00 01", "00 03 01", "01 01", "02 02 AABB 01"] {
        let shown = format!("{:?}", load(&record(before, 32)).unwrap());
        assert!(
            !shown.contains("90, 90") && !shown.contains("5A"),
            "{shown}"
        );
    }
    assert_eq!(format!("{:?}", Share::new(&[0x5A; 32])), "Share(..)");
}
