//! The reference model: PINs with counters, key domains, keys with uses, files, one session.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use hsm2_emulator::tlv::Writer;

use super::operation::{Operation, SLOTS, Who};

/// User PINs that histories change between; the last one is too long.
pub(crate) const USER_PINS: [&[u8]; 3] = [b"648219", b"1357900", b"01234567890123456"];
/// SO-PINs likewise; the last one is too long.
pub(crate) const SO_PINS: [&[u8]; 3] = [b"57621880", b"86420975", b"864209750"];
pub(crate) const WRONG_USER_PIN: &[u8] = b"000000";
pub(crate) const WRONG_SO_PIN: &[u8] = b"00000000";

/// Numbers of keys.
pub(crate) const KEYS: std::ops::RangeInclusive<u8> = 1..=3;

/// Files that histories write.
pub(crate) fn files() -> impl Iterator<Item = u16> {
    [0xCA01, 0xCA02, 0xCD01].into_iter()
}

#[derive(Clone, Debug)]
pub(crate) struct Pin {
    pub(crate) value: &'static [u8],
    pub(crate) left: u8,
    limit: u8,
}

impl Pin {
    fn spent(&self) -> Self {
        Self {
            left: self.left - 1,
            ..self.clone()
        }
    }

    fn restored(&self) -> Self {
        Self {
            left: self.limit,
            ..self.clone()
        }
    }

    fn failure(&self) -> u16 {
        match self.left {
            0 => 0x6983,
            left => 0x63C0 | u16::from(left),
        }
    }
}

/// Counts the KEKs that cards drew.
static DRAWN: AtomicUsize = AtomicUsize::new(0);

/// What a KEK is, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kek {
    /// XOR of shares, each a bit of an even and an odd count.
    Shares(u8),
    /// Drawn by a card: the only one of this number.
    Drawn(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Domain {
    pub(crate) shares: u8,
    pub(crate) outstanding: u8,
    /// Bit n: share n came an odd number of times; bit 7: an odd number of shares came.
    sum: u8,
    drawn: Option<usize>,
}

impl Domain {
    pub(crate) fn kek(&self) -> Option<Kek> {
        match (self.shares, self.outstanding) {
            (0, _) => self.drawn.map(Kek::Drawn),
            (_, 0) => Some(Kek::Shares(self.sum)),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) point: Vec<u8>,
    pub(crate) uses: Option<u32>,
    slot: Option<u8>,
    exportable: bool,
}

impl Key {
    /// Content of A5 in the key's control parameters.
    pub(crate) fn attributes(&self) -> Vec<u8> {
        let mut objects = Writer::new();
        if let Some(uses) = self.uses {
            objects = objects.element(0x90, &uses.to_be_bytes());
        }
        let list: &[u8] = if self.exportable {
            &[0x73, 0x80, 0x92]
        } else {
            &[0x73, 0x80]
        };
        objects = objects.element(0x91, list);
        if let Some(slot) = self.slot {
            objects = objects.element(0x92, &[slot]);
        }
        objects.into_vec()
    }
}

/// A wrapped key outside the cards.
pub(crate) struct Paper {
    pub(crate) blob: Vec<u8>,
    pub(crate) kek: Kek,
    pub(crate) key: Key,
}

/// What outlasts a power cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durable {
    pub(crate) user: Option<Pin>,
    pub(crate) so: Option<Pin>,
    may_reset: bool,
    pub(crate) domains: BTreeMap<u8, Domain>,
    pub(crate) keys: BTreeMap<u8, Key>,
    pub(crate) files: BTreeMap<u16, Vec<u8>>,
    /// Keys whose request was made, whether they are there still or not.
    requests: BTreeSet<u8>,
}

impl Durable {
    /// What ENUMERATE OBJECTS lists, in no order.
    pub(crate) fn objects(&self) -> BTreeSet<u16> {
        let keys = self.keys.keys().map(|key| 0xCC00 | u16::from(*key));
        let requests = self.requests.iter().map(|key| 0xCE00 | u16::from(*key));
        let files = self.files.keys().copied();
        [0x2F02, 0xCC00]
            .into_iter()
            .chain(keys)
            .chain(requests)
            .chain(files)
            .collect()
    }

    pub(crate) fn initialised(&self) -> bool {
        self.so.is_some()
    }

    pub(crate) fn kek_of(&self, key: &Key) -> Option<Kek> {
        self.domains.get(&key.slot?)?.kek()
    }

    fn pin(&self, who: Who) -> Option<&Pin> {
        match who {
            Who::User => self.user.as_ref(),
            Who::So => self.so.as_ref(),
        }
    }

    fn with_pin(&self, who: Who, pin: Pin) -> Self {
        let mut changed = self.clone();
        match who {
            Who::User => changed.user = Some(pin),
            Who::So => changed.so = Some(pin),
        }
        changed
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) user: bool,
    pub(crate) so: bool,
}

/// One card.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Planted: believes that a wrong PIN costs nothing.
    pub(crate) mistaken: bool,
    pub(crate) durable: Durable,
    pub(crate) session: Session,
}

/// What a command answers, and what is durable before it and after each of its commits.
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) states: Vec<Durable>,
}

impl Model {
    pub(crate) fn end_session(&mut self) {
        self.session = Session::default();
    }

    /// What the operation answers and commits.
    pub(crate) fn outcome(&self, operation: &Operation, papers: &[Paper]) -> Outcome {
        let before = self.durable.clone();
        let mut states = vec![before];
        let status = match self.attempt(operation, papers, &mut states) {
            Ok(last) => {
                states.extend(last);
                0x9000
            }
            Err(status) => status,
        };
        Outcome { status, states }
    }

    /// Takes over what was committed, and what the session learned.
    pub(crate) fn finish(&mut self, operation: &Operation, status: u16, states: Vec<Durable>) {
        use Operation::*;
        let presented = states.len() > 1;
        if let Some(last) = states.into_iter().next_back() {
            self.durable = last;
        }
        let done = status == 0x9000;
        match operation {
            Initialize { .. } if done => {
                self.session = Session {
                    user: true,
                    so: false,
                }
            }
            // The old PIN was right, the new one was not taken: who was logged in stays so.
            Change { .. } if status == 0x6A80 => {}
            Verify { who, .. } | Change { who, .. } if presented => match who {
                Who::User => self.session.user = done,
                Who::So => self.session.so = done,
            },
            ResetCounter { so, .. } => {
                // A right SO-PIN changes nobody's login, a wrong one ends the SO's.
                if *so == Some(false) && presented {
                    self.session.so = false;
                }
                self.session.user &= !done;
            }
            Initialize { .. } if presented => self.session.so = false,
            _ => {}
        }
    }

    /// Presents a PIN: commits the spent try, and refuses the wrong one.
    fn present(&self, who: Who, right: bool, states: &mut Vec<Durable>) -> Result<Pin, u16> {
        let pin = self.durable.pin(who).ok_or(0x6A88_u16)?;
        if pin.left == 0 {
            return Err(0x6983);
        }
        let spent = if self.mistaken && !right {
            pin.clone()
        } else {
            pin.spent()
        };
        states.push(self.durable.with_pin(who, spent.clone()));
        if right {
            Ok(spent.restored())
        } else {
            Err(spent.failure())
        }
    }

    /// What is durable in the end, none when nothing is written, or the word that refuses; earlier
    /// commits go to `states`.
    #[expect(
        clippy::too_many_lines,
        reason = "one table of the words of all commands reads best in one piece"
    )]
    fn attempt(
        &self,
        operation: &Operation,
        papers: &[Paper],
        states: &mut Vec<Durable>,
    ) -> Result<Option<Durable>, u16> {
        use Operation::*;
        let mut next = self.durable.clone();
        let needs_user = !matches!(
            operation,
            Initialize { .. } | Verify { .. } | Change { .. } | ResetCounter { .. } | Share { .. }
        );
        if needs_user && !self.session.user {
            return Err(0x6982);
        }
        match *operation {
            Initialize { right, may_reset } => {
                // A virgin card takes the SO-PIN that comes.
                let so = if self.durable.initialised() {
                    self.present(Who::So, right, states)?.value
                } else if right {
                    SO_PINS[0]
                } else {
                    WRONG_SO_PIN
                };
                let pin = |value, limit| Pin {
                    value,
                    left: limit,
                    limit,
                };
                next = Durable {
                    user: Some(pin(USER_PINS[0], 3)),
                    so: Some(pin(so, 15)),
                    may_reset,
                    ..Durable::default()
                };
            }
            Verify { who, right } => {
                let pin = self.present(who, right, states)?;
                next = self.durable.with_pin(who, pin);
            }
            Change { who, right, new } => {
                let pins = match who {
                    Who::User => USER_PINS,
                    Who::So => SO_PINS,
                };
                if who == Who::So && new == 2 {
                    return Err(0x6A80);
                }
                let pin = self.present(who, right, states)?;
                if new == 2 {
                    states.push(self.durable.with_pin(who, pin));
                    return Err(0x6A80);
                }
                let value = pins[new];
                next = self.durable.with_pin(who, Pin { value, ..pin });
            }
            ResetCounter { so, new } => {
                let user = self.durable.user.clone().ok_or(0x6A88_u16)?;
                if !self.durable.may_reset {
                    return Err(0x6985);
                }
                if let Some(right) = so {
                    let pin = self.present(Who::So, right, states)?;
                    next = self.durable.with_pin(Who::So, pin);
                } else if !self.session.so {
                    return Err(0x6982);
                }
                let value = new.map_or(user.value, |new| USER_PINS[new]);
                next.user = Some(Pin { value, ..user }.restored());
            }
            CreateDomain { slot, shares } => {
                if next.domains.contains_key(&slot) {
                    return Err(0x6A86);
                }
                let domain = Domain {
                    shares,
                    outstanding: shares,
                    sum: 0,
                    drawn: (shares == 0).then(|| DRAWN.fetch_add(1, Ordering::Relaxed)),
                };
                next.domains.insert(slot, domain);
            }
            Share { slot, share } => {
                if !self.durable.initialised() {
                    return Err(0x6D00);
                }
                let domain = next.domains.get_mut(&slot).ok_or(0x6A88_u16)?;
                if domain.outstanding == 0 {
                    return Err(0x6985);
                }
                domain.outstanding -= 1;
                domain.sum ^= share | 0x80;
            }
            ClearDomain { slot } => {
                let domain = next.domains.get_mut(&slot).ok_or(0x6A88_u16)?;
                domain.outstanding = domain.shares;
                (domain.sum, domain.drawn) = (0, None);
            }
            DeleteDomain { slot } => {
                if !next.domains.contains_key(&slot) {
                    return Err(0x6A88);
                }
                if next.keys.values().any(|key| key.slot == Some(slot)) {
                    return Err(0x6A89);
                }
                next.domains.remove(&slot);
            }
            Generate {
                key,
                slot,
                uses,
                exportable,
            } => {
                if next.keys.contains_key(&key) {
                    return Err(0x6A89);
                }
                if slot.is_some_and(|slot| !next.domains.contains_key(&slot)) {
                    return Err(0x6A88);
                }
                let made = Key {
                    point: Vec::new(),
                    uses,
                    slot,
                    exportable,
                };
                next.keys.insert(key, made);
                next.requests.insert(key);
            }
            Sign { key } => {
                use_key(&mut next, key)?;
                // Without a counter nothing is written.
                if self.durable.keys[&key].uses.is_none() {
                    return Ok(None);
                }
            }
            Wrap { key } => {
                use_key(&mut next, key)?;
                let own = &self.durable.keys[&key];
                if !own.exportable {
                    return Err(0x6985);
                }
                self.durable.kek_of(own).ok_or(0x6A88_u16)?;
                if own.uses.is_none() {
                    return Ok(None);
                }
            }
            Unwrap { key, paper } => {
                if next.keys.contains_key(&key) {
                    return Err(0x6A89);
                }
                let paper = &papers[paper % papers.len()];
                let slots = 0..SLOTS;
                let keks: Vec<_> = slots
                    .filter_map(|slot| Some((slot, next.domains.get(&slot)?.kek()?)))
                    .collect();
                if keks.is_empty() {
                    return Err(0x6A88);
                }
                let found = keks.iter().find(|(_, kek)| *kek == paper.kek);
                let (slot, _) = found.ok_or(0x6A80_u16)?;
                let taken = Key {
                    slot: Some(*slot),
                    uses: None,
                    ..paper.key.clone()
                };
                next.keys.insert(key, taken);
            }
            DeleteKey { key } => {
                next.keys.remove(&key).ok_or(0x6A82_u16)?;
            }
            Write { file, content } => {
                next.files.insert(file, vec![content; 10]);
            }
            DeleteFile { file } => {
                next.files.remove(&file).ok_or(0x6A82_u16)?;
            }
            Select | Reset | PowerOff => {}
        }
        Ok(Some(next))
    }
}

fn use_key(next: &mut Durable, key: u8) -> Result<(), u16> {
    let key = next.keys.get_mut(&key).ok_or(0x6A88_u16)?;
    match &mut key.uses {
        Some(0) => Err(0x6984),
        Some(uses) => {
            *uses -= 1;
            Ok(())
        }
        None => Ok(()),
    }
}
