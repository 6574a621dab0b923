//! The guard: the only place that may say yes to what cannot be undone.
//!
//! It stands between scenarios and a card and sees each command before it is sent. Virtual cards,
//! told by their certificates, may be treated in any way. On every other device:
//!
//! - what only looks is always let through;
//! - the user PIN goes in only with more than two tries left, and the operator's own PIN never again
//!   after the card refused it once;
//! - an SO-PIN goes in only when it is the operator's, with all fifteen tries left, never again
//!   after the card refused it, and is never changed to another;
//! - keys and files are made only where nothing is, and only those are used and deleted;
//! - everything else, and every form of a command that is not plain, counts as wiping.
//!
//! Wiping needs the serial of the device and the number of keys that will be lost.
//!
//! Whoever changes the card in a reader while scenarios run is found out at the next reset: the
//! guard asks again who the card is, see [`Guard::recognise`].

mod demand;
#[cfg(test)]
pub(crate) mod foreign;
#[cfg(test)]
mod tests;
mod tries;

use std::collections::BTreeSet;

use self::demand::Demand;
use self::tries::Tries;
use crate::apdu::apdu;
use crate::device::{self, Identity, Unknown};
use crate::scenario::Effect;
use crate::secret::Secret;
use crate::transport::embedded::Embedded;
use crate::transport::{Target, TransportError};

/// Tries of an SO-PIN that nobody got wrong.
const SO_PIN_UNTOUCHED: u16 = 0x63cf;
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
    /// Takes a virtual card for a device that somebody uses, to rehearse what would be done there.
    pub rehearsal: bool,
}

impl Default for Consent {
    fn default() -> Self {
        Self {
            allow: Effect::ReadOnly,
            serial: None,
            lose_keys: None,
            pin: None,
            so_pin: None,
            rehearsal: false,
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
pub struct Guard {
    kind: Kind,
    /// Answer to reset and certificates of the card that was admitted, where another card can take
    /// its place.
    known: Option<Box<(Identity, Vec<u8>)>>,
}

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
    tries: Tries,
    /// The card took the operator's PIN, and nobody changed it since.
    pin_accepted: bool,
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
        let (mut identity, certificates) = device::identify(card)?;
        identity.is_virtual &= !consent.rehearsal;
        let known = Some(Box::new((identity.clone(), certificates)));
        if identity.is_virtual {
            let kind = Kind::Virtual;
            return Ok((Self { kind, known }, identity));
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
            tries: Tries::default(),
            pin_accepted: false,
            pin_refused: false,
            so_pin_refused: false,
            so_pin_accepted: false,
        };
        let kind = Kind::Device(Box::new(device));
        Ok((Self { kind, known }, identity))
    }

    /// The guard before a card of this process, which is a virtual one by its type.
    #[must_use]
    pub fn embedded(_card: &Embedded) -> Self {
        Self {
            kind: Kind::Virtual,
            known: None,
        }
    }

    /// Makes sure that the card is still the one that was admitted: resets it, selects the applet
    /// and reads its certificates. Nothing to do for a card of this process.
    ///
    /// # Errors
    /// [`TransportError::Exchanged`] for another card; then nothing more may be sent.
    pub fn recognise(&self, card: &mut dyn Target) -> Result<(), TransportError> {
        let Some(known) = &self.known else {
            return Ok(());
        };
        let (before, certificates) = &**known;
        let now = match device::identify(card) {
            Ok((now, same)) if now.atr == before.atr && same == *certificates => return Ok(()),
            Ok((now, _)) => format!("{} with ATR {}", now.serial, now.atr),
            Err(Unknown::Transport(error)) => return Err(error),
            Err(Unknown::OtherCard { what, .. }) => format!("no SmartCard-HSM ({what})"),
        };
        Err(TransportError::Exchanged {
            place: card.describe(),
            before: before.serial.clone(),
            now,
        })
    }

    /// True when the card may be treated in any way.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        matches!(self.kind, Kind::Virtual)
    }

    /// The most that may be done.
    #[must_use]
    pub fn allows(&self) -> Effect {
        match &self.kind {
            Kind::Virtual => Effect::Wipes,
            Kind::Device(device) => device.consent.allow,
        }
    }

    /// Decides on a command before it is sent; may ask the card for the state of its PINs. Gives what
    /// is worth writing down.
    ///
    /// # Errors
    /// [`TransportError::Guard`] when it must not be sent without more consent,
    /// [`TransportError::Never`] when no consent is enough; the card has not seen it.
    pub fn permit(
        &mut self,
        command: &[u8],
        card: &mut dyn Target,
    ) -> Result<Option<String>, TransportError> {
        match &mut self.kind {
            Kind::Virtual => Ok(None),
            Kind::Device(device) => device.permit(command, card),
        }
    }

    /// Learns from what the card answered to a command that was let through.
    pub fn learn(&mut self, command: &[u8], response: &[u8]) {
        if let (Kind::Device(device), Some(status)) = (&mut self.kind, response.last_chunk()) {
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
        let wiping = || "wiping is allowed".to_string();
        match demand::of(command) {
            Demand::Nothing => Ok(None),
            Demand::Retry => {
                self.at_least(Effect::SpendsRetry)?;
                self.may_try(true, card).map(Some)
            }
            Demand::Pin(pin) => {
                let own = self.consent.pin.as_ref();
                let is_own = own.is_some_and(|own| own.expose() == pin.as_slice());
                if !is_own {
                    self.at_least(Effect::SpendsRetry)?;
                } else if self.pin_refused {
                    return never("the card refused this PIN before");
                }
                self.may_try(is_own && self.pin_accepted, card).map(Some)
            }
            Demand::ChangePin(pins) => {
                self.at_least(Effect::Wipes)?;
                let own = self.consent.pin.as_ref();
                let is_own = own.is_some_and(|own| pins.starts_with(own.expose()));
                self.may_try(is_own && self.pin_accepted, card).map(Some)
            }
            Demand::SoPin { pin, wipes } => {
                self.at_least(if wipes {
                    Effect::Wipes
                } else {
                    Effect::SpendsRetry
                })?;
                self.so_pin(pin, card).map(Some)
            }
            Demand::Create(file) => self.create(&[file]).map(Some),
            Demand::Key(key) => self.create(&parts_of_key(key)).map(Some),
            Demand::Ours(file) => {
                if self.ours.contains(&file) {
                    return Ok(Some(format!("{file:04X} was made in this run")));
                }
                self.at_least(Effect::Wipes)?;
                Ok(Some(wiping()))
            }
            Demand::Wipe => {
                self.at_least(Effect::Wipes)?;
                Ok(Some(wiping()))
            }
            Demand::Never(why) => never(why),
        }
    }

    /// Lets objects be made where nothing is.
    fn create(&self, files: &[u16]) -> Result<String, TransportError> {
        self.at_least(Effect::Creates)?;
        let names = |files: &[u16]| {
            let names: Vec<String> = files.iter().map(|file| format!("{file:04X}")).collect();
            names.join(", ")
        };
        let theirs: Vec<u16> = files
            .iter()
            .copied()
            .filter(|file| self.theirs.contains(file))
            .collect();
        if theirs.is_empty() {
            return Ok(format!("makes {}, where nothing was", names(files)));
        }
        self.at_least(Effect::Wipes)?;
        Ok(format!("may replace {}, wiping is allowed", names(&theirs)))
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

    /// Lets a try of the user PIN go only when more than two are left. While the user is logged in
    /// the card does not tell; then what was seen before counts, unless the PIN is `known` to be right.
    fn may_try(&mut self, known: bool, card: &mut dyn Target) -> Result<String, TransportError> {
        let status = status(card, &apdu(0x0020_0081).bytes())?;
        self.tries.told(status);
        let left = match status {
            0x9000 if known => return Ok("the user is logged in with this PIN".into()),
            0x9000 | 0x63c0..=0x63cf => self.tries.left(),
            other => {
                return never(format!(
                    "the user PIN's tries are not known, its status is {other:04X}"
                ));
            }
        };
        match left {
            Some(left) if left > 2 => Ok(format!("{left} tries left")),
            Some(left) => never(format!(
                "the user PIN has {left} tries left, and the last two are never risked"
            )),
            None => never("the user is logged in, so that the PIN's tries do not show"),
        }
    }

    /// Lets an SO-PIN go only when it is the operator's and nobody got it wrong.
    fn so_pin(
        &self,
        pin: Option<[u8; 8]>,
        card: &mut dyn Target,
    ) -> Result<String, TransportError> {
        match (pin, self.consent.so_pin) {
            (Some(given), Some(own)) if given == own => {}
            _ => return never("it is not the SO-PIN from --so-pin-file"),
        }
        if self.so_pin_refused {
            return never("the card refused this SO-PIN before");
        }
        match status(card, &apdu(0x0020_0088).bytes())? {
            SO_PIN_UNTOUCHED => Ok("the SO-PIN has all its tries".into()),
            0x6a88 => Ok("the device has no SO-PIN yet".into()),
            0x9000 if self.so_pin_accepted => Ok("the card took this SO-PIN before".into()),
            _ => never("the SO-PIN does not have all its tries"),
        }
    }

    fn learn(&mut self, command: &[u8], status: u16) {
        let refused = status & 0xfff0 == 0x63c0 || status == 0x6983;
        let done = status == 0x9000;
        let is_own =
            |own: &Option<Secret>, pin: &[u8]| own.as_ref().is_some_and(|own| own.expose() == pin);
        match demand::of(command) {
            Demand::Nothing if command.starts_with(&[0x00, 0x20, 0x00, 0x81]) => {
                self.tries.told(status);
            }
            Demand::Pin(pin) => {
                self.tries.answered(status);
                if is_own(&self.consent.pin, &pin) {
                    self.pin_refused |= refused;
                    self.pin_accepted = done || self.pin_accepted && !refused;
                }
            }
            Demand::ChangePin(_) => {
                self.tries.answered(status);
                self.pin_accepted &= !done;
            }
            Demand::SoPin { .. } => {
                self.so_pin_accepted |= done;
                self.so_pin_refused |= refused;
                if let (true, Some((pin, tries))) = (done, demand::initialized(command)) {
                    self.tries = Tries::new(tries);
                    self.pin_accepted = is_own(&self.consent.pin, &pin);
                    self.pin_refused &= !self.pin_accepted;
                } else if done && command.get(1) == Some(&0x2c) {
                    self.tries.answered(status);
                    self.pin_accepted = false;
                }
            }
            Demand::Create(file) if done => {
                self.ours.insert(file);
            }
            Demand::Key(key) if done => {
                let made = parts_of_key(key);
                let made = made.into_iter().filter(|file| !self.theirs.contains(file));
                self.ours.extend(made);
            }
            _ => {}
        }
    }
}

/// Key, certificate or request, and description with one number.
fn parts_of_key(key: u8) -> [u16; 3] {
    [0xcc, 0xce, 0xc4].map(|kind| u16::from_be_bytes([kind, key]))
}

fn never<T>(why: impl Into<String>) -> Result<T, TransportError> {
    Err(TransportError::Never(why.into()))
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
