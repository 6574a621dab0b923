//! Definite-length TLV as DER and card files use it: a reader that knows where it stands, a writer.

/// What is wrong with a structure, and at which byte of the whole input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset}: {what}")]
pub struct Malformed {
    /// Byte position from the start of the file, or of the part that the text names.
    pub offset: usize,
    /// What was expected or found.
    pub what: String,
}

impl Malformed {
    /// Puts position and finding together.
    #[must_use]
    pub fn new(offset: usize, what: impl Into<String>) -> Self {
        Self {
            offset,
            what: what.into(),
        }
    }
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// Tag: one byte, or two for tags such as 7F21.
    pub tag: u16,
    /// Where the tag stands.
    pub offset: usize,
    /// Where the content begins.
    pub content_offset: usize,
    /// The content.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// A reader over the content.
    #[must_use]
    pub fn reader(&self) -> Reader<'a> {
        Reader {
            rest: self.content,
            offset: self.content_offset,
        }
    }
}

/// A cursor over bytes; errors carry the position in the whole input.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            offset: 0,
        }
    }

    /// Position of the next byte in the whole input.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// True when nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes `len` bytes.
    ///
    /// # Errors
    /// [`Malformed`] when fewer are left; `what` names what was to be read.
    pub fn take(&mut self, len: usize, what: &str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| {
            let left = self.rest.len();
            Malformed::new(
                self.offset,
                format!("{what} needs {len} bytes, {left} are left"),
            )
        })?;
        self.rest = rest;
        self.offset += len;
        Ok(taken)
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn byte(&mut self, what: &str) -> Result<u8, Malformed> {
        self.take(1, what).map(|taken| taken.iter().copied().sum())
    }

    /// Takes a two-byte big-endian number.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn u16(&mut self, what: &str) -> Result<u16, Malformed> {
        let taken = self.take(2, what)?;
        Ok(taken
            .iter()
            .fold(0, |number, byte| number << 8 | u16::from(*byte)))
    }

    /// Takes one element, whatever its tag.
    ///
    /// # Errors
    /// [`Malformed`] for a truncated element, an indefinite length or one above three bytes.
    pub fn element(&mut self) -> Result<Element<'a>, Malformed> {
        let (start, offset) = (self.rest, self.offset);
        let mut tag = u16::from(self.byte("a tag")?);
        if tag & 0x1f == 0x1f {
            tag = tag << 8 | u16::from(self.byte("the second byte of a tag")?);
        }
        let length_offset = self.offset;
        let first = self.byte("a length")?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x83 => {
                let bytes = self.take(usize::from(first & 0x7f), "a length")?;
                bytes
                    .iter()
                    .fold(0, |number, byte| number << 8 | usize::from(*byte))
            }
            _ => {
                let what = format!("length byte {first:02X}: only definite lengths up to 3 bytes");
                return Err(Malformed::new(length_offset, what));
            }
        };
        let content_offset = self.offset;
        let content = self.take(length, &format!("the content of tag {tag:02X}"))?;
        let raw = start.get(..self.offset - offset).unwrap_or_default();
        Ok(Element {
            tag,
            offset,
            content_offset,
            content,
            raw,
        })
    }

    /// Takes one element that must have the tag.
    ///
    /// # Errors
    /// As [`Reader::element`], and for another tag.
    pub fn expect(&mut self, tag: u16, what: &str) -> Result<Element<'a>, Malformed> {
        let element = self.element()?;
        if element.tag != tag {
            let what = format!("{what} must have tag {tag:02X}, not {:02X}", element.tag);
            return Err(Malformed::new(element.offset, what));
        }
        Ok(element)
    }

    /// Makes sure that nothing is left.
    ///
    /// # Errors
    /// [`Malformed`] with the position of the first byte too many.
    pub fn finish(&self, what: &str) -> Result<(), Malformed> {
        if self.is_empty() {
            return Ok(());
        }
        let what = format!("{} bytes too many after {what}", self.rest.len());
        Err(Malformed::new(self.offset, what))
    }
}

/// Writes one element with the shortest length form.
#[must_use]
pub fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let digits = length.to_be_bytes();
    let digits: Vec<u8> = digits.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match digits.as_slice() {
        [] => out.push(0),
        [short @ 0..0x80] => out.push(*short),
        // At most eight digits, so the count always fits.
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    // The parts may be secret: a growing vector would leave copies behind.
    out.reserve_exact(length);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// Writes an unsigned number as an INTEGER: no leading zero beyond the sign.
#[must_use]
pub fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_none_or(|byte| *byte >= 0x80) {
        &[0]
    } else {
        &[]
    };
    element(0x02, &[sign, digits])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        let head = |len: usize| element(0x04, &[&vec![7; len]])[..].to_vec();
        assert_eq!(head(0), [4, 0]);
        assert_eq!(head(127)[..2], [4, 0x7f]);
        assert_eq!(head(128)[..3], [4, 0x81, 0x80]);
        assert_eq!(head(256)[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn integers_stay_positive_and_minimal() {
        assert_eq!(integer(&[0, 0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0]), [2, 1, 0]);
    }

    #[test]
    fn errors_name_the_position() {
        let at = |bytes: &[u8]| Reader::new(bytes).element().unwrap_err().offset;
        assert_eq!(at(&[]), 0);
        assert_eq!(at(&[0x7f]), 1);
        assert_eq!(at(&[0x30, 0x80]), 1);
        assert_eq!(at(&[0x30, 0x82, 1]), 2);
        assert_eq!(at(&[0x30, 3, 1, 2]), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader::new(&bytes);
            while reader.element().is_ok() {}
            prop_assert!(reader.offset() <= bytes.len());
        }

        #[test]
        fn what_is_written_is_read(tag in 0_u8..0x1f, content in prop::collection::vec(any::<u8>(), 0..300)) {
            let written = element(tag, &[&content]);
            let mut reader = Reader::new(&written);
            let read = reader.element().unwrap();
            prop_assert_eq!(read.tag, u16::from(tag));
            prop_assert_eq!(read.content, &content[..]);
            prop_assert_eq!(read.raw, &written[..]);
            prop_assert!(reader.is_empty());
        }
    }
}
