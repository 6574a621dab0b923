//! Runs scenarios: side by side on cards of this process, one after the other on any other card.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Instant, SystemTime};

use super::bench::{Bench, Stop};
use super::dice::Dice;
use super::fixture;
use super::hand::{Hand, Secrets};
use super::stock::{Stock, Tamper};
use super::wire::{Exchange, Log};
use crate::device::Identity;
use crate::expect::Profile;
use crate::guard::{Consent, Denied, Guard};
use crate::report::survey::{CardMap, survey};
use crate::report::{Entry, Report, SCHEMA_VERSION, Verdict};
use crate::scenario::{Effect, Scenario, Start};
use crate::transport::place::{Opener, Place};
use crate::transport::{Target, TransportError};

/// What to run, and where.
pub struct Order<'s> {
    /// All scenarios that there are.
    pub all: &'s [Scenario],
    /// Those to run.
    pub chosen: Vec<&'s Scenario>,
    /// Where the first card is.
    pub place: Place,
    /// Where the second card is; nothing: one of this process, when the first is a virtual one.
    pub second: Option<Place>,
    /// Seed of all dice.
    pub seed: u64,
    /// What the operator allows on devices.
    pub consent: Consent,
    /// How many scenarios run at once on cards of this process.
    pub jobs: usize,
    /// Name and text of a profile to use in place of those of the program.
    pub profile: Option<(String, String)>,
    /// Something between the scenarios and the cards of this process, for tests of the suite.
    pub tamper: Option<Tamper>,
}

impl std::fmt::Debug for Order<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order")
            .field("chosen", &self.chosen)
            .field("place", &self.place)
            .field("second", &self.second)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// What happens in a run.
#[derive(Debug)]
pub enum Event<'e> {
    /// A person has something to do or to wait for.
    Tell(&'e str),
    /// The cards are known; this many scenarios follow.
    Ready(&'e Identity, &'e Profile, usize),
    /// A scenario begins.
    Begun(&'e Scenario),
    /// A scenario has ended.
    Ended(&'e Entry),
}

/// Why there is no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A card could not be reached, or must not be worked on.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A card could not be reached.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The profile cannot be used.
    #[error("{0}")]
    Profile(String),
    /// The harness is at fault.
    #[error("{0}")]
    Harness(String),
}

impl From<Stop> for RunError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Transport(error) => Self::Transport(error),
            Stop::Fail(finding) => Self::Harness(format!(
                "the cards cannot be prepared: expected {}, found {}",
                finding.expected, finding.found
            )),
            Stop::Skip(what) | Stop::Harness(what) => Self::Harness(what),
        }
    }
}

/// Runs what was ordered.
///
/// # Errors
/// [`RunError`] when no scenario could begin. What happens to a scenario is in the report.
pub fn run(order: &Order<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<Report, RunError> {
    let begun = Instant::now();
    let began = hsm2_emulator::trace::clock::rfc3339(SystemTime::now());
    let mut cards = Cards::open(order, tell)?;
    let profile = match &order.profile {
        Some((file, text)) => Profile::parse(file, text, order.all)
            .map_err(|mistake| RunError::Profile(mistake.to_string()))?,
        None => Profile::for_device(&cards.first, order.all).map_err(RunError::Profile)?,
    };
    tell(Event::Ready(&cards.first, &profile, order.chosen.len()));
    let maps = cards.survey()?;
    let setting = Setting {
        order,
        profile: &profile,
        is_virtual: cards.first.is_virtual,
    };
    let (results, aborted) = match &mut cards.kind {
        CardsKind::Made(stock) => (side_by_side(&setting, stock, tell), None),
        CardsKind::Opened(station) => in_turn(&setting, station, tell),
    };
    let mut report = Report {
        schema_version: SCHEMA_VERSION.into(),
        tool: concat!("hsm2-harness ", env!("CARGO_PKG_VERSION")).into(),
        began,
        millis: begun.elapsed().as_secs_f64() * 1e3,
        target: order.place.to_string(),
        device: cards.first,
        second: cards.second,
        profile: [profile.name.clone(), profile.title.clone()],
        seed: order.seed,
        known_scenarios: order.all.len(),
        chosen_scenarios: order.chosen.len(),
        aborted,
        counts: std::collections::BTreeMap::new(),
        cards: maps,
        results,
    };
    report.tally();
    Ok(report)
}

/// The cards of a run.
struct Cards {
    first: Identity,
    second: Option<Identity>,
    kind: CardsKind,
}

enum CardsKind {
    /// Cards of this process, as many as are wanted.
    Made(Stock),
    /// Cards that are somewhere.
    Opened(Box<Station>),
}

/// A card that stays the same for all scenarios, and its partner.
struct Station {
    first: Held,
    second: Partner,
    stock: Stock,
    log: Log,
}

/// A card and what it is known to be at.
struct Held {
    /// Lent to the bench while a scenario works.
    hand: Option<Hand>,
    at: Option<Start>,
    allows: Effect,
}

enum Partner {
    None,
    Made,
    Held(Box<Held>),
}

impl Cards {
    fn open(order: &Order<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<Self, RunError> {
        let log = Log::default();
        if order.place.makes_cards() && order.second.as_ref().is_none_or(Place::makes_cards) {
            let mut opener = Opener::default();
            let mut identity = |name: char| {
                let serial = format!("SUITE{name}");
                let mut card = opener.open(&Place::Embedded, &serial, &mut |_| {})?;
                Ok::<_, RunError>(Guard::admit(&mut *card, &order.consent)?.1)
            };
            return Ok(Self {
                first: identity('A')?,
                second: Some(identity('B')?),
                kind: CardsKind::Made(Stock::tampered(order.tamper.clone())),
            });
        }
        let mut opener = Opener::default();
        let mut open = |name: char, place: &Place| {
            let serial = format!("SUITE{name}");
            let mut say = |what: &str| tell(Event::Tell(what));
            let target = opener.open(place, &serial, &mut say)?;
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
        let station = Station {
            first: held,
            second: partner,
            stock: Stock::default(),
            log,
        };
        Ok(Self {
            first,
            second,
            kind: CardsKind::Opened(Box::new(station)),
        })
    }

    fn survey(&mut self) -> Result<Vec<CardMap>, RunError> {
        match &mut self.kind {
            CardsKind::Made(stock) => ['A', 'B']
                .into_iter()
                .map(|name| {
                    let mut hand = stock.honest_card(name, Start::AsFound)?;
                    let serial = hand.chain()?.serial();
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

fn hold(
    name: char,
    mut target: Box<dyn Target>,
    consent: &Consent,
    log: Log,
) -> Result<(Held, Identity), RunError> {
    let (guard, identity) = Guard::admit(&mut *target, consent)?;
    let allows = guard.allows();
    let secrets = if guard.is_virtual() {
        fixture::secrets()
    } else {
        Secrets {
            pin: consent.pin.clone(),
            so_pin: consent.so_pin,
        }
    };
    let hand = Hand::new(name, target, guard, log, secrets);
    let held = Held {
        hand: Some(hand),
        at: None,
        allows,
    };
    Ok((held, identity))
}

/// What all scenarios of a run share.
struct Setting<'r> {
    order: &'r Order<'r>,
    profile: &'r Profile,
    is_virtual: bool,
}

impl Setting<'_> {
    /// Why a scenario does not run here.
    fn obstacle(&self, scenario: &Scenario) -> Option<String> {
        if let Some(lacking) = self.profile.lacks(scenario) {
            let name = &self.profile.name;
            return Some(format!("profile {name} has no {lacking}"));
        }
        let needs = |what: &str| scenario.needs.iter().any(|need| need == what);
        if needs("expendable-pin") && !self.is_virtual {
            return Some("would risk the last tries of a PIN, which is never done here".into());
        }
        None
    }

    fn dice(&self, scenario: &Scenario) -> Dice {
        Dice::new(self.order.seed, &scenario.id)
    }

    fn entry(&self, scenario: &Scenario, went: Went, begun: Instant) -> Entry {
        let Went {
            outcome,
            observations,
            exchanges,
        } = went;
        let departure = self.profile.departure(&scenario.id);
        let known = |departure: &crate::expect::Departure| {
            format!("{} (seen: {})", departure.reason, departure.seen)
        };
        let (verdict, reason, finding) = match outcome {
            Ok(()) => match departure {
                Some(departure) => (
                    Verdict::UnexpectedPass,
                    Some(format!(
                        "profile {} expects a departure that no longer holds: {}",
                        self.profile.name,
                        known(departure)
                    )),
                    None,
                ),
                None if observations.is_empty() => (Verdict::Pass, None, None),
                None => (Verdict::Observation, None, None),
            },
            Err(Stop::Fail(finding)) => match departure {
                Some(departure) if departure.explains(&finding) => (
                    Verdict::KnownDeviation,
                    Some(known(departure)),
                    Some(finding),
                ),
                _ => (Verdict::Fail, None, Some(finding)),
            },
            Err(Stop::Skip(reason)) => (Verdict::Skip, Some(reason), None),
            Err(Stop::Transport(error @ TransportError::Never(_))) => {
                (Verdict::Skip, Some(error.to_string()), None)
            }
            Err(Stop::Transport(error)) => (Verdict::Error, Some(error.to_string()), None),
            Err(Stop::Harness(what)) => (Verdict::Error, Some(what), None),
        };
        Entry {
            id: scenario.id.clone(),
            area: scenario.area().into(),
            title: scenario.title.clone(),
            source: scenario.source.clone(),
            effect: scenario.effect().word().into(),
            start: scenario.start.word().into(),
            verdict,
            reason,
            finding,
            observations,
            millis: begun.elapsed().as_secs_f64() * 1e3,
            exchanges,
            rerun: self.rerun(scenario),
        }
    }

    fn rerun(&self, scenario: &Scenario) -> String {
        let order = self.order;
        let mut line = String::from("hsm2-harness run");
        if order.place != Place::Embedded {
            line += &format!(" --target {}", quoted(&order.place.to_string()));
        }
        if let Some(second) = &order.second {
            line += &format!(" --second {}", quoted(&second.to_string()));
        }
        line += &format!(" --only {} --seed {}", scenario.id, order.seed);
        if !self.is_virtual && scenario.effect() > Effect::ReadOnly {
            line += &format!(" --allow {} --serial SERIAL", scenario.effect().word());
        }
        line
    }
}

fn quoted(word: &str) -> String {
    if word.contains(' ') {
        format!("'{word}'")
    } else {
        word.into()
    }
}

/// What became of a scenario's body.
struct Went {
    outcome: Result<(), Stop>,
    observations: Vec<String>,
    exchanges: Vec<Exchange>,
}

impl Went {
    fn stopped(stop: Stop) -> Self {
        Self {
            outcome: Err(stop),
            observations: Vec::new(),
            exchanges: Vec::new(),
        }
    }
}

/// Lets a scenario work; a panic in it is an error of the harness and ends nothing else.
fn work(scenario: &Scenario, bench: &mut Bench) -> Result<(), Stop> {
    let attempt = std::panic::AssertUnwindSafe(|| scenario.run(bench));
    std::panic::catch_unwind(attempt)
        .unwrap_or_else(|_| Err(Stop::Harness("the scenario itself panicked".into())))
}

enum News {
    Begun(usize),
    Ended(usize, Box<Entry>),
}

fn side_by_side(
    setting: &Setting<'_>,
    stock: &Stock,
    tell: &mut dyn FnMut(Event<'_>),
) -> Vec<Entry> {
    let chosen = &setting.order.chosen;
    let next = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    let mut done: Vec<Option<Entry>> = chosen.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        for _ in 0..setting.order.jobs.max(1).min(chosen.len()) {
            let sender = sender.clone();
            scope.spawn(|| worker(setting, stock, &next, sender));
        }
        drop(sender);
        for news in receiver {
            match news {
                News::Begun(index) => {
                    if let Some(scenario) = chosen.get(index) {
                        tell(Event::Begun(scenario));
                    }
                }
                News::Ended(index, entry) => {
                    tell(Event::Ended(&entry));
                    if let Some(place) = done.get_mut(index) {
                        *place = Some(*entry);
                    }
                }
            }
        }
    });
    done.into_iter().flatten().collect()
}

fn worker(setting: &Setting<'_>, stock: &Stock, next: &AtomicUsize, sender: Sender<News>) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(scenario) = setting.order.chosen.get(index) else {
            return;
        };
        // Nobody listens any more only when the whole run is over.
        let _ = sender.send(News::Begun(index));
        let begun = Instant::now();
        let went = match setting.obstacle(scenario) {
            Some(reason) => Went::stopped(Stop::Skip(reason)),
            None => on_made_cards(setting, stock, scenario),
        };
        let entry = setting.entry(scenario, went, begun);
        let _ = sender.send(News::Ended(index, Box::new(entry)));
    }
}

fn on_made_cards(setting: &Setting<'_>, stock: &Stock, scenario: &Scenario) -> Went {
    let log = Log::default();
    let mut dice = setting.dice(scenario);
    let first = match stock.card('A', scenario.start, &log, &mut dice) {
        Ok(hand) => hand,
        Err(stop) => return Went::stopped(stop),
    };
    let second = match scenario.cards {
        0 | 1 => None,
        _ => match stock.card('B', scenario.start, &log, &mut dice) {
            Ok(hand) => Some(hand),
            Err(stop) => return Went::stopped(stop),
        },
    };
    let mut bench = Bench::new(first, second, dice);
    let outcome = work(scenario, &mut bench);
    Went {
        outcome,
        observations: std::mem::take(&mut bench.observations),
        exchanges: log.take(),
    }
}

fn in_turn(
    setting: &Setting<'_>,
    station: &mut Station,
    tell: &mut dyn FnMut(Event<'_>),
) -> (Vec<Entry>, Option<String>) {
    let mut results = Vec::new();
    for scenario in &setting.order.chosen {
        tell(Event::Begun(scenario));
        let begun = Instant::now();
        let went = match setting.obstacle(scenario).or(station.obstacle(scenario)) {
            Some(reason) => Went::stopped(Stop::Skip(reason)),
            None => station.work(setting, scenario),
        };
        let gone = match &went.outcome {
            Err(Stop::Transport(TransportError::Guard(_) | TransportError::Never(_))) => None,
            Err(Stop::Transport(error)) => Some(error.to_string()),
            _ => None,
        };
        let entry = setting.entry(scenario, went, begun);
        tell(Event::Ended(&entry));
        results.push(entry);
        if gone.is_some() {
            return (results, gone);
        }
    }
    (results, None)
}

impl Station {
    fn obstacle(&self, scenario: &Scenario) -> Option<String> {
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

    fn work(&mut self, setting: &Setting<'_>, scenario: &Scenario) -> Went {
        let mut dice = setting.dice(scenario);
        let prepared = self.prepare(setting, scenario, &mut dice);
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

    /// Brings the cards to the start; gives a second card when it is one of this process.
    fn prepare(
        &mut self,
        setting: &Setting<'_>,
        scenario: &Scenario,
        dice: &mut Dice,
    ) -> Result<Option<Hand>, Stop> {
        let start = scenario.start;
        self.first.prepare(start, setting.is_virtual)?;
        if scenario.cards < 2 {
            return Ok(None);
        }
        match &mut self.second {
            Partner::Made => self.stock.card('B', start, &self.log, dice).map(Some),
            Partner::Held(held) => held.prepare(start, setting.is_virtual).map(|()| None),
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

    fn prepare(&mut self, start: Start, is_virtual: bool) -> Result<(), Stop> {
        // As on cards of this process: what may be any card is the fullest, so results agree.
        let state = match start {
            Start::AsFound | Start::LoggedIn if is_virtual => Start::Keys,
            other => other,
        };
        if self.at != Some(state) {
            self.at = None;
            fixture::prepare(self.hand()?, state)?;
            self.at = Some(state);
        }
        let hand = self.hand()?;
        hand.take_exchanges();
        fixture::begin(hand, start)
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
