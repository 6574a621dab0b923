//! Who may do what: the conditions that commands require before they act.

use crate::card::Context;
use crate::status::StatusWord;

/// Conditions of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone, at any time.
    Always,
    /// The authenticated user.
    User,
    /// Nobody.
    Never,
}

impl Context<'_> {
    /// Requires a condition of access.
    ///
    /// # Errors
    ///
    /// [`StatusWord::SecurityStatusNotSatisfied`] (6982) when it is not met.
    pub(crate) fn require(&self, access: Access) -> Result<(), StatusWord> {
        let granted = match access {
            Access::Always => true,
            Access::User => self.user_is_authenticated(),
            Access::Never => false,
        };
        if granted {
            Ok(())
        } else {
            Err(StatusWord::SecurityStatusNotSatisfied)
        }
    }
}
