//! MANAGE SECURITY ENVIRONMENT, `00 22`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::status::StatusWord;
use crate::tlv::Reader;

/// Selects the key that the next certificate, request or authentication is verified with.
///
/// ```text
/// 00 22 81 B6 Lc 83 len name      CHR of a trust anchor or of a verified certificate
/// 00 22 81 A4 Lc 83 len name      CHR of a registered key, for EXTERNAL AUTHENTICATE
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1P2 is neither 81B6 nor 81A4 |
/// | 6700 | no data field |
/// | 6A80 | the data field is not one object 83 |
/// | 6A88 | no such key has this name |
/// | 6985 | the registered key has authenticated in this session |
///
/// Chip authentication, 41A4, belongs to the secure channel, which this card does not have.
#[derive(Debug)]
pub(super) struct ManageSecurityEnvironment {
    purpose: Purpose,
    name: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Purpose {
    Verification,
    Authentication,
}

impl Command for ManageSecurityEnvironment {
    fn parse(apdu: &CommandApdu<'_>) -> Result<Self, StatusWord> {
        let purpose = match (apdu.p1, apdu.p2) {
            (0x81, 0xB6) => Purpose::Verification,
            (0x81, 0xA4) => Purpose::Authentication,
            _ => return Err(StatusWord::IncorrectP1P2),
        };
        let mut objects = Reader::new(apdu.expect_data()?);
        let name = objects.expect(0x83)?.value.to_vec();
        objects.finish()?;
        Ok(Self { purpose, name })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        match self.purpose {
            Purpose::Verification => card.select_verification_key(&self.name)?,
            Purpose::Authentication => {
                let index = card.find_custodian(&self.name)?;
                if card.session.custodians.contains(&index) {
                    return Err(StatusWord::ConditionsNotSatisfied);
                }
                card.session.selected_custodian = Some(index);
            }
        }
        Ok(Response::done())
    }
}
