//! The session PIN: random bytes that stand in for the user PIN until they are cleared, so that a
//! host need not keep the PIN itself.
//!
//! Known from hosts are the command that draws it, that VERIFY takes it in place of the user PIN,
//! and two options: 0004, cleared on reset, and 000C, cleared explicitly. The rest is decided here
//! and in [`crate::command`]'s GENERATE SESSION PIN. (inferred)
//!
//! - It is [`LENGTH`] bytes long: OpenSC takes PINs of 6 to 15 bytes.
//! - It outlasts a selection of the applet, or it would be of no use. With 0004 it ends with the
//!   power, with 000C it is kept in the card's memory.
//! - It ends with the user PIN that it stands for: when that is changed or set anew, and at
//!   INITIALIZE DEVICE.
//! - VERIFY takes it and no other command does.
//! - It has no tries of its own. A wrong value spends a try of the user PIN; the session PIN gives
//!   back that try and no more. Otherwise whoever holds it could guess the user PIN without end.
//! - While the user PIN is blocked or a transport PIN, it does not serve.

use crate::card::Context;
use crate::memory::Options;
use crate::secret::Secret;

/// Length in bytes.
pub(crate) const LENGTH: usize = 8;

impl Context<'_> {
    /// The session PIN, if there is one.
    pub(crate) fn session_pin(&self) -> Option<&Secret> {
        let volatile = self.session.session_pin.as_ref();
        volatile.or_else(|| self.memory.session_pin())
    }

    /// Puts a session PIN where the options say, in the place of any other.
    pub(crate) fn set_session_pin(&mut self, pin: Secret) {
        self.clear_session_pin();
        match self.memory.options().has(Options::LASTING_SESSION_PIN) {
            true => self.memory.set_session_pin(Some(pin)),
            false => self.session.session_pin = Some(pin),
        }
    }

    /// Ends the session PIN, if there is one.
    pub(crate) fn clear_session_pin(&mut self) {
        self.session.session_pin = None;
        if self.memory.session_pin().is_some() {
            self.memory.set_session_pin(None);
        }
    }
}
