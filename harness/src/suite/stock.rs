//! Prepared cards of this process: each start is prepared once, then copied for every scenario.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hsm2_emulator::trust::Anchor;

use super::bench::Stop;
use super::dice::Dice;
use super::fixture::{self, Equipment};
use super::hand::Hand;
use super::wire::Log;
use crate::guard::Guard;
use crate::scenario::Start;
use crate::transport::Target;
use crate::transport::embedded::{Embedded, EmbeddedError, Snapshot};
use crate::transport::place::Generation;

type Shelf = Arc<OnceLock<Result<Snapshot, Missing>>>;

/// Why a prepared card cannot be had.
#[derive(Debug)]
enum Missing {
    /// The generation has not what belongs on it.
    Lacking(String),
    /// Something is wrong.
    Fault(String),
}

/// What was prepared. It is the same in every run of this process, so that all share it.
static SHELVES: Mutex<BTreeMap<Label, Shelf>> = Mutex::new(BTreeMap::new());

/// What a card is prepared from: generation, what is put on it, name, start.
type Label = (&'static str, Equipment, char, Start);

/// Puts something between a card and its scenario, such as an error.
pub type Tamper = Arc<dyn Fn(Box<dyn Target>) -> Box<dyn Target> + Send + Sync>;

/// All prepared cards.
#[derive(Default)]
pub struct Stock {
    /// What the cards are of.
    pub generation: Generation,
    /// What is put on them.
    pub equipment: Equipment,
    /// Roots that they trust besides those of their production.
    pub roots: Vec<Anchor>,
    /// How they are broken when a scenario gets them, for tests of the suite.
    pub tamper: Option<Tamper>,
}

impl std::fmt::Debug for Stock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stock").finish_non_exhaustive()
    }
}

impl From<EmbeddedError> for Stop {
    fn from(error: EmbeddedError) -> Self {
        Self::Harness(format!("no card could be made: {error}"))
    }
}

/// Serial of the card with this name.
fn serial(name: char) -> String {
    format!("SUITE{name}")
}

/// A hand with a card of this process.
fn hold(name: char, card: Embedded, log: Log, tamper: Option<&Tamper>) -> Hand {
    let guard = Guard::embedded(&card);
    let card: Box<dyn Target> = Box::new(card);
    let card = match tamper {
        Some(tamper) => tamper(card),
        None => card,
    };
    Hand::new(name, card, guard, log, fixture::secrets())
}

impl Stock {
    /// A card that is at this start, with the applet selected.
    ///
    /// # Errors
    /// [`Stop`] when it cannot be brought there.
    pub fn card(&self, name: char, start: Start, log: &Log, dice: &mut Dice) -> Result<Hand, Stop> {
        self.make(name, start, log, dice, self.tamper.as_ref())
    }

    /// As [`Stock::card`], and never tampered with.
    ///
    /// # Errors
    /// [`Stop`] when it cannot be brought there.
    pub fn honest_card(&self, name: char, start: Start) -> Result<Hand, Stop> {
        let mut dice = Dice::new(0, "honest");
        self.make(name, start, &Log::default(), &mut dice, None)
    }

    fn make(
        &self,
        name: char,
        start: Start,
        log: &Log,
        dice: &mut Dice,
        tamper: Option<&Tamper>,
    ) -> Result<Hand, Stop> {
        if start == Start::Virgin {
            let mut hand = hold(name, self.new_card(name)?, log.clone(), tamper);
            fixture::begin(&mut hand, start)?;
            return Ok(hand);
        }
        let shelf = self.shelf(name, start);
        // Whoever comes first prepares; others who want the same wait, all others do not.
        let kept = shelf.get_or_init(|| {
            self.prepare(name, start).map_err(|stop| match stop {
                Stop::Skip(reason) => Missing::Lacking(reason),
                other => Missing::Fault(format!("{other:?}")),
            })
        });
        let snapshot = match kept {
            Ok(snapshot) => snapshot,
            Err(Missing::Lacking(reason)) => return Err(Stop::Skip(reason.clone())),
            Err(Missing::Fault(error)) => {
                return Err(Stop::Harness(format!("{start:?} cannot be had: {error}")));
            }
        };
        let mut card = Embedded::restore(snapshot, dice.seed())?;
        card.trust(&self.roots)?;
        let mut hand = hold(name, card, log.clone(), tamper);
        fixture::begin(&mut hand, start)?;
        Ok(hand)
    }

    fn shelf(&self, name: char, start: Start) -> Shelf {
        let start = self.equipment.start(start);
        let label = (
            self.generation.profile().name,
            self.equipment.clone(),
            name,
            start,
        );
        let mut shelves = SHELVES.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.entry(label).or_default().clone()
    }

    fn new_card(&self, name: char) -> Result<Embedded, Stop> {
        let mut card = Embedded::of(self.generation.profile(), &serial(name))?;
        card.trust(&self.roots)?;
        Ok(card)
    }

    fn prepare(&self, name: char, start: Start) -> Result<Snapshot, Stop> {
        let card = self.new_card(name)?;
        let lender = card.lend();
        let mut hand = hold(name, card, Log::default(), None);
        fixture::prepare(&mut hand, self.equipment.start(start), &self.equipment)?;
        Ok(lender.snapshot()?)
    }
}
