//! The suite on devices that somebody uses: healthy ones are never blamed, and what is theirs stays
//! or is given back.

use std::sync::{Arc, Mutex};

use super::super::fixture;
use super::super::hand::select;
use super::super::runner::{Order, run};
use crate::apdu::apdu;
use crate::card::cvc::object;
use crate::guard::Consent;
use crate::guard::foreign::Foreign;
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
