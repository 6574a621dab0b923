//! Who may be authenticated at most, kept in book beside the card.

use hsm2_emulator::memory::{Memory, Options};
use hsm2_emulator::pin::PinReference;

use crate::apdu::Answer;

/// Who authenticated in one place: plainly, or through the channel.
#[derive(Clone, Debug, Default)]
struct Login {
    user_pin: bool,
    so_pin: bool,
    custodians: u32,
    after_initialize: bool,
}

/// Who may be authenticated at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Shadow {
    outside: Login,
    /// There is one while a channel is open.
    inside: Option<Login>,
}

impl Shadow {
    /// Anybody.
    pub(super) fn anybody() -> Self {
        Self {
            outside: Login {
                user_pin: true,
                so_pin: true,
                custodians: u32::MAX,
                after_initialize: true,
            },
            inside: None,
        }
    }

    /// The channel is open, and nobody came through it yet.
    pub(super) fn open_channel(&mut self) {
        self.inside = Some(Login::default());
    }

    /// The channel is closed, and who came through it is gone.
    pub(super) fn close_channel(&mut self) {
        self.inside = None;
    }

    fn logins(&self) -> impl Iterator<Item = &Login> {
        [Some(&self.outside), self.inside.as_ref()]
            .into_iter()
            .flatten()
    }

    fn now(&mut self) -> &mut Login {
        self.inside.as_mut().unwrap_or(&mut self.outside)
    }

    fn each(&mut self, change: impl Fn(&mut Login)) {
        change(&mut self.outside);
        if let Some(inside) = &mut self.inside {
            change(inside);
        }
    }

    /// Whether the SO-PIN may count as presented.
    pub(super) fn so_pin(&self) -> bool {
        self.logins().any(|login| login.so_pin)
    }

    /// Whether the user may count as authenticated.
    pub(super) fn user(&self, memory: &Memory) -> bool {
        let user_pin = self.logins().any(|login| login.user_pin);
        let after_initialize = self.logins().any(|login| login.after_initialize);
        let custodians = self
            .logins()
            .fold(0_u32, |sum, login| sum.saturating_add(login.custodians));
        let Some(quorum) = memory.setup().and_then(|setup| setup.quorum) else {
            return user_pin;
        };
        let met = custodians >= u32::from(quorum.required);
        after_initialize
            || if memory.pin(PinReference::User).is_err() {
                met
            } else if memory.options().has(Options::PIN_AND_KEYS) {
                user_pin && met
            } else {
                user_pin || met
            }
    }

    fn user_pin_presented(&mut self, rightly: bool) {
        self.each(|login| {
            login.user_pin = false;
            login.after_initialize &= rightly;
        });
        self.now().user_pin = rightly;
    }

    fn so_pin_presented(&mut self, rightly: bool) {
        self.each(|login| login.so_pin = false);
        self.now().so_pin = rightly;
    }

    /// Keeps book of a command and its answer.
    pub(super) fn follow(&mut self, header: [u8; 4], data: &[u8], answer: &Answer) {
        let done = answer.status == 0x9000;
        let [_, ins, p1, p2] = header;
        if answer.status == 0x6581 || (super::selects(header) && done) {
            *self = Self::default();
        }
        let presented = done || answer.status & 0xFFF0 == 0x63C0 || answer.status == 0x6983;
        match (ins, p2) {
            (0x20, 0x81) if presented && !data.is_empty() => self.user_pin_presented(done),
            (0x24, 0x81) if presented => self.user_pin_presented(done),
            (0x20, 0x88) if presented && !data.is_empty() => self.so_pin_presented(done),
            (0x24, 0x88) if presented => self.so_pin_presented(done),
            (0x2C, 0x81) if done => {
                self.user_pin_presented(false);
                if p1 < 2 {
                    self.so_pin_presented(false);
                }
            }
            // A wrong SO-PIN.
            (0x2C, 0x81) if presented && p1 < 2 => self.so_pin_presented(false),
            (0x50, _) if done && !data.is_empty() => {
                let inside = self.inside.is_some().then(Login::default);
                *self = Self {
                    inside,
                    ..Self::default()
                };
                let now = self.now();
                now.user_pin = true;
                now.after_initialize = true;
            }
            (0x82, _) if done => {
                let now = self.now();
                now.custodians = now.custodians.saturating_add(1);
            }
            _ => {}
        }
    }
}
