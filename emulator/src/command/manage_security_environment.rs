//! MANAGE SECURITY ENVIRONMENT, `00 22`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::profile::Profile;
use crate::secure_messaging::agreement::PROTOCOL;
use crate::status::StatusWord;
use crate::tlv::Reader;

/// Selects the key that the next certificate, request or authentication is verified with, or the
/// protocol of chip authentication.
///
/// ```text
/// 00 22 81 B6 Lc 83 len name      CHR of a trust anchor or of a verified certificate
/// 00 22 81 A4 Lc 83 len name      CHR of a registered key, for EXTERNAL AUTHENTICATE
/// 00 22 41 A4 0C 80 0A oid        protocol, for GENERAL AUTHENTICATE
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1P2 is none of these |
/// | 6700 | no data field |
/// | 6A80 | the data field is not that one object, or the card does not have the protocol |
/// | 6A88 | no such key has this name |
/// | 6985 | the registered key has authenticated in this session |
///
/// Source: the vendor's host, which falls back on 3DES at 6A80.
#[derive(Debug)]
pub(super) enum ManageSecurityEnvironment {
    Verification { name: Vec<u8> },
    Authentication { name: Vec<u8> },
    ChipAuthentication,
}

impl Command for ManageSecurityEnvironment {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        Ok(match (apdu.p1, apdu.p2) {
            (0x81, 0xB6) => Self::Verification {
                name: only_object(apdu, 0x83)?.to_vec(),
            },
            (0x81, 0xA4) => Self::Authentication {
                name: only_object(apdu, 0x83)?.to_vec(),
            },
            (0x41, 0xA4) if only_object(apdu, 0x80)? == PROTOCOL => Self::ChipAuthentication,
            (0x41, 0xA4) => return Err(StatusWord::WrongData),
            _ => return Err(StatusWord::IncorrectP1P2),
        })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        match self {
            Self::Verification { name } => card.select_verification_key(&name)?,
            Self::Authentication { name } => {
                let index = card.find_custodian(&name)?;
                if card.session.has_custodian(index) {
                    return Err(StatusWord::ConditionsNotSatisfied);
                }
                card.session.selected_custodian = Some(index);
            }
            Self::ChipAuthentication => card.session.chip_authentication = true,
        }
        Ok(Response::done())
    }
}

/// The value of the one object that the data field is.
fn only_object<'a>(apdu: &CommandApdu<'a>, tag: u16) -> Result<&'a [u8], StatusWord> {
    apdu.expect_data()?;
    let mut objects = Reader::new(apdu.data);
    let value = objects.expect(tag)?.value;
    objects.finish()?;
    Ok(value)
}
