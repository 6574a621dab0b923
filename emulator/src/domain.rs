//! Key domains: the key-encryption keys under which keys leave and enter the card.
//!
//! A slot without a record is absent. A slot that exists is one of the states of [`KeyDomain`];
//! impossible combinations (a complete DKEK with shares outstanding, more outstanding than there
//! are, a UID on a DKEK domain, an XKEK domain without one, a KEK of 31 bytes) cannot be
//! expressed, and a record that says so is no record.

mod stored;

use std::fmt;
use std::num::NonZeroU8;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::id::DomainId;
use crate::profile::{DomainRules, SharedPointKek};
use crate::secret::Secret;

pub use stored::Impossible;

/// Length of a DKEK share and of a key-encryption key in bytes.
pub const KEK_LENGTH: usize = 32;

/// Length of a key check value in bytes.
pub const KCV_LENGTH: usize = 8;

/// How INITIALIZE DEVICE allotted key domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DomainLayout {
    /// Neither tag 92 nor 97: the card wraps no keys.
    None,
    /// Tag 92: one DKEK, which is slot 0 and the domain of every key.
    SingleDkek,
    /// Tag 97: this many slots, all absent at first.
    Slots(u8),
}

impl DomainLayout {
    /// Number of slots.
    #[must_use]
    pub fn slots(self) -> u8 {
        match self {
            Self::None => 0,
            Self::SingleDkek => 1,
            Self::Slots(count) => count,
        }
    }

    /// All slots that P2 of MANAGE KEY DOMAIN may name.
    pub fn ids(self) -> impl Iterator<Item = DomainId> {
        (0..self.slots()).map(DomainId)
    }

    /// The domain of a key that names none: with the single DKEK that one, with slots what the
    /// generation decides.
    #[must_use]
    pub fn default_domain(self, rules: &DomainRules) -> Option<DomainId> {
        match self {
            Self::SingleDkek => Some(DomainId(0)),
            Self::Slots(_) => rules.default_slot,
            Self::None => None,
        }
    }
}

/// A DKEK share, or the sum of some: 32 bytes, wiped when dropped and never shown.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Secret", into = "Secret")]
pub struct Share(Zeroizing<[u8; KEK_LENGTH]>);

impl Share {
    /// The sum of no shares.
    #[must_use]
    pub fn none() -> Self {
        Self(Zeroizing::new([0; KEK_LENGTH]))
    }

    /// Takes over the 32 bytes.
    #[must_use]
    pub fn new(bytes: &[u8; KEK_LENGTH]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEK_LENGTH] {
        &self.0
    }

    /// The XOR of both: order does not matter and equal shares cancel.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.0
            .iter_mut()
            .zip(other.0.iter())
            .for_each(|(sum, byte)| *sum ^= byte);
        sum
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share(..)")
    }
}

/// A key-encryption key, 32 bytes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kek(Share);

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kek(..)")
    }
}

impl From<Share> for Kek {
    fn from(sum: Share) -> Self {
        Self(sum)
    }
}

impl Kek {
    /// Takes over the 32 bytes.
    #[must_use]
    pub fn new(bytes: &[u8; KEK_LENGTH]) -> Self {
        Self(Share::new(bytes))
    }

    /// The KEK that two cards agree on, from their shared point 04‖x‖y; `None` when the curve is
    /// not one of 256 bits.
    #[must_use]
    pub fn from_shared_point(point: &[u8], rule: SharedPointKek) -> Option<Self> {
        let x: &[u8; KEK_LENGTH] = point.get(1..)?.first_chunk()?;
        if point.len() != 1 + 2 * KEK_LENGTH {
            return None;
        }
        Some(match rule {
            SharedPointKek::X => Self::new(x),
            SharedPointKek::HashedX => {
                let digest = Zeroizing::new(Sha256::digest(x).into());
                Self::new(&digest)
            }
        })
    }

    /// Key check value: the first 8 bytes of SHA-256(KEK).
    ///
    /// Source: vendor's script, confirmed on a blob of a genuine token.
    #[must_use]
    pub fn kcv(&self) -> [u8; KCV_LENGTH] {
        let digest: [u8; 32] = Sha256::digest(self.0.expose()).into();
        let mut kcv = [0; KCV_LENGTH];
        kcv.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        kcv
    }

    /// Encryption key of blobs: SHA-256(KEK ‖ 00000001).
    #[must_use]
    pub fn encryption_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive(1)
    }

    /// MAC key of blobs: SHA-256(KEK ‖ 00000002).
    #[must_use]
    pub fn mac_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive(2)
    }

    fn derive(&self, counter: u32) -> Zeroizing<[u8; 32]> {
        let digest = Sha256::new_with_prefix(self.0.expose()).chain_update(counter.to_be_bytes());
        Zeroizing::new(digest.finalize().into())
    }
}

/// A slot that exists.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "stored::KeyDomain", into = "stored::KeyDomain")]
pub enum KeyDomain {
    /// A DKEK domain that waits for shares.
    PendingDkek {
        /// How many.
        progress: Progress,
        /// XOR of the shares so far.
        accumulator: Share,
    },
    /// A DKEK domain whose shares all came.
    CompleteDkek {
        /// Shares fixed at creation.
        shares: NonZeroU8,
        /// Their XOR.
        kek: Kek,
    },
    /// A DKEK domain whose key the card drew itself: nothing outside knows it.
    RandomDkek {
        /// The KEK; once cleared it never comes back.
        kek: Option<Kek>,
    },
    /// An XKEK domain.
    Xkek {
        /// Identifier of the domain, from the group signer's public key.
        uid: Uid,
        /// The KEK, once derived with a peer.
        kek: Option<Kek>,
    },
}

/// How many shares a DKEK domain has and still waits for: at least one, and not more than it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    shares: NonZeroU8,
    outstanding: NonZeroU8,
}

impl Progress {
    /// Waits for all of its shares.
    #[must_use]
    pub fn start(shares: NonZeroU8) -> Self {
        Self {
            shares,
            outstanding: shares,
        }
    }

    /// `None` when more shares are outstanding than there are.
    #[must_use]
    pub fn new(shares: NonZeroU8, outstanding: NonZeroU8) -> Option<Self> {
        (outstanding <= shares).then_some(Self {
            shares,
            outstanding,
        })
    }

    /// Shares fixed at creation.
    #[must_use]
    pub fn shares(self) -> NonZeroU8 {
        self.shares
    }

    /// Shares still to come.
    #[must_use]
    pub fn outstanding(self) -> NonZeroU8 {
        self.outstanding
    }

    /// After one more share; `None` when it was the last.
    #[must_use]
    pub fn after_one(self) -> Option<Self> {
        let outstanding = NonZeroU8::new(self.outstanding.get() - 1)?;
        Some(Self {
            outstanding,
            ..self
        })
    }
}

/// Identifier of an XKEK domain; never empty, which is what tells its status from a DKEK's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uid(Vec<u8>);

impl Uid {
    /// `None` when there are no bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// The bytes themselves.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl KeyDomain {
    /// A new DKEK domain: it waits for `shares` shares, or for zero shares draws its KEK.
    #[must_use]
    pub fn dkek(shares: u8, draw: impl FnOnce() -> Kek) -> Self {
        match NonZeroU8::new(shares) {
            Some(shares) => Self::awaiting(shares),
            None => Self::RandomDkek { kek: Some(draw()) },
        }
    }

    fn awaiting(shares: NonZeroU8) -> Self {
        Self::PendingDkek {
            progress: Progress::start(shares),
            accumulator: Share::none(),
        }
    }

    /// The domain after one more share, or `None` when it takes no share now.
    #[must_use]
    pub fn with_share(&self, share: &Share) -> Option<Self> {
        let Self::PendingDkek {
            progress,
            accumulator,
        } = self
        else {
            return None;
        };
        let accumulator = accumulator.plus(share);
        Some(match progress.after_one() {
            Some(progress) => Self::PendingDkek {
                progress,
                accumulator,
            },
            None => Self::CompleteDkek {
                shares: progress.shares(),
                kek: accumulator.into(),
            },
        })
    }

    /// The domain without its KEK: a DKEK waits for all its shares again, an XKEK for derivation.
    #[must_use]
    pub fn cleared(&self) -> Self {
        match self {
            Self::PendingDkek { progress, .. } => Self::awaiting(progress.shares()),
            Self::CompleteDkek { shares, .. } => Self::awaiting(*shares),
            Self::RandomDkek { .. } => Self::RandomDkek { kek: None },
            Self::Xkek { uid, .. } => Self::Xkek {
                uid: uid.clone(),
                kek: None,
            },
        }
    }

    /// The KEK, when there is one.
    #[must_use]
    pub fn kek(&self) -> Option<&Kek> {
        match self {
            Self::PendingDkek { .. } => None,
            Self::CompleteDkek { kek, .. } => Some(kek),
            Self::RandomDkek { kek } | Self::Xkek { kek, .. } => kek.as_ref(),
        }
    }

    /// The answer to a status query.
    ///
    /// ```text
    /// DKEK   shares ‖ outstanding ‖ KCV (8, zero while there is no KEK)     exactly 10 bytes
    /// XKEK   two bytes ‖ KCV (8, zero while there is no KEK) ‖ UID
    /// ```
    ///
    /// sc-hsm-embedded takes every length but 10 for an XKEK domain. Its two bytes are what the
    /// generation decides.
    #[must_use]
    pub fn status(&self, rules: &DomainRules) -> Vec<u8> {
        let kcv = self.kek().map_or([0; KCV_LENGTH], Kek::kcv);
        let (counts, uid): ([u8; 2], &[u8]) = match self {
            Self::PendingDkek { progress, .. } => {
                let counts = [progress.shares(), progress.outstanding()];
                (counts.map(NonZeroU8::get), &[])
            }
            Self::CompleteDkek { shares, .. } => ([shares.get(), 0], &[]),
            Self::RandomDkek { .. } => ([0, 0], &[]),
            Self::Xkek { uid, .. } => (rules.xkek_status, uid.as_bytes()),
        };
        [&counts[..], &kcv, uid].concat()
    }
}
