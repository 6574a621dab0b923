//! Bytes that must be in no response, and a quick search for them.

use std::collections::{BTreeMap, BTreeSet};

/// Parts with fewer different bytes than this appear by accident.
const VARIETY: usize = 5;

/// Bytes by which parts are found.
type Start = [u8; VARIETY];

/// Secrets of a card, and their quarters.
#[derive(Clone, Debug)]
pub struct Secrets {
    whole: BTreeSet<Vec<u8>>,
    parts: BTreeMap<Start, Vec<Vec<u8>>>,
    /// One bit for each twelve bits that a part begins with: most places of a response are none.
    begins: [u64; 64],
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            whole: BTreeSet::new(),
            parts: BTreeMap::new(),
            begins: [0; 64],
        }
    }
}

impl Secrets {
    /// Adds a secret; false when it is known already.
    pub fn insert(&mut self, secret: &[u8]) -> bool {
        if !self.whole.insert(secret.to_vec()) {
            return false;
        }
        for part in secret.chunks(secret.len().div_ceil(4).max(8)) {
            let different: BTreeSet<_> = part.iter().collect();
            let Some(start) = part.first_chunk::<VARIETY>() else {
                continue;
            };
            if different.len() >= VARIETY {
                let (word, bit) = place(start[0], start[1]);
                self.begins[word] |= bit;
                self.parts.entry(*start).or_default().push(part.to_vec());
            }
        }
        true
    }

    /// True when this secret is known.
    #[must_use]
    pub fn contains(&self, secret: &[u8]) -> bool {
        self.whole.contains(secret)
    }

    /// All parts of secrets in these bytes.
    pub fn parts_in<'s>(&'s self, bytes: &'s [u8]) -> impl Iterator<Item = &'s [u8]> {
        let places = bytes.windows(VARIETY).enumerate();
        places.flat_map(move |(at, window)| {
            let (word, bit) = place(window[0], window[1]);
            let start: Option<&Start> = match self.begins[word] & bit {
                0 => None,
                _ => window.first_chunk(),
            };
            let parts = start.and_then(|start| self.parts.get(start));
            let here = &bytes[at..];
            parts
                .into_iter()
                .flatten()
                .map(Vec::as_slice)
                .filter(move |part| here.starts_with(part))
        })
    }
}

fn place(first: u8, second: u8) -> (usize, u64) {
    let twelve = usize::from(first) << 4 | usize::from(second & 0x0F);
    (twelve / 64, 1 << (twelve % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_quarters_of_keys_and_whole_pins() {
        let mut secrets = Secrets::default();
        let key: Vec<u8> = (100..132).collect();
        assert!(secrets.insert(&key));
        assert!(!secrets.insert(&key));
        assert!(secrets.insert(b"648219"));
        let found = |bytes: &[u8]| secrets.parts_in(bytes).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(found(&key), [8, 8, 8, 8]);
        assert_eq!(found(&[&[0; 9], &key[8..16], &[1]].concat()), [8]);
        assert_eq!(found(&key[8..15]), [0; 0]);
        assert_eq!(found(b"..648219"), [6]);
        assert_eq!(found(b"..64821"), [0; 0]);
    }
}
