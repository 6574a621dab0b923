//! Volatile state: everything that power-off, reset and selection of the applet replace.

use crate::id::FileId;
use crate::pin::PinReference;
use crate::secret::Secret;
use crate::trust::Verified;

/// State of one session, from selection of the applet to the next selection or reset.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The elementary file that commands with P1P2 = 0000 work on.
    pub(crate) current_file: Option<FileId>,
    /// Content of EF 2F10: a blob or request written in blocks, used by the next command.
    pub(crate) scratch: Option<Secret>,
    /// Certificates verified in this session.
    pub(crate) verified: Verified,
    user_verified: bool,
    security_officer_verified: bool,
}

impl Session {
    /// True when this PIN was presented in this session.
    #[must_use]
    pub(crate) fn is_verified(&self, reference: PinReference) -> bool {
        match reference {
            PinReference::User => self.user_verified,
            PinReference::SecurityOfficer => self.security_officer_verified,
        }
    }

    /// Notes whether this PIN counts as presented.
    pub(crate) fn set_verified(&mut self, reference: PinReference, verified: bool) {
        match reference {
            PinReference::User => self.user_verified = verified,
            PinReference::SecurityOfficer => self.security_officer_verified = verified,
        }
    }

    /// Forgets every authentication.
    pub(crate) fn drop_authentication(&mut self) {
        self.user_verified = false;
        self.security_officer_verified = false;
    }
}
