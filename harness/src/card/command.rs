//! Command APDUs as a host writes them, and status words.

use std::fmt;

use zeroize::Zeroizing;

/// What a host expects back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No data: the command carries no Le.
    Nothing,
    /// At most 256 bytes: a short Le of 00 where the data allows it.
    Short,
    /// Exactly so many bytes, 1 to 255: a short Le.
    Bytes(u8),
    /// Whatever comes: an extended Le of 0000.
    All,
}

/// A command before it is bytes.
#[derive(Clone)]
pub struct Command {
    /// What it is for, in the words of a trace.
    pub name: &'static str,
    /// CLA, INS, P1, P2.
    pub header: [u8; 4],
    /// The data field; it may hold a PIN.
    pub data: Zeroizing<Vec<u8>>,
    /// What is expected back.
    pub expect: Expect,
}

impl Command {
    /// A command without data that expects none.
    #[must_use]
    pub fn new(name: &'static str, header: [u8; 4]) -> Self {
        Self {
            name,
            header,
            data: Zeroizing::default(),
            expect: Expect::Nothing,
        }
    }

    /// With this data field.
    #[must_use]
    pub fn data(mut self, data: &[u8]) -> Self {
        self.data = Zeroizing::new(data.to_vec());
        self
    }

    /// With an answer expected.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// The bytes: short lengths where they fit, both extended otherwise.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.data.len() + 9));
        bytes.extend_from_slice(&self.header);
        let short = u8::try_from(self.data.len()).ok();
        match (short, self.expect) {
            (Some(0), Expect::All) => bytes.extend_from_slice(&[0, 0, 0]),
            (Some(length), Expect::Nothing | Expect::Short | Expect::Bytes(_)) => {
                if length > 0 {
                    bytes.push(length);
                    bytes.extend_from_slice(&self.data);
                }
                match self.expect {
                    Expect::Short => bytes.push(0),
                    Expect::Bytes(count) => bytes.push(count),
                    Expect::Nothing | Expect::All => {}
                }
            }
            _ => {
                bytes.push(0);
                // Longer data fits no command; a card answers 6700 to what results.
                let length = u16::try_from(self.data.len()).unwrap_or(u16::MAX);
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(&self.data);
                if self.expect != Expect::Nothing {
                    bytes.extend_from_slice(&[0, 0]);
                }
            }
        }
        bytes
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [cla, ins, p1, p2] = self.header;
        let length = self.data.len();
        write!(
            f,
            "{} {cla:02X}{ins:02X}{p1:02X}{p2:02X}, {length} bytes",
            self.name
        )
    }
}

/// The two bytes that end every response.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// 9000: done.
    pub const OK: Self = Self(0x9000);
    /// 6282: the end of the file came before Le was reached; the data is good.
    pub const END_OF_FILE: Self = Self(0x6282);
    /// 6300: the custodians have not authenticated, or a signature does not verify.
    pub const AUTHENTICATION_FAILED: Self = Self(0x6300);
    /// 6700: wrong length.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// 6982: nobody is authenticated.
    pub const NOT_AUTHENTICATED: Self = Self(0x6982);
    /// 6985: conditions of use not satisfied.
    pub const NOT_SATISFIED: Self = Self(0x6985);
    /// 6A80: wrong data.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// 6A86: wrong P1 or P2.
    pub const WRONG_PARAMETERS: Self = Self(0x6A86);
    /// 6A88: a key, PIN or domain that is referred to is not there.
    pub const NOT_FOUND: Self = Self(0x6A88);
    /// 6A89: there is one already.
    pub const EXISTS: Self = Self(0x6A89);
    /// 6D00: no such function on this card.
    pub const NOT_SUPPORTED: Self = Self(0x6D00);

    /// What it says, in a few words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self.0 {
            0x9000 => "done",
            0x6282 => "end of file",
            0x6300 => "not authenticated",
            0x63C0..=0x63CF => "wrong PIN",
            0x6700 => "wrong length",
            0x6982 => "not logged in",
            0x6983 => "PIN blocked",
            0x6984 => "not usable",
            0x6985 => "conditions not satisfied",
            0x6A80 => "wrong data",
            0x6A81 => "function not allowed for this key",
            0x6A82 => "no such file",
            0x6A84 => "memory full",
            0x6A86 | 0x6B00 => "wrong parameter",
            0x6A88 => "what it refers to is not there",
            0x6A89 => "exists already",
            0x6D00 => "function not set up on this card",
            0x6E00 => "wrong class",
            0x6F00 => "internal error",
            _ => "no common meaning",
        }
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X} ({})", self.0, self.meaning())
    }
}

impl fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short_where_they_fit() {
        let command = |len: usize, expect| {
            let data = vec![7; len];
            let command = Command::new("test", [0x80, 0x72, 1, 0x92]);
            command.data(&data).expect(expect).encode()[4..].to_vec()
        };
        assert!(command(0, Expect::Nothing).is_empty());
        assert_eq!(command(0, Expect::Short), [0]);
        assert_eq!(command(0, Expect::All), [0, 0, 0]);
        assert_eq!(command(2, Expect::Nothing), [2, 7, 7]);
        assert_eq!(command(2, Expect::Short), [2, 7, 7, 0]);
        assert_eq!(command(2, Expect::All), [0, 0, 2, 7, 7, 0, 0]);
        assert_eq!(command(256, Expect::Nothing)[..3], [0, 1, 0]);
        assert_eq!(command(256, Expect::Nothing).len(), 3 + 256);
        assert_eq!(command(256, Expect::Short)[3 + 256..], [0, 0]);
    }

    #[test]
    fn debug_shows_no_data() {
        let verify = Command::new("VERIFY", [0, 0x20, 0, 0x81]).data(b"648219");
        assert_eq!(format!("{verify:?}"), "VERIFY 00200081, 6 bytes");
    }
}
