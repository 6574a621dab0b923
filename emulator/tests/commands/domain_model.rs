//! Random operations on two cards against a model of who may hold which key.
//!
//! The model knows, for each card, the KEK in each slot (as the set of shares XORed, or a number
//! for one that the card drew) and the slot of each key. Each command's word follows from it; so
//! a key that leaves, enters or works where it must not is a difference.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hsm2_emulator::crypto::Curve;
use proptest::prelude::*;

use crate::keys::{Bench, ec_template, generate_command, unwrap_command};

const SLOTS: u8 = 2;
const KEYS: u8 = 3;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Create {
        slot: u8,
        shares: u8,
    },
    Share {
        slot: u8,
        share: u8,
    },
    Clear {
        slot: u8,
    },
    DeleteDomain {
        slot: u8,
    },
    Generate {
        key: u8,
        slot: Option<u8>,
        exportable: bool,
    },
    DeleteKey {
        key: u8,
    },
    Wrap {
        key: u8,
    },
    /// Unwraps one of the blobs made so far, by either card.
    Unwrap {
        key: u8,
        blob: usize,
    },
    Sign {
        key: u8,
    },
    LogOut,
    LogIn,
    PowerOff,
}

/// What every run begins with: domains under equal and other KEKs, and a blob; A is `true`.
const BEGINNING: [(bool, Operation); 8] = [
    (true, Operation::Create { slot: 0, shares: 1 }),
    (true, Operation::Share { slot: 0, share: 1 }),
    (false, Operation::Create { slot: 0, shares: 1 }),
    (false, Operation::Share { slot: 0, share: 2 }),
    (false, Operation::Create { slot: 1, shares: 1 }),
    (false, Operation::Share { slot: 1, share: 1 }),
    (
        true,
        Operation::Generate {
            key: 1,
            slot: Some(0),
            exportable: true,
        },
    ),
    (true, Operation::Wrap { key: 1 }),
];

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let (slot, key) = (0..SLOTS, 1..=KEYS);
    prop_oneof![
        3 => (slot.clone(), 0..3u8).prop_map(|(slot, shares)| Create { slot, shares }),
        4 => (slot.clone(), 1..3u8).prop_map(|(slot, share)| Share { slot, share }),
        1 => slot.clone().prop_map(|slot| Clear { slot }),
        1 => slot.clone().prop_map(|slot| DeleteDomain { slot }),
        4 => (key.clone(), prop::option::weighted(0.8, slot), prop::bool::weighted(0.8))
            .prop_map(|(key, slot, exportable)| Generate { key, slot, exportable }),
        4 => key.clone().prop_map(|key| DeleteKey { key }),
        8 => key.clone().prop_map(|key| Wrap { key }),
        12 => (key.clone(), 0..8usize).prop_map(|(key, blob)| Unwrap { key, blob }),
        2 => key.prop_map(|key| Sign { key }),
        1 => Just(LogOut),
        5 => Just(LogIn),
        1 => Just(PowerOff),
    ]
}

/// What a KEK is, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secret {
    /// XOR of shares, each a bit.
    Shares(u8),
    /// Drawn by a card: the only one of this number.
    Drawn(usize),
}

#[derive(Clone, Debug)]
struct Domain {
    shares: u8,
    outstanding: u8,
    sum: u8,
    drawn: Option<usize>,
}

impl Domain {
    fn kek(&self) -> Option<Secret> {
        match (self.shares, self.outstanding) {
            (0, _) => self.drawn.map(Secret::Drawn),
            (_, 0) => Some(Secret::Shares(self.sum)),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
struct ModelKey {
    /// The point that tells whose key it is.
    point: Vec<u8>,
    slot: Option<u8>,
    exportable: bool,
}

struct Blob {
    bytes: Vec<u8>,
    kek: Secret,
    key: ModelKey,
}

struct Model {
    card: Bench,
    domains: BTreeMap<u8, Domain>,
    keys: BTreeMap<u8, ModelKey>,
    logged_in: bool,
}

/// What both cards and the outside world share.
#[derive(Default)]
struct World {
    blobs: Vec<Blob>,
    drawn: usize,
    script: String,
}

impl World {
    /// The blob that a number stands for, when there is any.
    fn blob(&self, number: usize) -> Option<&Blob> {
        self.blobs.iter().cycle().nth(number)
    }
}

impl Model {
    fn new(number: u8) -> Self {
        Self {
            card: Bench::new(number, &format!("97 01 {SLOTS:02X}")),
            domains: BTreeMap::new(),
            keys: BTreeMap::new(),
            logged_in: true,
        }
    }

    /// Sends the command that the operation is, and compares its word with the model's.
    fn run(mut self, name: char, operation: Operation, world: &mut World) -> Self {
        if matches!(operation, Operation::PowerOff) {
            let _ = writeln!(world.script, "{name}: power off and on, VERIFY");
            self.card = self.card.reopened();
            self.logged_in = true;
            self.check(name, world);
            return self;
        }
        let Some(command) = command(operation, world) else {
            return self;
        };
        let expected = self.expected(operation, world);
        let answer = self.card.send(&command);
        let _ = writeln!(world.script, "{name}: {command} -> {:04X}", answer.status);
        assert_eq!(
            format!("{:04X}", answer.status),
            format!("{expected:04X}"),
            "{operation:?} on {name} after\n{}",
            world.script
        );
        if expected == 0x9000 {
            self.apply(operation, answer.data, world);
        }
        self.check(name, world);
        self
    }

    /// The word that the operation must answer.
    fn expected(&self, operation: Operation, world: &World) -> u16 {
        use Operation::*;
        let needs_user = !matches!(operation, Share { .. } | LogIn | LogOut | PowerOff);
        if needs_user && !self.logged_in {
            return 0x6982;
        }
        let domain = |slot: u8| self.domains.get(&slot);
        match operation {
            Create { slot, .. } if domain(slot).is_some() => 0x6A86,
            Share { slot, .. } => match domain(slot) {
                None => 0x6A88,
                Some(domain) if domain.outstanding == 0 => 0x6985,
                Some(_) => 0x9000,
            },
            Clear { slot } | DeleteDomain { slot } if domain(slot).is_none() => 0x6A88,
            DeleteDomain { slot } if self.keys.values().any(|key| key.slot == Some(slot)) => 0x6A89,
            Generate { key, .. } | Unwrap { key, .. } if self.keys.contains_key(&key) => 0x6A89,
            Generate {
                slot: Some(slot), ..
            } if domain(slot).is_none() => 0x6A88,
            DeleteKey { key } if !self.keys.contains_key(&key) => 0x6A82,
            Wrap { key } | Sign { key } if !self.keys.contains_key(&key) => 0x6A88,
            Wrap { key } if !self.keys[&key].exportable => 0x6985,
            Wrap { key } if self.kek_of(key).is_none() => 0x6A88,
            Unwrap { blob, .. } => {
                let keks: Vec<_> = self.domains.values().filter_map(Domain::kek).collect();
                let wanted = world.blob(blob).map(|blob| blob.kek);
                match wanted {
                    _ if keks.is_empty() => 0x6A88,
                    Some(wanted) if keks.contains(&wanted) => 0x9000,
                    _ => 0x6A80,
                }
            }
            _ => 0x9000,
        }
    }

    fn kek_of(&self, key: u8) -> Option<Secret> {
        self.domains.get(&self.keys[&key].slot?)?.kek()
    }

    fn apply(&mut self, operation: Operation, data: Vec<u8>, world: &mut World) {
        use Operation::*;
        match operation {
            Create { slot, shares } => {
                world.drawn += 1;
                let domain = Domain {
                    shares,
                    outstanding: shares,
                    sum: 0,
                    drawn: (shares == 0).then_some(world.drawn),
                };
                self.domains.insert(slot, domain);
            }
            Share { slot, share } => {
                let domain = self.domains.get_mut(&slot).unwrap();
                domain.outstanding -= 1;
                domain.sum ^= share;
            }
            Clear { slot } => {
                let domain = self.domains.get_mut(&slot).unwrap();
                domain.outstanding = domain.shares;
                (domain.sum, domain.drawn) = (0, None);
            }
            DeleteDomain { slot } => drop(self.domains.remove(&slot)),
            Generate {
                key,
                slot,
                exportable,
            } => {
                let point = crate::keys::ec_public_key(&data).point;
                let made = ModelKey {
                    point,
                    slot,
                    exportable,
                };
                self.keys.insert(key, made);
            }
            DeleteKey { key } => drop(self.keys.remove(&key)),
            Wrap { key } => world.blobs.push(Blob {
                bytes: data,
                kek: self.kek_of(key).unwrap(),
                key: self.keys[&key].clone(),
            }),
            Unwrap { key, blob } => {
                let blob = world.blob(blob).unwrap();
                let mut domains = self.domains.iter();
                let (slot, _) = domains.find(|(_, d)| d.kek() == Some(blob.kek)).unwrap();
                let slot = Some(*slot);
                self.keys.insert(
                    key,
                    ModelKey {
                        slot,
                        ..blob.key.clone()
                    },
                );
            }
            LogOut => self.logged_in = false,
            LogIn => self.logged_in = true,
            Sign { .. } | PowerOff => {}
        }
    }

    /// The card shows of domains and keys what the model has, and each key is the one it was.
    fn check(&mut self, name: char, world: &World) {
        let script = &world.script;
        for slot in 0..SLOTS {
            let answer = self.card.send(&format!("80 52 00 {slot:02X} 00"));
            match self.domains.get(&slot) {
                None => assert_eq!(
                    answer.status, 0x6A88,
                    "slot {slot} of {name} after\n{script}"
                ),
                Some(domain) => {
                    let counts = [domain.shares, domain.outstanding];
                    assert_eq!(
                        answer.data[..2],
                        counts,
                        "slot {slot} of {name} after\n{script}"
                    );
                    let set = answer.data[2..] != [0; 8];
                    assert_eq!(set, domain.kek().is_some(), "KEK of {name} after\n{script}");
                }
            }
        }
        for number in 1..=KEYS {
            let shown = self
                .card
                .send(&format!("00 A4 00 0C 02 CC{number:02X}"))
                .status;
            let key = self.keys.get(&number);
            assert_eq!(
                shown == 0x9000,
                key.is_some(),
                "key {number} of {name} after\n{script}"
            );
            let Some(key) = key else { continue };
            let list = if key.exportable {
                "9103738092"
            } else {
                "91027380"
            };
            let slot = key
                .slot
                .map_or(String::new(), |slot| format!("9201{slot:02X}"));
            let attributes = self.card.attributes(number);
            assert_eq!(
                attributes,
                format!("{list}{slot}"),
                "key {number} of {name} after\n{script}"
            );
            if self.logged_in {
                let point = self
                    .card
                    .decipher(number, 0x80, Curve::Secp256r1.parameters().g);
                assert_eq!(point, key.point, "key {number} of {name} after\n{script}");
            }
        }
    }
}

/// The command of an operation; none when it names a blob that was not made.
fn command(operation: Operation, world: &World) -> Option<String> {
    use Operation::*;
    Some(match operation {
        Create { slot, shares } => format!("80 52 01 {slot:02X} 01 {shares:02X} 00"),
        Share { slot, share } => format!(
            "80 52 00 {slot:02X} 20 {} 00",
            format!("{share:02X}").repeat(32)
        ),
        Clear { slot } => format!("80 52 04 {slot:02X} 00"),
        DeleteDomain { slot } => format!("80 52 03 {slot:02X} 00"),
        Generate {
            key,
            slot,
            exportable,
        } => {
            let list = if exportable {
                "91 03 738092"
            } else {
                "91 02 7380"
            };
            let slot = slot.map_or(String::new(), |slot| format!("92 01 {slot:02X}"));
            let template = ec_template(Curve::Secp256r1, &format!("{list} {slot}"));
            generate_command(key, &template)
        }
        DeleteKey { key } => format!("00 E4 02 00 02 CC{key:02X}"),
        Wrap { key } => format!("80 72 {key:02X} 92 00 00 00"),
        Unwrap { key, blob } => unwrap_command(key, &world.blob(blob)?.bytes),
        Sign { key } => format!("80 68 {key:02X} 73 01 AA 00"),
        LogOut => crate::support::SELECT_APPLET.to_owned(),
        LogIn => "00 20 00 81 06 363438323139".to_owned(),
        PowerOff => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_key_is_where_the_model_does_not_have_it(
        operations in prop::collection::vec((any::<bool>(), operation()), 1..60),
    ) {
        let mut world = World::default();
        let (mut a, mut b) = (Model::new(1), Model::new(2));
        for (on_a, operation) in BEGINNING.into_iter().chain(operations) {
            if on_a {
                a = a.run('A', operation, &mut world);
            } else {
                b = b.run('B', operation, &mut world);
            }
        }
    }
}
