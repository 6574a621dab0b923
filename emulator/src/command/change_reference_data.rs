//! CHANGE REFERENCE DATA, `00 24`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::pin::{PinReference, SO_PIN_LENGTH, USER_PIN_MAX, USER_PIN_MIN};
use crate::profile::Profile;
use crate::secret::Secret;
use crate::status::StatusWord;

/// Changes a PIN, given the present one.
///
/// ```text
/// 00 24 00 81 Lc old ‖ new        no separator: the card splits by the length of the old PIN
/// 00 24 00 88 10 old(8) ‖ new(8)
/// ```
///
/// Leaves the PIN verified and ends a transport state and a session PIN. The retry counter becomes
/// what a PIN of the new length may have, if it is higher. (inferred)
///
/// Source for the first: the vendor's key generator goes on after it without VERIFY.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1 is not 00: there is no form without the old PIN |
/// | 6A88 | P2 is no PIN of this card, or the PIN was never set |
/// | 6A80 | no two PINs have this length together (no try is spent), or the old PIN was right and the new one has no allowed length |
/// | 63Cx | wrong old PIN, x tries are left |
/// | 6983 | no try is left |
/// | 6581 | memory could not be written; nothing was compared if that was the spent try |
#[derive(Debug)]
pub(super) struct ChangeReferenceData {
    reference: PinReference,
    old_and_new: Secret,
}

impl Command for ChangeReferenceData {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        if apdu.p1 != 0x00 {
            return Err(StatusWord::IncorrectP1P2);
        }
        let reference = PinReference::from_p2(apdu.p2)?;
        let lengths = match reference {
            PinReference::User => 2 * USER_PIN_MIN..=2 * USER_PIN_MAX,
            PinReference::SecurityOfficer => 2 * SO_PIN_LENGTH..=2 * SO_PIN_LENGTH,
        };
        if !lengths.contains(&apdu.data.len()) {
            return Err(StatusWord::WrongData);
        }
        Ok(Self {
            reference,
            old_and_new: apdu.data.into(),
        })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        // A data field shorter than the stored PIN cannot begin with it: that is a wrong PIN, not
        // a wrong length, or the length of the PIN could be found without spending a try.
        let data = self.old_and_new.expose();
        let split = card.memory.pin(self.reference)?.length().min(data.len());
        let (old, new) = data.split_at_checked(split).ok_or(StatusWord::WrongData)?;
        let pin = card.present_pin(self.reference, |pin| pin.matches(old))?;
        if !self.reference.accepts_length(new.len()) {
            // The old PIN was right: its tries come back although the command fails.
            card.memory.commit()?;
            return Err(StatusWord::WrongData);
        }
        let changed = pin.with_value(self.reference, new);
        card.memory.set_pin(self.reference, Some(changed));
        if self.reference == PinReference::User {
            card.clear_session_pin();
        }
        card.session.set_verified(self.reference, true);
        Ok(Response::done())
    }
}
