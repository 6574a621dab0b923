//! Random operations on two cards against a model of who may hold which key.
//!
//! The model knows, for each card, the KEK in each slot (as the set of shares XORed, a number for
//! one that the card drew, or the two exchange keys that agreed on it) and the slot of each key.
//! Each command's word follows from it; so a key that leaves, enters or works where it must not is
//! a difference. Equal KEKs have equal check values on both cards, others have others.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use hsm2_emulator::crypto::{Curve, Hash};
use proptest::prelude::*;

use crate::keys::{Bench, ec_template, generate_command, unwrap_command};
use crate::xkek::{
    self, CURVE, Certificate, SIGNER, chain, derive_command, join_command, trust_chain,
};

const SLOTS: u8 = 2;
const KEYS: u8 = 3;
/// Groups that a card may join.
const GROUPS: u8 = 2;
/// The exchange key of slot 0; that of slot 1 follows.
const EXCHANGE: u8 = 0x20;

/// Who signs for the groups: a card whose chain the others verify, and its memberships for both.
struct Signer {
    chain: [Certificate; 2],
    /// By group and member.
    memberships: [[Vec<u8>; 2]; GROUPS as usize],
    /// UID of each group.
    uids: [Vec<u8>; GROUPS as usize],
}

/// One card of its own for each group would be no different: a group is its signer's key.
static SIGNERS: LazyLock<Signer> = LazyLock::new(|| {
    let mut card = Bench::new(3, "");
    let mut members = [1, 2].map(|number| Bench::new(number, ""));
    let groups = [(); GROUPS as usize].map(|()| {
        let point = card.generate_ec(SIGNER, CURVE, "91 01 73").point;
        let memberships = members
            .each_mut()
            .map(|member| xkek::membership(&mut card, member));
        card.delete_key(SIGNER);
        (memberships, point[1..].to_vec())
    });
    let [(first, first_uid), (second, second_uid)] = groups;
    Signer {
        chain: chain(&mut card),
        memberships: [first, second],
        uids: [first_uid, second_uid],
    }
});

/// Device chains of A and B.
static CHAINS: LazyLock<[[Certificate; 2]; 2]> =
    LazyLock::new(|| [1, 2].map(|number| chain(&mut Bench::new(number, ""))));

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
    Join {
        slot: u8,
        group: u8,
    },
    /// Generates the exchange key of a slot.
    ExchangeKey {
        slot: u8,
    },
    DeleteExchangeKey {
        slot: u8,
    },
    /// Agrees with the last exchange key that the other card made in one of its slots.
    Derive {
        slot: u8,
        peer_slot: u8,
    },
    LogOut,
    LogIn,
    PowerOff,
}

/// What every run begins with: domains under equal and other KEKs, and a blob; A is `true`.
const SHARED: &[(bool, Operation)] = &[
    (true, Operation::Create { slot: 0, shares: 1 }),
    (true, Operation::Share { slot: 0, share: 1 }),
    (false, Operation::Create { slot: 0, shares: 1 }),
    (false, Operation::Share { slot: 0, share: 2 }),
    (false, Operation::Create { slot: 1, shares: 1 }),
    (false, Operation::Share { slot: 1, share: 1 }),
    (true, FIRST_KEY),
    (true, Operation::Wrap { key: 1 }),
];

/// The same for groups: both cards in one, with exchange keys and agreed on A, and a blob.
const AGREED: &[(bool, Operation)] = &[
    (true, Operation::Join { slot: 0, group: 0 }),
    (false, Operation::Join { slot: 0, group: 0 }),
    (true, Operation::ExchangeKey { slot: 0 }),
    (false, Operation::ExchangeKey { slot: 0 }),
    (
        true,
        Operation::Derive {
            slot: 0,
            peer_slot: 0,
        },
    ),
    (true, FIRST_KEY),
    (true, Operation::Wrap { key: 1 }),
];

const FIRST_KEY: Operation = Operation::Generate {
    key: 1,
    slot: Some(0),
    exportable: true,
};

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let (slot, key) = (0..SLOTS, 1..=KEYS);
    prop_oneof![
        3 => (slot.clone(), 0..3u8).prop_map(|(slot, shares)| Create { slot, shares }),
        4 => (slot.clone(), 1..3u8).prop_map(|(slot, share)| Share { slot, share }),
        1 => slot.clone().prop_map(|slot| Clear { slot }),
        1 => slot.clone().prop_map(|slot| DeleteDomain { slot }),
        4 => (key.clone(), prop::option::weighted(0.8, slot.clone()), prop::bool::weighted(0.8))
            .prop_map(|(key, slot, exportable)| Generate { key, slot, exportable }),
        4 => key.clone().prop_map(|key| DeleteKey { key }),
        8 => key.clone().prop_map(|key| Wrap { key }),
        12 => (key.clone(), 0..8usize).prop_map(|(key, blob)| Unwrap { key, blob }),
        2 => key.prop_map(|key| Sign { key }),
        3 => (slot.clone(), 0..GROUPS).prop_map(|(slot, group)| Join { slot, group }),
        3 => slot.clone().prop_map(|slot| ExchangeKey { slot }),
        1 => slot.clone().prop_map(|slot| DeleteExchangeKey { slot }),
        6 => (slot.clone(), slot.clone()).prop_map(|(slot, peer_slot)| Derive { slot, peer_slot }),
        1 => Just(LogOut),
        5 => Just(LogIn),
        1 => Just(PowerOff),
    ]
}

/// What a KEK is, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Secret {
    /// XOR of shares, each a bit.
    Shares(u8),
    /// Drawn by a card: the only one of this number.
    Drawn(usize),
    /// Agreed by the exchange keys with these numbers, the lower first.
    Agreed(usize, usize),
}

#[derive(Clone, Debug)]
struct Domain {
    shares: u8,
    outstanding: u8,
    sum: u8,
    drawn: Option<usize>,
    /// An XKEK domain is of a group, and has no shares.
    group: Option<u8>,
    agreed: Option<(usize, usize)>,
}

impl Domain {
    fn dkek(shares: u8, drawn: usize) -> Self {
        Self {
            shares,
            outstanding: shares,
            sum: 0,
            drawn: (shares == 0).then_some(drawn),
            group: None,
            agreed: None,
        }
    }

    fn xkek(group: u8) -> Self {
        Self {
            shares: 0,
            outstanding: 0,
            sum: 0,
            drawn: None,
            group: Some(group),
            agreed: None,
        }
    }
}

/// An exchange key: its number among all that were made, and its request.
#[derive(Clone, Debug)]
struct ExchangeKey {
    number: usize,
    /// The group that its request names.
    group: Option<u8>,
    request: Vec<u8>,
}

impl Domain {
    fn kek(&self) -> Option<Secret> {
        match (self.shares, self.outstanding) {
            _ if self.group.is_some() => self.agreed.map(|(low, high)| Secret::Agreed(low, high)),
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
    /// 0 for A, 1 for B.
    index: usize,
    domains: BTreeMap<u8, Domain>,
    keys: BTreeMap<u8, ModelKey>,
    /// Exchange keys on the card, by slot.
    exchange: BTreeMap<u8, ExchangeKey>,
    logged_in: bool,
}

/// What both cards and the outside world share.
#[derive(Default)]
struct World {
    blobs: Vec<Blob>,
    drawn: usize,
    /// The last exchange key of each card and slot; its request outlives it.
    requests: BTreeMap<(usize, u8), ExchangeKey>,
    made: usize,
    /// Times that a card was opened; counted from above the seeds of the makings.
    openings: u8,
    /// Check value of every KEK that a card had.
    kcvs: BTreeMap<Secret, Vec<u8>>,
    script: String,
}

impl World {
    /// The blob that a number stands for, when there is any.
    fn blob(&self, number: usize) -> Option<&Blob> {
        self.blobs.iter().cycle().nth(number)
    }
}

impl Model {
    fn new(index: usize) -> Self {
        Self {
            card: Bench::new([1, 2][index], &format!("97 01 {SLOTS:02X}")),
            index,
            exchange: BTreeMap::new(),
            domains: BTreeMap::new(),
            keys: BTreeMap::new(),
            logged_in: true,
        }
    }

    /// Sends the command that the operation is, and compares its word with the model's.
    fn run(mut self, name: char, operation: Operation, world: &mut World) -> Self {
        if matches!(operation, Operation::PowerOff) {
            let _ = writeln!(world.script, "{name}: power off and on, VERIFY");
            // A card that draws what one drew before would have its KEK.
            world.openings += 1;
            self.card = self.card.reopened_with([world.openings; 32]);
            self.logged_in = true;
            self.check(name, world);
            return self;
        }
        let Some(command) = self.command(operation, world) else {
            return self;
        };
        match operation {
            Operation::Join { .. } => trust_chain(&mut self.card, &SIGNERS.chain),
            Operation::Derive { .. } => trust_chain(&mut self.card, &CHAINS[1 - self.index]),
            _ => {}
        }
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
            Create { slot, .. } | Join { slot, .. } if domain(slot).is_some() => 0x6A86,
            Share { slot, .. } => match domain(slot) {
                None => 0x6A88,
                Some(domain) if domain.outstanding == 0 => 0x6985,
                Some(_) => 0x9000,
            },
            ExchangeKey { slot } if self.exchange.contains_key(&slot) => 0x6A89,
            ExchangeKey { slot } if domain(slot).is_none() => 0x6A88,
            DeleteExchangeKey { slot } if !self.exchange.contains_key(&slot) => 0x6A82,
            Derive { slot, .. } if !self.exchange.contains_key(&slot) => 0x6A88,
            Derive { slot, peer_slot } => {
                let peer = &world.requests[&(1 - self.index, peer_slot)];
                match (self.domains[&slot].group, peer.group) {
                    (None, _) => 0x6985,
                    (Some(_), None) => 0x6A80,
                    (own, of_peer) if own != of_peer => 0x6A88,
                    _ => 0x9000,
                }
            }
            Clear { slot } | DeleteDomain { slot } if domain(slot).is_none() => 0x6A88,
            DeleteDomain { slot }
                if self.exchange.contains_key(&slot)
                    || self.keys.values().any(|key| key.slot == Some(slot)) =>
            {
                0x6A89
            }
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
                self.domains.insert(slot, Domain::dkek(shares, world.drawn));
            }
            Join { slot, group } => drop(self.domains.insert(slot, Domain::xkek(group))),
            ExchangeKey { slot } => {
                world.made += 1;
                let key = self::ExchangeKey {
                    number: world.made,
                    group: self.domains[&slot].group,
                    request: data,
                };
                world.requests.insert((self.index, slot), key.clone());
                self.exchange.insert(slot, key);
            }
            DeleteExchangeKey { slot } => drop(self.exchange.remove(&slot)),
            Derive { slot, peer_slot } => {
                let own = self.exchange[&slot].number;
                let peer = world.requests[&(1 - self.index, peer_slot)].number;
                let domain = self.domains.get_mut(&slot).unwrap();
                domain.agreed = Some((own.min(peer), own.max(peer)));
            }
            Share { slot, share } => {
                let domain = self.domains.get_mut(&slot).unwrap();
                domain.outstanding -= 1;
                domain.sum ^= share;
            }
            Clear { slot } => {
                let domain = self.domains.get_mut(&slot).unwrap();
                domain.outstanding = domain.shares;
                (domain.sum, domain.drawn, domain.agreed) = (0, None, None);
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
    fn check(&mut self, name: char, world: &mut World) {
        let World { script, kcvs, .. } = world;
        let script = &*script;
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
                    let kcv = &answer.data[2..10];
                    let expected = match domain.kek() {
                        None => vec![0; 8],
                        Some(Secret::Shares(sum)) => Hash::Sha256.digest(&[sum; 32])[..8].to_vec(),
                        // Of the others only the cards know the value: it is the one they show.
                        Some(kek) => {
                            let known = kcvs.entry(kek).or_insert_with(|| kcv.to_vec());
                            assert_ne!(*known, [0; 8], "KEK of {name} after\n{script}");
                            known.clone()
                        }
                    };
                    assert_eq!(kcv, expected, "KEK of {name} after\n{script}");
                    let uid = domain
                        .group
                        .map(|group| &SIGNERS.uids[usize::from(group)][..]);
                    let shown = &answer.data[10..];
                    assert_eq!(shown, uid.unwrap_or_default(), "{name} after\n{script}");
                }
            }
        }
        let mut different: Vec<_> = kcvs.values().collect();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), kcvs.len(), "equal KEKs after\n{script}");
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

impl Model {
    /// The command of an operation; none when it names a blob or request that was not made.
    fn command(&self, operation: Operation, world: &World) -> Option<String> {
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
            Join { slot, group } => {
                join_command(slot, &SIGNERS.memberships[usize::from(group)][self.index])
            }
            ExchangeKey { slot } => {
                let template = ec_template(CURVE, &format!("91 01 84 92 01 {slot:02X}"));
                generate_command(EXCHANGE + slot, &template)
            }
            DeleteExchangeKey { slot } => format!("00 E4 02 00 02 CC{:02X}", EXCHANGE + slot),
            Derive { slot, peer_slot } => {
                let peer = world.requests.get(&(1 - self.index, peer_slot))?;
                derive_command(EXCHANGE + slot, &peer.request)
            }
            LogOut => crate::support::SELECT_APPLET.to_owned(),
            LogIn => "00 20 00 81 06 363438323139".to_owned(),
            PowerOff => return None,
        })
    }
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
        groups in any::<bool>(),
        operations in prop::collection::vec((any::<bool>(), operation()), 1..60),
    ) {
        let mut world = World {
            openings: 16,
            ..World::default()
        };
        let (mut a, mut b) = (Model::new(0), Model::new(1));
        let beginning = if groups { AGREED } else { SHARED };
        for (on_a, operation) in beginning.iter().copied().chain(operations) {
            if on_a {
                a = a.run('A', operation, &mut world);
            } else {
                b = b.run('B', operation, &mut world);
            }
        }
    }
}
