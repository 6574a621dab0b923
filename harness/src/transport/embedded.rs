//! A virtual card in this process.

use hsm2_emulator::card::{Card, CardError};
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::{Serial, SerialError};
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::EphemeralStore;
use sha2::{Digest, Sha256};

use super::{Target, TransportError};

/// A new virtual card that lives as long as this value.
#[derive(Debug)]
pub struct Embedded {
    serial: String,
    card: Card,
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
}

impl Embedded {
    /// Makes a card that does the same in every run: all its randomness comes from its serial.
    ///
    /// `serial` has 1 to 9 characters out of A-Z and 0-9.
    ///
    /// # Errors
    /// [`EmbeddedError`] for another serial, or when the card cannot be made.
    pub fn new(serial: &str) -> Result<Self, EmbeddedError> {
        let seed: [u8; 32] = Sha256::digest(serial).into();
        let mut card = Card::personalise(
            &NITROKEY_HSM2,
            &Serial::new(serial)?,
            Box::new(EphemeralStore::default()),
            Box::new(CardRng::from_seed(seed)),
        )?;
        card.power_on();
        Ok(Self {
            serial: serial.into(),
            card,
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
