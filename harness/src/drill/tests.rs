use std::path::Path;

use super::guard::Consent;
use super::*;
use crate::transport::TransportError;
use crate::transport::embedded::Embedded;

type Targets = Vec<Box<dyn Target>>;

/// Longest wait for a card.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

fn targets(count: usize) -> Targets {
    let serials = ["DRILLA", "DRILLB", "DRILLC", "DRILLD"]
        .into_iter()
        .take(count);
    serials
        .map(|serial| -> Box<dyn Target> { Box::new(Embedded::new(serial).unwrap()) })
        .collect()
}

fn run(drill: &Drill, targets: Targets) -> Result<Account, DrillError> {
    drill.run(targets, &Consent::default(), &mut |_| {})
}

/// Runs a drill and compares its page with the one in the repository.
fn page_is_current(drill: &Drill) -> Account {
    let account = run(drill, targets(drill.cards)).unwrap();
    let page = render::markdown(drill, &account);
    let name = drill.name;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = format!("docs/ceremonies/{name}.md");
    let kept = std::fs::read_to_string(root.join(&path)).unwrap_or_default();
    assert!(
        page == kept,
        "{path} is stale; write it anew:\n  cargo run -p hsm2-harness -- drill {name} --markdown {path}"
    );
    steps_end_with_what_cards_hold(&account);
    account
}

#[test]
fn xkek_holds_and_its_page_is_current() {
    page_is_current(&xkek::DRILL);
}

#[test]
fn custodian_leaves_holds_and_its_page_is_current() {
    page_is_current(&custodian_leaves::DRILL);
}

#[test]
fn custodians_lost_holds_and_its_page_is_current() {
    page_is_current(&custodians_lost::DRILL);
}

#[test]
fn new_dkek_holds_and_its_page_is_current() {
    four_ways_stand_side_by_side(&page_is_current(&new_dkek::DRILL));
}

#[test]
fn pka_holds_and_its_page_is_current() {
    page_is_current(&pka::DRILL);
}

#[test]
fn restore_holds_and_its_page_is_current() {
    page_is_current(&restore::DRILL);
}

#[test]
fn drills_run_on_cards_behind_vpcd() {
    use hsm2_emulator::card::Card;
    use hsm2_emulator::crypto::CardRng;
    use hsm2_emulator::identity::Serial;
    use hsm2_emulator::transport::{Endpoint, Stopper, Timing, serve};
    use hsm2_emulator::{profile, store};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (stopper, stop) = Stopper::new();
    let threads: Vec<_> = ["VPCDA", "VPCDB", "VPCDC", "VPCDD"]
        .into_iter()
        .zip(1..)
        .map(|(serial, seed)| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                let mut card = Card::personalise(
                    &profile::NITROKEY_HSM2,
                    &Serial::new(serial).unwrap(),
                    Box::new(store::EphemeralStore::default()),
                    Box::new(CardRng::from_seed([seed; 32])),
                )
                .unwrap();
                let endpoint = Endpoint::Connect(vec![address]);
                serve(&mut card, endpoint, Timing::default(), stop, &|_| {}).unwrap();
            })
        })
        .collect();
    // All but `restore`, whose long RSA key takes seconds to make.
    let drills = DRILLS.iter().filter(|drill| drill.name != "restore");
    let outcomes: Vec<_> = drills
        .map(|drill| {
            // The cards come back for the next drill as soon as this one has let them go.
            let cards = (0..drill.cards).map(|_| -> Box<dyn Target> {
                let card = crate::transport::vpcd::Vpcd::accept(&listener, PATIENCE, &mut |_| {});
                Box::new(card.unwrap())
            });
            (drill.name, run(drill, cards.collect()).err())
        })
        .collect();
    stopper.stop();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(outcomes.len(), 5);
    for (name, error) in outcomes {
        assert!(error.is_none(), "{name}: {error:?}");
    }
}

#[test]
fn new_dkek_notices_a_wrapped_key_with_another_check_value() {
    // What A wraps names a DKEK that B does not have.
    let change = |command: &[u8], response: &mut Vec<u8>| {
        if command[1] == 0x72 && response.len() > 10 {
            response[0] ^= 1;
        }
    };
    sabotage(&new_dkek::DRILL, 0, change, 3, "UNWRAP KEY answered 6A80");
}

/// A card whose answers are changed on their way.
struct Sabotaged {
    card: Box<dyn Target>,
    change: fn(&[u8], &mut Vec<u8>),
}

impl Target for Sabotaged {
    fn describe(&self) -> String {
        self.card.describe()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let mut response = self.card.transmit(command)?;
        (self.change)(command, &mut response);
        Ok(response)
    }

    fn atr(&self) -> Vec<u8> {
        self.card.atr()
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.card.power_cycle()
    }
}

/// Runs a drill in which one card's answers are changed; it must fail at that step, for that reason.
fn sabotage(
    drill: &Drill,
    card: usize,
    change: fn(&[u8], &mut Vec<u8>),
    step: usize,
    reason: &str,
) {
    let mut targets = targets(drill.cards);
    let honest = targets.remove(card);
    targets.insert(
        card,
        Box::new(Sabotaged {
            card: honest,
            change,
        }),
    );
    let error = run(drill, targets).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("step {step}")) && error.contains(reason),
        "{error}"
    );
}

#[test]
fn xkek_notices_a_wrong_check_value_of_the_dkek() {
    let change = |command: &[u8], response: &mut Vec<u8>| {
        if command[..4] == [0x80, 0x52, 0, 0] && response.len() == 12 {
            response[9] ^= 1;
        }
    };
    sabotage(
        &xkek::DRILL,
        1,
        change,
        1,
        "of DKEK Beta in slot 0 of card B",
    );
}

#[test]
fn xkek_notices_keks_that_differ() {
    let change = |command: &[u8], response: &mut Vec<u8>| {
        if command[..4] == [0x80, 0x52, 0, 1] && response.len() > 12 {
            response[9] ^= 1;
        }
    };
    sabotage(&xkek::DRILL, 1, change, 4, "the same KCV in slot 1 of A");
}

#[test]
fn xkek_notices_a_card_that_takes_a_foreign_key() {
    let change = |command: &[u8], response: &mut Vec<u8>| {
        if command[1] == 0x74 {
            *response = vec![0x90, 0x00];
        }
    };
    sabotage(&xkek::DRILL, 2, change, 6, "card C to refuse with 6A80");
}

#[test]
fn xkek_notices_another_word_of_refusal() {
    let change = |command: &[u8], response: &mut Vec<u8>| {
        if command[..2] == [0x80, 0x74] {
            *response = vec![0x6F, 0x00];
        }
    };
    sabotage(&xkek::DRILL, 2, change, 6, "it answered 6F00");
}

#[test]
fn xkek_notices_a_signature_of_another_key() {
    let change = |command: &[u8], response: &mut Vec<u8>| {
        if command[..3] == [0x80, 0x68, 3] {
            let last = response.len() - 3;
            response[last] ^= 1;
        }
    };
    sabotage(&xkek::DRILL, 1, change, 5, "does not verify");
}

#[test]
fn xkek_notices_a_key_that_the_device_did_not_attest() {
    let change = |command: &[u8], response: &mut Vec<u8>| {
        if command[1] == 0x46 {
            let last = response.len() - 3;
            response[last] ^= 1;
        }
    };
    sabotage(&xkek::DRILL, 0, change, 2, "GENERATE KEY PAIR");
}

#[test]
fn a_device_outside_the_virtual_root_is_erased_only_when_named() {
    // A changed byte in the issuer's certificate: no virtual card any more.
    let change = |command: &[u8], response: &mut Vec<u8>| {
        assert_ne!(command[1], 0x50, "the card was erased");
        if command[..4] == [0x00, 0xB1, 0x2F, 0x02] {
            let last = response.len() - 3;
            response[last] ^= 1;
        }
    };
    let foreign = || -> Targets {
        targets(3)
            .into_iter()
            .map(|card| -> Box<dyn Target> { Box::new(Sabotaged { card, change }) })
            .collect()
    };
    let refused = |consent: &Consent| {
        let error = xkek::DRILL.run(foreign(), consent, &mut |_| {});
        error.unwrap_err().to_string()
    };
    let error = refused(&Consent::default());
    assert!(error.contains("--wipe ZZDRILLA"), "{error}");
    let named = Consent {
        serials: vec!["ZZDRILLA".into()],
        so_pin: None,
    };
    assert!(refused(&named).contains("SO-PIN is needed"));
    let first_only = Consent {
        so_pin: Some([1; 8]),
        ..named
    };
    assert!(refused(&first_only).contains("--wipe ZZDRILLB"));
}

#[test]
fn one_device_cannot_play_two_cards() {
    let twice: Targets = (0..3)
        .map(|_| -> Box<dyn Target> { Box::new(Embedded::new("DRILLA").unwrap()) })
        .collect();
    let error = run(&xkek::DRILL, twice).unwrap_err().to_string();
    assert!(error.contains("ZZDRILLA is there twice"), "{error}");
}

/// Cards A and B below a root that is not the virtual one, as genuine devices are: they trust each
/// other, and do not know the virtual root.
fn below_another_root() -> Targets {
    use hsm2_emulator::card::Card;
    use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey};
    use hsm2_emulator::identity::Device;
    use hsm2_emulator::profile::NITROKEY_HSM2;
    use hsm2_emulator::store::EphemeralStore;
    use hsm2_emulator::trust::Anchor;

    let file = include_str!("../../../vectors/xkek.json");
    let vectors: serde_json::Value = serde_json::from_str(file).unwrap();
    let bytes = |value: &serde_json::Value| hex::decode(value.as_str().unwrap()).unwrap();
    let root = Anchor::parse(&bytes(&vectors["certificates"]["root"])).unwrap();
    ["A", "B"]
        .into_iter()
        .zip(1..)
        .map(|(name, seed)| -> Box<dyn Target> {
            let key = bytes(&vectors["private_keys"][format!("device_{name}")]);
            let key = EcPrivateKey::from_bytes(Curve::BrainpoolP256r1, &key).unwrap();
            let certificates = bytes(&vectors[format!("ef_2F02_{name}")]);
            let device = Device::from_parts(NITROKEY_HSM2.name, &certificates, key).unwrap();
            let store = Box::new(EphemeralStore::default());
            let rng = Box::new(CardRng::from_seed([seed; 32]));
            let mut card = Card::with_identity(device, store, rng).unwrap();
            card.trust(&root).unwrap();
            card.power_on();
            Box::new(Issued(card))
        })
        .collect()
}

/// A card of the emulator that has forgotten the virtual root.
struct Issued(hsm2_emulator::card::Card);

impl Target for Issued {
    fn describe(&self) -> String {
        "a card below another root".into()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        const SELECT_ROOT: &[u8] = b"\x00\x22\x81\xB6\x11\x83\x0FZZVIRTROOT00001";
        match command {
            SELECT_ROOT => Ok(vec![0x6A, 0x88]),
            _ => Ok(self.0.transmit(command)),
        }
    }

    fn atr(&self) -> Vec<u8> {
        self.0.atr().to_vec()
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.reset();
        Ok(())
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.0.power_off();
        self.0.power_on();
        Ok(())
    }
}

/// All that an account says, as a page.
fn told(drill: &Drill, targets: Targets, consent: &Consent) -> String {
    let account = drill.run(targets, consent, &mut |_| {}).unwrap();
    render::markdown(drill, &account).replace('\n', " ")
}

#[test]
fn a_virtual_card_plays_the_last_one_where_two_are_given() {
    for drill in [&xkek::DRILL, &custodians_lost::DRILL] {
        let page = told(drill, targets(2), &Consent::default());
        assert!(
            page.contains("A virtual card in this program plays C"),
            "{page}"
        );
        // It does all that a given card does.
        let given = told(drill, targets(3), &Consent::default());
        assert!(!given.contains("A virtual card in this program plays C"));
        for word in ["Refused by C", "| C |"] {
            assert_eq!(page.matches(word).count(), given.matches(word).count());
        }
    }
    let error = run(&xkek::DRILL, targets(1)).unwrap_err().to_string();
    assert_eq!(error, "this drill needs 2 cards, there are 1");
}

#[test]
fn devices_below_another_root_refuse_the_virtual_outsider_at_its_certificates() {
    let consent = Consent {
        serials: ["ZZTSTAAAA", "ZZTSTBBBB"].map(str::to_owned).to_vec(),
        so_pin: Some(*b"57621880"),
    };
    let page = told(&xkek::DRILL, below_another_root(), &consent);
    for refusal in [
        "Refused by C with 6A88 (what it refers to is not there): it does not know ZZTSTROOT00001",
        "Refused by B with 6A88 (what it refers to is not there): it does not know ZZVIRTROOT00001",
    ] {
        assert!(page.contains(refusal), "{page}");
    }
    let page = told(&custodians_lost::DRILL, below_another_root(), &consent);
    assert!(page.contains("C signs with key 2"), "{page}");

    // A mixed pair never agrees on anything, so nothing is erased for it.
    let mixed = || -> Targets {
        below_another_root()
            .into_iter()
            .take(1)
            .chain(targets(1))
            .collect()
    };
    for drill in [&xkek::DRILL, &new_dkek::DRILL] {
        let error = drill.run(mixed(), &consent, &mut |_| {}).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("their roots differ; nothing was erased"),
            "{error}"
        );
    }
}

/// Each step ends with what the cards hold: domains, check values, keys, and who can exchange.
fn steps_end_with_what_cards_hold(account: &Account) {
    let (mut steps, mut shown) = (0, true);
    for entry in &account.entries {
        match entry {
            Entry::Step { .. } => {
                assert!(shown, "step {steps} ends without");
                (steps, shown) = (steps + 1, false);
            }
            Entry::Holds { cards, .. } => {
                assert!(!cards.is_empty(), "step {steps}");
                shown = true;
            }
            Entry::Meaning { .. } | Entry::Comparison(_) => assert!(shown, "step {steps}"),
            Entry::Sent(_) | Entry::Shown { .. } | Entry::Caution { .. } => {
                assert!(!shown, "step {steps} goes on after");
            }
        }
    }
    assert!(steps >= 4, "{steps} steps");
}

fn four_ways_stand_side_by_side(account: &Account) {
    let table = account.entries.iter().find_map(|entry| match entry {
        Entry::Comparison(table) => Some(table),
        _ => None,
    });
    let table = table.unwrap();
    assert_eq!(table.rows.len(), 4);
    assert!(
        table
            .rows
            .iter()
            .all(|row| row.len() == table.columns.len())
    );
    let terminal = render::Terminal {
        width: 60,
        colour: false,
    };
    let text = terminal.entry(&Entry::Comparison(table.clone()));
    assert!(
        text.lines().all(|line| line.chars().count() <= 60),
        "{text}"
    );
    let words = table
        .rows
        .iter()
        .flatten()
        .flat_map(|cell| cell.split_whitespace());
    for word in words {
        assert!(text.contains(word), "{word}");
    }
}
