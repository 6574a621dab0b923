//! Readers that do not pass on everything, as many that people own.
//!
//! A persona stands between the connection and the card: the card, and with it a trace, sees what
//! the reader lets through.

mod block;

use block::{Fault, Link};
use zeroize::Zeroize;

use super::{Interruption, VirtualCard};
use crate::status::StatusWord;
use crate::store::StoreError;

/// What a reader does to commands and responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persona {
    /// Passes everything.
    #[default]
    Full,
    /// Knows short APDUs only, as readers with CCID's "short APDU level". An extended command
    /// never reaches the card: it answers 6700. A real reader's driver fails the exchange instead,
    /// for which this protocol has no word but taking the card out. (inferred)
    ShortApdu,
    /// Has room for 1014 bytes, as readers of Reiner SCT: of longer commands and responses the
    /// first 1014 bytes pass. A cut command answers 6700, as its length field says otherwise; of a
    /// cut response the status word is lost. What such a reader does beyond cutting is (unknown):
    /// some needed the card to be put in again.
    Cut1014,
    /// Carries every command and response in chained T=1 blocks of at most 254 bytes, each checked
    /// and acknowledged (ISO/IEC 7816-3 section 11). Nothing is lost: card and host see whole
    /// APDUs, as with every reader that does this in its driver or firmware.
    T1Chaining,
}

/// Bytes that [`Persona::Cut1014`] has room for. Source: the vendor's module's and the readers'
/// own figure.
const ROOM: usize = 1014;

/// Lc or Le of an extended command: byte 4 is 00 and more than one byte follows the header.
const HEADER: usize = 4;

impl Persona {
    /// Every persona with its name on the command line and a line for people.
    pub const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Full, "full", "passes everything"),
        (
            Self::ShortApdu,
            "short-apdu",
            "knows short APDUs only; extended commands answer 6700",
        ),
        (
            Self::Cut1014,
            "cut-1014",
            "cuts commands and responses at 1014 bytes",
        ),
        (
            Self::T1Chaining,
            "t1-chaining",
            "carries long commands in chained T=1 blocks, which loses nothing",
        ),
    ];

    /// Finds a persona by its name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(_, known, _)| *known == name);
        found.map(|(persona, ..)| persona)
    }
}

/// A card behind a reader with a persona.
pub struct InReader {
    card: Box<dyn VirtualCard>,
    persona: Persona,
    link: Link,
}

impl InReader {
    /// Puts a card into such a reader.
    #[must_use]
    pub fn new(card: Box<dyn VirtualCard>, persona: Persona) -> Self {
        Self {
            card,
            persona,
            link: Link::default(),
        }
    }

    fn in_blocks(&mut self, command: &[u8]) -> Result<Vec<u8>, Fault> {
        let command = self.link.carry_command(command)?;
        let mut response = self.card.transmit(&command);
        let carried = self.link.carry_response(&response);
        response.zeroize();
        carried.map(|mut carried| std::mem::take(&mut *carried))
    }
}

fn is_extended(command: &[u8]) -> bool {
    matches!(command.get(HEADER..), Some([0, _, ..]))
}

/// The first bytes of what does not fit; the rest is wiped.
fn cut(mut response: Vec<u8>) -> Vec<u8> {
    if let Some(lost) = response.get_mut(ROOM..) {
        lost.zeroize();
    }
    response.truncate(ROOM);
    response
}

impl VirtualCard for InReader {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn power_on(&mut self) {
        self.link = Link::default();
        self.card.power_on();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn reset(&mut self) {
        self.link = Link::default();
        self.card.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        match self.persona {
            Persona::Full => self.card.transmit(command),
            Persona::ShortApdu if is_extended(command) => {
                StatusWord::WrongLength.to_bytes().to_vec()
            }
            Persona::ShortApdu => self.card.transmit(command),
            Persona::Cut1014 => {
                let passed = command.get(..ROOM).unwrap_or(command);
                cut(self.card.transmit(passed))
            }
            // Both ends are here, so that no block can be damaged between them.
            Persona::T1Chaining => self
                .in_blocks(command)
                .unwrap_or_else(|_| StatusWord::InternalError.to_bytes().to_vec()),
        }
    }

    fn take_fault(&mut self) -> Option<StoreError> {
        self.card.take_fault()
    }

    fn take_interruption(&mut self) -> Option<Interruption> {
        self.card.take_interruption()
    }

    fn key_label(&self, key: u8) -> Option<String> {
        self.card.key_label(key)
    }
}

impl std::fmt::Debug for InReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InReader")
            .field("persona", &self.persona)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
