//! One long session with every command of the card, and what follows from it: that a seed and the
//! commands determine every byte, and that no mutation of such a command does harm.

use std::collections::BTreeSet;

use hsm2_emulator::card::Card;
use hsm2_emulator::command::COMMANDS;
use hsm2_emulator::crypto::{CardRng, Curve};
use hsm2_emulator::cvc::SignedBody;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::memory::Memory;
use hsm2_emulator::pin::PinReference;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::snapshot::Snapshot;
use hsm2_emulator::store::EphemeralStore;
use hsm2_emulator::tlv::Reader as Tlv;
use proptest::prelude::*;

use crate::channel::{SET_PROTOCOL, general_authenticate, own_point};
use crate::keys::{
    crypto_command, ec_template, extended, generate_command, rsa_template, unwrap_command,
};
use crate::public_key_authentication::select_key;
use crate::state::{Image, image};
use crate::support::{Answer, Reader, SELECT_APPLET, SO_PIN, USER_PIN, bytes, lc_data};

/// A card that draws from this seed, and everything that was said to it.
struct Session {
    reader: Reader,
    exchanges: Vec<(Vec<u8>, Answer)>,
}

impl Session {
    fn send(&mut self, command: &str) -> Answer {
        let answer = self.reader.send(command);
        self.exchanges.push((bytes(command), answer.clone()));
        answer
    }

    #[track_caller]
    fn ok(&mut self, command: &str) -> Vec<u8> {
        let answer = self.send(command);
        assert_eq!(format!("{:04X}", answer.status), "9000", "{command}");
        answer.data
    }

    /// Every command of the table, most of them with success; user logged in at the end.
    fn run(seed: u8) -> Self {
        let serial = Serial::new("VT0000001").unwrap();
        let store = Box::new(EphemeralStore::default());
        let rng = Box::new(CardRng::from_seed([seed; 32]));
        let mut card = Card::personalise(&NITROKEY_HSM2, &serial, store, rng).unwrap();
        card.power_on();
        let mut session = Self {
            reader: Reader { card },
            exchanges: Vec::new(),
        };
        session.set_up();
        session.keys();
        session.files();
        session.certificates();
        session.refusals();
        session.channel();
        session
    }

    fn set_up(&mut self) {
        self.ok(SELECT_APPLET);
        let objects = "80 02 0005 81 06 363438323139 82 08 3537363231383830 91 01 03 92 01 02";
        self.ok(&format!("80 50 00 00 {}", lc_data(&bytes(objects))));
        self.ok(&format!("80 52 00 00 20 {} 00", "11".repeat(32)));
        self.ok(&format!("80 52 00 00 20 {} 00", "22".repeat(32)));
        self.ok("80 50 00 00 00");
        let other = b"9128464";
        self.ok(&format!(
            "00 24 00 81 {}",
            lc_data(&[USER_PIN, other].concat())
        ));
        self.ok(&format!(
            "00 24 00 81 {}",
            lc_data(&[&other[..], USER_PIN].concat())
        ));
        self.ok(&format!("00 2C 01 81 {}", lc_data(SO_PIN)));
        self.ok(&format!("00 20 00 88 {}", lc_data(SO_PIN)));
        self.log_in();
        self.ok("80 5A 01 81 08");
        self.ok("80 5A 00 81");
    }

    fn log_in(&mut self) {
        self.ok(&format!("00 20 00 81 {}", lc_data(USER_PIN)));
    }

    fn keys(&mut self) {
        let curve = Curve::Secp256r1;
        self.ok(&generate_command(1, &ec_template(curve, "92 01 00")));
        self.ok(&generate_command(2, &rsa_template(1024, "")));
        self.ok("00 48 03 B2");
        for algorithm in [0x70, 0x73] {
            self.ok(&crypto_command(0x68, 1, algorithm, &[0x5A; 32]));
        }
        for algorithm in [0x33, 0x43] {
            self.ok(&crypto_command(0x68, 2, algorithm, b"message"));
        }
        self.ok(&crypto_command(0x62, 1, 0x80, curve.parameters().g));
        let plain = lc_data(&[0x5A; 32]);
        for algorithm in ["10", "11", "18"] {
            self.ok(&format!("80 78 03 {algorithm} {plain} 00"));
        }
        self.ok(&generate_command(5, &ec_template(curve, "91 02 9870")));
        self.ok("80 76 05 06 02 98 01");
        self.ok(&crypto_command(0x68, 6, 0x70, &[0x5A; 32]));
        let blob = self.ok("80 72 01 92 00 00 00");
        self.ok(&unwrap_command(4, &blob));
        self.ok(&crypto_command(0x68, 4, 0x70, &[0x5A; 32]));
        self.ok("00 84 00 00 10");
        self.ok("00 84 00 00 00 01 00");
    }

    fn files(&mut self) {
        for id in [0xCA01, 0xCD01, 0x2F10, 0xC401] {
            self.ok(&format!("00 D7 {id:04X} 0C 54 02 0000 53 06 010203040506"));
        }
        self.ok("00 D6 00 03 02 FFFF");
        self.ok("00 B0 00 01 04");
        self.ok("00 B1 CD01 04 54 02 0001 02");
        self.send("00 B1 CE01 00 0004 54 02 0000 0000");
        self.ok("00 A4 00 04 02 CC01 00");
        self.ok("80 58 00 00 00 00 00");
        self.ok("00 E4 02 00 02 CA01");
        self.ok("80 52 00 00 00");
    }

    fn certificates(&mut self) {
        let chain = self.reader.card.memory().device().unwrap();
        let chain = chain.certificates.clone();
        let mut chain = Tlv::new(&chain);
        let device = chain.expect(0x7F21).unwrap().value;
        let issuer = chain.expect(0x7F21).unwrap().value;
        for certificate in [issuer, device] {
            let authority = SignedBody::parse(certificate).unwrap().authority;
            self.ok(&select_key("B6", authority.unwrap()));
            self.ok(&format!("00 2A 00 BE {}", extended(certificate)));
        }
    }

    fn refusals(&mut self) {
        for command in [
            "80 54 00 00 04",
            "00 82 00 00 40",
            "00 20 00 81 06 303030303030",
            "80 20 00 85 03 7F2400",
            "80 68 09 70 20",
            "00 E4 02 00 02 CA09",
        ] {
            assert_ne!(self.send(command).status, 0x9000, "{command}");
        }
        self.log_in();
    }

    fn channel(&mut self) {
        self.ok(SET_PROTOCOL);
        self.ok(&general_authenticate(&own_point()));
    }
}

#[test]
fn seed_and_commands_determine_every_byte() {
    let [one, same, other] = [1, 1, 2].map(Session::run);
    let commands: BTreeSet<_> = one
        .exchanges
        .iter()
        .map(|(command, _)| (command[0], command[1]))
        .collect();
    for entry in COMMANDS {
        assert!(commands.contains(&(entry.cla, entry.ins)), "{entry:?}");
    }

    assert_eq!(one.exchanges, same.exchanges);
    assert!(image(one.reader.card.memory()) == image(same.reader.card.memory()));

    // Whatever is drawn is drawn from the seed; words do not depend on it.
    let words = |session: &Session| -> Vec<u16> {
        let answers = session.exchanges.iter();
        answers.map(|(_, answer)| answer.status).collect()
    };
    assert_eq!(words(&one), words(&other));
    let drawn: BTreeSet<_> = one
        .exchanges
        .iter()
        .zip(&other.exchanges)
        .filter(|((_, one), (_, other))| one.data != other.data)
        .map(|((command, _), _)| command[1])
        .collect();
    for (ins, name) in [
        (0x46, "key pairs"),
        (0x5A, "session PINs"),
        (0x62, "their agreed points"),
        (0x68, "signatures"),
        (0x72, "wrapped keys"),
        (0x78, "what secret keys encipher"),
        (0x84, "challenges"),
        (0x86, "proofs of the device key"),
    ] {
        assert!(drawn.contains(&ins), "{name}");
    }
}

/// How a valid command becomes another one.
#[derive(Clone, Debug)]
enum Mutation {
    Flip { bit: usize },
    Set { place: usize, value: u8 },
    Cut { place: usize },
    Remove { place: usize },
    Insert { place: usize, value: u8 },
    Extend { bytes: Vec<u8> },
}

impl Mutation {
    fn apply(&self, command: &mut Vec<u8>) {
        if command.is_empty() {
            return;
        }
        let length = command.len();
        match self {
            Self::Flip { bit } => command[bit / 8 % length] ^= 1 << (bit % 8),
            Self::Set { place, value } => command[place % length] = *value,
            Self::Cut { place } => command.truncate(place % length),
            Self::Remove { place } => drop(command.remove(place % length)),
            Self::Insert { place, value } => command.insert(place % length, *value),
            Self::Extend { bytes } => command.extend(bytes),
        }
    }
}

fn mutations() -> impl Strategy<Value = Mutation> {
    // Headers and lengths are where most of a command's meaning is.
    let place = || prop_oneof![0usize..8, any::<usize>()];
    prop_oneof![
        place().prop_map(|place| Mutation::Flip {
            bit: place.wrapping_mul(8) | place >> 3 & 7
        }),
        any::<usize>().prop_map(|bit| Mutation::Flip { bit }),
        (place(), any::<u8>()).prop_map(|(place, value)| Mutation::Set { place, value }),
        place().prop_map(|place| Mutation::Cut { place }),
        place().prop_map(|place| Mutation::Remove { place }),
        (place(), any::<u8>()).prop_map(|(place, value)| Mutation::Insert { place, value }),
        proptest::collection::vec(any::<u8>(), 1..20).prop_map(|bytes| Mutation::Extend { bytes }),
    ]
}

/// A command of the session by its number, with mutations; or any bytes.
#[derive(Clone, Debug)]
enum Input {
    Mutated(usize, Vec<Mutation>),
    Any(Vec<u8>),
    /// An instruction of the table, with any parameters and data.
    Instruction(usize, [u8; 2], Vec<u8>),
}

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => (any::<usize>(), proptest::collection::vec(mutations(), 0..4))
            .prop_map(|(command, mutations)| Input::Mutated(command, mutations)),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Input::Any),
        2 => (any::<usize>(), any::<[u8; 2]>(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(entry, p1p2, data)| Input::Instruction(entry, p1p2, data)),
    ]
}

impl Input {
    fn command(&self, session: &[Vec<u8>]) -> Vec<u8> {
        match self {
            Self::Mutated(number, mutations) => {
                let mut command = session[number % session.len()].clone();
                for mutation in mutations {
                    mutation.apply(&mut command);
                }
                command
            }
            Self::Any(bytes) => bytes.clone(),
            Self::Instruction(entry, [p1, p2], data) => {
                let entry = COMMANDS[entry % COMMANDS.len()];
                let lc = u8::try_from(data.len()).unwrap();
                [&[entry.cla, entry.ins, *p1, *p2, lc], &data[..]].concat()
            }
        }
    }
}

/// The memory without the counters of tries, which a wrong PIN may change.
fn without_tries(memory: &Memory) -> (Image, Vec<Option<(usize, u8, bool)>>) {
    let mut image = image(memory);
    image.retain(|name, _| !name.starts_with("PIN "));
    let pins = [PinReference::User, PinReference::SecurityOfficer].map(|reference| {
        let pin = memory.pin(reference).ok()?;
        Some((pin.length(), pin.limit(), pin.is_transport()))
    });
    (image, pins.to_vec())
}

/// The card at the end of the session, and the commands of the session. Without the one that takes
/// long and whose mutations take longer: the generation of an RSA key.
fn end_of_session() -> &'static (Snapshot, Vec<Vec<u8>>) {
    static END: std::sync::OnceLock<(Snapshot, Vec<Vec<u8>>)> = std::sync::OnceLock::new();
    END.get_or_init(|| {
        let session = Session::run(1);
        let rsa = bytes(&generate_command(2, &rsa_template(1024, "")));
        let commands = session.exchanges.into_iter().map(|(command, _)| command);
        let commands = commands.filter(|command| *command != rsa).collect();
        (session.reader.card.snapshot(), commands)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_command_panics_and_none_that_fails_changes_the_memory(
        inputs in proptest::collection::vec(inputs(), 1..12),
    ) {
        let (end, commands) = end_of_session();
        let store = Box::new(EphemeralStore::default());
        let rng = Box::new(CardRng::from_seed([3; 32]));
        let mut card = Card::from_snapshot(end, store, rng).unwrap();
        let mut before = without_tries(card.memory());
        for input in &inputs {
            let command = input.command(commands);
            let answer = card.transmit(&command);
            prop_assert!(answer.len() >= 2, "{}", hex::encode(&command));
            let after = without_tries(card.memory());
            if !answer.ends_with(&[0x90, 0x00]) {
                prop_assert!(after == before, "{} changed the card", hex::encode(&command));
            }
            before = after;
        }
    }
}
