//! A card that misbehaves on purpose, for those who write for cards and must not trust them.
//!
//! [`Hostile`] stands between a card and its reader. A [`Script`] says which commands it spoils, and
//! how; a [`Mutator`] spoils some at random. The card behind keeps its state, so that what happens
//! afterwards is what a card would do. All of it follows from the script, the seed and the commands:
//! the same three give the same bytes again.

mod act;
mod mutate;
mod power;
mod script;

use std::time::Duration;

use crate::card::Card;
use crate::store::StoreError;
use crate::transport::{Interruption, VirtualCard};

pub use mutate::Mutator;
pub use power::{PowerSwitch, Switched};
pub use script::{Script, ScriptError};

use act::Storm;
use script::Action;

/// A card, and what is done to its responses.
pub struct Hostile {
    card: Card,
    script: Script,
    mutator: Option<Mutator>,
    power: PowerSwitch,
    interruption: Option<Interruption>,
    storm: Option<Storm>,
}

impl Hostile {
    /// Puts a script and a mutator before a card whose store is a [`Switched`] one of `power`.
    #[must_use]
    pub fn new(card: Card, script: Script, mutator: Option<Mutator>, power: PowerSwitch) -> Self {
        Self {
            card,
            script,
            mutator,
            power,
            interruption: None,
            storm: None,
        }
    }

    /// What a reader hears instead of a response to a command.
    fn spoil(&mut self, actions: &[Action], command: &[u8]) -> Vec<u8> {
        if let Some(writes) = actions.iter().find_map(Action::writes) {
            self.power.cut_after(writes);
        }
        let mut response = self.card.transmit(command);
        if self.power.restore() {
            self.card.power_off();
            self.interruption = Some(Interruption::Removal);
        }
        let mut storm = None;
        for action in actions {
            match action {
                Action::Delay(milliseconds) => {
                    std::thread::sleep(Duration::from_millis(u64::from(*milliseconds)));
                }
                Action::Silence => self.interruption = Some(Interruption::Silence),
                Action::Remove => {
                    self.card.power_off();
                    self.interruption = Some(Interruption::Removal);
                }
                Action::Reset => self.card.reset(),
                Action::Storm { word, count } => storm = Some((*word, *count)),
                other => act::change(other, &mut response),
            }
        }
        match storm {
            // Wherever it stands among the actions, it comes before the response that they make.
            Some((word, count)) => self.blow(Storm::new(word, count.get(), response)),
            None => response,
        }
    }

    /// The next response of a storm.
    fn blow(&mut self, storm: Storm) -> Vec<u8> {
        let (response, rest) = storm.next();
        self.storm = rest;
        response
    }
}

impl VirtualCard for Hostile {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn power_on(&mut self) {
        self.storm = None;
        self.card.power_on();
    }

    fn power_off(&mut self) {
        self.storm = None;
        self.card.power_off();
    }

    fn reset(&mut self) {
        self.storm = None;
        self.card.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        // In a storm nothing reaches the card: it still has its response to give.
        if let Some(storm) = self.storm.take() {
            return self.blow(storm);
        }
        let actions = self.script.actions(command);
        let response = self.spoil(&actions, command);
        match &mut self.mutator {
            Some(mutator) if actions.is_empty() => mutator.mutate(response),
            _ => response,
        }
    }

    fn take_interruption(&mut self) -> Option<Interruption> {
        self.interruption.take()
    }

    fn take_fault(&mut self) -> Option<StoreError> {
        self.card.take_fault()
    }

    fn key_label(&self, key: u8) -> Option<String> {
        VirtualCard::key_label(&self.card, key)
    }
}

impl std::fmt::Debug for Hostile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hostile")
            .field("script", &self.script)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
