//! DELETE FILE, `00 E4`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::file;
use crate::id::{FileId, FileKind, KeyId};
use crate::profile::Profile;
use crate::status::StatusWord;

/// Deletes a file, or the key when it is the file of a key.
///
/// ```text
/// 00 E4 02 P2 02 FID      P2 = 00, or 80 for "without collecting garbage"; the same here
/// ```
///
/// Description, certificate and request of a key are files of their own and stay.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1 or P2 is none of these |
/// | 6700 | the file identifier is not 2 bytes long |
/// | 6982 | the user PIN was not presented, or nobody may delete the file |
/// | 6A82 | no such file |
#[derive(Debug)]
pub(super) struct DeleteFile {
    id: FileId,
}

impl Command for DeleteFile {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        if !matches!((apdu.p1, apdu.p2), (0x02, 0x00 | 0x80)) {
            return Err(StatusWord::IncorrectP1P2);
        }
        let id = <[u8; 2]>::try_from(apdu.data).map_err(|_| StatusWord::WrongLength)?;
        Ok(Self {
            id: FileId(u16::from_be_bytes(id)),
        })
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        match self.id.kind() {
            FileKind::Key(key) if key != KeyId::DEVICE => card.memory.remove_file(self.id)?,
            FileKind::Scratch => {
                card.session
                    .scratch
                    .take()
                    .ok_or(StatusWord::FileNotFound)?;
            }
            _ => {
                card.require(file::write_access(self.id))?;
                card.memory.remove_file(self.id)?;
            }
        }
        if card.session.current_file == Some(self.id) {
            card.session.current_file = None;
        }
        Ok(Response::done())
    }
}
