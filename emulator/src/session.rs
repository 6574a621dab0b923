//! Volatile state: everything that power-off, reset and selection of the applet replace.

use std::collections::BTreeSet;

use crate::id::FileId;
use crate::pin::PinReference;
use crate::secret::Secret;
use crate::trust::Verified;

/// State of one session, from selection of the applet to the next selection or reset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// The elementary file that commands with P1P2 = 0000 work on.
    pub(crate) current_file: Option<FileId>,
    /// Content of EF 2F10: a blob or request written in blocks, used by the next command.
    pub(crate) scratch: Option<Secret>,
    /// Certificates verified in this session.
    pub(crate) verified: Verified,
    /// Registered keys that authenticated.
    pub(crate) custodians: BTreeSet<u8>,
    /// The registered key that EXTERNAL AUTHENTICATE verifies with.
    pub(crate) selected_custodian: Option<u8>,
    /// The last challenge, until it is used.
    pub(crate) challenge: Option<Vec<u8>>,
    /// INITIALIZE DEVICE ran in this session and no PIN was presented wrongly since.
    pub(crate) after_initialize: bool,
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
            PinReference::User => {
                self.user_verified = verified;
                self.after_initialize &= verified;
            }
            PinReference::SecurityOfficer => self.security_officer_verified = verified,
        }
    }
}
