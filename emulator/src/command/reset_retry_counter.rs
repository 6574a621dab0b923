//! RESET RETRY COUNTER, `00 2C`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::memory::Options;
use crate::pin::{PinReference, SO_PIN_LENGTH};
use crate::profile::Profile;
use crate::secret::Secret;
use crate::status::StatusWord;

/// Who vouches for the reset.
#[derive(Debug)]
enum Authority {
    /// The SO-PIN in the data field.
    Presented(Secret),
    /// The SO-PIN presented by VERIFY in this session.
    Session,
}

/// Gives the user PIN its tries back, and a new value if there is one.
///
/// ```text
/// 00 2C 00 81 Lc SO-PIN(8) ‖ new PIN
/// 00 2C 01 81 08 SO-PIN(8)
/// 00 2C 02 81 Lc new PIN                 after VERIFY of the SO-PIN
/// 00 2C 03 81                            after VERIFY of the SO-PIN
/// ```
///
/// The user is not authenticated afterwards. A new value ends a transport state and a session
/// PIN. (inferred)
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1 is none of these |
/// | 6A88 | P2 is not 81, or there is no user PIN |
/// | 6A80 | SO-PIN or new PIN has no allowed length; no try is spent |
/// | 6985 | INITIALIZE did not enable the command, or enabled it for unblocking only (P1 = 00, 02) |
/// | 63Cx | wrong SO-PIN, x tries are left |
/// | 6983 | no try of the SO-PIN is left |
/// | 6581 | memory could not be written; nothing was compared if that was the spent try |
/// | 6982 | P1 = 02, 03 and the SO-PIN was not presented |
///
/// 6985 is decided, not recorded: on a genuine token the host's error fits 6985, 6986 and 6900.
#[derive(Debug)]
pub(super) struct ResetRetryCounter {
    authority: Authority,
    new_pin: Option<Secret>,
}

impl Command for ResetRetryCounter {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        let (has_so_pin, has_new_pin) = match apdu.p1 {
            0x00 => (true, true),
            0x01 => (true, false),
            0x02 => (false, true),
            0x03 => (false, false),
            _ => return Err(StatusWord::IncorrectP1P2),
        };
        if PinReference::from_p2(apdu.p2)? != PinReference::User {
            return Err(StatusWord::ReferencedDataNotFound);
        }
        let split = if has_so_pin { SO_PIN_LENGTH } else { 0 };
        let (so_pin, new_pin) = apdu
            .data
            .split_at_checked(split)
            .ok_or(StatusWord::WrongData)?;
        let length_fits = match has_new_pin {
            true => PinReference::User.accepts_length(new_pin.len()),
            false => new_pin.is_empty(),
        };
        if !length_fits {
            return Err(StatusWord::WrongData);
        }
        Ok(Self {
            authority: match has_so_pin {
                true => Authority::Presented(so_pin.into()),
                false => Authority::Session,
            },
            new_pin: has_new_pin.then(|| new_pin.into()),
        })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        card.memory.pin(PinReference::User)?;
        let options = card.memory.options();
        let refused = !options.has(Options::RESET_RETRY_COUNTER)
            || (self.new_pin.is_some() && options.has(Options::RESET_ONLY));
        if refused {
            return Err(StatusWord::ConditionsNotSatisfied);
        }
        match &self.authority {
            Authority::Presented(so_pin) => {
                card.present_pin(PinReference::SecurityOfficer, |pin| {
                    pin.matches(so_pin.expose())
                })?;
            }
            Authority::Session => {
                if !card.session.is_verified(PinReference::SecurityOfficer) {
                    return Err(StatusWord::SecurityStatusNotSatisfied);
                }
            }
        }
        let pin = card.memory.pin(PinReference::User)?;
        let reset = match &self.new_pin {
            Some(value) => pin.with_value(PinReference::User, value.expose()),
            None => pin.with_tries_restored(),
        };
        card.memory.set_pin(PinReference::User, Some(reset));
        if self.new_pin.is_some() {
            card.clear_session_pin();
        }
        card.session.set_verified(PinReference::User, false);
        Ok(Response::done())
    }
}
