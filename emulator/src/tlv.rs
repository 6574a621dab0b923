//! BER-TLV with definite lengths, as the applet uses it: tags of one or two bytes.
//!
//! ```text
//! tag     1 byte, or 2 bytes when the low five bits of the first are all set
//! length  00..7F | 81 80..FF | 82 0100..FFFF, minimal
//! value   length bytes
//! ```

use crate::status::StatusWord;

/// What was wrong with a TLV structure, and at which byte of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {position}")]
pub struct Error {
    /// What was wrong.
    pub kind: ErrorKind,
    /// Offset of the offending byte from the start of the reader's input.
    pub position: usize,
}

/// The ways in which a TLV structure can be malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The input ended inside a tag, a length or a value.
    #[error("input ends inside an element")]
    Truncated,
    /// A tag of more than two bytes, or a two-byte tag whose second byte is not minimal.
    #[error("unsupported tag")]
    Tag,
    /// An indefinite, over-long or not minimally encoded length.
    #[error("unsupported length")]
    Length,
    /// Another tag was required here.
    #[error("unexpected tag")]
    UnexpectedTag,
    /// Bytes are left over after the last element.
    #[error("trailing bytes")]
    Trailing,
}

/// A malformed data field is 6A80, whatever is wrong with it.
impl From<Error> for StatusWord {
    fn from(_: Error) -> Self {
        Self::WrongData
    }
}

/// A tag of one or two bytes; `0x7F49` stands for the bytes 7F 49.
pub type Tag = u16;

/// One element, borrowed from the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The tag.
    pub tag: Tag,
    /// The value.
    pub value: &'a [u8],
    /// The complete element: tag, length and value, as signatures cover it.
    pub raw: &'a [u8],
}

/// A cursor over a sequence of elements.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `input`.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    /// True when all input has been read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining().is_empty()
    }

    /// The bytes that have not been read yet.
    #[must_use]
    pub fn remaining(&self) -> &'a [u8] {
        self.input.get(self.position..).unwrap_or_default()
    }

    /// Reads the next element, whatever its tag.
    ///
    /// # Errors
    ///
    /// When the next bytes are not a complete, minimally encoded element; the cursor stays.
    pub fn next_element(&mut self) -> Result<Element<'a>, Error> {
        let start = self.position;
        let mut at = Self {
            input: self.input,
            position: start,
        };
        let tag = at.tag()?;
        let length = at.length()?;
        let value = at.take(length)?;
        let raw = self.input.get(start..at.position).unwrap_or_default();
        self.position = at.position;
        Ok(Element { tag, value, raw })
    }

    /// Reads the next element, which must have this tag.
    ///
    /// # Errors
    ///
    /// As [`Reader::next_element`], or [`ErrorKind::UnexpectedTag`]; the cursor stays.
    pub fn expect(&mut self, tag: Tag) -> Result<Element<'a>, Error> {
        let start = self.position;
        let element = self.next_element()?;
        if element.tag != tag {
            self.position = start;
            return Err(Error {
                kind: ErrorKind::UnexpectedTag,
                position: start,
            });
        }
        Ok(element)
    }

    /// Reads the next element if it has this tag.
    ///
    /// # Errors
    ///
    /// As [`Reader::next_element`]; another tag or the end of the input is `None`.
    pub fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut ahead = self.clone();
        let element = ahead.next_element()?;
        if element.tag != tag {
            return Ok(None);
        }
        *self = ahead;
        Ok(Some(element))
    }

    /// Ends the reading: nothing may be left.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Trailing`] when bytes are left.
    pub fn finish(self) -> Result<(), Error> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Error {
                kind: ErrorKind::Trailing,
                position: self.position,
            })
        }
    }

    fn tag(&mut self) -> Result<Tag, Error> {
        let position = self.position;
        let first = self.byte()?;
        if first & 0x1F != 0x1F {
            return Ok(Tag::from(first));
        }
        let second = self.byte()?;
        // A set top bit announces a third byte; a number below 1F fits a one-byte tag.
        if second & 0x80 != 0 || second < 0x1F {
            return Err(Error {
                kind: ErrorKind::Tag,
                position,
            });
        }
        Ok(Tag::from_be_bytes([first, second]))
    }

    fn length(&mut self) -> Result<usize, Error> {
        let position = self.position;
        let length = match self.byte()? {
            short @ 0..=0x7F => return Ok(usize::from(short)),
            0x81 => (usize::from(self.byte()?), 0x80),
            0x82 => (
                usize::from(u16::from_be_bytes([self.byte()?, self.byte()?])),
                0x100,
            ),
            _ => {
                return Err(Error {
                    kind: ErrorKind::Length,
                    position,
                });
            }
        };
        match length {
            (length, minimum) if length >= minimum => Ok(length),
            _ => Err(Error {
                kind: ErrorKind::Length,
                position,
            }),
        }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let truncated = Error {
            kind: ErrorKind::Truncated,
            position: self.position,
        };
        let byte = *self.input.get(self.position).ok_or(truncated)?;
        self.position += 1;
        Ok(byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let truncated = Error {
            kind: ErrorKind::Truncated,
            position: self.position,
        };
        let value = self.remaining().get(..length).ok_or(truncated)?;
        self.position += length;
        Ok(value)
    }
}

/// Builds TLV structures.
///
/// ```
/// use hsm2_emulator::tlv::{Reader, Writer};
///
/// let fci = Writer::new().nested(0x6F, |fci| fci.element(0x82, &[0x78])).into_vec();
/// assert_eq!(fci, [0x6F, 0x03, 0x82, 0x01, 0x78]);
/// assert!(Reader::new(&[0x82, 0x05, 0x00]).next_element().is_err());
/// ```
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty structure.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one element with this value, of at most 65535 bytes.
    #[must_use]
    pub fn element(mut self, tag: Tag, value: &[u8]) -> Self {
        self.header(tag, value.len());
        self.bytes.extend_from_slice(value);
        self
    }

    /// Appends one element whose value the closure builds.
    #[must_use]
    pub fn nested(self, tag: Tag, build: impl FnOnce(Self) -> Self) -> Self {
        let value = build(Self::new()).bytes;
        self.element(tag, &value)
    }

    /// Appends bytes that are already TLV-encoded.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// The bytes built so far.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    fn header(&mut self, tag: Tag, length: usize) {
        match tag.to_be_bytes() {
            [0, low] => self.bytes.push(low),
            two => self.bytes.extend_from_slice(&two),
        }
        let [.., high, low] = length.to_be_bytes();
        match length {
            0..=0x7F => self.bytes.push(low),
            0x80..=0xFF => self.bytes.extend_from_slice(&[0x81, low]),
            _ => self.bytes.extend_from_slice(&[0x82, high, low]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_are_read_with_their_raw_bytes() {
        let bytes = [0x5F, 0x29, 0x01, 0x00, 0x42, 0x02, 0x41, 0x42];
        let mut reader = Reader::new(&bytes);
        let profile = reader.expect(0x5F29).unwrap();
        assert_eq!((profile.value, profile.raw), (&bytes[3..4], &bytes[..4]));
        assert_eq!(reader.optional(0x7F49), Ok(None));
        assert_eq!(reader.optional(0x42).unwrap().unwrap().value, b"AB");
        assert_eq!(reader.optional(0x42), Ok(None));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn malformed_input_is_named_with_its_position() {
        use ErrorKind::*;
        let rows: &[(&str, &[u8], ErrorKind, usize)] = &[
            ("nothing", &[], Truncated, 0),
            ("tag only", &[0x42], Truncated, 1),
            ("half a tag", &[0x7F], Truncated, 1),
            ("three-byte tag", &[0x7F, 0x81, 0x01, 0x00], Tag, 0),
            (
                "two-byte tag for a small number",
                &[0x7F, 0x02, 0x00],
                Tag,
                0,
            ),
            ("indefinite length", &[0x30, 0x80, 0x00, 0x00], Length, 1),
            ("length 81 below 80", &[0x42, 0x81, 0x7F], Length, 1),
            ("length 82 below 100", &[0x42, 0x82, 0x00, 0xFF], Length, 1),
            (
                "three length bytes",
                &[0x42, 0x83, 0x01, 0x00, 0x00],
                Length,
                1,
            ),
            ("half a length", &[0x42, 0x82, 0x01], Truncated, 3),
            ("value too short", &[0x42, 0x03, 0x01, 0x02], Truncated, 2),
        ];
        for (name, bytes, kind, position) in rows {
            let expected = Err(Error {
                kind: *kind,
                position: *position,
            });
            assert_eq!(Reader::new(bytes).next_element(), expected, "{name}");
        }
    }

    #[test]
    fn a_wrong_tag_and_trailing_bytes_are_errors() {
        let mut reader = Reader::new(&[0x80, 0x00]);
        assert_eq!(
            reader.expect(0x81),
            Err(Error {
                kind: ErrorKind::UnexpectedTag,
                position: 0
            })
        );
        assert_eq!(
            reader.clone().finish(),
            Err(Error {
                kind: ErrorKind::Trailing,
                position: 0
            })
        );
        assert!(reader.expect(0x80).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            tag in prop_oneof![Just(0x42u16), Just(0x80), Just(0x5F37), Just(0x7F49)],
            value in proptest::collection::vec(any::<u8>(), 0..700),
        ) {
            let bytes = Writer::new().element(tag, &value).into_vec();
            let mut reader = Reader::new(&bytes);
            let element = reader.expect(tag).unwrap();
            prop_assert_eq!(element.value, &value[..]);
            prop_assert_eq!(element.raw, &bytes[..]);
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn any_input_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            while !reader.is_empty() {
                if reader.next_element().is_err() {
                    break;
                }
            }
        }
    }
}
