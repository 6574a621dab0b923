//! Random changes to responses that know TLV.

use rand_core::CryptoRng;

use super::act::{mislead, split};
use super::script::Lie;
use crate::tlv::{Reader, Writer};

/// Changes some responses at random; the same random numbers make the same changes.
pub struct Mutator {
    rng: Box<dyn CryptoRng + Send>,
    percent: u8,
}

impl Mutator {
    /// Changes so many responses of a hundred.
    #[must_use]
    pub fn new(rng: Box<dyn CryptoRng + Send>, percent: u8) -> Self {
        Self { rng, percent }
    }

    /// The response, or another.
    pub(super) fn mutate(&mut self, response: Vec<u8>) -> Vec<u8> {
        if self.below(100) >= usize::from(self.percent) {
            return response;
        }
        // Every choice can differ from every response, sooner or later.
        loop {
            let changed = self.changed(&response);
            if changed != response {
                return changed;
            }
        }
    }

    /// Another response, or by chance the same.
    fn changed(&mut self, response: &[u8]) -> Vec<u8> {
        let (data, word) = split(response);
        // Without data there is nothing to take apart.
        let choices = if data.is_empty() { 3 } else { 12 };
        match self.below(choices) {
            0 => [data, self.word()].concat(),
            1 => {
                // vpcd's protocol has no empty response: a reader would wait behind it for ever.
                let kept = 1 + self.below(response.len().saturating_sub(1));
                response.get(..kept).unwrap_or_default().to_vec()
            }
            2 => [data, vec![0; self.below(300)], word].concat(),
            3 => [self.flipped(data), word].concat(),
            _ => [self.tree(&data, 0), word].concat(),
        }
    }

    /// Changes one of a sequence of data objects, or something inside it.
    fn tree(&mut self, data: &[u8], depth: usize) -> Vec<u8> {
        let objects = objects(data);
        let chosen = self.below(objects.len().max(1));
        let Some(object) = objects.get(chosen) else {
            return self.flipped(data.to_vec());
        };
        if depth < 6 && self.below(2) == 0 && !self::objects(object.1).is_empty() {
            let inner = self.tree(object.1, depth + 1);
            return replaced(&objects, chosen, &element(object.0, &inner));
        }
        let raw = element(object.0, object.1);
        let changed = match self.below(9) {
            0 => mislead(&raw, Lie::Long),
            1 => mislead(&raw, Lie::Short),
            2 => mislead(&raw, Lie::Huge),
            3 => mislead(&raw, Lie::Endless),
            4 => Vec::new(),
            5 => [&raw[..], &raw].concat(),
            6 => element(object.0, &vec![0x41; self.below(2000)]),
            7 => self.retagged(raw, object.0),
            _ => element(object.0, &self.flipped(object.1.to_vec())),
        };
        replaced(&objects, chosen, &changed)
    }

    /// Flips a bit of the tag.
    fn retagged(&mut self, mut raw: Vec<u8>, tag: u16) -> Vec<u8> {
        let length = if tag > 0xFF { 2 } else { 1 };
        let rest = raw.split_off(length.min(raw.len()));
        [self.flipped(raw), rest].concat()
    }

    fn flipped(&mut self, mut data: Vec<u8>) -> Vec<u8> {
        let (at, bit) = (self.below(data.len().max(1)), self.below(8));
        if let Some(byte) = data.get_mut(at) {
            *byte ^= 1 << bit;
        }
        data
    }

    /// A status word that a card may answer.
    fn word(&mut self) -> Vec<u8> {
        const WORDS: [[u8; 2]; 10] = [
            [0x61, 0x00],
            [0x6C, 0x10],
            [0x62, 0x82],
            [0x63, 0xC0],
            [0x64, 0x00],
            [0x65, 0x81],
            [0x69, 0x82],
            [0x6A, 0x88],
            [0x6F, 0x00],
            [0x00, 0x00],
        ];
        let chosen = self.below(WORDS.len());
        WORDS.get(chosen).copied().unwrap_or_default().to_vec()
    }

    /// A number below the bound, which is small: the bias does not matter here.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.next_u32()).unwrap_or(0) % bound.max(1)
    }
}

/// The data objects that the data begin with: tag and value.
fn objects(data: &[u8]) -> Vec<(u16, &[u8])> {
    let mut reader = Reader::new(data);
    let mut found = Vec::new();
    while let Ok(element) = reader.next_element() {
        found.push((element.tag, element.value));
    }
    if reader.is_empty() { found } else { Vec::new() }
}

fn element(tag: u16, value: &[u8]) -> Vec<u8> {
    Writer::new().element(tag, value).into_vec()
}

fn replaced(objects: &[(u16, &[u8])], chosen: usize, by: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for (index, (tag, value)) in objects.iter().enumerate() {
        if index == chosen {
            all.extend_from_slice(by);
        } else {
            all.extend_from_slice(&element(*tag, value));
        }
    }
    all
}

impl std::fmt::Debug for Mutator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mutator")
            .field("percent", &self.percent)
            .finish_non_exhaustive()
    }
}
