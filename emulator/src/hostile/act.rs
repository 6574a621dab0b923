//! Changes to one response.

use super::script::{Action, Lie, Word};

/// No response gets longer than a frame to the reader can be.
const LONGEST: usize = 0xFFFF;

/// A word that is answered again and again, and what comes in the end.
pub(super) struct Storm {
    word: Word,
    left: u32,
    response: Vec<u8>,
}

impl Storm {
    /// The word so many times, then the response.
    pub(super) fn new(word: Word, count: u32, response: Vec<u8>) -> Self {
        Self {
            word,
            left: count,
            response,
        }
    }

    /// The next response, and the storm unless that was the last one.
    pub(super) fn next(self) -> (Vec<u8>, Option<Self>) {
        match self.left.checked_sub(1) {
            Some(left) => (self.word.to_bytes(), Some(Self { left, ..self })),
            None => (self.response, None),
        }
    }
}

/// Splits a response before its status word.
pub(super) fn split(response: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let at = response.len().saturating_sub(2);
    let (data, word) = response.split_at_checked(at).unwrap_or_default();
    (data.to_vec(), word.to_vec())
}

/// Changes the bytes of a response.
pub(super) fn change(action: &Action, response: &mut Vec<u8>) {
    let (mut data, mut word) = split(response);
    match action {
        Action::Status(other) => word = other.to_bytes(),
        Action::Data(other) => data.clone_from(&other.0),
        Action::Append(more) => data.extend_from_slice(&more.0),
        Action::Flip(at, mask) => {
            if let (Some(byte), Some(mask)) = (data.get_mut(*at), mask.0.first()) {
                *byte ^= mask;
            }
        }
        Action::Length(lie) => data = mislead(&data, *lie),
        Action::Nest(times) => data = nest(&data, *times, LONGEST - word.len()),
        Action::Replace(other) => {
            response.clone_from(&other.0);
            return;
        }
        Action::Cut(length) => {
            response.truncate(*length);
            return;
        }
        _ => return,
    }
    data.extend_from_slice(&word);
    *response = data;
}

/// Wraps data into objects 7F4E, as long as they have room.
fn nest(data: &[u8], times: u16, room: usize) -> Vec<u8> {
    // Written from the innermost byte outwards: thousands of levels take one copy of the data.
    let mut inside_out: Vec<u8> = data.iter().rev().copied().collect();
    for _ in 0..times {
        let length = definite(inside_out.len());
        if inside_out.len() + 2 + length.len() > room {
            break;
        }
        inside_out.extend(length.iter().rev());
        inside_out.extend([0x4E, 0x7F]);
    }
    inside_out.reverse();
    inside_out
}

/// Rewrites the length of the first data object.
pub(super) fn mislead(data: &[u8], lie: Lie) -> Vec<u8> {
    let mut reader = crate::tlv::Reader::new(data);
    let Ok(element) = reader.next_element() else {
        return data.to_vec();
    };
    let tag_length = if element.tag > 0xFF { 2 } else { 1 };
    let tag = element.raw.get(..tag_length).unwrap_or_default();
    let length = element.value.len();
    let length = match lie {
        Lie::Long => definite(length + 1),
        Lie::Short => definite(length.saturating_sub(1)),
        Lie::Huge => vec![0x84, 0xFF, 0xFF, 0xFF, 0xFF],
        Lie::Endless => vec![0x80],
    };
    [tag, &length, element.value, reader.remaining()].concat()
}

fn definite(length: usize) -> Vec<u8> {
    match length {
        ..0x80 => vec![u8::try_from(length).unwrap_or(0)],
        0x80..0x100 => vec![0x81, u8::try_from(length).unwrap_or(0)],
        _ => {
            let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
            vec![0x82, high, low]
        }
    }
}
