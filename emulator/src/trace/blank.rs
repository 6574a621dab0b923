//! Which bytes of an exchange a trace does not show.
//!
//! ```text
//! VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER     data: PINs
//! INITIALIZE DEVICE                                      values of 81 and 82: PINs
//! MANAGE KEY DOMAIN                                      data that may be a key share
//! GENERATE SESSION PIN                                   response
//! DECIPHER                                               response: plaintext or shared secret
//! CIPHER (AES)                                           data and response
//! GET CHALLENGE                                          response: hosts make share passwords
//!                                                        and key shares of it
//! UPDATE and READ BINARY of CDxx                         data and response: private data objects
//! ```
//!
//! A command with such an instruction that is not of its usual form may still hold the secret: a
//! PIN with a wrong class byte, a length that is one off. Then everything behind the header is
//! blank. So it is under secure messaging: a trace beside the device key would be readable.

use std::fmt::Write;
use std::ops::Range;

use super::decode::SECURE_MESSAGING;
use crate::apdu::CommandApdu;
use crate::id::{FileId, FileKind};
use crate::tlv::Reader;

/// Bytes of a command header.
const HEADER: usize = 4;

/// What is blank in one exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blanks {
    /// Byte ranges of the command.
    pub command: Vec<Range<usize>>,
    /// Byte ranges of the response.
    pub response: Vec<Range<usize>>,
}

/// Follows which file is selected, because READ and UPDATE BINARY need not name theirs.
#[derive(Debug, Default)]
pub struct Blanker {
    private_file_selected: bool,
}

/// Which part of the command's data field is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Shown,
    Secret,
    /// The values of tags 81 and 82.
    InitialisationPins,
}

impl Blanker {
    /// Says what to blank; wants every exchange since the last reset, in order.
    #[must_use]
    pub fn blanks(&mut self, command: &[u8], response: &[u8]) -> Blanks {
        let (data, secret_response) = match command.first_chunk() {
            Some(header) => {
                let secrets = self.secrets(*header, command);
                self.follow(*header, command, response);
                secrets
            }
            // Too short to carry anything.
            None => (Data::Shown, false),
        };
        let parsed = CommandApdu::parse(command).ok();
        let start = parsed.map_or(HEADER, |apdu| data_start(command, apdu.data));
        // To the end: with a length that is one off, what looks like Le may be part of a PIN.
        let all = || one(start..command.len());
        let command_blanks = match (data, parsed) {
            (Data::Shown, _) => Vec::new(),
            (Data::InitialisationPins, Some(apdu)) => pins(apdu.data, start).unwrap_or_else(all),
            (Data::Secret | Data::InitialisationPins, _) => all(),
        };
        let response_data = 0..response.len().saturating_sub(2);
        let response_blanks = if secret_response {
            vec![response_data]
        } else {
            Vec::new()
        };
        Blanks {
            command: not_empty(command_blanks),
            response: not_empty(response_blanks),
        }
    }

    fn secrets(&self, [cla, ins, p1, p2]: [u8; HEADER], command: &[u8]) -> (Data, bool) {
        let parsed = CommandApdu::parse(command)
            .ok()
            .filter(|_| matches!(cla, 0x00 | 0x80));
        let secret_unless = |usual: bool| if usual { Data::Shown } else { Data::Secret };
        match ins {
            0x20 | 0x24 | 0x2C => (Data::Secret, false),
            0x50 if cla == 0x80 => (Data::InitialisationPins, false),
            0x50 => (Data::Secret, false),
            0x52 => {
                // A share has 32 bytes and goes with action 00; only what cannot be one is shown.
                let no_share =
                    parsed.is_some_and(|apdu| matches!(p1, 1..=4) && apdu.data.len() != 32);
                (secret_unless(no_share), false)
            }
            0x5A => (
                secret_unless(parsed.is_some_and(|apdu| apdu.data.is_empty())),
                true,
            ),
            // The input is a ciphertext or a public point.
            0x62 => (secret_unless(parsed.is_some() && cla == 0x80), true),
            0x78 => (Data::Secret, true),
            0x84 => (secret_unless(parsed.is_some()), true),
            0xB0 | 0xB1 => (Data::Shown, self.is_private(ins, p1, p2)),
            0xD6 | 0xD7 => {
                let private = self.is_private(ins, p1, p2);
                (secret_unless(parsed.is_some() && !private), private)
            }
            _ => (Data::Shown, false),
        }
    }

    /// Whether READ or UPDATE BINARY with this header is of a private file.
    fn is_private(&self, ins: u8, p1: u8, p2: u8) -> bool {
        named_file(ins, p1, p2).map_or(self.private_file_selected, is_private_file)
    }

    /// Follows which file is the current one: SELECT makes it so, and READ and UPDATE BINARY that
    /// name one. A private file counts from the attempt on; it is left behind only by a command
    /// that succeeds.
    fn follow(&mut self, [cla, ins, p1, p2]: [u8; HEADER], command: &[u8], response: &[u8]) {
        let private = match ins {
            // Which file this selects cannot be seen.
            0xA4 if cla & SECURE_MESSAGING != 0 => Some(true),
            0xA4 => {
                let data = CommandApdu::parse(command).map(|apdu| apdu.data);
                match (p1, data.unwrap_or_default()) {
                    // The applet: no file is current.
                    (0x04, _) => Some(false),
                    (_, [high, low]) => Some(is_private_file(u16::from_be_bytes([*high, *low]))),
                    _ => None,
                }
            }
            0xB0 | 0xB1 | 0xD6 | 0xD7 => named_file(ins, p1, p2).map(is_private_file),
            _ => None,
        };
        // 6282: the file ends before Le.
        let succeeded = matches!(response, [.., 0x90, 0x00] | [.., 0x62, 0x82]);
        match private {
            Some(true) => self.private_file_selected = true,
            Some(false) if succeeded => self.private_file_selected = false,
            _ => {}
        }
    }
}

/// The file that READ or UPDATE BINARY names; `None` for the current one. In the even forms P1P2
/// is an offset.
fn named_file(ins: u8, p1: u8, p2: u8) -> Option<u16> {
    Some(u16::from_be_bytes([p1, p2])).filter(|id| ins % 2 == 1 && *id != 0)
}

fn is_private_file(id: u16) -> bool {
    FileId(id).kind() == FileKind::PrivateData
}

/// Where in the command the data field begins; behind the header when there is none.
fn data_start(command: &[u8], data: &[u8]) -> usize {
    let extended = command.get(HEADER) == Some(&0) && command.len() > HEADER + 3;
    HEADER
        + if data.is_empty() {
            0
        } else if extended {
            3
        } else {
            1
        }
}

/// Where the PINs of INITIALIZE DEVICE lie; `None` when the data field is not what it should be.
fn pins(data: &[u8], start: usize) -> Option<Vec<Range<usize>>> {
    let mut reader = Reader::new(data);
    let mut found = Vec::new();
    while !reader.is_empty() {
        let element = reader.next_element().ok()?;
        let end = start + data.len() - reader.remaining().len();
        match element.tag {
            0x81 | 0x82 => found.push(end - element.value.len()..end),
            0x80 | 0x91..=0x97 => {}
            _ => return None,
        }
    }
    Some(found)
}

fn one(range: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(range).collect()
}

fn not_empty(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges
}

/// Bytes in hexadecimal; blank ones are two stars each.
#[must_use]
pub fn starred(bytes: &[u8], blanks: &[Range<usize>]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for (position, byte) in bytes.iter().enumerate() {
        if blanks.iter().any(|blank| blank.contains(&position)) {
            text.push_str("**");
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
