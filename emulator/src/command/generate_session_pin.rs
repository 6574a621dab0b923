//! GENERATE SESSION PIN, `80 5A`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::memory::Options;
use crate::pin::PinReference;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::session_pin;
use crate::status::StatusWord;

/// Draws a session PIN, or clears it.
///
/// ```text
/// 80 5A 01 81 Le      response: 8 bytes that VERIFY takes in place of the user PIN
/// 80 5A 00 81         clears the session PIN, if there is one (inferred)
/// ```
///
/// What it is good for is said in [`crate::session_pin`]. Hosts send it through the secure channel
/// only; the card does not insist. (inferred)
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1 is neither 00 nor 01 |
/// | 6A88 | P2 is not 81, or there is no user PIN |
/// | 6700 | there is a data field, or no Le or one below 8 for P1 = 01 |
/// | 6982 | the user is not authenticated |
/// | 6985 | INITIALIZE did not enable session PINs |
///
/// Source: OpenSC for the first form and what it returns; the words are inferred.
#[derive(Debug)]
pub(super) enum GenerateSessionPin {
    Clear,
    Generate,
}

impl Command for GenerateSessionPin {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        let command = match apdu.p1 {
            0x00 => Self::Clear,
            0x01 => Self::Generate,
            _ => return Err(StatusWord::IncorrectP1P2),
        };
        if PinReference::from_p2(apdu.p2)? != PinReference::User {
            return Err(StatusWord::ReferencedDataNotFound);
        }
        apdu.expect_no_data()?;
        let wants_response = matches!(command, Self::Generate);
        if wants_response && apdu.ne.is_none_or(|ne| ne < session_pin::LENGTH) {
            // A PIN that nobody is told would be in force.
            return Err(StatusWord::WrongLength);
        }
        Ok(command)
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        if !card.memory.options().has(Options::SESSION_PIN) {
            return Err(StatusWord::ConditionsNotSatisfied);
        }
        card.memory.pin(PinReference::User)?;
        match self {
            Self::Clear => {
                card.clear_session_pin();
                Ok(Response::done())
            }
            Self::Generate => {
                let mut bytes = vec![0; session_pin::LENGTH];
                card.rng.fill_bytes(&mut bytes);
                card.set_session_pin(Secret::from(bytes.as_slice()));
                Ok(Response::data(bytes))
            }
        }
    }
}
