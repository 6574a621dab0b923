//! Where cards are, as people write it, and the way there.

use std::collections::BTreeMap;
use std::fmt;
use std::net::TcpListener;
use std::str::FromStr;
use std::time::Duration;

use hsm2_emulator::profile::{NITROKEY_HSM2, PROFILES, Profile};
use hsm2_emulator::trust::Anchor;

use super::embedded::Embedded;
use super::vpcd::Vpcd;
use super::{Target, TransportError};

/// Port of vpcd's first reader.
const VPCD: &str = "127.0.0.1:35963";

/// How long a virtual card may take to connect.
const PATIENCE: Duration = Duration::from_secs(120);

/// A place for cards.
///
/// ```
/// use hsm2_harness::transport::place::Place;
///
/// for place in ["embedded", "embedded:nitrokey-hsm2-3.1", "vpcd:127.0.0.1:35963", "pcsc:Virtual PCD 00 00"] {
///     assert_eq!(place.parse::<Place>().unwrap().to_string(), place);
/// }
/// assert_eq!("pcsc:\"A B\"".parse(), Ok(Place::Pcsc("A B".into())));
/// assert!("usb".parse::<Place>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// New cards in this process, as many as are wanted.
    Embedded(Generation),
    /// The harness is the reader at this address; virtual cards connect to it.
    Vpcd(String),
    /// A reader of the PC/SC service, by its name or a part of it that no other reader has.
    Pcsc(String),
}

/// A generation of the device that cards of this process are of, by the emulator's name.
#[derive(Clone, Copy)]
pub struct Generation(&'static Profile);

impl Generation {
    /// That of the emulator's profile.
    #[must_use]
    pub const fn new(profile: &'static Profile) -> Self {
        Self(profile)
    }

    /// The one with this firmware version, `3.6`.
    #[must_use]
    pub fn by_version(version: &str) -> Option<Self> {
        let is_it = |profile: &&&Profile| {
            let (major, minor) = profile.version;
            version == format!("{major}.{minor}")
        };
        PROFILES.iter().find(is_it).map(|profile| Self(profile))
    }

    /// What the emulator knows of it.
    #[must_use]
    pub fn profile(self) -> &'static Profile {
        self.0
    }
}

impl Default for Generation {
    fn default() -> Self {
        Self(&NITROKEY_HSM2)
    }
}

impl PartialEq for Generation {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Generation {}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

/// What is wrong with a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no place for a card; write embedded, vpcd:HOST:PORT or pcsc:READER; embedded:NAME \
     makes cards of one of {}",
    generations()
)]
pub struct PlaceError {
    text: String,
}

fn generations() -> String {
    let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    names.join(", ")
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let refused = || PlaceError { text: text.into() };
        match text.split_once(':') {
            None if text == "embedded" => Ok(Self::EMBEDDED),
            Some(("embedded", name)) => Profile::by_name(name)
                .map(|profile| Self::Embedded(Generation(profile)))
                .ok_or_else(refused),
            None if text == "vpcd" => Ok(Self::Vpcd(VPCD.into())),
            Some(("vpcd", address)) => {
                let (host, port) = address.rsplit_once(':').ok_or_else(refused)?;
                if host.is_empty() || port.parse::<u16>().is_err() {
                    return Err(refused());
                }
                Ok(Self::Vpcd(address.into()))
            }
            Some(("pcsc", reader)) => {
                // A shell takes the quotes away; whoever writes them twice means the same.
                let inner = reader.strip_prefix('"').and_then(|r| r.strip_suffix('"'));
                match inner.unwrap_or(reader).trim() {
                    "" => Err(refused()),
                    reader => Ok(Self::Pcsc(reader.into())),
                }
            }
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(generation) if *generation == Generation::default() => {
                f.write_str("embedded")
            }
            Self::Embedded(Generation(profile)) => write!(f, "embedded:{}", profile.name),
            Self::Vpcd(address) => write!(f, "vpcd:{address}"),
            Self::Pcsc(reader) => write!(f, "pcsc:{reader}"),
        }
    }
}

impl Place {
    /// New cards in this process, of the generation that most owners have.
    pub const EMBEDDED: Self = Self::Embedded(Generation::new(&NITROKEY_HSM2));

    /// True when every opening of this place gives another new card, at once and for free.
    #[must_use]
    pub fn makes_cards(&self) -> bool {
        matches!(self, Self::Embedded(_))
    }

    /// True when several different cards can be had by opening this place several times.
    #[must_use]
    pub fn holds_many(&self) -> bool {
        !matches!(self, Self::Pcsc(_))
    }
}

/// Opens places; cards that connect to one address are taken one after the other.
#[derive(Debug, Default)]
pub struct Opener {
    listeners: BTreeMap<String, TcpListener>,
    roots: Vec<Anchor>,
}

impl Opener {
    /// Gives cards of this process more roots to trust.
    #[must_use]
    pub fn trusting(roots: &[Anchor]) -> Self {
        Self {
            roots: roots.to_vec(),
            ..Self::default()
        }
    }

    /// Gets a card from a place. `serial` is what a new card is called; `tell` hears what a person
    /// has to do or to wait for.
    ///
    /// # Errors
    /// [`TransportError`].
    pub fn open(
        &mut self,
        place: &Place,
        serial: &str,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Box<dyn Target>, TransportError> {
        match place {
            Place::Embedded(generation) => {
                let card = Embedded::of(generation.profile(), serial).and_then(|mut card| {
                    card.trust(&self.roots)?;
                    Ok(card)
                });
                Ok(Box::new(card.map_err(|error| {
                    TransportError::Protocol(error.to_string())
                })?))
            }
            Place::Vpcd(address) => {
                let listener = match self.listeners.remove(address) {
                    Some(listener) => listener,
                    None => TcpListener::bind(address).map_err(|error| {
                        let what = format!("cannot be a reader at {address}: {error}");
                        std::io::Error::new(error.kind(), what)
                    })?,
                };
                let bound = listener.local_addr()?;
                tell(&format!(
                    "waiting for a card at {bound}; start it with: hsm2-emulator serve --ephemeral --vpcd {bound}"
                ));
                let card = Vpcd::accept(&listener, PATIENCE, tell);
                self.listeners.insert(address.clone(), listener);
                Ok(Box::new(card?))
            }
            #[cfg(feature = "pcsc")]
            Place::Pcsc(reader) => Ok(Box::new(super::pcsc::Pcsc::connect(reader)?)),
            #[cfg(not(feature = "pcsc"))]
            Place::Pcsc(_) => Err(TransportError::NotBuilt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "embedded:1",
            "vpcd:",
            "vpcd:host",
            "vpcd::1",
            "vpcd:host:70000",
            "pcsc",
            "pcsc:",
            "pcsc:\"\"",
            "pcsc: ",
            "PCSC:A",
        ] {
            let error = text.parse::<Place>().unwrap_err();
            assert!(error.to_string().contains("embedded, vpcd:HOST:PORT"));
        }
    }

    #[test]
    fn a_reader_may_have_colons_and_quotes_in_its_name() {
        let rows = [
            ("pcsc:A:B", "A:B"),
            ("pcsc:\"A\"", "A"),
            ("pcsc:\"A", "\"A"),
        ];
        for (text, reader) in rows {
            assert_eq!(text.parse(), Ok(Place::Pcsc(reader.into())));
        }
    }

    #[cfg(not(feature = "pcsc"))]
    #[test]
    fn without_pcsc_the_error_says_how_to_build_it() {
        let place = Place::Pcsc("A".into());
        let error = Opener::default().open(&place, "A", &mut |_| {});
        let error = error.err().unwrap().to_string();
        assert!(error.contains("--features pcsc"), "{error}");
    }

    #[test]
    fn an_address_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let place = Place::Vpcd(address.clone());
        let error = Opener::default().open(&place, "A", &mut |_| {});
        assert!(error.err().unwrap().to_string().contains(&address));
    }
}
