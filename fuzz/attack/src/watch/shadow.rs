//! Who may be authenticated at most, kept in book beside the card.

use hsm2_emulator::id::FileId;
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
    /// The file that commands without an identifier mean.
    current: Option<FileId>,
}

impl Shadow {
    /// As INITIALIZE DEVICE leaves it.
    pub(super) fn after_initialize() -> Self {
        Self {
            outside: Login {
                user_pin: true,
                after_initialize: true,
                ..Login::default()
            },
            ..Self::default()
        }
    }

    /// The file that READ BINARY reads, when it is known.
    pub(super) fn addressed(&self, [_, ins, p1, p2]: [u8; 4]) -> Option<FileId> {
        match (ins, u16::from_be_bytes([p1, p2])) {
            (0xB1 | 0xD7, id @ 1..) => Some(FileId(id)),
            (0xB0 | 0xB1 | 0xD6 | 0xD7, _) => self.current,
            _ => None,
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

    /// Which file is the current one.
    fn follow_file(&mut self, header: [u8; 4], data: &[u8], answer: &Answer) {
        if !answer.is_success() {
            return;
        }
        match (header[1], header[2], data) {
            (0xA4, 0x00 | 0x02, [high, low]) => {
                self.current = Some(FileId(u16::from_be_bytes([*high, *low])));
            }
            (0xB0 | 0xB1 | 0xD6 | 0xD7, ..) => self.current = self.addressed(header),
            (0xE4, _, [.., high, low]) => {
                let gone = FileId(u16::from_be_bytes([*high, *low]));
                self.current = self.current.filter(|current| *current != gone);
            }
            (0x50, ..) if !data.is_empty() => self.current = None,
            _ => {}
        }
    }

    /// Keeps book of a command and its answer.
    pub(super) fn follow(&mut self, header: [u8; 4], data: &[u8], answer: &Answer) {
        let done = answer.status == 0x9000;
        let [_, ins, p1, p2] = header;
        if answer.status == 0x6581 || (super::selects(header) && done) {
            *self = Self::default();
        }
        self.follow_file(header, data, answer);
        let presented = done || answer.status & 0xFFF0 == 0x63C0 || answer.status == 0x6983;
        match (ins, p2) {
            (0x20, 0x81) if presented && !data.is_empty() => self.user_pin_presented(done),
            (0x24, 0x81) if presented => self.user_pin_presented(done),
            (0x20, 0x88) if presented && !data.is_empty() => self.so_pin_presented(done),
            (0x24, 0x88) if presented => self.so_pin_presented(done),
            // A right SO-PIN changes nobody's login.
            (0x2C, 0x81) if done => self.user_pin_presented(false),
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
