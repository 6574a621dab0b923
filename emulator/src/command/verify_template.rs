//! VERIFY of a biometric template, `80 20`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::profile::Profile;
use crate::status::StatusWord;

/// Presents a fingerprint; no card here has templates to compare it with.
///
/// ```text
/// 80 20 00 85 Lc 7F24 ...  template 1, with tag 95 of INITIALIZE DEVICE
/// 80 20 00 86 Lc 7F24 ...  template 2, with tag 96
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1 is not 00 |
/// | 6E00 | P2 is no template: PINs are presented under class 00 |
/// | 6A88 | always: there is no such template |
///
/// Source: hosts of cards without a fingerprint reader expect 6A82 or 6A88; 6A88 is what the status
/// query of class 00 answers. (inferred)
#[derive(Debug)]
pub(super) struct VerifyTemplate;

impl Command for VerifyTemplate {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        match (apdu.p1, apdu.p2) {
            (0x00, 0x85 | 0x86) => Ok(Self),
            (_, 0x85 | 0x86) => Err(StatusWord::IncorrectP1P2),
            _ => Err(StatusWord::ClassNotSupported),
        }
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, _: &mut Context<'_>) -> Result<Response, StatusWord> {
        Err(StatusWord::ReferencedDataNotFound)
    }
}
