//! A card and a look into its store.

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::snapshot::Snapshot;

use crate::apdu::{Answer, SELECT};
use crate::store::{Records, WatchedStore};

/// A card whose store is open to the test.
#[derive(Debug)]
pub struct Bench {
    /// The card.
    pub card: Card,
    /// Its store.
    pub store: WatchedStore,
}

impl Bench {
    /// A virgin card with the applet selected; all it draws depends on `number`.
    #[must_use]
    pub fn virgin(number: u8) -> Self {
        let store = WatchedStore::default();
        let serial = Serial::new(&format!("VT{number:07}")).unwrap();
        let rng = Box::new(CardRng::from_seed([number; 32]));
        let card =
            Card::personalise(&NITROKEY_HSM2, &serial, Box::new(store.clone()), rng).unwrap();
        let mut bench = Self { card, store };
        bench.card.power_on();
        bench.ok(SELECT);
        bench
    }

    /// The card that a snapshot keeps, drawing from this seed.
    #[must_use]
    pub fn from_snapshot(snapshot: &Snapshot, seed: [u8; 32]) -> Self {
        let store = WatchedStore::default();
        let rng = Box::new(CardRng::from_seed(seed));
        let card = Card::from_snapshot(snapshot, Box::new(store.clone()), rng).unwrap();
        Self { card, store }
    }

    /// The card that these records are; power is on, nothing is selected.
    #[must_use]
    pub fn from_records(records: Records) -> Self {
        let store = WatchedStore::with(records);
        let rng = Box::new(CardRng::from_seed([0xEE; 32]));
        let mut card = Card::open(Box::new(store.clone()), rng).unwrap();
        card.power_on();
        Self { card, store }
    }

    /// Sends a command.
    pub fn send(&mut self, command: &[u8]) -> Answer {
        Answer::of(self.card.transmit(command))
    }

    /// Sends a command that must be done, and returns the data.
    #[track_caller]
    pub fn ok(&mut self, command: &[u8]) -> Vec<u8> {
        let answer = self.send(command);
        assert!(
            answer.is_success(),
            "{} answered {:04X}",
            hex::encode(command),
            answer.status
        );
        answer.data
    }
}
