//! Frames of the vpcd protocol.
//!
//! ```text
//! length   2 bytes, big endian, of the payload
//! payload  one byte from reader to card: a control code; anything longer: a command APDU
//!          from card to reader: the answer to reset or a response APDU
//! ```

use zeroize::{Zeroize, Zeroizing};

/// Bytes before the payload.
const PREFIX: usize = 2;

/// The longest frame with its prefix.
const LONGEST: usize = PREFIX + 0xFFFF;

/// Room for a frame of common size; a longer one makes the buffer grow to what it says it needs.
const COMMON: usize = 4096;

/// A message from reader to card.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// 00: the reader takes the power away.
    PowerOff,
    /// 01: the reader applies power.
    PowerOn,
    /// 02: the reader resets the card.
    Reset,
    /// 04: the reader wants the answer to reset, the only control code that has an answer.
    GetAtr,
    /// A command APDU of two bytes or more, or fewer than a header has.
    Command(&'a [u8]),
    /// An empty frame or an unknown control code: ignored, as there is nothing to answer.
    Nothing,
}

impl<'a> Message<'a> {
    /// Interprets a payload.
    #[must_use]
    pub fn of(payload: &'a [u8]) -> Self {
        match payload {
            [0x00] => Self::PowerOff,
            [0x01] => Self::PowerOn,
            [0x02] => Self::Reset,
            [0x04] => Self::GetAtr,
            [] | [_] => Self::Nothing,
            command => Self::Command(command),
        }
    }
}

/// Shows the length of a command only: it may carry a PIN.
impl std::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PowerOff => f.write_str("PowerOff"),
            Self::PowerOn => f.write_str("PowerOn"),
            Self::Reset => f.write_str("Reset"),
            Self::GetAtr => f.write_str("GetAtr"),
            Self::Command(command) => write!(f, "Command({} bytes)", command.len()),
            Self::Nothing => f.write_str("Nothing"),
        }
    }
}

/// Collects bytes until they are a frame; bytes that were used are wiped.
pub struct Inbox {
    buffer: Zeroizing<Vec<u8>>,
    filled: usize,
}

impl Inbox {
    /// An empty inbox.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffer: Zeroizing::new(vec![0; COMMON]),
            filled: 0,
        }
    }

    /// The payload of the first frame, once all of it is there.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        self.buffer
            .get(PREFIX..self.frame_length()?)
            .filter(|_| self.is_complete())
    }

    /// Drops the first frame.
    pub fn consume(&mut self) {
        let used = self.frame_length().unwrap_or(0).min(self.filled);
        self.buffer.copy_within(used..self.filled, 0);
        let rest = self.filled - used;
        if let Some(freed) = self.buffer.get_mut(rest..self.filled) {
            freed.zeroize();
        }
        self.filled = rest;
    }

    /// True between two frames: nothing of the next one has arrived.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Room for more bytes; never empty while the first frame is incomplete.
    pub fn room(&mut self) -> &mut [u8] {
        let needed = self.frame_length().unwrap_or(PREFIX).min(LONGEST);
        if needed > self.buffer.len() {
            // Not resized in place: the old allocation is to be wiped, not just freed.
            let mut larger = Zeroizing::new(vec![0; needed]);
            let (start, _) = larger.split_at_mut(self.buffer.len());
            start.copy_from_slice(&self.buffer);
            self.buffer = larger;
        }
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// Says that this many bytes were written to [`Inbox::room`].
    pub fn received(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.buffer.len());
    }

    fn is_complete(&self) -> bool {
        self.frame_length()
            .is_some_and(|length| length <= self.filled)
    }

    /// Length of the first frame with its prefix, once the prefix is there.
    fn frame_length(&self) -> Option<usize> {
        let received = self.buffer.get(..self.filled)?;
        received
            .first_chunk::<PREFIX>()
            .map(|length| PREFIX + usize::from(u16::from_be_bytes(*length)))
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows lengths only: commands carry PINs.
impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox")
            .field("filled", &self.filled)
            .finish_non_exhaustive()
    }
}

/// Puts a payload into a frame, so that it leaves in one write.
///
/// A payload that no frame can hold becomes 6F00: a card never makes one.
#[must_use]
pub fn framed(payload: &[u8]) -> Zeroizing<Vec<u8>> {
    let (length, payload) = match u16::try_from(payload.len()) {
        Ok(length) => (length, payload),
        Err(_) => (2, &[0x6F, 0x00][..]),
    };
    let mut frame = Zeroizing::new(Vec::with_capacity(PREFIX + payload.len()));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn receive(inbox: &mut Inbox, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        while !bytes.is_empty() {
            let room = inbox.room();
            assert!(!room.is_empty(), "no room although no frame is complete");
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            inbox.received(count);
            bytes = &bytes[count..];
            while let Some(payload) = inbox.payload() {
                payloads.push(payload.to_vec());
                inbox.consume();
            }
        }
        payloads
    }

    #[test]
    fn control_codes_are_single_bytes() {
        let rows: &[(&[u8], Message<'_>)] = &[
            (&[], Message::Nothing),
            (&[0x00], Message::PowerOff),
            (&[0x01], Message::PowerOn),
            (&[0x02], Message::Reset),
            (&[0x03], Message::Nothing),
            (&[0x04], Message::GetAtr),
            (&[0xFF], Message::Nothing),
            (&[0x04, 0x04], Message::Command(&[0x04, 0x04])),
        ];
        for (payload, message) in rows {
            assert_eq!(Message::of(payload), *message, "{payload:02X?}");
        }
    }

    #[test]
    fn debug_shows_no_command() {
        let verify = [&[0x00, 0x20, 0x00, 0x81, 0x06][..], b"648219"].concat();
        let shown = format!("{:?}", Message::of(&verify));
        assert_eq!(shown, "Command(11 bytes)");
        assert_eq!(format!("{:?}", Message::of(&[0x04])), "GetAtr");
    }

    #[test]
    fn the_longest_frame_fits_and_is_wiped_after_use() {
        let mut inbox = Inbox::new();
        let payload = vec![0x5A; 0xFFFF];
        assert_eq!(receive(&mut inbox, &framed(&payload)), [payload]);
        assert!(inbox.is_empty());
        assert!(
            inbox.buffer.iter().all(|byte| *byte == 0),
            "a command stayed in memory"
        );
        assert_eq!(inbox.buffer.len(), LONGEST);
    }

    #[test]
    fn what_no_frame_can_hold_is_an_internal_error() {
        assert_eq!(framed(&vec![0; 0x1_0000]).as_slice(), [0, 2, 0x6F, 0x00]);
        assert_eq!(framed(&[0x90, 0x00]).as_slice(), [0, 2, 0x90, 0x00]);
    }

    proptest! {
        #[test]
        fn frames_survive_any_fragmentation(
            payloads in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..6000), 0..5),
            cut in 1usize..700,
        ) {
            let stream: Vec<u8> = payloads.iter().flat_map(|payload| framed(payload).to_vec()).collect();
            let mut inbox = Inbox::new();
            let received: Vec<_> =
                stream.chunks(cut).flat_map(|chunk| receive(&mut inbox, chunk)).collect();
            prop_assert_eq!(received, payloads);
            prop_assert!(inbox.is_empty());
        }
    }
}
