//! Repeatable randomness for scenarios: the same seed and scenario give the same bytes.

use sha2::{Digest, Sha256};

/// A stream of bytes that follows from a seed and a name.
#[derive(Debug, Clone)]
pub struct Dice {
    seed: [u8; 32],
    drawn: u64,
}

impl Dice {
    /// The stream of this seed and name.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        hash.update(name);
        Self {
            seed: hash.finalize().into(),
            drawn: 0,
        }
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 32);
        while bytes.len() < count {
            let mut hash = Sha256::new();
            hash.update(self.seed);
            hash.update(self.drawn.to_be_bytes());
            self.drawn += 1;
            bytes.extend_from_slice(&hash.finalize());
        }
        bytes.truncate(count);
        bytes
    }

    /// A seed for something that draws by itself.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        seed.copy_from_slice(&self.bytes(32));
        seed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_follows_from_seed_and_name() {
        let mut dice = Dice::new(1, "a");
        let (first, second) = (dice.bytes(40), dice.bytes(40));
        assert_eq!(first.len(), 40);
        assert_ne!(first, second);
        assert_eq!(Dice::new(1, "a").bytes(40), first);
        assert_ne!(Dice::new(2, "a").bytes(40), first);
        assert_ne!(Dice::new(1, "b").bytes(40), first);
    }
}
