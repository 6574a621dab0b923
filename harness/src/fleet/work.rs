//! Work with test keys and test files, and what of them may be left when it breaks off.

use crate::apdu::{Apdu, apdu};
use crate::card::cvc::{Kind, generation};
use crate::interrupt::Interrupt;
use crate::suite::bench::{Answer, Stop};
use crate::suite::hand::Hand;

/// Name of a test key in its request. A request of this name on a device comes from a report that
/// was cut off.
pub(super) const HOLDER: &str = "UTREPORT00001";

/// A card at work.
pub(super) struct Work<'w> {
    pub(super) hand: &'w mut Hand,
    pub(super) tell: &'w mut dyn FnMut(&str),
    /// Ends the work before something new is made.
    pub(super) interrupt: &'w Interrupt,
    /// What was made and is not known to be gone again.
    pub(super) left: &'w mut Vec<String>,
}

impl Work<'_> {
    /// Does something with a free key number and deletes what came of it, whether it worked or not.
    pub(super) fn with_test_key<T>(
        &mut self,
        act: impl FnOnce(&mut Self, u8) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.interrupt.check()?;
        let key = self.hand.free_key()?;
        let files = [0xcc, 0xce].map(|kind| u16::from_be_bytes([kind, key]));
        self.clearing(&files, |work| act(work, key))
    }

    /// Does something with a file that is not there yet and deletes it.
    pub(super) fn with_test_file<T>(
        &mut self,
        act: impl FnOnce(&mut Self, u16) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.interrupt.check()?;
        let number = self.hand.free_key()?;
        let file = u16::from_be_bytes([0xcf, number]);
        self.clearing(&[file], |work| act(work, file))
    }

    /// Makes a key domain for one DKEK share in an empty slot, does something and deletes it.
    pub(super) fn with_key_domain<T>(
        &mut self,
        slot: u8,
        act: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.interrupt.check()?;
        self.left.push(format!("a key domain in slot {slot}"));
        let known = self.left.len();
        let outcome = match self.hand.card().create_dkek(slot, 1) {
            Ok(_) => act(self),
            Err(error) => Err(error.into()),
        };
        if matches!(outcome, Err(Stop::Transport(_))) && self.recover().is_err() {
            return outcome;
        }
        // A domain is deleted only without keys.
        if self.left.len() == known {
            let status = self.hand.send(apdu(0x8052_0000).p2(slot).le(256))?.status;
            if status == 0x9000 {
                self.hand.ok(apdu(0x8052_0300).p2(slot).le(256))?;
            }
            self.left.pop();
        }
        outcome
    }

    fn clearing<T>(
        &mut self,
        files: &[u16],
        act: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let known = self.left.len();
        self.left
            .extend(files.iter().map(|file| format!("{file:04X}")));
        let outcome = act(self);
        // A reader may have lost the card for a moment only.
        if matches!(outcome, Err(Stop::Transport(_))) && self.recover().is_err() {
            return outcome;
        }
        let cleared = self.delete(files);
        if cleared.is_ok() {
            self.left.truncate(known);
        }
        let value = outcome?;
        cleared.map(|()| value)
    }

    /// Deletes those of the files that are there.
    fn delete(&mut self, files: &[u16]) -> Result<(), Stop> {
        for file in files {
            // Deleting a key may have taken its request along.
            if self.hand.objects()?.contains(file) {
                self.hand.delete(*file)?;
            }
        }
        Ok(())
    }

    /// Brings a card back that a command has upset: resets it and logs in again.
    pub(super) fn recover(&mut self) -> Result<(), Stop> {
        self.hand.reset()?;
        self.hand.select()?;
        self.hand.login()
    }

    /// Has the card make a key pair; any status word is an answer.
    pub(super) fn generate(&mut self, key: u8, kind: Kind) -> Result<Answer, Stop> {
        self.hand.send(command(key, kind))
    }
}

fn command(key: u8, kind: Kind) -> Apdu {
    let data = generation(kind, HOLDER.as_bytes(), &[]);
    apdu(0x0046_0000).p1(key).data(data).all()
}
