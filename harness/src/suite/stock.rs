//! Prepared cards of this process: each start is prepared once, then copied for every scenario.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::bench::Stop;
use super::dice::Dice;
use super::fixture;
use super::hand::Hand;
use super::wire::Log;
use crate::guard::Guard;
use crate::scenario::Start;
use crate::transport::Target;
use crate::transport::embedded::{Embedded, EmbeddedError, Snapshot};

type Shelf = Arc<OnceLock<Result<Snapshot, String>>>;

/// What was prepared. It is the same in every run of this process, so that all share it.
static SHELVES: Mutex<BTreeMap<(char, Start), Shelf>> = Mutex::new(BTreeMap::new());

/// Puts something between a card and its scenario, such as an error.
pub type Tamper = Arc<dyn Fn(Box<dyn Target>) -> Box<dyn Target> + Send + Sync>;

/// All prepared cards.
#[derive(Default)]
pub struct Stock {
    tamper: Option<Tamper>,
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
    /// Cards that are prepared as they are, and tampered with when a scenario gets them: how the
    /// tests of the suite make broken cards.
    #[must_use]
    pub fn tampered(tamper: Option<Tamper>) -> Self {
        Self { tamper }
    }

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
            let mut hand = hold(name, Embedded::new(&serial(name))?, log.clone(), tamper);
            fixture::begin(&mut hand, start)?;
            return Ok(hand);
        }
        let shelf = shelf(name, start);
        // Whoever comes first prepares; others who want the same wait, all others do not.
        let kept = shelf.get_or_init(|| prepare(name, start).map_err(|stop| format!("{stop:?}")));
        let snapshot = match kept {
            Ok(snapshot) => snapshot,
            Err(error) => return Err(Stop::Harness(format!("{start:?} cannot be had: {error}"))),
        };
        let card = Embedded::restore(snapshot, dice.seed())?;
        let mut hand = hold(name, card, log.clone(), tamper);
        fixture::begin(&mut hand, start)?;
        Ok(hand)
    }
}

fn shelf(name: char, start: Start) -> Shelf {
    // What anybody's card may be is best the fullest that there is.
    let start = match start {
        Start::AsFound | Start::LoggedIn => Start::Keys,
        other => other,
    };
    let mut shelves = SHELVES.lock().unwrap_or_else(PoisonError::into_inner);
    shelves.entry((name, start)).or_default().clone()
}

fn prepare(name: char, start: Start) -> Result<Snapshot, Stop> {
    let start = match start {
        Start::AsFound | Start::LoggedIn => Start::Keys,
        other => other,
    };
    let card = Embedded::new(&serial(name))?;
    let lender = card.lend();
    let mut hand = hold(name, card, Log::default(), None);
    fixture::prepare(&mut hand, start)?;
    Ok(lender.snapshot()?)
}
