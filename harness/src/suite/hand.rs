//! A card in the hand of a scenario.

use std::time::Duration;

use super::bench::{Answer, Stop};
use super::wire::{Exchange, Log, Wire};
use crate::apdu::{Apdu, Bytes, apdu};
use crate::card::Card;
use crate::card::cvc::{Certificate, Chain};
use crate::der::Malformed;
use crate::guard::Guard;
use crate::secret::Secret;
use crate::transport::{Target, TransportError};

/// Application identifier of the SmartCard-HSM.
pub const AID: [u8; 11] = [
    0xe8, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x02, 0x01,
];

/// What opens a card.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// User PIN.
    pub pin: Option<Secret>,
    /// SO-PIN.
    pub so_pin: Option<[u8; 8]>,
}

/// One card: commands of any form, and the usual ones as methods.
#[derive(Debug)]
pub struct Hand {
    card: Card,
    log: Log,
    secrets: Secrets,
    is_virtual: bool,
}

impl Hand {
    /// Takes a card whose guard has admitted it.
    #[must_use]
    pub fn new(
        name: char,
        target: Box<dyn Target>,
        guard: Guard,
        log: Log,
        secrets: Secrets,
    ) -> Self {
        let is_virtual = guard.is_virtual();
        let wire = Wire::new(name, target, guard, log.clone());
        Self {
            card: Card::new(Box::new(wire)),
            log,
            secrets,
            is_virtual,
        }
    }

    /// True for a virtual card, whose tries and keys nobody misses.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        self.is_virtual
    }

    /// How many exchanges there were.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        self.log.len()
    }

    /// How long the card took for the last command, in microseconds.
    #[must_use]
    pub fn last_micros(&self) -> u64 {
        self.log.last_micros()
    }

    /// How long the card took for the last command, as exactly as the clock tells.
    #[must_use]
    pub fn last_took(&self) -> Duration {
        self.log.last_took()
    }

    /// Hands the exchanges out and begins anew.
    pub fn take_exchanges(&mut self) -> Vec<Exchange> {
        self.card.take_exchanges();
        self.log.take()
    }

    /// The card with one method for each command, as custodians' tools use it. What it refuses is a
    /// finding by itself.
    pub fn card(&mut self) -> &mut Card {
        &mut self.card
    }

    /// Sends any command; every status word is an answer.
    ///
    /// # Errors
    /// [`Stop`] when none comes.
    pub fn send(&mut self, command: impl Bytes) -> Result<Answer, Stop> {
        let bytes = command
            .command()
            .ok_or_else(|| Stop::Harness("a command is not hexadecimal".into()))?;
        let mut data = self.card.transmit(&bytes)?;
        let number = self.log.len();
        let (Some(sw2), Some(sw1)) = (data.pop(), data.pop()) else {
            let what = "a response without a status word".to_string();
            return Err(TransportError::Protocol(what).into());
        };
        Ok(Answer {
            data,
            status: u16::from_be_bytes([sw1, sw2]),
            command: self.log.last(),
            number,
        })
    }

    /// Sends what must be answered 9000; gives the data.
    ///
    /// # Errors
    /// [`Stop`] for any other status word.
    pub fn ok(&mut self, command: impl Bytes) -> Result<Vec<u8>, Stop> {
        self.send(command)?.is(0x9000)
    }

    /// Sends what must be answered with this status word and no data.
    ///
    /// # Errors
    /// [`Stop`] for anything else.
    pub fn refused(&mut self, command: impl Bytes, status: u16) -> Result<(), Stop> {
        let answer = self.send(command)?;
        let count = answer.data.len();
        if count > 0 && answer.status == status {
            return Err(answer.finding("no data", &format!("{count} bytes")));
        }
        answer.is(status).map(|_| ())
    }

    /// Selects the applet; nobody is logged in afterwards. Gives the FCI.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn select(&mut self) -> Result<Vec<u8>, Stop> {
        self.ok(select())
    }

    /// Resets the card; nothing is selected afterwards.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn reset(&mut self) -> Result<(), Stop> {
        Ok(self.card.reset()?)
    }

    /// Takes the power and gives it back; nothing is selected afterwards.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn power_cycle(&mut self) -> Result<(), Stop> {
        Ok(self.card.power_cycle()?)
    }

    /// Answer to reset.
    #[must_use]
    pub fn atr(&self) -> Vec<u8> {
        self.card.atr()
    }

    /// The user PIN.
    ///
    /// # Errors
    /// [`Stop::Skip`] when the operator gave none.
    pub fn pin(&self) -> Result<Secret, Stop> {
        let pin = self.secrets.pin.clone();
        pin.ok_or_else(|| Stop::Skip("needs the user PIN of the device, see --pin-file".into()))
    }

    /// Remembers which user PIN the card has from here on.
    pub(super) fn know_pin(&mut self, pin: &[u8]) {
        self.secrets.pin = Some(Secret::new(pin.to_vec()));
    }

    /// The SO-PIN.
    ///
    /// # Errors
    /// [`Stop::Skip`] when the operator gave none.
    pub fn so_pin(&self) -> Result<[u8; 8], Stop> {
        self.secrets
            .so_pin
            .ok_or_else(|| Stop::Skip("needs the SO-PIN of the device, see --so-pin-file".into()))
    }

    /// Logs the user in.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn login(&mut self) -> Result<(), Stop> {
        let pin = self.pin()?;
        self.ok(verify(pin.expose())).map(|_| ())
    }

    /// What the PIN says of itself: 9000 logged in, 63Cx tries left, 6983 blocked.
    ///
    /// # Errors
    /// [`Stop`] when there is no answer.
    pub fn pin_status(&mut self) -> Result<u16, Stop> {
        Ok(self.send(apdu(0x0020_0081))?.status)
    }

    /// File identifiers of all objects, in the card's order.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn objects(&mut self) -> Result<Vec<u16>, Stop> {
        let list = self.ok(apdu(0x8058_0000).all())?;
        let ids = list.chunks_exact(2);
        if !ids.remainder().is_empty() {
            return Err(Stop::fail(
                "two bytes for each object",
                format!("{} bytes", list.len()),
            ));
        }
        Ok(ids
            .filter_map(|id| id.try_into().ok().map(u16::from_be_bytes))
            .collect())
    }

    /// A key number that nothing on the card uses; the highest first, to stay out of the way.
    ///
    /// # Errors
    /// [`Stop`], also when all are taken.
    pub fn free_key(&mut self) -> Result<u8, Stop> {
        let taken = self.objects()?;
        let is_free = |key: &u8| {
            taken
                .iter()
                .all(|file| file.to_be_bytes().get(1) != Some(key))
        };
        (1..=254)
            .rev()
            .find(is_free)
            .ok_or_else(|| Stop::Skip("no key number is free".into()))
    }

    /// The device's own certificate.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn device(&mut self) -> Result<Certificate, Stop> {
        Ok(self.card.certificates()?.0)
    }

    /// The device's certificate and its issuer's, EF 2F02.
    ///
    /// # Errors
    /// [`Stop`]; [`Stop::Skip`] for an old device, which has its own alone.
    pub fn chain(&mut self) -> Result<Chain, Stop> {
        let certificates = self.card.certificates()?;
        if certificates.1.is_empty() {
            let why = "the device holds its own certificate and not its issuer's, as old ones do";
            return Err(Stop::Skip(why.into()));
        }
        Ok(Chain::of(certificates).map_err(Malformed::from)?)
    }

    /// Deletes a file or key.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn delete(&mut self, file: u16) -> Result<(), Stop> {
        self.ok(apdu(0x00e4_0200).data(file.to_be_bytes()))
            .map(|_| ())
    }
}

/// SELECT by application identifier.
#[must_use]
pub fn select() -> Apdu {
    apdu(0x00a4_0400).data(AID).le(256)
}

/// VERIFY of the user PIN.
#[must_use]
pub fn verify(pin: &[u8]) -> Apdu {
    apdu(0x0020_0081).data(pin)
}
