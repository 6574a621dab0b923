//! Command and response APDUs (ISO/IEC 7816-4 section 5).

use crate::status::StatusWord;

/// Number of bytes a command header has: CLA, INS, P1, P2.
const HEADER: usize = 4;

/// The largest response data field that an extended Le of 0000 stands for.
const NE_EXTENDED: usize = 65536;

/// A command APDU, parsed once; the data field borrows from the bytes received.
///
/// ```text
/// case 1   CLA INS P1 P2
/// case 2   CLA INS P1 P2 Le                  Le: 1 byte, or 00 and 2 bytes
/// case 3   CLA INS P1 P2 Lc data             Lc: 1 byte, or 00 and 2 bytes
/// case 4   CLA INS P1 P2 Lc data Le          Le has 1 byte after a short Lc, 2 after an extended
/// ```
///
/// Extended fields may carry small values: OpenSC sends `80 68 01 70 00 00 20 … 02 00`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CommandApdu<'a> {
    /// Class byte.
    pub cla: u8,
    /// Instruction byte.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Command data field, empty in cases 1 and 2.
    pub data: &'a [u8],
    /// Ne: how many response bytes are accepted at most; `None` when there is no Le field.
    /// An Le of zero is decoded to 256 (short) or 65536 (extended).
    pub ne: Option<usize>,
}

impl<'a> CommandApdu<'a> {
    /// Parses the bytes of one command.
    ///
    /// # Errors
    ///
    /// [`StatusWord::WrongLength`] (6700) for fewer than four bytes, for an Lc that does not
    /// match the data, for an Lc of zero and for bytes that no case explains.
    ///
    /// ```
    /// use hsm2_emulator::{apdu::CommandApdu, status::StatusWord};
    ///
    /// let query = CommandApdu::parse(&[0x00, 0x20, 0x00, 0x81])?;
    /// assert_eq!((query.data, query.ne), (&[][..], None));
    ///
    /// let short_of_data = CommandApdu::parse(&[0x00, 0x20, 0x00, 0x81, 0x06, 0x31]);
    /// assert_eq!(short_of_data, Err(StatusWord::WrongLength));
    /// # Ok::<(), StatusWord>(())
    /// ```
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StatusWord> {
        let (&[cla, ins, p1, p2], body) = bytes
            .split_first_chunk::<HEADER>()
            .ok_or(StatusWord::WrongLength)?;
        let (data, ne) = parse_body(body)?;
        Ok(Self {
            cla,
            ins,
            p1,
            p2,
            data,
            ne,
        })
    }

    /// Ne of a one-byte Le.
    pub(crate) fn short_ne(le: u8) -> usize {
        if le == 0 { 256 } else { usize::from(le) }
    }

    /// Ne of a two-byte Le.
    pub(crate) fn extended_ne(high: u8, low: u8) -> usize {
        match u16::from_be_bytes([high, low]) {
            0 => NE_EXTENDED,
            le => usize::from(le),
        }
    }

    /// P1 and P2 as one big-endian number, for commands that take a file identifier there.
    #[must_use]
    pub fn p1p2(&self) -> u16 {
        u16::from_be_bytes([self.p1, self.p2])
    }

    /// Requires that the response data, if they are wanted at all, are not more than Ne: Le is a
    /// maximum, and a card of this family never answers 6Cxx.
    ///
    /// # Errors
    ///
    /// [`StatusWord::WrongLength`] (6700).
    pub(crate) fn expect_room_for(&self, response: &Response) -> Result<(), StatusWord> {
        match self.ne {
            Some(ne) if response.data.len() > ne => Err(StatusWord::WrongLength),
            _ => Ok(()),
        }
    }
}

/// Shows the length of the data only: it may be a PIN.
impl std::fmt::Debug for CommandApdu<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            cla,
            ins,
            p1,
            p2,
            data,
            ne,
        } = self;
        f.debug_struct("CommandApdu")
            .field("header", &hex::encode_upper([*cla, *ins, *p1, *p2]))
            .field("data", &format_args!("{} bytes", data.len()))
            .field("ne", ne)
            .finish()
    }
}

/// Splits what follows the header into data field and Ne.
fn parse_body(body: &[u8]) -> Result<(&[u8], Option<usize>), StatusWord> {
    match body {
        [] => Ok((&[], None)),
        [le] => Ok((&[], Some(CommandApdu::short_ne(*le)))),
        [0, high, low] => Ok((&[], Some(CommandApdu::extended_ne(*high, *low)))),
        [0, high, low, rest @ ..] => {
            let lc = usize::from(u16::from_be_bytes([*high, *low]));
            let (data, le) = split_data(rest, lc)?;
            match le {
                [] => Ok((data, None)),
                [high, low] => Ok((data, Some(CommandApdu::extended_ne(*high, *low)))),
                _ => Err(StatusWord::WrongLength),
            }
        }
        [lc, rest @ ..] => {
            let (data, le) = split_data(rest, usize::from(*lc))?;
            match le {
                [] => Ok((data, None)),
                [le] => Ok((data, Some(CommandApdu::short_ne(*le)))),
                _ => Err(StatusWord::WrongLength),
            }
        }
    }
}

fn split_data(rest: &[u8], lc: usize) -> Result<(&[u8], &[u8]), StatusWord> {
    if lc == 0 {
        return Err(StatusWord::WrongLength);
    }
    rest.split_at_checked(lc).ok_or(StatusWord::WrongLength)
}

/// A response: data and status word.
///
/// A handler returns it for success and for warnings that carry data; every other outcome is a
/// [`StatusWord`] in the error position of its result.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Response data field.
    pub data: Vec<u8>,
    /// Status word that follows the data.
    pub status: StatusWord,
}

impl Response {
    /// 9000 without data.
    #[must_use]
    pub fn done() -> Self {
        Self::data(Vec::new())
    }

    /// Data with 9000.
    #[must_use]
    pub fn data(data: Vec<u8>) -> Self {
        Self {
            data,
            status: StatusWord::Success,
        }
    }

    /// The bytes as they go over the wire: data ‖ SW1 ‖ SW2.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.data;
        bytes.extend_from_slice(&self.status.to_bytes());
        bytes
    }
}

impl From<StatusWord> for Response {
    fn from(status: StatusWord) -> Self {
        Self {
            data: Vec::new(),
            status,
        }
    }
}

/// Shows the length of the data only: it may be a decrypted plaintext.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("data", &format_args!("{} bytes", self.data.len()))
            .field("status", &self.status)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER_BYTES: [u8; 4] = [0x80, 0x68, 0x01, 0x70];

    fn parse(body: &[u8]) -> Result<(Vec<u8>, Option<usize>), StatusWord> {
        let bytes = [&HEADER_BYTES[..], body].concat();
        let apdu = CommandApdu::parse(&bytes)?;
        assert_eq!([apdu.cla, apdu.ins, apdu.p1, apdu.p2], HEADER_BYTES);
        Ok((apdu.data.to_vec(), apdu.ne))
    }

    #[test]
    fn the_four_cases_short_and_extended() {
        let rows: &[(&str, &[u8], &[u8], Option<usize>)] = &[
            ("case 1", &[], &[], None),
            ("case 2 short", &[0x10], &[], Some(16)),
            ("case 2 short, Le 00", &[0x00], &[], Some(256)),
            ("case 2 extended", &[0, 0x02, 0x00], &[], Some(512)),
            ("case 2 extended, Le 0000", &[0, 0, 0], &[], Some(65536)),
            ("case 3 short", &[2, 0xAA, 0xBB], &[0xAA, 0xBB], None),
            (
                "case 3 extended",
                &[0, 0, 2, 0xAA, 0xBB],
                &[0xAA, 0xBB],
                None,
            ),
            (
                "case 4 short",
                &[2, 0xAA, 0xBB, 0x00],
                &[0xAA, 0xBB],
                Some(256),
            ),
            (
                "case 4 extended",
                &[0, 0, 1, 0xAA, 0x02, 0x00],
                &[0xAA],
                Some(512),
            ),
            (
                "case 4 extended, Le 0000",
                &[0, 0, 1, 0xAA, 0, 0],
                &[0xAA],
                Some(65536),
            ),
        ];
        for (name, body, data, ne) in rows {
            assert_eq!(parse(body), Ok((data.to_vec(), *ne)), "{name}");
        }
    }

    #[test]
    fn bytes_that_no_case_explains_are_a_wrong_length() {
        let rows: &[(&str, &[u8])] = &[
            ("Lc longer than the data", &[3, 0xAA, 0xBB]),
            ("extended Lc longer than the data", &[0, 0, 9, 0xAA]),
            ("two bytes after short data", &[1, 0xAA, 0, 0]),
            ("one byte after extended data", &[0, 0, 1, 0xAA, 0]),
            ("three bytes after extended data", &[0, 0, 1, 0xAA, 0, 0, 0]),
            ("extended Lc of zero", &[0, 0, 0, 0xAA]),
            ("half an extended length", &[0, 0x10]),
        ];
        for (name, body) in rows {
            assert_eq!(parse(body), Err(StatusWord::WrongLength), "{name}");
        }
        for length in 0..HEADER {
            let bytes = HEADER_BYTES.get(..length).unwrap();
            assert_eq!(
                CommandApdu::parse(bytes),
                Err(StatusWord::WrongLength),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn the_longest_extended_command_parses() {
        let mut body = vec![0, 0xFF, 0xFF];
        body.resize(3 + 65535, 0x5A);
        body.extend_from_slice(&[0, 0]);
        let (data, ne) = parse(&body).unwrap();
        assert_eq!((data.len(), ne), (65535, Some(65536)));
    }

    #[test]
    fn debug_hides_command_data() {
        let verify = [&[0x00, 0x20, 0x00, 0x81, 0x06][..], b"648219"].concat();
        let shown = format!("{:?}", CommandApdu::parse(&verify).unwrap());
        assert_eq!(
            shown,
            r#"CommandApdu { header: "00200081", data: 6 bytes, ne: None }"#
        );
    }

    #[test]
    fn debug_hides_response_data() {
        let shown = format!("{:?}", Response::data(vec![0xAB; 4]));
        assert!(
            shown.contains("4 bytes") && !shown.to_lowercase().contains("ab, "),
            "{shown}"
        );
    }
}
