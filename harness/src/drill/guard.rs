//! Permission to erase: the only place that may say yes.
//!
//! A drill begins with INITIALIZE DEVICE, which erases a card. Virtual cards are told by their
//! certificates: they end at the virtual root, whose private key everybody has and no genuine device
//! was made under. Every other card is erased only when its serial was named for that and no try of
//! its SO-PIN is spent.

use crate::card::command::StatusWord;
use crate::card::cvc::Chain;
use crate::card::{Card, CardError};
use crate::device::is_virtual;

/// What the operator allows.
#[derive(Debug, Clone, Default)]
pub struct Consent {
    /// Serials of devices that may be erased.
    pub serials: Vec<String>,
    /// SO-PIN of these devices; it is presented once.
    pub so_pin: Option<[u8; 8]>,
}

/// SO-PIN of virtual cards after a drill.
pub const DRILL_SO_PIN: [u8; 8] = *b"57621880";

/// Why a drill does not begin. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// Fewer cards than the drill needs.
    #[error("this drill needs {needed} cards, there are {given}")]
    TooFewCards {
        /// Cards that the drill needs.
        needed: usize,
        /// Cards that were given.
        given: usize,
    },
    /// The virtual card in place of the one that is not there could not be made.
    #[error("no virtual card in place of the last one: {0}")]
    NoStandIn(String),
    /// The same device twice.
    #[error("device {0} is there twice; a drill needs different cards")]
    SameDevice(String),
    /// It cannot be found out what the card is.
    #[error("{place}: {source}")]
    Unknown {
        /// Where the card is.
        place: String,
        /// What went wrong.
        source: CardError,
    },
    /// A device that nobody allowed to erase.
    #[error(
        "{place} holds device {serial}, which is no virtual card. The drill would erase all its keys. \
         To allow that, name it: --wipe {serial}"
    )]
    NotNamed {
        /// Where the card is.
        place: String,
        /// Its serial.
        serial: String,
    },
    /// A device whose SO-PIN is in danger.
    #[error("device {serial}: {why}")]
    SoPin {
        /// Its serial.
        serial: String,
        /// What is missing.
        why: String,
    },
}

/// Finds out which device it is and whether it may be erased; returns its SO-PIN to present.
pub(super) fn admit(card: &mut Card, consent: &Consent) -> Result<(Chain, [u8; 8]), Denied> {
    let place = card.describe();
    let unknown = |source| Denied::Unknown {
        place: place.clone(),
        source,
    };
    card.select().map_err(unknown)?;
    let chain = card.chain().map_err(unknown)?;
    if is_virtual(&chain.issuer) {
        return Ok((chain, consent.so_pin.unwrap_or(DRILL_SO_PIN)));
    }
    let serial = chain.serial();
    if !consent.serials.contains(&serial) {
        return Err(Denied::NotNamed { place, serial });
    }
    let so_pin = |why: &str| Denied::SoPin {
        serial: serial.clone(),
        why: why.into(),
    };
    let given = consent
        .so_pin
        .ok_or_else(|| so_pin("its SO-PIN is needed, see --so-pin-file"))?;
    match card.so_pin_state().map_err(unknown)? {
        // Never initialised, or all 15 tries left.
        StatusWord::NOT_FOUND | StatusWord(0x63cf) => Ok((chain, given)),
        state => Err(so_pin(&format!(
            "its SO-PIN does not have all 15 tries ({state}); no drill puts one more at risk"
        ))),
    }
}
