//! Command APDUs in every form that ISO 7816-3 has, for scenarios that test the forms themselves.

use zeroize::Zeroizing;

/// A command before it is bytes.
///
/// ```
/// use hsm2_harness::apdu::apdu;
///
/// assert_eq!(*apdu(0x0020_0081).bytes(), [0x00, 0x20, 0x00, 0x81]);
/// assert_eq!(*apdu(0x0084_0000).le(8).bytes(), [0x00, 0x84, 0x00, 0x00, 8]);
/// let select = apdu(0x00a4_0000).data([0x2f, 0x02]).le(256);
/// assert_eq!(*select.bytes(), [0x00, 0xa4, 0, 0, 2, 0x2f, 0x02, 0]);
/// let same = select.extended();
/// assert_eq!(*same.bytes(), [0x00, 0xa4, 0, 0, 0, 0, 2, 0x2f, 0x02, 1, 0]);
/// ```
#[derive(Clone)]
pub struct Apdu {
    header: [u8; 4],
    data: Zeroizing<Vec<u8>>,
    le: Option<usize>,
    extended: bool,
}

/// A command without data and Le; `header` is CLA, INS, P1, P2.
#[must_use]
pub fn apdu(header: u32) -> Apdu {
    Apdu {
        header: header.to_be_bytes(),
        data: Zeroizing::default(),
        le: None,
        extended: false,
    }
}

impl Apdu {
    /// With this data field.
    #[must_use]
    pub fn data(mut self, data: impl AsRef<[u8]>) -> Self {
        self.data = Zeroizing::new(data.as_ref().to_vec());
        self
    }

    /// With these parts as data field, one after the other.
    #[must_use]
    pub fn parts(self, parts: &[&[u8]]) -> Self {
        let data = Zeroizing::new(parts.concat());
        self.data(data.as_slice())
    }

    /// Expects at most so many bytes, 1 to 65536; from 257 on the form is extended.
    #[must_use]
    pub fn le(mut self, most: usize) -> Self {
        self.le = Some(most);
        self
    }

    /// Expects whatever comes: an extended Le of 0000.
    #[must_use]
    pub fn all(self) -> Self {
        self.le(65_536)
    }

    /// With P1 replaced, the number of a key in most commands.
    #[must_use]
    pub fn p1(mut self, p1: u8) -> Self {
        self.header[2] = p1;
        self
    }

    /// With P2 replaced, an algorithm in most commands.
    #[must_use]
    pub fn p2(mut self, p2: u8) -> Self {
        self.header[3] = p2;
        self
    }

    /// Writes lengths in the extended form even where the short one fits.
    #[must_use]
    pub fn extended(mut self) -> Self {
        self.extended = true;
        self
    }

    /// The bytes on the wire. Data above 65535 bytes keeps a wrong length, which is an error of the
    /// card to notice.
    #[must_use]
    pub fn bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.data.len() + 9));
        bytes.extend_from_slice(&self.header);
        let extended =
            self.extended || self.data.len() > 255 || self.le.is_some_and(|most| most > 256);
        if extended {
            // One zero byte announces the extended form, whichever length comes first.
            bytes.push(0);
        }
        if !self.data.is_empty() {
            let [high, low] = short(self.data.len());
            if extended {
                bytes.push(high);
            }
            bytes.push(low);
            bytes.extend_from_slice(&self.data);
        }
        if let Some(most) = self.le {
            let [high, low] = short(most);
            if extended {
                bytes.push(high);
            }
            bytes.push(low);
        }
        if extended && self.data.is_empty() && self.le.is_none() {
            // Case 1 has no extended form.
            bytes.pop();
        }
        bytes
    }
}

/// The low sixteen bits; a length of 65536 is written as 0000, one of 256 in a byte as 00.
fn short(length: usize) -> [u8; 2] {
    u16::try_from(length & 0xffff)
        .unwrap_or_default()
        .to_be_bytes()
}

impl std::fmt::Debug for Apdu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let header = hex::encode_upper(self.header);
        write!(f, "{header}, {} bytes", self.data.len())
    }
}

/// Anything that is a command: an [`Apdu`], bytes, or hexadecimal text with spaces.
pub trait Bytes {
    /// The bytes on the wire; `None` for text that is not hexadecimal.
    fn command(&self) -> Option<Zeroizing<Vec<u8>>>;
}

impl Bytes for Apdu {
    fn command(&self) -> Option<Zeroizing<Vec<u8>>> {
        Some(self.bytes())
    }
}

impl Bytes for &Apdu {
    fn command(&self) -> Option<Zeroizing<Vec<u8>>> {
        Some(self.bytes())
    }
}

impl Bytes for &[u8] {
    fn command(&self) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(self.to_vec()))
    }
}

impl Bytes for Vec<u8> {
    fn command(&self) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(self.clone()))
    }
}

impl Bytes for &str {
    fn command(&self) -> Option<Zeroizing<Vec<u8>>> {
        let digits: String = self.split_whitespace().collect();
        hex::decode(digits).ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_seven_forms() {
        let case = |apdu: Apdu| hex::encode(&apdu.bytes()[4..]);
        let base = || apdu(0x8068_0170);
        assert_eq!(case(base()), "");
        assert_eq!(case(base().extended()), "");
        assert_eq!(case(base().le(256)), "00");
        assert_eq!(case(base().le(257)), "000101");
        assert_eq!(case(base().all()), "000000");
        assert_eq!(case(base().data([7, 7])), "020707");
        assert_eq!(case(base().data([7, 7]).extended()), "0000020707");
        assert_eq!(case(base().data([7]).le(1)), "010701");
        assert_eq!(case(base().data([7]).le(512)), "000001070200");
        assert_eq!(case(base().data([7]).all()), "000001070000");
        assert!(case(base().data([7; 256])).starts_with("00010007"));
        assert_eq!(case(base().p1(9).p2(8).le(1)), "01");
        assert_eq!(base().p1(9).p2(8).bytes()[2..], [9, 8]);
    }

    #[test]
    fn text_must_be_hexadecimal() {
        assert_eq!(*"00 A4 04 0C".command().unwrap(), [0, 0xa4, 4, 12]);
        assert_eq!("00 A".command(), None);
    }
}
