//! ENUMERATE OBJECTS, `80 58`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::id::{FileId, KeyId};
use crate::profile::Profile;
use crate::status::StatusWord;

/// Lists the file identifiers of all objects, 2 bytes each.
///
/// ```text
/// 80 58 00 00 Le      2F02, then files in order of creation, then CC00 and the other keys
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1P2 is not 0000 |
/// | 6700 | there is a data field, or Le is too small for the list |
///
/// Source: the order of a genuine 3.4 token. CC00 must be there: OpenSC takes the first free
/// number for a new key.
#[derive(Debug)]
pub(super) struct EnumerateObjects;

impl Command for EnumerateObjects {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        apdu.expect_p1p2(0, 0)?;
        apdu.expect_no_data()?;
        Ok(Self)
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        let files = card.memory.files().into_iter().map(|(id, _)| id);
        let keys = card.memory.keys().map(|(id, _)| FileId::of_key(id));
        let list = std::iter::once(FileId::DEVICE_CERTIFICATES)
            .chain(files)
            .chain(std::iter::once(FileId::of_key(KeyId::DEVICE)))
            .chain(keys)
            .flat_map(|id| id.0.to_be_bytes())
            .collect();
        Ok(Response::data(list))
    }
}
