//! EXTERNAL AUTHENTICATE, `00 82`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::profile::Profile;
use crate::status::StatusWord;

/// Authenticates the custodian whose key is selected.
///
/// ```text
/// 00 82 00 00 Lc r‖s      ECDSA with SHA-256 over CHR of this device ‖ challenge
/// ```
///
/// The challenge is that of the last GET CHALLENGE and serves once, right or wrong.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1P2 is not 0000 |
/// | 6700 | no data field |
/// | 6D00 | INITIALIZE set up no public key authentication |
/// | 6985 | keys are still to be registered, no custodian's key is selected, or there is no challenge of 8 bytes |
/// | 6300 | the signature does not verify |
///
/// Source: the vendor for 6300, for what is signed and for the challenge of 8 bytes. That any other
/// length is as good as none is (inferred): a short challenge would come again, and with it the
/// signature that was once made over it.
#[derive(Debug)]
pub(super) struct ExternalAuthenticate {
    signature: Vec<u8>,
}

impl Command for ExternalAuthenticate {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        apdu.expect_p1p2(0, 0)?;
        Ok(Self {
            signature: apdu.expect_data()?.to_vec(),
        })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        let quorum = card.quorum()?;
        let complete = (0..quorum.total).all(|index| card.memory.custodian(index).is_ok());
        let selected = card.session.selected_custodian.filter(|_| complete);
        let index = selected.ok_or(StatusWord::ConditionsNotSatisfied)?;
        let challenge = card
            .session
            .challenge
            .take()
            .filter(|challenge| challenge.len() == CHALLENGE)
            .ok_or(StatusWord::ConditionsNotSatisfied)?;
        let custodian = card.memory.custodian(index)?;
        if !card.custodian_signed(custodian, challenge.expose(), &self.signature)? {
            return Err(StatusWord::AuthenticationFailed);
        }
        card.session.add_custodian(index);
        Ok(Response::done())
    }
}

/// Length of the challenge that custodians answer, in bytes.
const CHALLENGE: usize = 8;
