//! READ BINARY, `00 B0` and `00 B1`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::file;
use crate::profile::Profile;
use crate::status::StatusWord;
use crate::tlv::Reader;

/// Tag of the offset in the odd form.
pub(super) const OFFSET: u16 = 0x54;

/// Reads a file, offset in a data object.
///
/// ```text
/// 00 B1 P1 P2 04 54 02 offset(2) Le      P1P2 = FID, or 0000 for the current file
/// ```
///
/// The response is the plain content. The file read becomes the current one.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6700 | no data field or no Le |
/// | 6A80 | the data field is not one offset of 2 bytes |
/// | 6986 | P1P2 = 0000 and no file is current |
/// | 6982 | the file may not be read: a key, or a private data object without the user PIN |
/// | 6A82 | no such file |
/// | 6282 | fewer than Le bytes from the offset; they are returned, none behind the end |
///
/// Source: genuine tokens for 6282 with data; the vendor's host reads until 6282 without data.
#[derive(Debug)]
pub(super) struct ReadBinaryOdd {
    p1p2: u16,
    offset: usize,
    ne: usize,
}

impl Command for ReadBinaryOdd {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        let mut data = Reader::new(apdu.expect_data()?);
        let offset = parse_offset(&mut data)?;
        data.finish()?;
        let ne = apdu.ne.ok_or(StatusWord::WrongLength)?;
        Ok(Self {
            p1p2: apdu.p1p2(),
            offset,
            ne,
        })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        read(card, self.p1p2, self.offset, self.ne)
    }
}

/// Reads the offset object `54 02 offset`.
pub(super) fn parse_offset(data: &mut Reader<'_>) -> Result<usize, StatusWord> {
    let offset = data.expect(OFFSET)?.value;
    let offset = <[u8; 2]>::try_from(offset).map_err(|_| StatusWord::WrongData)?;
    Ok(usize::from(u16::from_be_bytes(offset)))
}

/// Reads the current file, offset in P1P2. No host is known to use this form here.
///
/// ```text
/// 00 B0 P1 P2 Le      P1P2 = offset, 0000 to 7FFF
/// ```
///
/// # Errors
///
/// As [`ReadBinaryOdd`], and 6A82 for a short file identifier (bit 8 of P1): no file has one.
#[derive(Debug)]
pub(super) struct ReadBinary {
    offset: usize,
    ne: usize,
}

impl Command for ReadBinary {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        apdu.expect_no_data()?;
        let offset = offset_in_p1p2(apdu)?;
        let ne = apdu.ne.ok_or(StatusWord::WrongLength)?;
        Ok(Self { offset, ne })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        read(card, 0, self.offset, self.ne)
    }
}

/// The offset of the even forms: 15 bits of P1P2.
pub(super) fn offset_in_p1p2(apdu: &CommandApdu<'_>) -> Result<usize, StatusWord> {
    if apdu.p1 & 0x80 != 0 {
        return Err(StatusWord::FileNotFound);
    }
    Ok(usize::from(apdu.p1p2()))
}

fn read(
    card: &mut Context<'_>,
    p1p2: u16,
    offset: usize,
    ne: usize,
) -> Result<Response, StatusWord> {
    let id = card.addressed_file(p1p2)?;
    card.require(file::read_access(id))?;
    let rest = card.content(id)?.get(offset..).unwrap_or_default();
    let response = match rest.get(..ne) {
        Some(block) => Response::data(block.to_vec()),
        None => Response {
            data: rest.to_vec(),
            status: StatusWord::EndOfFile,
        },
    };
    card.session.current_file = Some(id);
    Ok(response)
}
