//! Runs scenarios: side by side on cards of this process, one after the other on any other card.

mod cards;
mod setting;
mod stale;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Instant, SystemTime};

use hsm2_emulator::trust::Anchor;

use self::cards::{Cards, CardsKind, Station};
pub(crate) use self::cards::{OneCard, one_card};
pub(crate) use self::setting::quoted;
use self::setting::{Setting, Went, work};
use super::bench::{Bench, Stop};
use super::stock::{Stock, Tamper};
use super::wire::Log;
use crate::device::Identity;
use crate::expect::Profile;
use crate::guard::{Consent, Denied};
use crate::interrupt::Interrupt;
use crate::report::survey::left_before;
use crate::report::{Abort, Entry, Report, SCHEMA_VERSION};
use crate::scenario::Scenario;
use crate::transport::place::Place;
use crate::transport::{Target, TransportError};

/// Where cards come from in place of [`Place`]s, by their names A and B.
pub type Devices = Arc<dyn Fn(char) -> Option<Box<dyn Target>> + Send + Sync>;

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
    /// Roots that cards of this process trust besides those of their production.
    pub roots: Vec<Anchor>,
    /// The options of the command line that a repetition needs, too, quoted for a shell.
    pub options: String,
    /// Something between the scenarios and the cards of this process, for tests of the suite.
    pub tamper: Option<Tamper>,
    /// Ends the run between two scenarios.
    pub interrupt: Interrupt,
    /// Cards of a test in place of those that are somewhere.
    pub devices: Option<Devices>,
}

impl<'s> Order<'s> {
    /// These scenarios on cards of this process.
    #[must_use]
    pub fn new(all: &'s [Scenario], chosen: Vec<&'s Scenario>) -> Self {
        Self {
            all,
            chosen,
            place: Place::EMBEDDED,
            second: None,
            seed: 1,
            consent: Consent::default(),
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            profile: None,
            roots: Vec::new(),
            options: String::new(),
            tamper: None,
            interrupt: Interrupt::default(),
            devices: None,
        }
    }

    /// True when every card is one of this process.
    #[must_use]
    pub fn makes_cards(&self) -> bool {
        self.place.makes_cards() && self.second.as_ref().is_none_or(Place::makes_cards)
    }
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
            .map_err(|mistake| RunError::Profile(mistake.to_string()))?
            .narrowed(&cards.first.version),
        None => Profile::for_device(&cards.first, order.all).map_err(RunError::Profile)?,
    };
    let second_profile = match &cards.second {
        // A device whose generation has no profile is taken for one like the first.
        Some(second) => Profile::for_device(second, order.all).ok(),
        None => None,
    };
    cards.equip(&profile, second_profile.as_ref());
    tell(Event::Ready(&cards.first, &profile, order.chosen.len()));
    let maps = cards.survey()?;
    let identities = [Some(&cards.first), cards.second.as_ref()];
    let left_before: Vec<String> = maps
        .iter()
        .zip(identities.into_iter().flatten())
        // Of a virtual card nobody misses anything.
        .filter(|(_, identity)| !identity.is_virtual)
        .filter_map(|(map, _)| left_before(map))
        .collect();
    for left in &left_before {
        tell(Event::Tell(left));
    }
    let setting = Setting {
        order,
        profile: &profile,
        second_profile: second_profile.as_ref(),
        is_virtual: cards.first.is_virtual,
        strangers: cards.strangers()?,
    };
    let (mut results, gone) = match &mut cards.kind {
        CardsKind::Made(stock) => (side_by_side(&setting, stock, tell), None),
        CardsKind::Opened(station) => in_turn(&setting, station, tell),
    };
    let left = order.chosen.get(results.len()..).unwrap_or_default();
    results.extend(left.iter().map(|scenario| setting.not_run(scenario)));
    let stale = if gone.is_none() {
        stale::stale(&setting, &results)
    } else {
        Vec::new()
    };
    let mut report = Report {
        schema_version: SCHEMA_VERSION.into(),
        tool: concat!("hsm2-harness ", env!("CARGO_PKG_VERSION")).into(),
        commit: option_env!("HSM2_COMMIT").map(Into::into),
        began,
        millis: begun.elapsed().as_secs_f64() * 1e3,
        target: order.place.to_string(),
        device: cards.first.clone(),
        second: cards.second.clone(),
        profile: [profile.name.clone(), profile.title.clone()],
        seed: order.seed,
        known_scenarios: order.all.len(),
        chosen_scenarios: order.chosen.len(),
        aborted: gone.as_ref().map(ToString::to_string),
        abort: gone.as_ref().map(Abort::of),
        left: cards.left(),
        left_before,
        stale,
        counts: std::collections::BTreeMap::new(),
        cards: maps,
        results,
    };
    report.tally();
    Ok(report)
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
        let (entry, _) = setting.judge(scenario, went, begun);
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
) -> (Vec<Entry>, Option<TransportError>) {
    let mut results = Vec::new();
    let mut interrupted = None;
    for scenario in &setting.order.chosen {
        if let Err(error) = setting.order.interrupt.check() {
            interrupted = Some(error);
            break;
        }
        tell(Event::Begun(scenario));
        let begun = Instant::now();
        let went = match setting
            .obstacle(scenario)
            .or_else(|| station.obstacle(scenario))
        {
            Some(reason) => Went::stopped(Stop::Skip(reason)),
            None => station.work(setting, scenario),
        };
        let (entry, gone) = setting.judge(scenario, went, begun);
        tell(Event::Ended(&entry));
        results.push(entry);
        if gone.is_some() {
            return (results, gone);
        }
    }
    match station.give_back() {
        Ok(()) => (results, interrupted),
        Err(Stop::Transport(error)) => (results, Some(error)),
        Err(stop) => {
            let what = format!("the device was not erased after the run: {stop:?}");
            (results, Some(TransportError::Protocol(what)))
        }
    }
}
