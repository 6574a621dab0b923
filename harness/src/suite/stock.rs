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
use crate::transport::embedded::{Embedded, EmbeddedError, Snapshot};

type Shelf = Arc<OnceLock<Result<Snapshot, String>>>;

/// All prepared cards.
#[derive(Debug, Default)]
pub struct Stock(Mutex<BTreeMap<(char, Start), Shelf>>);

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
fn hold(name: char, card: Embedded, log: Log) -> Hand {
    let guard = Guard::embedded(&card);
    Hand::new(name, Box::new(card), guard, log, fixture::secrets())
}

impl Stock {
    /// A card that is at this start, with the applet selected.
    ///
    /// # Errors
    /// [`Stop`] when it cannot be brought there.
    pub fn card(&self, name: char, start: Start, log: &Log, dice: &mut Dice) -> Result<Hand, Stop> {
        if start == Start::Virgin {
            let mut hand = hold(name, Embedded::new(&serial(name))?, log.clone());
            fixture::begin(&mut hand, start)?;
            return Ok(hand);
        }
        let shelf = self.shelf(name, start);
        // Whoever comes first prepares; others who want the same wait, all others do not.
        let kept = shelf.get_or_init(|| prepare(name, start).map_err(|stop| format!("{stop:?}")));
        let snapshot = match kept {
            Ok(snapshot) => snapshot,
            Err(error) => return Err(Stop::Harness(format!("{start:?} cannot be had: {error}"))),
        };
        let card = Embedded::restore(snapshot, dice.seed())?;
        let mut hand = hold(name, card, log.clone());
        fixture::begin(&mut hand, start)?;
        Ok(hand)
    }

    fn shelf(&self, name: char, start: Start) -> Shelf {
        // What anybody's card may be is best the fullest that there is.
        let start = match start {
            Start::AsFound | Start::LoggedIn => Start::Keys,
            other => other,
        };
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.entry((name, start)).or_default().clone()
    }
}

fn prepare(name: char, start: Start) -> Result<Snapshot, Stop> {
    let start = match start {
        Start::AsFound | Start::LoggedIn => Start::Keys,
        other => other,
    };
    let card = Embedded::new(&serial(name))?;
    let lender = card.lend();
    let mut hand = hold(name, card, Log::default());
    fixture::prepare(&mut hand, start)?;
    Ok(lender.snapshot()?)
}
