//! The device key encryption key (DKEK) and what its custodians keep.
//!
//! A DKEK is the exclusive-or of the shares of all its custodians. The card shows a check value of
//! it and derives from it the two keys that protect a wrapped key:
//!
//! ```text
//! DKEK = share 1 XOR share 2 XOR ...          32 bytes
//! KCV  = SHA-256(DKEK), first 8 bytes
//! Kenc = SHA-256(DKEK || 00 00 00 01)         AES-256, encrypts
//! Kmac = SHA-256(DKEK || 00 00 00 02)         AES-256, authenticates
//! ```
//!
//! Source: the vendor's key encoder script; confirmed with a share file and a wrapped key that a
//! genuine Nitrokey HSM 2 made (`vectors/real-tokens.json`).

pub mod kdf;
pub mod shamir;
pub mod share_file;

#[cfg(test)]
mod tests;

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of a DKEK and of each share, in bytes.
pub const SHARE_LEN: usize = 32;

/// Key check value: what a card shows of a key encryption key. Not secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CheckValue(pub [u8; 8]);

impl fmt::Display for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

impl fmt::Debug for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One share, or a whole DKEK: 32 secret bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Dkek([u8; SHARE_LEN]);

impl Dkek {
    /// Takes the 32 bytes over.
    #[must_use]
    pub fn new(bytes: [u8; SHARE_LEN]) -> Self {
        Self(bytes)
    }

    /// Draws a share from the operating system's randomness.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut share = Self([0; SHARE_LEN]);
        getrandom::fill(&mut share.0)?;
        Ok(share)
    }

    /// Combines shares as the card does: exclusive-or, in any order. No share gives 32 zero bytes.
    #[must_use]
    pub fn assemble(shares: &[Self]) -> Self {
        let mut dkek = Self([0; SHARE_LEN]);
        for share in shares {
            for (sum, byte) in dkek.0.iter_mut().zip(&share.0) {
                *sum ^= byte;
            }
        }
        dkek
    }

    /// The value that a card holding this DKEK shows.
    #[must_use]
    pub fn check_value(&self) -> CheckValue {
        let mut digest: [u8; 32] = Sha256::digest(self.0).into();
        let mut kcv = [0; 8];
        kcv.iter_mut()
            .zip(&digest)
            .for_each(|(to, from)| *to = *from);
        digest.zeroize();
        CheckValue(kcv)
    }

    /// The 32 bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8; SHARE_LEN] {
        &self.0
    }

    /// Key that encrypts wrapped keys.
    #[must_use]
    pub fn encryption_key(&self) -> Self {
        self.derive(1)
    }

    /// Key that authenticates wrapped keys.
    #[must_use]
    pub fn mac_key(&self) -> Self {
        self.derive(2)
    }

    fn derive(&self, counter: u32) -> Self {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(counter.to_be_bytes());
        Self(digest.finalize().into())
    }
}

impl PartialEq for Dkek {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Dkek {}

impl fmt::Debug for Dkek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dkek(32 bytes)")
    }
}
