//! The card's random number generator.

use std::convert::Infallible;
use std::fmt;

use chacha20::ChaCha20Rng;
use getrandom::SysRng;
use rand_core::{Rng as _, SeedableRng as _, TryCryptoRng, TryRng};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::Error;

/// `ChaCha20` in counter mode over a 32-byte seed; the state is wiped on drop.
pub struct CardRng(ChaCha20Rng);

impl CardRng {
    /// Seeds from the operating system, once.
    ///
    /// # Errors
    /// [`Error::Random`] when the system has no randomness to give.
    pub fn from_system() -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0u8; 32]);
        SysRng
            .try_fill_bytes(seed.as_mut_slice())
            .map_err(|_| Error::Random)?;
        Ok(Self::from_seed(*seed))
    }

    /// Starts from a known seed: the same seed gives the same bytes, on every machine.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }
}

impl TryRng for CardRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(destination);
        Ok(())
    }
}

impl TryCryptoRng for CardRng {}

impl ZeroizeOnDrop for CardRng {}

impl fmt::Debug for CardRng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardRng(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_bytes_and_others_do_not() {
        let draw = |seed| {
            let mut bytes = [0u8; 100];
            CardRng::from_seed(seed).fill_bytes(&mut bytes);
            bytes
        };
        assert_eq!(draw([7; 32]), draw([7; 32]));
        assert_ne!(draw([7; 32]), draw([8; 32]));
    }

    #[test]
    fn zero_seed_gives_the_chacha20_key_stream() {
        // RFC 8439, appendix A.1, test vector 1: key, nonce and counter all zero.
        let mut bytes = [0u8; 32];
        CardRng::from_seed([0; 32]).fill_bytes(&mut bytes);
        assert_eq!(
            hex::encode(bytes),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        );
    }

    #[test]
    fn the_system_gives_different_seeds() {
        let (mut a, mut b) = (
            CardRng::from_system().unwrap(),
            CardRng::from_system().unwrap(),
        );
        assert_ne!((a.next_u64(), a.next_u64()), (b.next_u64(), b.next_u64()));
    }

    #[test]
    fn debug_shows_nothing_of_the_state() {
        assert_eq!(format!("{:?}", CardRng::from_seed([0; 32])), "CardRng(..)");
    }
}
