//! GENERAL AUTHENTICATE and the protocol that MANAGE SECURITY ENVIRONMENT sets for it.

use crate::channel::{Host, SET_PROTOCOL, device_point, general_authenticate, object, own_point};
use crate::support::{Reader, bytes, lc_data};

#[test]
fn the_card_proves_that_it_has_its_device_key() {
    // On a virgin card too: the device key is there from production on.
    let mut reader = Reader::virgin();
    Host::open(&mut reader);
    Host::open(&mut Reader::named("VT0000002"));
}

#[test]
#[should_panic(expected = "the card's token")]
fn another_card_cannot_prove_it() {
    let mut reader = Reader::named("VT0000002");
    reader.ok(SET_PROTOCOL);
    let answer = reader.ok(&general_authenticate(&own_point()));
    Host::from_answer(&device_point(&mut Reader::virgin()), &answer);
}

#[test]
fn the_protocol_is_aes_128_and_no_other() {
    let mut reader = Reader::virgin();
    reader.refuses(&[
        ("3DES", "00 22 41 A4 0C 80 0A 04007F00070202030201", 0x6A80),
        (
            "AES-192",
            "00 22 41 A4 0C 80 0A 04007F00070202030203",
            0x6A80,
        ),
        (
            "AES-256",
            "00 22 41 A4 0C 80 0A 04007F00070202030204",
            0x6A80,
        ),
        (
            "cut short",
            "00 22 41 A4 0B 80 09 04007F000702020302",
            0x6A80,
        ),
        ("a key's name", "00 22 41 A4 03 83 01 41", 0x6A80),
        (
            "two objects",
            "00 22 41 A4 0F 80 0A 04007F00070202030202 84 01 00",
            0x6A80,
        ),
        ("no data", "00 22 41 A4", 0x6700),
        (
            "another P1",
            "00 22 C1 A4 0C 80 0A 04007F00070202030202",
            0x6A86,
        ),
        (
            "another P2",
            "00 22 41 B6 0C 80 0A 04007F00070202030202",
            0x6A86,
        ),
    ]);
    reader.refused(&general_authenticate(&own_point()), 0x6985);
}

#[test]
fn every_refusal_has_its_word() {
    let mut off_curve = own_point();
    off_curve[64] ^= 1;
    let compressed = [&[2], &own_point()[1..33]].concat();
    let mut hybrid = own_point();
    hybrid[0] = 6;
    // The generator of secp256r1.
    let other_curve = bytes(
        "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296\
           4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5",
    );
    let not_reduced = [&[4], &[0xFF; 64][..]].concat();
    let points: [(&str, &[u8]); 10] = [
        ("off the curve", &off_curve),
        ("of another curve", &other_curve),
        ("coordinates above the prime", &not_reduced),
        ("infinity", &[0x00]),
        ("infinity at full width", &[0x00; 65]),
        ("04 and zeros", &[&[4], &[0; 64][..]].concat()),
        ("compressed", &compressed),
        ("hybrid", &hybrid),
        ("a byte short", &own_point()[..64]),
        ("a byte long", &[&own_point()[..], &[0]].concat()),
    ];
    let mut reader = Reader::virgin();
    reader.ok(SET_PROTOCOL);
    for (name, point) in points {
        reader.refuses(&[(name, &general_authenticate(point), 0x6A80)]);
    }
    let point = object(0x80, &own_point());
    let command = |data: &[u8], le: &str| format!("00 86 00 00 {} {le}", lc_data(data));
    let good = object(0x7C, &point);
    let rows: [(&str, String, u16); 12] = [
        (
            "P1 01",
            command(&good, "00").replacen("86 00", "86 01", 1),
            0x6A86,
        ),
        (
            "P2 01",
            command(&good, "00").replacen("86 00 00", "86 00 01", 1),
            0x6A86,
        ),
        ("no data", "00 86 00 00".into(), 0x6700),
        ("no Le", command(&good, ""), 0x6700),
        ("Le a byte short", command(&good, "15"), 0x6700),
        ("not 7C", command(&object(0x7D, &point), "00"), 0x6A80),
        ("no point", command(&object(0x7C, &[]), "00"), 0x6A80),
        (
            "an empty point",
            command(&object(0x7C, &object(0x80, &[])), "00"),
            0x6A80,
        ),
        (
            "another object",
            command(&object(0x7C, &object(0x81, &own_point())), "00"),
            0x6A80,
        ),
        (
            "two points",
            command(&object(0x7C, &[&point[..], &point].concat()), "00"),
            0x6A80,
        ),
        (
            "something behind",
            command(&[&good[..], &[0]].concat(), "00"),
            0x6A80,
        ),
        ("P1", format!("00 86 01 00 {} 00", lc_data(&good)), 0x6A86),
    ];
    for (name, command, status) in &rows {
        reader.refuses(&[(name, command, *status)]);
    }
    // None of them used up the protocol.
    reader.ok(&command(&good, "16"));
}

#[test]
fn the_protocol_serves_once_and_not_beyond_the_selection() {
    let mut reader = Reader::virgin();
    Host::open(&mut reader);
    reader.refused(&general_authenticate(&own_point()), 0x6985);
    reader.ok(SET_PROTOCOL);
    reader.log_out();
    reader.refused(&general_authenticate(&own_point()), 0x6985);
}

#[test]
fn every_channel_has_keys_of_its_own() {
    let mut reader = Reader::virgin();
    let mut old = Host::open(&mut reader);
    Host::open(&mut reader);
    let command = old.protect([0, 0x84, 0, 0], &[], &[8]).apdu();
    assert_eq!(reader.send_bytes(&command).status, 0x6988);
}
