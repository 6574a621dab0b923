//! GENERAL AUTHENTICATE, `00 86`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::profile::Profile;
use crate::secure_messaging::agreement::{self, NONCE};
use crate::status::StatusWord;
use crate::tlv::{Reader, Writer};

/// Authenticates the card by its device key and opens a channel for secure messaging.
///
/// ```text
/// 00 86 00 00 Lc 7C { 80 the host's ephemeral point, 04‖x‖y on brainpoolP256r1 } Le
/// response       7C { 81 08 nonce, 82 08 token }
/// ```
///
/// MANAGE SECURITY ENVIRONMENT 41A4 comes before and serves once. The response is the last one
/// that the new channel does not protect; a channel that was open is replaced, and who
/// authenticated through it must do so again. See [`crate::secure_messaging`].
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1P2 is not 0000 |
/// | 6700 | no data field, no Le, or Le is too small for the response |
/// | 6A80 | the data field is not 7C with one object 80, or that is no point of the curve |
/// | 6985 | the protocol was not set |
///
/// Source: the vendor's host for all that is sent; the words are inferred.
#[derive(Debug)]
pub(super) struct GeneralAuthenticate {
    host_point: Vec<u8>,
}

impl Command for GeneralAuthenticate {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        apdu.expect_p1p2(0, 0)?;
        let mut objects = Reader::new(apdu.expect_data()?);
        let mut content = Reader::new(objects.expect(0x7C)?.value);
        objects.finish()?;
        let host_point = content.expect(0x80)?.value.to_vec();
        content.finish()?;
        if apdu.ne.is_none_or(|ne| ne < RESPONSE_LENGTH) {
            // Without the nonce the host has no keys: the channel would shut it out.
            return Err(StatusWord::WrongLength);
        }
        Ok(Self { host_point })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        if !card.session.chip_authentication {
            return Err(StatusWord::ConditionsNotSatisfied);
        }
        let mut nonce = [0; NONCE];
        card.rng.fill_bytes(&mut nonce);
        let device = card.memory.device()?;
        let (channel, token) = agreement::agree(device.key()?, &self.host_point, &nonce)?;
        card.session.chip_authentication = false;
        let binds_login = card.profile.channel_binds_login;
        card.session.open_channel(channel, binds_login);
        let response = Writer::new().nested(0x7C, |content| {
            content.element(0x81, &nonce).element(0x82, &token)
        });
        Ok(Response::data(response.into_vec()))
    }
}

/// Bytes of `7C { 81 08 nonce, 82 08 token }`.
const RESPONSE_LENGTH: usize = 2 + 2 + NONCE + 2 + 8;
