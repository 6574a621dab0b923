//! Key domains: the key-encryption keys under which keys leave and enter the card.
//!
//! A slot without a record is absent. A slot that exists is one of the states of [`KeyDomain`];
//! impossible combinations (a complete DKEK with shares outstanding, a UID on a DKEK domain)
//! cannot be expressed.

use std::num::NonZeroU8;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::id::DomainId;
use crate::secret::Secret;

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

    /// The domain of a key that names none.
    ///
    /// With the single DKEK every key belongs to it while it exists; with slots a key belongs to none until it
    /// names one. (inferred)
    #[must_use]
    pub fn default_domain(self) -> Option<DomainId> {
        match self {
            Self::SingleDkek => Some(DomainId(0)),
            Self::None | Self::Slots(_) => None,
        }
    }
}

/// A key-encryption key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kek(Secret);

impl Kek {
    /// Takes over the 32 bytes.
    #[must_use]
    pub fn new(bytes: &[u8; KEK_LENGTH]) -> Self {
        Self(Secret::from(&bytes[..]))
    }

    /// The KEK that two cards agree on: the X coordinate of their shared point 04‖x‖y, 32 bytes, no
    /// further derivation; `None` when the curve is not one of 256 bits.
    ///
    /// The vendor's rule is unknown and never leaves the cards; this is the rule of a compatible
    /// card and of the published vectors. (inferred)
    #[must_use]
    pub fn from_shared_point(point: &[u8]) -> Option<Self> {
        let x: &[u8; KEK_LENGTH] = point.get(1..)?.first_chunk()?;
        (point.len() == 1 + 2 * KEK_LENGTH).then(|| Self::new(x))
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
pub enum KeyDomain {
    /// A DKEK domain whose key is the XOR of shares.
    Dkek {
        /// Shares fixed at creation.
        shares: NonZeroU8,
        /// How far the DKEK has come.
        state: DkekState,
    },
    /// A DKEK domain whose key the card drew itself: nothing outside knows it.
    RandomDkek {
        /// The KEK; once cleared it never comes back.
        kek: Option<Kek>,
    },
    /// An XKEK domain.
    Xkek {
        /// Identifier of the domain, from the group signer's public key.
        uid: Vec<u8>,
        /// The KEK, once derived with a peer.
        kek: Option<Kek>,
    },
}

/// How far a DKEK has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum DkekState {
    /// Shares are outstanding; the accumulator holds the XOR of those that came.
    Pending {
        /// Shares still to come.
        outstanding: NonZeroU8,
        /// XOR of the shares so far.
        accumulator: Secret,
    },
    /// All shares came.
    Complete(Kek),
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
        let accumulator = Secret::new(vec![0; KEK_LENGTH]);
        Self::Dkek {
            shares,
            state: DkekState::Pending {
                outstanding: shares,
                accumulator,
            },
        }
    }

    /// The domain after one more share, or `None` when it takes no share now.
    ///
    /// Shares are XORed; their order does not matter and equal shares cancel.
    #[must_use]
    pub fn with_share(&self, share: &[u8; KEK_LENGTH]) -> Option<Self> {
        let Self::Dkek {
            shares,
            state:
                DkekState::Pending {
                    outstanding,
                    accumulator,
                },
        } = self
        else {
            return None;
        };
        let mut sum = Zeroizing::new(*share);
        sum.iter_mut()
            .zip(accumulator.expose())
            .for_each(|(sum, byte)| *sum ^= byte);
        let state = match NonZeroU8::new(outstanding.get() - 1) {
            None => DkekState::Complete(Kek::new(&sum)),
            Some(outstanding) => DkekState::Pending {
                outstanding,
                accumulator: (&sum[..]).into(),
            },
        };
        Some(Self::Dkek {
            shares: *shares,
            state,
        })
    }

    /// The domain without its KEK: a DKEK waits for all its shares again, an XKEK for derivation.
    #[must_use]
    pub fn cleared(&self) -> Self {
        match self {
            Self::Dkek { shares, .. } => Self::awaiting(*shares),
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
            Self::Dkek {
                state: DkekState::Complete(kek),
                ..
            } => Some(kek),
            Self::Dkek {
                state: DkekState::Pending { .. },
                ..
            } => None,
            Self::RandomDkek { kek } | Self::Xkek { kek, .. } => kek.as_ref(),
        }
    }

    /// The answer to a status query.
    ///
    /// ```text
    /// DKEK   shares ‖ outstanding ‖ KCV (8, zero while there is no KEK)     exactly 10 bytes
    /// XKEK   00 ‖ 00 ‖ KCV (8, zero while there is no KEK) ‖ UID
    /// ```
    ///
    /// sc-hsm-embedded takes every length but 10 for an XKEK domain. The two bytes of an XKEK
    /// domain are unknown and no host reads them. (inferred)
    #[must_use]
    pub fn status(&self) -> Vec<u8> {
        let kcv = self.kek().map_or([0; KCV_LENGTH], Kek::kcv);
        let (shares, outstanding, uid): (u8, u8, &[u8]) = match self {
            Self::Dkek {
                shares,
                state: DkekState::Pending { outstanding, .. },
            } => (shares.get(), outstanding.get(), &[]),
            Self::Dkek {
                shares,
                state: DkekState::Complete(_),
            } => (shares.get(), 0, &[]),
            Self::RandomDkek { .. } => (0, 0, &[]),
            Self::Xkek { uid, .. } => (0, 0, uid),
        };
        [&[shares, outstanding], &kcv[..], uid].concat()
    }
}
