//! What happens in a history, and the commands it sends.

use hsm2_attack::apdu::{delete, extended, generate_ec, short, update};
use hsm2_attack::fixture;
use hsm2_emulator::crypto::Curve;
use hsm2_emulator::tlv::Writer;
use proptest::prelude::*;

use super::reference::{Model, Paper, SO_PINS, USER_PINS, WRONG_SO_PIN, WRONG_USER_PIN};

/// Key domains of an initialised card.
pub(crate) const SLOTS: u8 = 2;

/// Which of the two PINs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    User,
    So,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Initialize {
        right: bool,
        may_reset: bool,
    },
    Verify {
        who: Who,
        right: bool,
    },
    /// `new`: number of the new PIN; the last one is too long.
    Change {
        who: Who,
        right: bool,
        new: usize,
    },
    /// RESET RETRY COUNTER; `so`: presents the SO-PIN, rightly or not.
    ResetCounter {
        so: Option<bool>,
        new: Option<usize>,
    },
    CreateDomain {
        slot: u8,
        shares: u8,
    },
    Share {
        slot: u8,
        share: u8,
    },
    ClearDomain {
        slot: u8,
    },
    DeleteDomain {
        slot: u8,
    },
    Generate {
        key: u8,
        slot: Option<u8>,
        uses: Option<u32>,
        exportable: bool,
    },
    Sign {
        key: u8,
    },
    Wrap {
        key: u8,
    },
    Unwrap {
        key: u8,
        paper: usize,
    },
    DeleteKey {
        key: u8,
    },
    Write {
        file: u16,
        content: u8,
    },
    DeleteFile {
        file: u16,
    },
    Select,
    Reset,
    PowerOff,
}

impl Operation {
    /// How every history begins: both cards have one KEK, and a key that may leave.
    pub(crate) fn beginning() -> [Self; 5] {
        [
            Self::Initialize {
                right: true,
                may_reset: true,
            },
            Self::CreateDomain { slot: 0, shares: 1 },
            Self::Share { slot: 0, share: 1 },
            Self::Generate {
                key: 1,
                slot: Some(0),
                uses: Some(3),
                exportable: true,
            },
            Self::Wrap { key: 1 },
        ]
    }
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let who = prop_oneof![3 => Just(Who::User), 1 => Just(Who::So)];
    let right = prop::bool::weighted(0.75);
    let slot = 0..SLOTS;
    let key = 1..=3u8;
    let file = prop::sample::select(vec![0xCA01u16, 0xCA02, 0xCD01]);
    prop_oneof![
        1 => (right, prop::bool::weighted(0.8))
            .prop_map(|(right, may_reset)| Initialize { right, may_reset }),
        14 => (who.clone(), right).prop_map(|(who, right)| Verify { who, right }),
        4 => (who, right, 0..3usize)
            .prop_map(|(who, right, new)| Change { who, right, new }),
        3 => (prop::option::of(right), prop::option::of(0..2usize))
            .prop_map(|(so, new)| ResetCounter { so, new }),
        4 => (slot.clone(), 0..3u8).prop_map(|(slot, shares)| CreateDomain { slot, shares }),
        6 => (slot.clone(), 1..3u8).prop_map(|(slot, share)| Share { slot, share }),
        1 => slot.clone().prop_map(|slot| ClearDomain { slot }),
        1 => slot.clone().prop_map(|slot| DeleteDomain { slot }),
        8 => (key.clone(), prop::option::weighted(0.8, slot),
              prop::option::weighted(0.6, 1..3u32), prop::bool::weighted(0.8))
            .prop_map(|(key, slot, uses, exportable)| Generate { key, slot, uses, exportable }),
        8 => key.clone().prop_map(|key| Sign { key }),
        8 => key.clone().prop_map(|key| Wrap { key }),
        8 => (key.clone(), 0..6usize).prop_map(|(key, paper)| Unwrap { key, paper }),
        4 => key.prop_map(|key| DeleteKey { key }),
        6 => (file.clone(), any::<u8>()).prop_map(|(file, content)| Write { file, content }),
        3 => file.prop_map(|file| DeleteFile { file }),
        1 => Just(Select),
        1 => Just(Reset),
        1 => Just(PowerOff),
    ]
}

/// The command of an operation; none when it needs a blob and there is none.
pub(crate) fn command(operation: &Operation, model: &Model, papers: &[Paper]) -> Option<Vec<u8>> {
    use Operation::*;
    let durable = &model.durable;
    let user = durable.user.as_ref().map_or(USER_PINS[0], |pin| pin.value);
    let so = durable.so.as_ref().map_or(SO_PINS[0], |pin| pin.value);
    let user_pin = |right| if right { user } else { WRONG_USER_PIN };
    let so_pin = |right| if right { so } else { WRONG_SO_PIN };
    let pin = |who, right| match who {
        Who::User => (0x81, user_pin(right)),
        Who::So => (0x88, so_pin(right)),
    };
    Some(match operation {
        Initialize { right, may_reset } => {
            let template = Writer::new()
                .element(0x80, &[0, u8::from(*may_reset)])
                .element(0x81, USER_PINS[0])
                .element(0x82, so_pin(*right))
                .element(0x91, &[3])
                .element(0x97, &[SLOTS])
                .into_vec();
            short(0x80, 0x50, 0, 0, &template)
        }
        Verify { who, right } => {
            let (reference, value) = pin(*who, *right);
            short(0x00, 0x20, 0, reference, value)
        }
        Change { who, right, new } => {
            let (reference, old) = pin(*who, *right);
            let new = match who {
                Who::User => USER_PINS[*new],
                Who::So => SO_PINS[*new],
            };
            short(0x00, 0x24, 0, reference, &[old, new].concat())
        }
        ResetCounter { so, new } => {
            let so = so.map_or(&[][..], so_pin);
            let value = new.map_or(&[][..], |new| USER_PINS[new]);
            let p1 = match (so.is_empty(), value.is_empty()) {
                (false, false) => 0,
                (false, true) => 1,
                (true, false) => 2,
                (true, true) => 3,
            };
            short(0x00, 0x2C, p1, 0x81, &[so, value].concat())
        }
        CreateDomain { slot, shares } => fixture::create_domain(*slot, *shares),
        Share { slot, share } => fixture::share(*slot, *share),
        ClearDomain { slot } => extended(0x80, 0x52, 0x04, *slot, &[]),
        DeleteDomain { slot } => extended(0x80, 0x52, 0x03, *slot, &[]),
        Generate {
            key,
            slot,
            uses,
            exportable,
        } => {
            let mut attributes = Writer::new();
            if let Some(uses) = uses {
                attributes = attributes.element(0x90, &uses.to_be_bytes());
            }
            let list: &[u8] = if *exportable {
                &[0x73, 0x80, 0x92]
            } else {
                &[0x73, 0x80]
            };
            attributes = attributes.element(0x91, list);
            if let Some(slot) = slot {
                attributes = attributes.element(0x92, &[*slot]);
            }
            generate_ec(
                *key,
                Curve::Secp256r1,
                b"ZZKEY00001",
                &attributes.into_vec(),
            )
        }
        Sign { key } => fixture::sign(*key),
        Wrap { key } => fixture::wrap(*key),
        Unwrap { key, paper } => {
            let paper = papers.get(paper % papers.len().max(1))?;
            fixture::unwrap(*key, &paper.blob)
        }
        DeleteKey { key } => fixture::delete_key(*key),
        Write { file, content } => update(*file, 0, &[*content; 10]),
        DeleteFile { file } => delete(*file),
        Select | Reset | PowerOff => return None,
    })
}
