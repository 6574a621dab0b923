//! Any bytes as a session: a card that is set up and logged in must answer each command with at
//! least a status word, and must not panic.
//!
//! Input: commands, each behind its length in one byte.

#![no_main]

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::EphemeralStore;
use libfuzzer_sys::fuzz_target;

/// SELECT of the applet.
const SELECT: &[u8] = &[
    0x00, 0xA4, 0x04, 0x00, 0x0B, 0xE8, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x02, 0x01,
    0x00,
];

/// INITIALIZE DEVICE with one key-domain slot; the user is authenticated afterwards.
const INITIALIZE: &[u8] = &[
    0x80, 0x50, 0x00, 0x00, 0x15, 0x81, 0x06, b'6', b'4', b'8', b'2', b'1', b'9', 0x82, 0x08, b'5',
    b'7', b'6', b'2', b'1', b'8', b'8', b'0', 0x97, 0x01, 0x01,
];

fuzz_target!(|input: &[u8]| {
    let mut card = Card::personalise(
        &NITROKEY_HSM2,
        &Serial::new("FUZZ00001").expect("a serial"),
        Box::new(EphemeralStore::default()),
        Box::new(CardRng::from_seed([0; 32])),
    )
    .expect("a new card");
    card.power_on();
    for command in [SELECT, INITIALIZE] {
        assert!(card.transmit(command).ends_with(&[0x90, 0x00]));
    }
    let mut rest = input;
    while let Some((length, tail)) = rest.split_first() {
        let (command, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        assert!(card.transmit(command).len() >= 2);
        rest = tail;
    }
});
