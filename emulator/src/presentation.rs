//! Presenting a PIN: the one place where a PIN is compared.

use crate::card::Context;
use crate::pin::{Pin, PinReference};
use crate::status::StatusWord;

impl Context<'_> {
    /// Compares a candidate with a PIN and accounts for the try.
    ///
    /// The try is durably spent before the comparison and given back after a correct one, so
    /// that cutting the power at any instant never gives a free try. On success the PIN is
    /// returned with all its tries; on failure the authentication by this PIN ends.
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
        self.session.set_verified(reference, false);
        self.memory.set_pin(reference, Some(spent.clone()));
        self.memory.commit()?;
        if !matches(&spent) {
            return Err(spent.failure());
        }
        let restored = spent.with_tries_restored();
        self.memory.set_pin(reference, Some(restored.clone()));
        Ok(restored)
    }
}
