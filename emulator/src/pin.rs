//! PIN objects: value, retry counter and transport state.

use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::status::StatusWord;

/// The two PINs of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PinReference {
    /// 81: the user PIN.
    User,
    /// 88: the SO-PIN, which is also the initialisation code.
    SecurityOfficer,
}

impl PinReference {
    /// Decodes P2 of the PIN commands.
    ///
    /// # Errors
    ///
    /// [`StatusWord::ReferencedDataNotFound`] (6A88) for every other reference. OpenSC asks for
    /// the biometric templates 85 and 86 and takes any other answer for a PIN pad.
    pub fn from_p2(p2: u8) -> Result<Self, StatusWord> {
        match p2 {
            0x81 => Ok(Self::User),
            0x88 => Ok(Self::SecurityOfficer),
            _ => Err(StatusWord::ReferencedDataNotFound),
        }
    }

    /// True when a PIN of this length may exist: 6 to 16 bytes for the user, 8 for the SO.
    #[must_use]
    pub fn accepts_length(self, length: usize) -> bool {
        match self {
            Self::User => (USER_PIN_MIN..=USER_PIN_MAX).contains(&length),
            Self::SecurityOfficer => length == SO_PIN_LENGTH,
        }
    }
}

impl PinReference {
    /// The retry counter that goes with a PIN of this length at most.
    ///
    /// Source for the user PIN: `sc-hsm-tool` refuses higher values before it sends anything; that
    /// the card refuses them too, and lowers the counter of a PIN that becomes shorter, is
    /// inferred.
    #[must_use]
    pub fn most_tries(self, length: usize) -> u8 {
        match (self, length) {
            (Self::SecurityOfficer, _) => SO_PIN_TRIES,
            (Self::User, ..=6) => 3,
            (Self::User, 7) => 5,
            (Self::User, _) => 10,
        }
    }
}

/// Shortest user PIN in bytes.
pub const USER_PIN_MIN: usize = 6;
/// Longest user PIN in bytes.
pub const USER_PIN_MAX: usize = 16;
/// Length of the SO-PIN in bytes.
pub const SO_PIN_LENGTH: usize = 8;
/// Tries of the SO-PIN. Source: status output of genuine tokens.
pub const SO_PIN_TRIES: u8 = 15;

/// A PIN as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pin {
    value: Secret,
    limit: u8,
    left: u8,
    transport: bool,
}

impl Pin {
    /// A new PIN with all its tries.
    #[must_use]
    pub fn new(value: &[u8], limit: u8) -> Self {
        Self {
            value: value.into(),
            limit,
            left: limit,
            transport: false,
        }
    }

    /// The same PIN in transport state: it must be changed before it can be used.
    #[must_use]
    pub fn in_transport(self) -> Self {
        Self {
            transport: true,
            ..self
        }
    }

    /// True while the PIN must be changed before it can be used.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        self.transport
    }

    /// Tries left; 0 means blocked.
    #[must_use]
    pub fn tries_left(&self) -> u8 {
        self.left
    }

    /// Tries that a correct presentation brings back.
    #[must_use]
    pub fn limit(&self) -> u8 {
        self.limit
    }

    /// Length of the value in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.value.len()
    }

    /// Compares in constant time; touches no counter.
    #[must_use]
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.value.matches(candidate)
    }

    /// The PIN with one try fewer.
    #[must_use]
    pub fn with_try_spent(&self) -> Self {
        Self {
            left: self.left.saturating_sub(1),
            ..self.clone()
        }
    }

    /// The PIN with all its tries.
    #[must_use]
    pub fn with_tries_restored(&self) -> Self {
        Self {
            left: self.limit,
            ..self.clone()
        }
    }

    /// The PIN with another value and all its tries, but no more than it may have; a transport
    /// state ends.
    #[must_use]
    pub fn with_value(&self, reference: PinReference, value: &[u8]) -> Self {
        Self::new(value, self.limit.min(reference.most_tries(value.len())))
    }

    /// The word that a failed presentation ends with.
    ///
    /// The presentation that uses up the last try answers 6983, not 63C0: sc-hsm-embedded reports
    /// "locked" for 6983 only.
    #[must_use]
    pub fn failure(&self) -> StatusWord {
        match self.left {
            0 => StatusWord::AuthenticationBlocked,
            left => StatusWord::TriesLeft(left),
        }
    }
}
