//! The suite on devices that somebody uses: healthy ones are never blamed, and what is theirs stays
//! or is given back.

use std::sync::{Arc, Mutex};

use super::super::fixture;
use super::super::hand::{Hand, select};
use super::super::runner::{Event, Order, run};
use super::super::wire::Log;
use crate::apdu::apdu;
use crate::card::cvc::object;
use crate::fleet;
use crate::guard::foreign::Foreign;
use crate::guard::{Consent, Guard};
use crate::interrupt::Interrupt;
use crate::report::text::Style;
use crate::report::{Report, Verdict};
use crate::scenario::Effect;
use crate::secret::Secret;
use crate::transport::embedded::{Embedded, Lender};
use crate::transport::place::Place;
use crate::transport::{Target, TransportError};

const PIN: &[u8] = b"975310";
const SO_PIN: [u8; 8] = *b"86420864";

/// A card that its owner set up, with three keys on it.
fn owned(serial: &str) -> Embedded {
    let data = [
        object(0x80, &[&[0, 1]]),
        object(0x81, &[PIN]),
        object(0x82, &[&SO_PIN]),
        object(0x91, &[&[3]]),
        object(0x97, &[&[2]]),
    ];
    let initialize = apdu(0x8050_0000).data(data.concat());
    let keys = (1..=3).map(|key| apdu(0x0048_00b0).p1(key).data([0x91, 1, 0x10]));
    let file = apdu(0x00d7_cf01).data([0x54, 2, 0, 0, 0x53, 2, 0x30, 0]);
    let rest = keys.chain([file, select()]);
    Embedded::prepared(serial, std::iter::once(initialize).chain(rest))
}

/// What the suite finds on an owner's device, and a look at what it left there.
fn suite(consent: &Consent) -> (Report, Lender) {
    let all = crate::scenarios::all();
    let lender: Arc<Mutex<Option<Lender>>> = Arc::default();
    let lent = Arc::clone(&lender);
    let order = Order {
        consent: consent.clone(),
        devices: Some(Arc::new(move |name| {
            if name != 'A' {
                return None;
            }
            let card = owned("OWNED");
            *lent.lock().unwrap() = Some(card.lend());
            Some(Box::new(card))
        })),
        ..Order::new(&all, all.iter().collect())
    };
    let report = run(&order, &mut |_| {}).unwrap();
    let lender = lender.lock().unwrap().take().unwrap();
    assert!(!report.device.is_virtual);
    assert!(
        report.is_good(),
        "{}",
        Style { colour: false }.whole(&report)
    );
    (report, lender)
}

fn consent(allow: Effect) -> Consent {
    Consent {
        allow,
        serial: Some("ZZOWNED".into()),
        lose_keys: Some(3),
        pin: Some(Secret::new(PIN.to_vec())),
        so_pin: Some(SO_PIN),
        rehearsal: true,
    }
}

/// The card from what it keeps.
fn again(lender: &Lender) -> Embedded {
    let mut card = Embedded::restore(&lender.snapshot().unwrap(), [7; 32]).unwrap();
    card.transmit(&select().bytes()).unwrap();
    card
}

fn objects(card: &mut Embedded) -> Vec<u8> {
    card.transmit(&apdu(0x8058_0000).all().bytes()).unwrap()
}

fn login(card: &mut Embedded) -> Result<Vec<u8>, TransportError> {
    card.transmit(&apdu(0x0020_0081).data(PIN).bytes())
}

#[test]
fn a_healthy_device_is_not_blamed_and_only_looked_at() {
    let (report, lender) = suite(&Consent {
        pin: Some(Secret::new(PIN.to_vec())),
        rehearsal: true,
        ..Consent::default()
    });
    assert!(report.ran() > 15, "{} ran", report.ran());
    let mut card = again(&lender);
    assert_eq!(objects(&mut card), objects(&mut owned("OWNED")));
    assert_eq!(login(&mut card).unwrap(), [0x90, 0x00]);
}

#[test]
fn keys_that_are_made_on_a_device_are_gone_afterwards() {
    let (report, lender) = suite(&consent(Effect::Creates));
    let wiped = |report: &Report| {
        let wipes = report.results.iter().filter(|one| one.effect == "wipes");
        wipes.filter(|one| one.verdict != Verdict::Skip).count()
    };
    assert_eq!(wiped(&report), 0);
    let mut card = again(&lender);
    assert_eq!(objects(&mut card), objects(&mut owned("OWNED")));
    assert_eq!(login(&mut card).unwrap(), [0x90, 0x00]);
}

#[test]
fn a_device_that_may_be_wiped_is_given_back_empty_with_its_pin() {
    let (report, lender) = suite(&consent(Effect::Wipes));
    assert!(report.ran() > 200, "{} ran", report.ran());
    let mut card = again(&lender);
    let tries = card.transmit(&apdu(0x0020_0088).bytes()).unwrap();
    assert_eq!(tries, [0x63, 0xcf], "no try of the SO-PIN is missing");
    assert_eq!(login(&mut card).unwrap(), [0x90, 0x00]);
    // The device key and the files of the device are all there is.
    let objects = objects(&mut card);
    assert!(!objects.chunks(2).any(|id| id[0] == 0xcc && id[1] != 0));
    // What the guard decided is in the trace.
    let trace = crate::trace::write(&report);
    assert!(trace.contains("\"guard\":\"wiping is allowed\""));
    let text = serde_json::to_string(&report).unwrap();
    for secret in [PIN, &SO_PIN, fixture::PIN] {
        assert!(!text.contains(&hex::encode_upper(secret)));
    }
}

/// A device that is taken out of its reader after some commands.
struct Pulled {
    card: Embedded,
    left: usize,
}

impl Target for Pulled {
    fn describe(&self) -> String {
        self.card.describe()
    }

    fn atr(&self) -> Vec<u8> {
        self.card.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(TransportError::Removed("its reader".into()));
        };
        self.left = left;
        self.card.transmit(command)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.card.power_cycle()
    }
}

/// A run on a device that somebody uses, with the scenarios of this area.
fn on_device(
    area: &str,
    consent: Consent,
    make: impl Fn() -> Box<dyn Target> + Send + Sync + 'static,
) -> (Report, Vec<String>) {
    let all = crate::scenarios::all();
    let chosen = all.iter().filter(|one| one.area() == area).collect();
    let order = Order {
        consent,
        devices: Some(Arc::new(move |name| (name == 'A').then(&make))),
        ..Order::new(&all, chosen)
    };
    let mut told = Vec::new();
    let report = run(&order, &mut |event| {
        if let Event::Tell(what) = event {
            told.push(what.to_owned());
        }
    });
    (report.unwrap(), told)
}

#[test]
fn a_wiping_run_that_is_cut_off_says_what_it_left_and_the_next_one_sees_it() {
    let lender: Arc<Mutex<Option<Lender>>> = Arc::default();
    let lent = Arc::clone(&lender);
    let (report, told) = on_device("sign", consent(Effect::Wipes), move || {
        let card = owned("OWNED");
        *lent.lock().unwrap() = Some(card.lend());
        // Enough for the fixture and some scenarios.
        Box::new(Pulled { card, left: 130 })
    });
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(report.left.len(), 1, "{:?}", report.aborted);
    let left = "device ZZOWNED was erased by this run and not given back";
    assert!(report.left[0].starts_with(left), "{:?}", report.left);
    let (ran, missing) = (report.ran(), report.count(Verdict::NotRun));
    assert!(ran > 1 && missing > 1, "{ran} ran, {missing} did not");
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains(left));
    for secret in [PIN, &SO_PIN, fixture::PIN] {
        assert!(!json.contains(&hex::encode_upper(secret)));
        assert!(!json.contains(std::str::from_utf8(secret).unwrap()));
    }
    let text = Style { colour: false }.whole(&report);
    assert!(text.contains(&format!("NOT GIVEN BACK {left}")), "{text}");
    let mut anonymous = report.clone();
    anonymous.hide_serials();
    assert!(!anonymous.left[0].contains("OWNED"), "{:?}", anonymous.left);

    // Whoever looks next is told, although nothing is allowed and no PIN is spent.
    let snapshot = lender.lock().unwrap().take().unwrap().snapshot().unwrap();
    let looking = Consent {
        rehearsal: true,
        ..Consent::default()
    };
    let again = snapshot.clone();
    let (report, told) = on_device("identify", looking.clone(), move || {
        Box::new(Embedded::restore(&again, [7; 32]).unwrap())
    });
    let seen = "device ZZOWNED has the DKEK of this program's scenarios";
    assert!(told[0].starts_with(seen), "{told:?}");
    assert_eq!(report.left_before, told);
    assert_eq!(report.left, Vec::<String>::new());

    let mut target: Box<dyn Target> = Box::new(Embedded::restore(&snapshot, [7; 32]).unwrap());
    let (guard, identity) = Guard::admit(&mut *target, &looking).unwrap();
    let mut hand = Hand::new('A', target, guard, Log::default(), fixture::secrets());
    hand.select().unwrap();
    let depth = fleet::Depth::default();
    let device = fleet::report(
        &mut hand,
        &identity,
        depth,
        &mut |_| {},
        &Interrupt::default(),
    )
    .unwrap();
    assert_eq!(device.left_before.as_ref(), told.first());
    let text = fleet::markdown(&device);
    assert!(
        text.contains(&format!("- NOT GIVEN BACK: {seen}")),
        "{text}"
    );

    // A run that may wipe it and comes to its end gives it back.
    let mut card = Embedded::restore(&snapshot, [9; 32]).unwrap();
    card.transmit(&select().bytes()).unwrap();
    let files = objects(&mut card);
    let keys = files.chunks(2).filter(|id| id[0] == 0xcc && id[1] != 0);
    let keys = keys.count();
    let lent = Arc::clone(&lender);
    let wiping = Consent {
        lose_keys: Some(keys),
        ..consent(Effect::Wipes)
    };
    let (report, _) = on_device("verify", wiping, move || {
        let card = Embedded::restore(&snapshot, [8; 32]).unwrap();
        *lent.lock().unwrap() = Some(card.lend());
        Box::new(card)
    });
    assert_eq!((report.aborted.as_ref(), report.left.len()), (None, 0));
    let mut card = again_from(&lender);
    assert_eq!(login(&mut card).unwrap(), [0x90, 0x00]);
    let (report, told) = on_device("identify", looking, move || Box::new(again_from(&lender)));
    assert_eq!((told.len(), report.left_before.len()), (0, 0));
}

fn again_from(lender: &Mutex<Option<Lender>>) -> Embedded {
    again(lender.lock().unwrap().as_ref().unwrap())
}

/// A second card below a root that the first does not know: two cards cannot agree, and neither is
/// to blame.
#[test]
fn cards_that_cannot_trust_each_other_are_not_blamed() {
    let all = crate::scenarios::all();
    let chosen = all.iter().filter(|one| one.cards > 1).collect();
    let order = Order {
        consent: Consent {
            serial: Some("ZZSECOND".into()),
            rehearsal: false,
            ..consent(Effect::Wipes)
        },
        devices: Some(Arc::new(|name| {
            let card: Box<dyn Target> = match name {
                'A' => Box::new(Embedded::new("FIRST").unwrap()),
                _ => Box::new(Stranger(Foreign::new(owned("SECOND")))),
            };
            Some(card)
        })),
        second: Some(Place::EMBEDDED),
        ..Order::new(&all, chosen)
    };
    let report = run(&order, &mut |_| {}).unwrap();
    for entry in &report.results {
        assert_eq!(
            entry.verdict,
            Verdict::Skip,
            "{}: {:?}",
            entry.id,
            entry.finding
        );
        let reason = entry.reason.as_deref().unwrap();
        assert!(reason.contains("--trust"), "{reason}");
    }
    assert!(!report.results.is_empty());
}

/// A device below another root.
struct Stranger(Foreign);

impl Target for Stranger {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn atr(&self) -> Vec<u8> {
        self.0.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let mut response = self.0.transmit(command)?;
        let root = hsm2_emulator::identity::ROOT_NAME;
        for at in 0..response.len().saturating_sub(root.len()) {
            if response[at..].starts_with(root) {
                response[at] = b'Q';
            }
        }
        Ok(response)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.0.power_cycle()
    }
}
