//! Bytes that must be in no response, and a quick search for them.

use std::collections::{BTreeSet, HashSet};

/// So many bytes of a secret in a row are a leak, wherever they begin.
const WINDOW: usize = 8;

/// Parts with fewer different bytes than this appear by accident.
const VARIETY: usize = 5;

/// One bit for each value of two bytes.
const BEGINNINGS: usize = 0x1_0000 / 64;

/// Secrets of a card, and all their parts of eight bytes.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    whole: BTreeSet<Vec<u8>>,
    windows: HashSet<[u8; WINDOW]>,
    /// Those that are shorter than a window: they leak as a whole. Looked up by their hash, too: a
    /// fuzzer sees what bytes are compared, and would make what a card answers the next run's PIN.
    short: HashSet<Vec<u8>>,
    /// Which two bytes a part begins with, one bit each: most places of a response are none. Empty
    /// while there is no secret.
    begins: Vec<u64>,
}

impl Secrets {
    /// Adds a secret; false when it is known already.
    pub fn insert(&mut self, secret: &[u8]) -> bool {
        if !self.whole.insert(secret.to_vec()) {
            return false;
        }
        if secret.len() < WINDOW {
            if varied(secret) {
                self.begin(secret);
                self.short.insert(secret.to_vec());
            }
            return true;
        }
        for window in secret.windows(WINDOW).filter(|window| varied(window)) {
            self.begin(window);
            self.windows.extend(window.first_chunk::<WINDOW>());
        }
        true
    }

    /// Adds all secrets of others.
    pub fn extend(&mut self, others: &Self) {
        for secret in &others.whole {
            self.insert(secret);
        }
    }

    fn begin(&mut self, part: &[u8]) {
        if let Some(start) = part.first_chunk() {
            self.begins.resize(BEGINNINGS, 0);
            let (word, bit) = place(*start);
            self.begins[word] |= bit;
        }
    }

    /// True when this secret is known.
    #[must_use]
    pub fn contains(&self, secret: &[u8]) -> bool {
        self.whole.contains(secret)
    }

    /// All parts of secrets in these bytes.
    pub fn parts_in<'s>(&'s self, bytes: &'s [u8]) -> impl Iterator<Item = &'s [u8]> {
        let searched = if self.begins.is_empty() { &[] } else { bytes };
        searched
            .windows(2)
            .enumerate()
            .filter_map(move |(at, two)| {
                let (word, bit) = place([two[0], two[1]]);
                if self.begins[word] & bit == 0 {
                    return None;
                }
                let here = &searched[at..];
                let window = here
                    .first_chunk()
                    .filter(|window| self.windows.contains(*window));
                window.map(<[u8; WINDOW]>::as_slice).or_else(|| {
                    (VARIETY..WINDOW)
                        .filter_map(|length| here.get(..length))
                        .find(|part| self.short.contains(*part))
                })
            })
    }
}

fn varied(part: &[u8]) -> bool {
    part.iter().collect::<BTreeSet<_>>().len() >= VARIETY
}

fn place(start: [u8; 2]) -> (usize, u64) {
    let both = usize::from(u16::from_be_bytes(start));
    (both / 64, 1 << (both % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_eight_bytes_of_keys_wherever_they_begin_and_whole_pins() {
        let mut secrets = Secrets::default();
        assert_eq!(secrets.parts_in(&[1; 40]).count(), 0);
        let key: Vec<u8> = (100..132).collect();
        assert!(secrets.insert(&key));
        assert!(!secrets.insert(&key));
        assert!(secrets.insert(b"648219"));
        let found = |bytes: &[u8]| secrets.parts_in(bytes).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(found(&key), [8; 25]);
        for begin in 0..=24 {
            let leak = [&[0; 9], &key[begin..begin + 8], &[1]].concat();
            assert_eq!(found(&leak), [8], "from byte {begin}");
            assert_eq!(found(&key[begin..begin + 7]), [0; 0]);
        }
        assert_eq!(found(b"..648219"), [6]);
        assert_eq!(found(b"..64821"), [0; 0]);
    }
}
