//! MANAGE SECURITY ENVIRONMENT, `00 22`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::status::StatusWord;
use crate::tlv::Reader;

/// Selects the key that the next certificate or request is verified with.
///
/// ```text
/// 00 22 81 B6 Lc 83 len name      name: CHR of a trust anchor or of a verified certificate
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1P2 is not 81B6: there is no public key authentication and no secure channel here |
/// | 6700 | no data field |
/// | 6A80 | the data field is not one object 83 |
/// | 6A88 | no trusted key has this name |
#[derive(Debug)]
pub(super) struct ManageSecurityEnvironment {
    name: Vec<u8>,
}

impl Command for ManageSecurityEnvironment {
    fn parse(apdu: &CommandApdu<'_>) -> Result<Self, StatusWord> {
        apdu.expect_p1p2(0x81, 0xB6)?;
        let mut objects = Reader::new(apdu.expect_data()?);
        let name = objects.expect(0x83)?.value.to_vec();
        objects.finish()?;
        Ok(Self { name })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        card.select_verification_key(&self.name)?;
        Ok(Response::done())
    }
}
