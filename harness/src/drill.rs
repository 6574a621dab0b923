//! Key ceremonies, rehearsed: each drill sets a scene on two to four cards, does every step through
//! APDUs, says what it does and why, and proves the outcome.
//!
//! What a drill expects is checked, refusals too: an outcome that differs ends the drill with an
//! error. The account of a drill is one list of [`entry::Entry`], which [`render`] turns into text
//! for a terminal or a page.

mod custodian_leaves;
mod custodians_lost;
pub mod entry;
pub mod guard;
mod new_dkek;
mod pka;
pub mod render;
mod restore;
pub mod scene;
mod share_file;
mod xkek;

#[cfg(test)]
mod tests;

use self::entry::Entry;
use self::guard::{Consent, Denied};
use self::scene::Scene;
use crate::card::CardError;
use crate::transport::Target;
use crate::transport::embedded::Embedded;

/// One drill.
#[derive(Debug)]
pub struct Drill {
    /// Name on the command line and of its page.
    pub name: &'static str,
    /// Headline.
    pub title: &'static str,
    /// The situation that it rehearses, in a few sentences.
    pub question: &'static str,
    /// How many cards play in it.
    pub cards: usize,
    /// Who may play its last card when one card fewer is there, and what that changes; `None`: nobody.
    pub stand_in: Option<&'static str>,
    run: fn(&mut Scene<'_>) -> Result<(), DrillError>,
    /// What the run showed, for a real ceremony.
    pub meaning: &'static [&'static str],
}

/// All drills.
pub static DRILLS: [&Drill; 6] = [
    &xkek::DRILL,
    &custodian_leaves::DRILL,
    &custodians_lost::DRILL,
    &new_dkek::DRILL,
    &restore::DRILL,
    &pka::DRILL,
];

/// Serial of the virtual card that plays a card which is not there.
const STAND_IN: &str = "STANDIN";

/// Why a drill did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// Something else happened than the drill expects.
    #[error("step {step}: expected {expected}, but {found}")]
    Unexpected {
        /// Number of the step.
        step: usize,
        /// What should have happened.
        expected: String,
        /// What happened.
        found: String,
    },
    /// A card did not do what it must.
    #[error("step {step}, card {card}: {source}")]
    Card {
        /// Number of the step.
        step: usize,
        /// Name of the card in the drill.
        card: char,
        /// What it did.
        source: CardError,
    },
    /// A card may not be erased for a drill, or there are too few.
    #[error(transparent)]
    Denied(#[from] Denied),
}

impl Drill {
    /// Finds a drill by its name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        DRILLS.iter().copied().find(|drill| drill.name == name)
    }

    /// How many cards must be given.
    #[must_use]
    pub fn cards_needed(&self) -> usize {
        self.cards - usize::from(self.stand_in.is_some())
    }

    /// Runs the drill on cards that it erases. `narrator` hears every entry as it happens.
    ///
    /// Where the last card may have a stand-in and is not given, a virtual card of this process
    /// plays it, and the account says so.
    ///
    /// # Errors
    /// [`DrillError`]; [`DrillError::Denied`] before anything was changed.
    pub fn run(
        &self,
        targets: Vec<Box<dyn Target>>,
        consent: &Consent,
        narrator: &mut dyn FnMut(&Entry),
    ) -> Result<Account, DrillError> {
        let (needed, given) = (self.cards_needed(), targets.len());
        if given < needed {
            return Err(Denied::TooFewCards { needed, given }.into());
        }
        let (mut targets, mut caution) = (targets, None);
        if let Some(what) = self.stand_in.filter(|_| given == needed) {
            let card =
                Embedded::new(STAND_IN).map_err(|error| Denied::NoStandIn(error.to_string()))?;
            targets.push(Box::new(card));
            caution = Some(what);
        }
        let mut scene = Scene::enter(targets, self.cards, consent, narrator)?;
        if let Some(what) = caution {
            scene.caution(what);
        }
        (self.run)(&mut scene)?;
        scene.finish(self.meaning)
    }
}

/// All that a drill said.
#[derive(Debug, Default, serde::Serialize)]
pub struct Account {
    /// The entries in order.
    pub entries: Vec<Entry>,
    /// Values that cards drew at random, and the names that stand for them on a page.
    #[serde(skip)]
    pub drawn: Vec<(String, String)>,
}
