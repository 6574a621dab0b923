//! Presenting a PIN: the one place where a PIN is compared.

use crate::card::Context;
use crate::pin::{Pin, PinReference};
use crate::status::StatusWord;

impl Context<'_> {
    /// Compares a candidate with a PIN and accounts for the try.
    ///
    /// The try is durably spent before the comparison and given back after a correct one, so
    /// that cutting the power at any instant never gives a free try. On success the PIN is
    /// returned with all its tries, and nobody's authentication changes; on failure the one by this
    /// PIN ends.
    ///
    /// # Errors
    ///
    /// | word | when |
    /// |---|---|
    /// | 6A88 | the PIN was never set |
    /// | 6983 | no try was left, or this was the last one |
    /// | 63Cx | wrong, x tries are left |
    /// | 6581 | the spent try could not be made durable; nothing was compared |
    pub(crate) fn present_pin(
        &mut self,
        reference: PinReference,
        matches: impl FnOnce(&Pin) -> bool,
    ) -> Result<Pin, StatusWord> {
        let pin = self.memory.pin(reference)?;
        if pin.tries_left() == 0 {
            return Err(StatusWord::AuthenticationBlocked);
        }
        let spent = pin.with_try_spent();
        self.memory.set_pin(reference, Some(spent.clone()));
        self.memory.commit()?;
        if !matches(&spent) {
            self.session.set_verified(reference, false);
            return Err(spent.failure());
        }
        let restored = spent.with_tries_restored();
        self.memory.set_pin(reference, Some(restored.clone()));
        Ok(restored)
    }

    /// As [`Context::present_pin`] for the user PIN, but takes the session PIN as well. That one
    /// gives back its own try and no other.
    ///
    /// # Errors
    ///
    /// As [`Context::present_pin`].
    pub(crate) fn present_user_or_session_pin(
        &mut self,
        candidate: &[u8],
    ) -> Result<(), StatusWord> {
        let before = Pin::clone(self.memory.pin(PinReference::User)?);
        let session_pin = self.session_pin().cloned();
        let mut by_user_pin = false;
        self.present_pin(PinReference::User, |pin| {
            by_user_pin = pin.matches(candidate);
            let by_session_pin = session_pin.is_some_and(|pin| pin.matches(candidate));
            // Both are always compared.
            by_user_pin | by_session_pin
        })?;
        if !by_user_pin {
            self.memory.set_pin(PinReference::User, Some(before));
        }
        Ok(())
    }
}
