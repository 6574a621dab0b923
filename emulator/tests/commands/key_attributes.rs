//! Conditions of use: how they are shown, counted, enforced and carried; the room that keys take.

use hsm2_emulator::crypto::Curve;

use crate::keys::{Bench, crypto_command, ec_template, generate_command};

const SHARE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[test]
fn selection_shows_what_was_set_and_nothing_else() {
    let mut card = Bench::new(1, "97 01 02");
    card.ok("80 52 01 01 01 01 00");
    let longest = format!("91 10 {}", "737475".repeat(5) + "92");
    let rows = [
        ("", ""),
        ("90 04 00000001", "900400000001"),
        ("90 04 FFFFFFFF", "9004FFFFFFFF"),
        ("91 01 73", "910173"),
        (longest.as_str(), &longest.replace(' ', "")),
        ("92 01 01", "920101"),
        ("93 01 05", ""),
        (
            "92 01 01 91 02 7392 90 04 00000007",
            "90040000000791027392920101",
        ),
    ];
    for (key, (given, shown)) in (1..).zip(rows) {
        card.generate_ec(key, Curve::Secp256r1, given);
        assert_eq!(card.attributes(key), shown, "{given}");
    }
    let shown = card.ok("00 A4 00 00 02 CC02 00");
    assert_eq!(
        hex::encode_upper(shown),
        "6F13800200008201018302CC02A506900400000001"
    );
    card.refused("00 A4 00 00 02 CC20 00", 0x6A82);
    assert_eq!(card.attributes(0), "", "the device key");
}

#[test]
fn the_counter_falls_with_each_success_and_only_then() {
    let mut card = Bench::with_dkek(&[SHARE]);
    card.generate_ec(1, Curve::Secp256r1, "90 04 00000004 91 03 738092");
    let shown = |left: u32| format!("9004{left:08X}9103738092920100");
    card.sign(1, 0x73, b"x");
    assert_eq!(card.attributes(1), shown(3));
    let no_point = crypto_command(0x62, 1, 0x80, &[0]);
    card.refuses(&[
        ("not listed", "80 68 01 70 01 AA 00", 0x6A81),
        ("wrong input", &no_point, 0x6A80),
        ("Le too small", "80 68 01 73 01 AA 08", 0x6700),
    ]);
    card.wrap(1);
    assert_eq!(card.attributes(1), shown(2));
    let mut card = card.reopened();
    card.decipher(1, 0x80, Curve::Secp256r1.parameters().g);
    card.sign(1, 0x73, b"x");
    assert_eq!(card.attributes(1), shown(0));
    card.refuses(&[
        ("sign", "80 68 01 73 01 AA 00", 0x6984),
        ("agree", &no_point, 0x6984),
        ("wrap", "80 72 01 92 00 00 00", 0x6984),
    ]);
    let mut card = card.reopened();
    card.refuses(&[("after power-off", "80 68 01 73 01 AA 00", 0x6984)]);
}

#[test]
fn the_memory_takes_as_many_keys_as_the_vendor_states_and_then_none() {
    // Vendor: 300 keys of 256 bits; numbers end at 255, so the other statement is filled up with
    // data: 150 keys of 521 bits.
    let free = |card: &mut Bench| {
        let answer = card.ok("80 50 00 00 00");
        usize::try_from(u32::from_be_bytes(answer[..4].try_into().unwrap())).unwrap()
    };
    let mut card = Bench::new(1, "");
    assert_eq!(free(&mut card), 81_356);
    let command = |key| generate_command(key, &ec_template(Curve::Secp521r1, ""));
    let mut made: u8 = 0;
    let full = loop {
        let before = card.state();
        let answer = card.send(&command(made + 1));
        if answer.status != 0x9000 {
            assert!(card.state() == before, "a refused key leaves nothing");
            break answer.status;
        }
        // Without its request a key takes what the vendor's figure says.
        card.ok(&format!("00 E4 02 00 02 CE{:02X}", made + 1));
        made += 1;
    };
    assert_eq!(full, 0x6A84);
    assert!((145..=155).contains(&made), "{made} keys of 521 bits");
    card.delete_key(1);
    card.delete_key(2);
    card.delete_key(3);
    card.ok(&command(1));
}
