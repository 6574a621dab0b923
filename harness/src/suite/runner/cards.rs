//! The cards of a run, and what they are brought to before each scenario.

use super::super::bench::{Bench, Stop};
use super::super::dice::Dice;
use super::super::fixture::{self, Equipment};
use super::super::hand::{Hand, Secrets};
use super::super::stock::Stock;
use super::super::wire::Log;
use super::{Event, Order, RunError, Setting, Went, work};
use hsm2_emulator::trust::Anchor;

use crate::apdu::apdu;
use crate::card::cvc::object;
use crate::device::Identity;
use crate::expect::Profile;
use crate::guard::{Consent, Guard};
use crate::report::survey::{CardMap, survey};
use crate::scenario::{Effect, Scenario, Start};
use crate::secret::Secret;
use crate::transport::Target;
use crate::transport::place::{Generation, Opener, Place};

/// The cards of a run.
pub(super) struct Cards {
    pub(super) first: Identity,
    pub(super) second: Option<Identity>,
    pub(super) kind: CardsKind,
}

pub(super) enum CardsKind {
    /// Cards of this process, as many as are wanted.
    Made(Stock),
    /// Cards that are somewhere.
    Opened(Box<Station>),
}

/// A card that stays the same for all scenarios, and its partner.
pub(super) struct Station {
    first: Held,
    second: Partner,
    stock: Stock,
    log: Log,
}

/// A card and what it is known to be at.
pub(crate) struct Held {
    /// Lent to the bench while a scenario works.
    hand: Option<Hand>,
    at: Option<Start>,
    allows: Effect,
    /// What the fixture puts on it.
    equipment: Equipment,
    /// User PIN of a device that somebody uses, where its owner gave one.
    owners: Option<Owners>,
    serial: String,
}

/// What is to be given back to the owner of a device.
struct Owners {
    pin: Option<Secret>,
    /// The fixture had the device, so nothing of the owner's is on it any more.
    wiped: bool,
}

enum Partner {
    None,
    Made,
    Held(Box<Held>),
}

impl Cards {
    pub(super) fn open(
        order: &Order<'_>,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<Self, RunError> {
        let log = Log::default();
        let given = |name: char| order.devices.as_ref().and_then(|devices| devices(name));
        let mut opener = Opener::trusting(&order.roots);
        if order.makes_cards()
            && order.devices.is_none()
            && order.second.as_ref().is_none_or(|it| *it == order.place)
        {
            let mut identity = |name: char| {
                let serial = format!("SUITE{name}");
                let mut card = opener.open(&order.place, &serial, &mut |_| {})?;
                Ok::<_, RunError>(Guard::admit(&mut *card, &order.consent)?.1)
            };
            return Ok(Self {
                first: identity('A')?,
                second: Some(identity('B')?),
                kind: CardsKind::Made(stock(order, &order.place)),
            });
        }
        let mut open = |name: char, place: &Place| {
            let serial = format!("SUITE{name}");
            let mut say = |what: &str| tell(Event::Tell(what));
            let target = match given(name) {
                Some(target) => target,
                None => opener.open(place, &serial, &mut say)?,
            };
            hold(name, target, &order.consent, log.clone())
        };
        let (held, first) = open('A', &order.place)?;
        let (partner, second) = match &order.second {
            Some(place) => {
                let (held, identity) = open('B', place)?;
                (Partner::Held(Box::new(held)), Some(identity))
            }
            None if first.is_virtual => (Partner::Made, None),
            None => (Partner::None, None),
        };
        let like = Generation::by_version(&first.version).unwrap_or_default();
        let station = Station {
            first: held,
            second: partner,
            stock: stock(order, &Place::Embedded(like)),
            log,
        };
        Ok(Self {
            first,
            second,
            kind: CardsKind::Opened(Box::new(station)),
        })
    }

    pub(super) fn survey(&mut self) -> Result<Vec<CardMap>, RunError> {
        match &mut self.kind {
            CardsKind::Made(stock) => ['A', 'B']
                .into_iter()
                .map(|name| {
                    let mut hand = stock.honest_card(name, Start::AsFound)?;
                    let serial = hand.device()?.serial();
                    Ok(survey(name, &serial, &mut hand)?)
                })
                .collect(),
            CardsKind::Opened(station) => {
                let mut maps = Vec::new();
                let hand = station.first.hand()?;
                hand.reset()?;
                hand.select()?;
                maps.push(survey('A', &self.first.serial, hand)?);
                if let (Partner::Held(held), Some(second)) = (&mut station.second, &self.second) {
                    let hand = held.hand()?;
                    hand.reset()?;
                    hand.select()?;
                    maps.push(survey('B', &second.serial, hand)?);
                }
                Ok(maps)
            }
        }
    }
}

fn stock(order: &Order<'_>, place: &Place) -> Stock {
    let mut stock = Stock::default();
    if let Place::Embedded(generation) = place {
        stock.generation = *generation;
    }
    stock.roots.clone_from(&order.roots);
    stock.tamper.clone_from(&order.tamper);
    stock
}

impl Cards {
    /// Says what the cards have of what the fixture puts on them.
    pub(super) fn equip(&mut self, first: &Profile, second: Option<&Profile>) {
        let second = second.unwrap_or(first).equipment();
        match &mut self.kind {
            CardsKind::Made(stock) => stock.equipment = first.equipment(),
            CardsKind::Opened(station) => {
                station.first.equipment = first.equipment();
                station.stock.equipment = first.equipment();
                if let Partner::Held(held) = &mut station.second {
                    held.equipment = second;
                }
            }
        }
    }

    /// Owners' devices that were not given back, in sentences.
    pub(super) fn left(&self) -> Vec<String> {
        match &self.kind {
            CardsKind::Made(_) => Vec::new(),
            CardsKind::Opened(station) => station.left(),
        }
    }

    /// Why the cards cannot verify each other's certificates, when one does not know the root of the
    /// other; asks for the root's name, which changes nothing.
    pub(super) fn strangers(&mut self) -> Result<Option<String>, RunError> {
        let CardsKind::Opened(station) = &mut self.kind else {
            return Ok(None);
        };
        let Partner::Held(second) = &mut station.second else {
            return Ok(None);
        };
        let (a, b) = (station.first.hand()?, second.hand()?);
        let root = |hand: &mut Hand| -> Result<Vec<u8>, Stop> {
            hand.reset()?;
            hand.select()?;
            Ok(hand.chain()?.issuer.authority)
        };
        let roots = match (root(b), root(a)) {
            (Err(Stop::Skip(why)), _) | (_, Err(Stop::Skip(why))) => return Ok(Some(why)),
            (of_b, of_a) => [of_b?, of_a?],
        };
        for ((name, hand), root) in [("first", a), ("second", b)].into_iter().zip(roots) {
            let select = apdu(0x0022_81b6).data(object(0x83, &[&root]));
            if hand.send(select)?.status != 0x9000 {
                return Ok(Some(format!(
                    "the {name} card does not know {}, the root of the other one; virtual cards take \
                     it from --trust",
                    String::from_utf8_lossy(&root)
                )));
            }
        }
        Ok(None)
    }
}

fn hold(
    name: char,
    mut target: Box<dyn Target>,
    consent: &Consent,
    log: Log,
) -> Result<(Held, Identity), RunError> {
    let (guard, identity) = Guard::admit(&mut *target, consent)?;
    let allows = guard.allows();
    let (secrets, owners) = if guard.is_virtual() {
        (fixture::secrets(), None)
    } else {
        let pin = consent.pin.clone();
        let secrets = Secrets {
            pin: pin.clone(),
            so_pin: consent.so_pin,
        };
        (secrets, Some(Owners { pin, wiped: false }))
    };
    let hand = Hand::new(name, target, guard, log, secrets);
    let held = Held {
        hand: Some(hand),
        at: None,
        allows,
        equipment: Equipment::default(),
        owners,
        serial: identity.serial.clone(),
    };
    Ok((held, identity))
}

impl Station {
    pub(super) fn obstacle(&self, scenario: &Scenario) -> Option<String> {
        if scenario.start == Start::Virgin {
            return Some("needs a card that was never initialised; only embedded makes one".into());
        }
        let mut held = vec![&self.first];
        if scenario.cards > 1 {
            match &self.second {
                Partner::None => {
                    return Some("needs a second card, see --second".into());
                }
                Partner::Made => {}
                Partner::Held(second) => held.push(second),
            }
        }
        held.iter()
            .find(|held| held.allows < scenario.effect())
            .map(|held| {
                format!(
                    "is {}, and {} is allowed, see --allow",
                    scenario.effect().word(),
                    held.allows.word()
                )
            })
    }

    pub(super) fn work(&mut self, setting: &Setting<'_>, scenario: &Scenario) -> Went {
        let mut dice = setting.dice(scenario);
        let prepared = self.prepare(scenario, &mut dice);
        let made = match prepared {
            Ok(made) => made,
            Err(stop) => return Went::stopped(stop),
        };
        let first = match self.first.take() {
            Ok(hand) => hand,
            Err(stop) => return Went::stopped(stop),
        };
        let second = match (&mut self.second, made) {
            (_, Some(made)) => Some(made),
            (Partner::Held(held), None) if scenario.cards > 1 => held.hand.take(),
            _ => None,
        };
        let mut bench = Bench::new(first, second, dice);
        let outcome = work(scenario, &mut bench);
        let observations = std::mem::take(&mut bench.observations);
        let (first, second) = bench.into_hands();
        self.first.hand = Some(first);
        self.first.settle(scenario);
        if let (Partner::Held(held), Some(second)) = (&mut self.second, second) {
            held.hand = Some(second);
            held.settle(scenario);
        }
        Went {
            outcome,
            observations,
            exchanges: self.log.take(),
        }
    }

    /// Leaves owners' devices empty and with their own user PINs.
    pub(super) fn give_back(&mut self) -> Result<(), Stop> {
        self.first.give_back()?;
        match &mut self.second {
            Partner::Held(held) => held.give_back(),
            Partner::Made | Partner::None => Ok(()),
        }
    }

    /// Owners' devices that were not given back, in sentences.
    fn left(&self) -> Vec<String> {
        let second = match &self.second {
            Partner::Held(held) => held.left(),
            Partner::Made | Partner::None => None,
        };
        self.first.left().into_iter().chain(second).collect()
    }

    /// Brings the cards to the start; gives a second card when it is one of this process.
    fn prepare(&mut self, scenario: &Scenario, dice: &mut Dice) -> Result<Option<Hand>, Stop> {
        let start = scenario.start;
        self.first.prepare(start)?;
        if scenario.cards < 2 {
            return Ok(None);
        }
        match &mut self.second {
            Partner::Made => self.stock.card('B', start, &self.log, dice).map(Some),
            Partner::Held(held) => held.prepare(start).map(|()| None),
            Partner::None => Ok(None),
        }
    }
}

impl Held {
    fn take(&mut self) -> Result<Hand, Stop> {
        self.hand.take().ok_or_else(lost)
    }

    fn hand(&mut self) -> Result<&mut Hand, Stop> {
        self.hand.as_mut().ok_or_else(lost)
    }

    fn prepare(&mut self, start: Start) -> Result<(), Stop> {
        // As on cards of this process, so that results agree; an owner's device stays as it is found
        // until something has wiped it.
        let state = match &mut self.owners {
            Some(owners) if start.effect() == Effect::Wipes => {
                if owners.pin.is_none() {
                    return Err(Stop::Skip(
                        "needs the user PIN of the device, to give it back afterwards, see --pin-file"
                            .into(),
                    ));
                }
                start
            }
            Some(Owners { wiped: false, .. }) => start,
            _ => self.equipment.start(start),
        };
        if self.at != Some(state) {
            self.at = None;
            let equipment = self.equipment.clone();
            if let Some(owners) = &mut self.owners {
                owners.wiped |= state.effect() == Effect::Wipes;
            }
            fixture::prepare(self.hand()?, state, &equipment)?;
            self.at = Some(state);
        }
        let hand = self.hand()?;
        hand.take_exchanges();
        fixture::begin(hand, start)
    }

    /// Leaves an owner's device empty and with its own user PIN.
    fn give_back(&mut self) -> Result<(), Stop> {
        match &self.owners {
            Some(Owners {
                pin: Some(pin),
                wiped: true,
            }) => {
                let pin = pin.clone();
                fixture::give_back(self.hand()?, pin.expose())?;
            }
            _ => return Ok(()),
        }
        if let Some(owners) = &mut self.owners {
            owners.wiped = false;
        }
        Ok(())
    }

    /// Says that an owner's device is not as it must be given back, when it is not.
    fn left(&self) -> Option<String> {
        let wiped = self.owners.as_ref().is_some_and(|owners| owners.wiped);
        wiped.then(|| {
            let serial = &self.serial;
            format!(
                "device {serial} was erased by this run and not given back. {}",
                fixture::LEFT
            )
        })
    }

    /// Forgets what the card is at when a scenario may have changed it.
    fn settle(&mut self, scenario: &Scenario) {
        if scenario.own_effect > Effect::ReadOnly {
            self.at = None;
        }
    }
}

fn lost() -> Stop {
    Stop::Harness("a card was not given back".into())
}

/// One card for sessions that no scenario leads: brought to any start, as for scenarios.
pub(crate) enum OneCard {
    /// New cards of this process.
    Made {
        stock: Box<Stock>,
        log: Log,
        hand: Option<Box<Hand>>,
    },
    /// A card that is somewhere.
    Held(Box<Held>),
}

/// Finds a card and how its generation is prepared.
///
/// # Errors
/// [`RunError`].
pub(crate) fn one_card(
    place: &Place,
    roots: &[Anchor],
    consent: &Consent,
    tell: &mut dyn FnMut(&str),
) -> Result<OneCard, RunError> {
    let mut target = Opener::trusting(roots).open(place, "SUITEA", tell)?;
    let equipment = |identity: &Identity| {
        // A device without a profile is not prepared by its generation; what it cannot do shows.
        Profile::for_device(identity, &crate::scenarios::all())
            .map(|profile| profile.equipment())
            .unwrap_or_default()
    };
    if let Place::Embedded(generation) = place {
        let (_, identity) = Guard::admit(&mut *target, consent)?;
        let stock = Stock {
            generation: *generation,
            roots: roots.to_vec(),
            equipment: equipment(&identity),
            tamper: None,
        };
        return Ok(OneCard::Made {
            stock: Box::new(stock),
            log: Log::default(),
            hand: None,
        });
    }
    let (mut held, identity) = hold('A', target, consent, Log::default())?;
    held.equipment = equipment(&identity);
    Ok(OneCard::Held(Box::new(held)))
}

impl OneCard {
    /// A card of this process that stands ready.
    pub(crate) fn ready(hand: Hand) -> Self {
        Self::Made {
            stock: Box::default(),
            log: Log::default(),
            hand: Some(Box::new(hand)),
        }
    }

    /// Brings the card to a start; nothing, when that would erase a device and is not allowed, or
    /// needs another card.
    ///
    /// # Errors
    /// [`Stop`].
    pub(crate) fn begin(&mut self, start: Start) -> Result<bool, Stop> {
        match self {
            Self::Made { stock, log, hand } => {
                let mut dice = Dice::new(1, "one card");
                *hand = Some(Box::new(stock.card('A', start, log, &mut dice)?));
            }
            Self::Held(held) => {
                if start == Start::Virgin || held.allows < start.effect() {
                    return Ok(false);
                }
                held.at = None;
                held.prepare(start)?;
            }
        }
        self.hand()?.take_exchanges();
        Ok(true)
    }

    /// The card, as it is; a new one, when there is none yet.
    ///
    /// # Errors
    /// [`Stop`].
    pub(crate) fn hand(&mut self) -> Result<&mut Hand, Stop> {
        match self {
            Self::Made { stock, log, hand } => {
                if hand.is_none() {
                    let mut dice = Dice::new(1, "one card");
                    let card = stock.card('A', Start::Virgin, log, &mut dice)?;
                    *hand = Some(Box::new(card));
                }
                hand.as_deref_mut().ok_or_else(lost)
            }
            Self::Held(held) => held.hand(),
        }
    }

    /// Says that an owner's device was not given back, when it was not.
    pub(crate) fn left(&self) -> Option<String> {
        match self {
            Self::Made { .. } => None,
            Self::Held(held) => held.left(),
        }
    }

    /// Leaves an owner's device empty and with its own user PIN, when it was erased.
    ///
    /// # Errors
    /// [`Stop`].
    pub(crate) fn give_back(&mut self) -> Result<(), Stop> {
        match self {
            Self::Made { .. } => Ok(()),
            Self::Held(held) => held.give_back(),
        }
    }
}
