//! Key domains as card files keep them: the form is fixed, and can say what is impossible.

use std::num::NonZeroU8;

use serde::{Deserialize, Serialize};

use super::{KEK_LENGTH, Kek, Progress, Share, Uid};
use crate::secret::Secret;

/// The record of a slot. The order of variants and fields is the format.
#[derive(Serialize, Deserialize)]
pub(super) enum KeyDomain {
    Dkek { shares: NonZeroU8, state: State },
    RandomDkek { kek: Option<Kek> },
    Xkek { uid: Vec<u8>, kek: Option<Kek> },
}

#[derive(Serialize, Deserialize)]
pub(super) enum State {
    Pending {
        outstanding: NonZeroU8,
        accumulator: Share,
    },
    Complete(Kek),
}

/// Why a record is none of a key domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// A share, a sum of shares or a KEK has not 32 bytes.
    #[error("a key share or key-encryption key of {0} bytes")]
    Length(usize),
    /// More shares are outstanding than there are.
    #[error("more key shares outstanding than there are")]
    Outstanding,
    /// An XKEK domain has no identifier.
    #[error("an XKEK domain without identifier")]
    Uid,
}

impl TryFrom<KeyDomain> for super::KeyDomain {
    type Error = Impossible;

    fn try_from(stored: KeyDomain) -> Result<Self, Impossible> {
        Ok(match stored {
            KeyDomain::Dkek {
                shares,
                state:
                    State::Pending {
                        outstanding,
                        accumulator,
                    },
            } => Self::PendingDkek {
                progress: Progress::new(shares, outstanding).ok_or(Impossible::Outstanding)?,
                accumulator,
            },
            KeyDomain::Dkek {
                shares,
                state: State::Complete(kek),
            } => Self::CompleteDkek { shares, kek },
            KeyDomain::RandomDkek { kek } => Self::RandomDkek { kek },
            KeyDomain::Xkek { uid, kek } => Self::Xkek {
                uid: Uid::new(uid).ok_or(Impossible::Uid)?,
                kek,
            },
        })
    }
}

impl From<super::KeyDomain> for KeyDomain {
    fn from(domain: super::KeyDomain) -> Self {
        match domain {
            super::KeyDomain::PendingDkek {
                progress,
                accumulator,
            } => Self::Dkek {
                shares: progress.shares(),
                state: State::Pending {
                    outstanding: progress.outstanding(),
                    accumulator,
                },
            },
            super::KeyDomain::CompleteDkek { shares, kek } => Self::Dkek {
                shares,
                state: State::Complete(kek),
            },
            super::KeyDomain::RandomDkek { kek } => Self::RandomDkek { kek },
            super::KeyDomain::Xkek { uid, kek } => Self::Xkek {
                uid: uid.as_bytes().to_vec(),
                kek,
            },
        }
    }
}

impl TryFrom<Secret> for Share {
    type Error = Impossible;

    fn try_from(bytes: Secret) -> Result<Self, Impossible> {
        let bytes = bytes.expose();
        <&[u8; KEK_LENGTH]>::try_from(bytes)
            .map(Self::new)
            .map_err(|_| Impossible::Length(bytes.len()))
    }
}

impl From<Share> for Secret {
    fn from(share: Share) -> Self {
        Self::from(&share.expose()[..])
    }
}

#[cfg(test)]
mod tests;
