//! MANAGE SECURITY ENVIRONMENT; the forms with a protocol are in `general_authenticate`.

use hsm2_emulator::tlv::Reader as Tlv;

use crate::public_key_authentication::{KEYS_ONLY, registered, select_key};
use crate::support::{Reader, lc_data};

const ROOT: &[u8] = b"ZZVIRTROOT00001";

#[test]
fn every_refusal_has_its_word() {
    let mut reader = Reader::initialised();
    reader.refuses(&[
        ("another P1", "00 22 C1 B6 03 83 01 41", 0x6A86),
        ("another P2", "00 22 81 B8 03 83 01 41", 0x6A86),
        ("P1P2 before the data", "00 22 00 00", 0x6A86),
        ("no data for a certificate", "00 22 81 B6", 0x6700),
        ("no data for a custodian", "00 22 81 A4", 0x6700),
        ("another object", "00 22 81 B6 03 84 01 41", 0x6A80),
        ("cut short", "00 22 81 B6 03 83 02 41", 0x6A80),
        ("two objects", "00 22 81 A4 05 83 01 41 84 00", 0x6A80),
        ("a name that nobody has", "00 22 81 B6 03 83 01 41", 0x6A88),
        ("a name of no bytes", "00 22 81 B6 02 83 00", 0x6A88),
        (
            "the start of a name",
            &select_key("B6", &ROOT[..14]),
            0x6A88,
        ),
        ("no custodians at all", &select_key("A4", ROOT), 0x6A88),
    ]);
    reader.ok(&select_key("B6", ROOT));
}

#[test]
fn a_custodian_is_selected_by_name_until_he_has_authenticated() {
    let (card, [one, two, _]) = &mut registered(KEYS_ONLY);
    card.refused(&select_key("A4", b"ZZCUSTOD900001"), 0x6A88);
    card.refused(&select_key("B6", one.name), 0x6A88);
    card.ok(&select_key("A4", one.name));
    card.ok(&select_key("A4", two.name));
    assert_eq!(one.authenticate_at(card), 0x9000);
    card.refused(&select_key("A4", one.name), 0x6985);
    card.ok(&select_key("A4", two.name));
}

#[test]
fn a_key_stays_selected_until_another_one_is() {
    let mut reader = Reader::initialised();
    reader.ok(&select_key("B6", ROOT));
    reader.refused(&select_key("B6", b"ZZNOBODY00001"), 0x6A88);
    let other = Reader::named("VT0000002");
    let chain = other.card.memory().device().unwrap().certificates.clone();
    let mut chain = Tlv::new(&chain);
    chain.expect(0x7F21).unwrap();
    let issuer = chain.expect(0x7F21).unwrap().value;
    reader.ok(&format!("00 2A 00 BE {}", lc_data(issuer)));
}
