//! MANAGE PUBLIC KEY AUTHENTICATION, `80 54`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::cvc::tag;
use crate::pka::Quorum;
use crate::profile::Profile;
use crate::status::StatusWord;

/// Registers custodians' keys and shows which there are.
///
/// ```text
/// 80 54 00 00 Le               status: total ‖ missing ‖ required ‖ authenticated now
/// 80 54 00 00 Lc request [Le]  register the next key; response: status
/// 80 54 00 00 Le (no data)     as the second form, when EF 2F10 holds the request
/// 80 54 01 n Lc request [Le]   replace key n, or with no data by what EF 2F10 holds; response: status
/// 80 54 02 n Le                name of key n; 9001 when it authenticated in this session
/// ```
///
/// A request is the content of 67; the key of the device that signed it must be selected.
/// Registering needs no login: until all keys are there, none of them authenticates anybody.
///
/// The status query and a registration through EF 2F10 are the same bytes when Le is 00. It is a
/// query when Le is 04, as OpenSC has it, when no key is missing, and when EF 2F10 does not begin
/// with a request. (inferred)
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1 or P2 is none of these, or n is not one of the keys |
/// | 6D00 | INITIALIZE set up no public key authentication |
/// | 6A80 | malformed request, or no EC key |
/// | 6985 | all keys are registered, this one is, its chain was not verified, a signature is wrong; replace: INITIALIZE did not allow it |
/// | 6982 | replace: the user is not authenticated |
/// | 6A88 | key n is not registered |
/// | 6700 | name with a data field |
///
/// Source: 6985 and 6982 are recorded of genuine tokens; the form of replace and name is that of a
/// compatible card.
#[derive(Debug)]
pub(super) struct ManagePublicKeyAuthentication {
    action: Action,
}

#[derive(Debug)]
enum Action {
    Status,
    StatusOrRegisterScratch,
    Register { request: Vec<u8> },
    Replace { index: u8, request: Vec<u8> },
    Name { index: u8 },
}

impl Command for ManagePublicKeyAuthentication {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        let request = apdu.data.to_vec();
        let action = match (apdu.p1, apdu.p2) {
            (0x00, 0x00) if !request.is_empty() => Action::Register { request },
            (0x00, 0x00) if apdu.ne == Some(STATUS_LENGTH) => Action::Status,
            (0x00, 0x00) => Action::StatusOrRegisterScratch,
            (0x01, index) => Action::Replace { index, request },
            (0x02, _) if !request.is_empty() => return Err(StatusWord::WrongLength),
            (0x02, index) => Action::Name { index },
            _ => return Err(StatusWord::IncorrectP1P2),
        };
        Ok(Self { action })
    }

    fn access(&self) -> Access {
        match self.action {
            Action::Replace { .. } => Access::User,
            Action::Status
            | Action::StatusOrRegisterScratch
            | Action::Register { .. }
            | Action::Name { .. } => Access::Always,
        }
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        let quorum = card.quorum()?;
        match self.action {
            Action::Status => {}
            Action::StatusOrRegisterScratch => {
                let request = card.data_or_scratch(Vec::new()).ok();
                let request = request.filter(|content| begins_with_request(content.expose()));
                if let (Some(request), Some(free)) = (request, free_index(card, quorum)) {
                    register(card, free, request.expose())?;
                }
            }
            Action::Register { request } => {
                let free = free_index(card, quorum).ok_or(StatusWord::ConditionsNotSatisfied)?;
                register(card, free, &request)?;
            }
            Action::Replace { index, request } => {
                if index >= quorum.total {
                    return Err(StatusWord::IncorrectP1P2);
                }
                if !card.memory.options().let_keys_be_replaced() {
                    return Err(StatusWord::ConditionsNotSatisfied);
                }
                card.memory.custodian(index)?;
                let request = card.data_or_scratch(request)?;
                register(card, index, request.expose())?;
                card.session.remove_custodian(index);
            }
            Action::Name { index } if index >= quorum.total => {
                return Err(StatusWord::IncorrectP1P2);
            }
            Action::Name { index } => {
                let data = card.memory.custodian(index)?.name.clone();
                let status = match card.session.has_custodian(index) {
                    true => StatusWord::KeyAuthenticated,
                    false => StatusWord::Success,
                };
                return Ok(Response { data, status });
            }
        }
        Ok(Response::data(card.quorum_status()?))
    }
}

/// Length of the status in bytes.
const STATUS_LENGTH: usize = 4;

/// Whether what was left in EF 2F10 is meant for this command.
fn begins_with_request(content: &[u8]) -> bool {
    content.starts_with(&tag::CERTIFICATE.to_be_bytes())
}

/// The first number under which no key is registered.
fn free_index(card: &Context<'_>, quorum: Quorum) -> Option<u8> {
    (0..quorum.total).find(|index| card.memory.custodian(*index).is_err())
}

fn register(card: &mut Context<'_>, index: u8, request: &[u8]) -> Result<(), StatusWord> {
    let custodian = card.check_custodian(request)?;
    card.memory.set_custodian(index, custodian);
    card.session.scratch = None;
    Ok(())
}
