//! Volatile state: what power-off and reset end, and selection of the applet but for a session PIN.

use std::collections::BTreeSet;

use crate::id::FileId;
use crate::pin::PinReference;
use crate::secret::Secret;
use crate::secure_messaging::Channel;
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
    /// The registered key that EXTERNAL AUTHENTICATE verifies with.
    pub(crate) selected_custodian: Option<u8>,
    /// The last challenge, until it is used.
    pub(crate) challenge: Option<Secret>,
    /// GENERAL AUTHENTICATE may follow: the protocol of chip authentication was set.
    pub(crate) chip_authentication: bool,
    /// The session PIN that a reset clears.
    pub(crate) session_pin: Option<Secret>,
    /// Who authenticated while no channel was open, or through one that binds nobody.
    login: Login,
    channel: Option<OpenChannel>,
}

/// The secure channel.
#[derive(Clone, Debug)]
pub(crate) struct OpenChannel {
    pub(crate) channel: Channel,
    /// Who authenticated through it and leaves with it; `None` where the channel binds nobody.
    bound: Option<Login>,
}

/// Who has authenticated.
#[derive(Clone, Debug, Default)]
struct Login {
    user: bool,
    security_officer: bool,
    /// Registered keys.
    custodians: BTreeSet<u8>,
    /// INITIALIZE DEVICE ran, and since then the user PIN was neither presented wrongly nor reset.
    after_initialize: bool,
}

impl Login {
    fn pin(&mut self, reference: PinReference) -> &mut bool {
        match reference {
            PinReference::User => &mut self.user,
            PinReference::SecurityOfficer => &mut self.security_officer,
        }
    }
}

impl Session {
    /// The session that follows this one when the applet is selected again.
    pub(crate) fn after_selection(last: Option<Self>) -> Self {
        Self {
            session_pin: last.and_then(|last| last.session_pin),
            ..Self::default()
        }
    }

    /// True when this PIN was presented in this session.
    #[must_use]
    pub(crate) fn is_verified(&self, reference: PinReference) -> bool {
        self.logins().any(|login| match reference {
            PinReference::User => login.user,
            PinReference::SecurityOfficer => login.security_officer,
        })
    }

    /// Notes whether this PIN counts as presented.
    pub(crate) fn set_verified(&mut self, reference: PinReference, verified: bool) {
        for login in self.logins_mut() {
            *login.pin(reference) = false;
            login.after_initialize &= verified || reference != PinReference::User;
        }
        *self.login_now().pin(reference) = verified;
    }

    /// True from INITIALIZE DEVICE until the user PIN is presented wrongly or reset.
    #[must_use]
    pub(crate) fn is_after_initialize(&self) -> bool {
        self.logins().any(|login| login.after_initialize)
    }

    /// How many registered keys have authenticated.
    #[must_use]
    pub(crate) fn custodian_count(&self) -> usize {
        self.logins().map(|login| login.custodians.len()).sum()
    }

    /// Whether this registered key has authenticated.
    #[must_use]
    pub(crate) fn has_custodian(&self, index: u8) -> bool {
        self.logins().any(|login| login.custodians.contains(&index))
    }

    /// Notes that this registered key has authenticated.
    pub(crate) fn add_custodian(&mut self, index: u8) {
        self.remove_custodian(index);
        self.login_now().custodians.insert(index);
    }

    /// Forgets that this registered key has authenticated.
    pub(crate) fn remove_custodian(&mut self, index: u8) {
        for login in self.logins_mut() {
            login.custodians.remove(&index);
        }
    }

    /// Starts anew as INITIALIZE DEVICE does: the user is authenticated, and an open channel stays
    /// open.
    pub(crate) fn begin_initialised(&mut self) {
        let channel = self.channel.take();
        *self = Self::default();
        if let Some(OpenChannel { channel, bound }) = channel {
            self.open_channel(channel, bound.is_some());
        }
        let login = self.login_now();
        login.user = true;
        login.after_initialize = true;
    }

    /// Puts a channel in the place of any other; `binds_login` says whether those who authenticate
    /// through it leave with it.
    pub(crate) fn open_channel(&mut self, channel: Channel, binds_login: bool) {
        self.channel = Some(OpenChannel {
            channel,
            bound: binds_login.then(Login::default),
        });
    }

    /// Takes the channel out, and with it those who are bound to it. Dropping it closes it.
    pub(crate) fn take_channel(&mut self) -> Option<OpenChannel> {
        self.channel.take()
    }

    /// Puts back what [`Session::take_channel`] took out.
    pub(crate) fn keep_channel(&mut self, channel: OpenChannel) {
        self.channel = Some(channel);
    }

    /// Where an authentication that happens now is noted.
    fn login_now(&mut self) -> &mut Login {
        let bound = self.channel.as_mut().and_then(|open| open.bound.as_mut());
        bound.unwrap_or(&mut self.login)
    }

    fn logins(&self) -> impl Iterator<Item = &Login> {
        let inside = self.channel.as_ref().and_then(|open| open.bound.as_ref());
        std::iter::once(&self.login).chain(inside)
    }

    fn logins_mut(&mut self) -> impl Iterator<Item = &mut Login> {
        let inside = self.channel.as_mut().and_then(|open| open.bound.as_mut());
        std::iter::once(&mut self.login).chain(inside)
    }
}
