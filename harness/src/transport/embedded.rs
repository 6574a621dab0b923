//! A virtual card in this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hsm2_emulator::card::{Card, CardError};
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::{Serial, SerialError};
use hsm2_emulator::profile::{NITROKEY_HSM2, Profile};
use hsm2_emulator::store::{Change, EphemeralStore, RecordName, RecordValue, Store, StoreError};
use hsm2_emulator::trust::{Anchor, NameTaken};
use sha2::{Digest, Sha256};

use super::{Target, TransportError};

/// A virtual card that lives as long as this value.
#[derive(Debug)]
pub struct Embedded {
    serial: String,
    card: Card,
    memory: SharedStore,
}

/// All that a card keeps without power, to make any number of equal cards from.
#[derive(Debug, Clone)]
pub struct Snapshot {
    serial: String,
    records: BTreeMap<RecordName, RecordValue>,
}

/// Looks at what a card keeps.
#[derive(Debug)]
pub struct Lender {
    serial: String,
    memory: SharedStore,
}

impl Lender {
    /// What the card keeps without power, as of now.
    ///
    /// # Errors
    /// [`EmbeddedError::Store`] when it cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, EmbeddedError> {
        Ok(Snapshot {
            serial: self.serial.clone(),
            records: self.memory.clone().load()?,
        })
    }
}

/// Memory that can be looked at while a card has it.
#[derive(Debug, Clone, Default)]
struct SharedStore(Arc<Mutex<EphemeralStore>>);

impl Store for SharedStore {
    fn load(&mut self) -> Result<BTreeMap<RecordName, RecordValue>, StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).load()
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        store.commit(changes)
    }
}

/// Why there is no card.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The serial cannot be one.
    #[error(transparent)]
    Serial(#[from] SerialError),
    /// The card could not be made.
    #[error(transparent)]
    Card(#[from] CardError),
    /// Its memory could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be given a root.
    #[error(transparent)]
    Root(#[from] NameTaken),
}

impl Embedded {
    /// A card that answered 9000 to SELECT and to each of these commands.
    #[cfg(test)]
    pub(crate) fn prepared(
        serial: &str,
        commands: impl IntoIterator<Item = crate::apdu::Apdu>,
    ) -> Self {
        let mut card = Self::new(serial).unwrap();
        for command in std::iter::once(crate::suite::hand::select()).chain(commands) {
            let response = card.transmit(&command.bytes()).unwrap();
            assert_eq!(response[response.len() - 2..], [0x90, 0x00]);
        }
        card
    }

    /// Makes a card that does the same in every run: all its randomness comes from its serial.
    ///
    /// `serial` has 1 to 9 characters out of A-Z and 0-9.
    ///
    /// # Errors
    /// [`EmbeddedError`] for another serial, or when the card cannot be made.
    pub fn new(serial: &str) -> Result<Self, EmbeddedError> {
        Self::of(&NITROKEY_HSM2, serial)
    }

    /// As [`Embedded::new`], of another generation.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn of(generation: &'static Profile, serial: &str) -> Result<Self, EmbeddedError> {
        let seed: [u8; 32] = Sha256::digest(serial).into();
        let memory = SharedStore::default();
        let mut card = Card::personalise(
            generation,
            &Serial::new(serial)?,
            Box::new(memory.clone()),
            Box::new(CardRng::from_seed(seed)),
        )?;
        card.power_on();
        Ok(Self {
            serial: serial.into(),
            card,
            memory,
        })
    }

    /// Makes the card trust more roots, until its power goes for good: they are not in its memory.
    ///
    /// # Errors
    /// [`EmbeddedError::Root`] for another key of a name that it trusts.
    pub fn trust(&mut self, roots: &[Anchor]) -> Result<(), EmbeddedError> {
        for root in roots {
            self.card.trust(root)?;
        }
        Ok(())
    }

    /// A way to look at what the card keeps while somebody else has it.
    #[must_use]
    pub fn lend(&self) -> Lender {
        Lender {
            serial: self.serial.clone(),
            memory: self.memory.clone(),
        }
    }

    /// A card that is as that one was, and draws its randomness from `seed`.
    ///
    /// # Errors
    /// [`EmbeddedError`] when the card cannot be made.
    pub fn restore(snapshot: &Snapshot, seed: [u8; 32]) -> Result<Self, EmbeddedError> {
        let store = EphemeralStore::from(snapshot.records.clone());
        let memory = SharedStore(Arc::new(Mutex::new(store)));
        let rng = Box::new(CardRng::from_seed(seed));
        let mut card = Card::open(Box::new(memory.clone()), rng)?;
        card.power_on();
        Ok(Self {
            serial: snapshot.serial.clone(),
            card,
            memory,
        })
    }
}

impl Target for Embedded {
    fn describe(&self) -> String {
        format!("virtual card {} in this process", self.serial)
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        Ok(self.card.transmit(command))
    }

    fn atr(&self) -> Vec<u8> {
        self.card.atr().to_vec()
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.reset();
        Ok(())
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.card.power_off();
        self.card.power_on();
        Ok(())
    }
}
