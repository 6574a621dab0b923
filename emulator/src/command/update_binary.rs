//! UPDATE BINARY, `00 D6` and `00 D7`.

use super::Command;
use super::read_binary::{offset_in_p1p2, parse_offset};
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::file;
use crate::id::{FileId, FileKind};
use crate::profile::Profile;
use crate::secret::Secret;
use crate::status::StatusWord;
use crate::tlv::Reader;

/// Tag of the data in the odd form.
const DATA: u16 = 0x53;

/// Writes a file and creates it if there is none.
///
/// ```text
/// 00 D7 P1 P2 Lc 54 02 offset(2) 53 len data      P1P2 = FID, or 0000 for the current file
/// ```
///
/// An empty object 53 creates an empty file. The file becomes the current one. Bytes behind the
/// last one written stay, except in EF 2F10, where offset 0 starts a new content. (inferred)
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6700 | no data field |
/// | 6A80 | the data field is not an offset of 2 bytes and a data object |
/// | 6982 | the user PIN was not presented, or nobody may write the file |
/// | 6986 | P1P2 = 0000 and no file is current |
/// | 6B00 | the offset is behind the end of the file |
/// | 6A84 | the file would be too large, or the card's memory is full |
#[derive(Debug)]
pub(super) struct UpdateBinaryOdd {
    p1p2: u16,
    offset: usize,
    data: Secret,
}

impl Command for UpdateBinaryOdd {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        let mut objects = Reader::new(apdu.expect_data()?);
        let offset = parse_offset(&mut objects)?;
        let data = Secret::from(objects.expect(DATA)?.value);
        objects.finish()?;
        Ok(Self {
            p1p2: apdu.p1p2(),
            offset,
            data,
        })
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        write(card, self.p1p2, self.offset, &self.data)
    }
}

/// Writes the current file, offset in P1P2. No host is known to use this form here.
///
/// ```text
/// 00 D6 P1 P2 Lc data      P1P2 = offset, 0000 to 7FFF
/// ```
///
/// # Errors
///
/// As [`UpdateBinaryOdd`], and 6A82 for a short file identifier (bit 8 of P1): no file has one.
#[derive(Debug)]
pub(super) struct UpdateBinary {
    offset: usize,
    data: Secret,
}

impl Command for UpdateBinary {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        let data = Secret::from(apdu.expect_data()?);
        Ok(Self {
            offset: offset_in_p1p2(apdu)?,
            data,
        })
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        write(card, 0, self.offset, &self.data)
    }
}

fn write(
    card: &mut Context<'_>,
    p1p2: u16,
    offset: usize,
    data: &Secret,
) -> Result<Response, StatusWord> {
    let id = card.addressed_file(p1p2)?;
    card.require(file::write_access(id))?;
    let content = overlay(card, id, offset, data.expose())?;
    match id.kind() {
        FileKind::Scratch => card.session.scratch = Some(content),
        _ => {
            card.memory.put_file(id, content);
            card.check_memory()?;
        }
    }
    card.session.current_file = Some(id);
    Ok(Response::done())
}

/// The content of the file with `data` laid over it at `offset`.
fn overlay(
    card: &Context<'_>,
    id: FileId,
    offset: usize,
    data: &[u8],
) -> Result<Secret, StatusWord> {
    let starts_anew = offset == 0 && id.kind() == FileKind::Scratch;
    let old = match card.content(id) {
        Ok(content) if !starts_anew => content,
        Ok(_) | Err(StatusWord::FileNotFound) => &[],
        Err(other) => return Err(other),
    };
    let before = old.get(..offset).ok_or(StatusWord::WrongOffset)?;
    let end = offset + data.len();
    if end > card.profile.file_max {
        return Err(StatusWord::NotEnoughMemory);
    }
    let after = old.get(end..).unwrap_or_default();
    Ok(Secret::new([before, data, after].concat()))
}
