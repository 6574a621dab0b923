//! A card whose memory is full.

use hsm2_emulator::profile::NITROKEY_HSM2;

use crate::state::{generate_ec, image, update};
use crate::support::{Reader, bytes, lc_data};

/// Content of the files that fill the card: a command holds no more in one go.
const BLOCK: [u8; 1000] = [0x5A; 1000];

fn used(reader: &Reader) -> usize {
    reader.card.memory().used(&NITROKEY_HSM2.footprint)
}

/// A card whose memory takes no more files of the size of a block, and how many it took.
fn full() -> (Reader, u16) {
    filled(Reader::initialised())
}

fn filled(mut reader: Reader) -> (Reader, u16) {
    for id in 0xCA00..=0xCAFF {
        let answer = reader.send(&update(id, 0, &BLOCK));
        if answer.status != 0x9000 {
            assert_eq!(format!("{:04X}", answer.status), "6A84");
            return (reader, id - 0xCA00);
        }
    }
    panic!(
        "256 files of 1000 bytes fit a card of {}",
        NITROKEY_HSM2.memory
    );
}

#[test]
fn a_card_takes_as_much_as_it_has() {
    let empty = used(&Reader::initialised());
    let (mut reader, count) = full();
    let each = (used(&reader) - empty) / usize::from(count);
    assert!(each >= BLOCK.len(), "{each}");
    let free = NITROKEY_HSM2.memory - used(&reader);
    assert!(free < each, "{free} bytes are free, and {each} did not fit");
    // To the last byte: a file that leaves one too few is refused, one that fits is not.
    let overhead = each - BLOCK.len();
    reader.put(0xCB00, &BLOCK[..free - overhead]);
    assert_eq!(used(&reader), NITROKEY_HSM2.memory);
    let one_more = update(0xCB00, u16::try_from(free - overhead).unwrap(), &[0]);
    reader.refuses(&[
        ("one byte more", &one_more, 0x6A84),
        ("an empty file", &update(0xCB01, 0, &[]), 0x6A84),
        ("a key pair", &generate_ec(1, b"UTCA00001", ""), 0x6A84),
        ("a secret key", "00 48 01 B2", 0x6A84),
    ]);
    reader.run(&[
        (
            "as many bytes in the same place",
            &update(0xCA00, 0, &[1; 1000]),
            0x9000,
        ),
        ("the scratch file", &update(0x2F10, 0, &[1; 1000]), 0x9000),
        ("logging in", "00 20 00 81 06 363438323139", 0x9000),
    ]);
}

#[test]
fn what_is_deleted_can_be_used_again() {
    let (mut reader, count) = full();
    let before = used(&reader);
    let files = image(reader.card.memory());
    let gone = [0xCA00, 0xCA07, 0xCA00 + count - 1];
    for id in gone {
        reader.ok(&format!("00 E4 02 00 02 {id:04X}"));
    }
    assert!(used(&reader) + gone.len() * BLOCK.len() <= before);

    reader.ok(&generate_ec(1, b"UTCA00001", ""));
    reader.ok("00 E4 02 00 02 CC01");
    reader.ok("00 E4 02 00 02 CE01");
    for id in gone {
        reader.put(id, &BLOCK);
    }
    assert_eq!(used(&reader), before, "no byte was lost on the way");
    reader.refused(&update(0xCAFF, 0, &BLOCK), 0x6A84);
    assert_eq!(image(reader.card.memory()).len(), files.len());

    for id in 0xCA00..0xCA00 + count {
        reader.ok(&format!("00 E4 02 80 02 {id:04X}"));
    }
    assert_eq!(used(&reader), used(&Reader::initialised()));
}

#[test]
fn a_key_that_cannot_be_kept_is_not_derived() {
    let mut reader = Reader::initialised();
    reader.ok(&generate_ec(1, b"UTCA00001", "91 02 9870"));
    let (mut reader, count) = filled(reader);
    // Until not even an empty file fits.
    for (id, length) in (0xCB00..).zip([500, 200, 100, 50, 20, 10, 5, 2, 0, 0]) {
        reader.send(&update(id, 0, &BLOCK[..length]));
    }
    reader.refuses(&[("DERIVE EC KEY", "80 76 01 02 02 9801", 0x6A84)]);
    reader.ok(&format!("00 E4 02 00 02 {:04X}", 0xCA00 + count - 1));
    reader.ok("80 76 01 02 02 9801");
}

#[test]
fn an_rsa_key_that_does_not_fit_is_refused_before_it_is_made() {
    let (mut reader, _) = full();
    let template = bytes(
        "5F29 01 00 42 09 555443413030303031 7F49 10 06 0A 04007F00070202020102 02 02 1000 \
         5F20 0B 5A5A565430303030303031",
    );
    let command = format!("00 46 01 00 {} 00", lc_data(&template));
    reader.refuses(&[("RSA-4096", &command, 0x6A84)]);
    // Nothing was drawn for it: what comes next is what a card draws that was not asked.
    let (mut other, _) = full();
    let challenge = "00 84 00 00 20";
    assert_eq!(reader.ok(challenge), other.ok(challenge));
}
