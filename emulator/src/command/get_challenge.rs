//! GET CHALLENGE, `00 84`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::status::StatusWord;

/// Returns Le random bytes, at most as many as the profile allows in one answer.
///
/// ```text
/// 00 84 00 00 Le
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1P2 is not 0000 |
/// | 6700 | there is a data field, or no Le |
#[derive(Debug)]
pub(super) struct GetChallenge {
    length: usize,
}

impl Command for GetChallenge {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        apdu.expect_p1p2(0, 0)?;
        apdu.expect_no_data()?;
        Ok(Self {
            length: apdu.ne.ok_or(StatusWord::WrongLength)?,
        })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        let mut challenge = vec![0; self.length.min(card.profile.challenge_max)];
        card.rng.fill_bytes(&mut challenge);
        card.session.challenge = Some(Secret::from(&challenge[..]));
        Ok(Response::data(challenge))
    }
}
