//! The guard: the only place that may say yes to what cannot be undone.
//!
//! It stands between scenarios and a card and sees each command before it is sent. Virtual cards,
//! told by their certificates, may be treated in any way. On every other device:
//!
//! - what only looks is always let through;
//! - the user PIN goes in only with more than two tries left, and the operator's own PIN never again
//!   after the card refused it once;
//! - an SO-PIN goes in only when it is the operator's, with all fifteen tries left, and never again
//!   after the card refused it;
//! - keys and files are made only where nothing is, and only those are used and deleted;
//! - everything else, and every form of a command that is not plain, counts as wiping.
//!
//! Wiping needs the serial of the device and the number of keys that will be lost.

mod demand;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use self::demand::Demand;
use crate::apdu::apdu;
use crate::device::{self, Identity, Unknown};
use crate::scenario::Effect;
use crate::secret::Secret;
use crate::transport::embedded::Embedded;
use crate::transport::{Target, TransportError};

/// Tries of an SO-PIN that nobody got wrong.
const SO_PIN_UNTOUCHED: u16 = 0x63cf;
/// Status of a user PIN with this few tries: no more is spent.
const FEW_TRIES: std::ops::RangeInclusive<u16> = 0x63c0..=0x63c2;

/// What the operator allows on devices that are no virtual cards.
#[derive(Debug, Clone)]
pub struct Consent {
    /// The most that may be done.
    pub allow: Effect,
    /// Serial of the device; needed for more than looking.
    pub serial: Option<String>,
    /// How many keys will be lost; needed for wiping.
    pub lose_keys: Option<usize>,
    /// User PIN of the device.
    pub pin: Option<Secret>,
    /// SO-PIN of the device.
    pub so_pin: Option<[u8; 8]>,
}

impl Default for Consent {
    fn default() -> Self {
        Self {
            allow: Effect::ReadOnly,
            serial: None,
            lose_keys: None,
            pin: None,
            so_pin: None,
        }
    }
}

/// Why a card is not worked on at all. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// It is not known which device it is.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// More than looking was allowed on another device, or on none.
    #[error(
        "{place} holds device {serial}, which is no virtual card. To allow more than looking, name it: --serial {serial}"
    )]
    Serial {
        /// Where the card is.
        place: String,
        /// Its serial.
        serial: String,
    },
    /// Wiping was allowed for another number of keys, or for none.
    #[error(
        "device {serial} holds {keys} keys, which would be lost. To allow that: --lose-keys {keys}"
    )]
    Keys {
        /// Serial of the device.
        serial: String,
        /// Keys on it.
        keys: usize,
    },
}

/// The guard before one card.
#[derive(Debug)]
pub struct Guard(Kind);

#[derive(Debug)]
enum Kind {
    Virtual,
    Device(Box<Device>),
}

#[derive(Debug)]
struct Device {
    consent: Consent,
    /// Objects that are not ours to change.
    theirs: BTreeSet<u16>,
    /// Objects that were made under this guard.
    ours: BTreeSet<u16>,
    pin_refused: bool,
    so_pin_refused: bool,
    so_pin_accepted: bool,
}

impl Guard {
    /// Finds out which card it is and what may be done with it.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn admit(card: &mut dyn Target, consent: &Consent) -> Result<(Self, Identity), Denied> {
        let (identity, _) = device::identify(card)?;
        if identity.is_virtual {
            return Ok((Self(Kind::Virtual), identity));
        }
        let serial = identity.serial.clone();
        if consent.allow > Effect::ReadOnly && consent.serial.as_ref() != Some(&serial) {
            let place = identity.place.clone();
            return Err(Denied::Serial { place, serial });
        }
        let theirs = objects(card).map_err(Unknown::from)?;
        let keys = theirs
            .iter()
            .filter(|file| (0xcc01..=0xccff).contains(*file))
            .count();
        if consent.allow == Effect::Wipes && consent.lose_keys != Some(keys) {
            return Err(Denied::Keys { serial, keys });
        }
        let device = Device {
            consent: consent.clone(),
            theirs,
            ours: BTreeSet::new(),
            pin_refused: false,
            so_pin_refused: false,
            so_pin_accepted: false,
        };
        Ok((Self(Kind::Device(Box::new(device))), identity))
    }

    /// The guard before a card of this process, which is a virtual one by its type.
    #[must_use]
    pub fn embedded(_card: &Embedded) -> Self {
        Self(Kind::Virtual)
    }

    /// True when the card may be treated in any way.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        matches!(self.0, Kind::Virtual)
    }

    /// The most that may be done.
    #[must_use]
    pub fn allows(&self) -> Effect {
        match &self.0 {
            Kind::Virtual => Effect::Wipes,
            Kind::Device(device) => device.consent.allow,
        }
    }

    /// Decides on a command before it is sent; may ask the card for the state of its PINs. Gives what
    /// is worth writing down.
    ///
    /// # Errors
    /// [`TransportError::Guard`] when it must not be sent; the card has not seen it.
    pub fn permit(
        &mut self,
        command: &[u8],
        card: &mut dyn Target,
    ) -> Result<Option<String>, TransportError> {
        match &mut self.0 {
            Kind::Virtual => Ok(None),
            Kind::Device(device) => device.permit(command, card),
        }
    }

    /// Learns from what the card answered to a command that was let through.
    pub fn learn(&mut self, command: &[u8], response: &[u8]) {
        if let (Kind::Device(device), Some(status)) = (&mut self.0, response.last_chunk()) {
            device.learn(command, u16::from_be_bytes(*status));
        }
    }
}

impl Device {
    fn permit(
        &mut self,
        command: &[u8],
        card: &mut dyn Target,
    ) -> Result<Option<String>, TransportError> {
        let demand = demand::of(command);
        let no = |why: String| Err(TransportError::Guard(why));
        match demand {
            Demand::Nothing => Ok(None),
            Demand::Retry => {
                self.at_least(Effect::SpendsRetry)?;
                Self::tries(card).map(Some)
            }
            Demand::Pin(pin) => {
                let own = self.consent.pin.as_ref();
                if own.is_none_or(|own| own.expose() != pin.as_slice()) {
                    self.at_least(Effect::SpendsRetry)?;
                } else if self.pin_refused {
                    return no("the card refused this PIN before".into());
                }
                Self::tries(card).map(Some)
            }
            Demand::SoPin { pin, wipes } => {
                self.at_least(if wipes {
                    Effect::Wipes
                } else {
                    Effect::SpendsRetry
                })?;
                self.so_pin(pin, card).map(Some)
            }
            Demand::Create(file) => {
                self.at_least(Effect::Creates)?;
                if self.theirs.contains(&file) {
                    self.at_least(Effect::Wipes)?;
                }
                Ok(Some(format!("makes {file:04X}, where nothing was")))
            }
            Demand::Ours(file) => {
                if self.ours.contains(&file) {
                    return Ok(Some(format!("{file:04X} was made in this run")));
                }
                self.at_least(Effect::Wipes)?;
                Ok(Some("wiping is allowed".into()))
            }
            Demand::Wipe => {
                self.at_least(Effect::Wipes)?;
                Ok(Some("wiping is allowed".into()))
            }
            Demand::Never(why) => no(why.into()),
        }
    }

    fn at_least(&self, effect: Effect) -> Result<(), TransportError> {
        if self.consent.allow >= effect {
            return Ok(());
        }
        Err(TransportError::Guard(format!(
            "it needs --allow {}, and {} is allowed",
            effect.word(),
            self.consent.allow.word()
        )))
    }

    /// Lets a try of the user PIN go only when more than two are left.
    fn tries(card: &mut dyn Target) -> Result<String, TransportError> {
        let status = status(card, &apdu(0x0020_0081).bytes())?;
        match status {
            0x9000 => Ok("the user is logged in".into()),
            0x63c3..=0x63cf => Ok(format!("{} tries left", status & 0xf)),
            few if FEW_TRIES.contains(&few) => Err(TransportError::Guard(format!(
                "the user PIN has {} tries left, and the last two are never risked",
                few & 0xf
            ))),
            other => Err(TransportError::Guard(format!(
                "the user PIN's tries are not known, its status is {other:04X}"
            ))),
        }
    }

    /// Lets an SO-PIN go only when it is the operator's and nobody got it wrong.
    fn so_pin(
        &self,
        pin: Option<[u8; 8]>,
        card: &mut dyn Target,
    ) -> Result<String, TransportError> {
        let no = |why: &str| Err(TransportError::Guard(why.into()));
        match (pin, self.consent.so_pin) {
            (Some(given), Some(own)) if given == own => {}
            _ => return no("it is not the SO-PIN from --so-pin-file"),
        }
        if self.so_pin_refused {
            return no("the card refused this SO-PIN before");
        }
        match status(card, &apdu(0x0020_0088).bytes())? {
            SO_PIN_UNTOUCHED => Ok("the SO-PIN has all its tries".into()),
            0x6a88 => Ok("the device has no SO-PIN yet".into()),
            0x9000 | 0x63c0..=0x63ce if self.so_pin_accepted => {
                Ok("the card took this SO-PIN before".into())
            }
            _ => no("the SO-PIN does not have all its tries"),
        }
    }

    fn learn(&mut self, command: &[u8], status: u16) {
        let refused = status & 0xfff0 == 0x63c0 || status == 0x6983;
        match demand::of(command) {
            Demand::Pin(pin) if refused => {
                let own = self.consent.pin.as_ref();
                self.pin_refused |= own.is_some_and(|own| own.expose() == pin.as_slice());
            }
            Demand::SoPin { .. } => {
                self.so_pin_accepted |= status == 0x9000;
                self.so_pin_refused |= status != 0x9000;
            }
            Demand::Create(file) if status == 0x9000 => {
                self.ours.insert(file);
                let [kind, key] = file.to_be_bytes();
                if kind == 0xcc {
                    // A new key brings its certificate request along.
                    let request = u16::from_be_bytes([0xce, key]);
                    if !self.theirs.contains(&request) {
                        self.ours.insert(request);
                    }
                }
            }
            _ => {}
        }
    }
}

/// All file identifiers on the card.
fn objects(card: &mut dyn Target) -> Result<BTreeSet<u16>, TransportError> {
    let mut list = card.transmit(&apdu(0x8058_0000).all().bytes())?;
    let status = list.split_off(list.len().saturating_sub(2));
    if status != [0x90, 0x00] {
        return Err(TransportError::Protocol(format!(
            "the device does not list its objects, it answers {}",
            hex::encode_upper(status)
        )));
    }
    let ids = list.chunks_exact(2);
    Ok(ids
        .filter_map(|id| id.try_into().ok().map(u16::from_be_bytes))
        .collect())
}

fn status(card: &mut dyn Target, command: &[u8]) -> Result<u16, TransportError> {
    let response = card.transmit(command)?;
    let status = response.last_chunk().copied();
    status
        .map(u16::from_be_bytes)
        .ok_or_else(|| TransportError::Protocol("a response without a status word".into()))
}
