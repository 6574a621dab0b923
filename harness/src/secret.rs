//! Secret bytes on the host: wiped when dropped, compared in constant time, never shown.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A byte string that is wiped when dropped and that `Debug` never shows.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Draws `len` bytes from the operating system.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random(len: usize) -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes; it is not secret.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number left-padded with zeros to `width` bytes; leading zeros beyond that are dropped.
    ///
    /// `None` when the number does not fit.
    #[must_use]
    pub fn fitted(&self, width: usize) -> Option<Self> {
        if let Some(excess) = self.len().checked_sub(width) {
            let (head, tail) = self.0.split_at_checked(excess)?;
            return head.iter().all(|byte| *byte == 0).then(|| Self::from(tail));
        }
        let mut bytes = Zeroizing::new(vec![0; width]);
        bytes
            .get_mut(width - self.len()..)?
            .copy_from_slice(&self.0);
        Some(Self(bytes))
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_only() {
        assert_eq!(
            format!("{:?}", Secret::from(&[7; 5][..])),
            "Secret(5 bytes)"
        );
    }

    #[test]
    fn fitting_pads_and_strips_zeros_but_never_digits() {
        let number = Secret::from(&[0, 0, 1, 2][..]);
        assert_eq!(number.fitted(6).unwrap().expose(), [0, 0, 0, 0, 1, 2]);
        assert_eq!(number.fitted(2).unwrap().expose(), [1, 2]);
        assert!(number.fitted(1).is_none());
    }
}
