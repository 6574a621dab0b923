//! Which scenarios to run.

use crate::expect::matches;
use crate::scenario::{Effect, Scenario};

/// A choice of scenarios; every part that is given must fit.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Globs of ids, one of which must fit.
    pub globs: Vec<String>,
    /// Areas, one of which it must be.
    pub areas: Vec<String>,
    /// Effects, one of which it must have.
    pub effects: Vec<Effect>,
    /// One id exactly.
    pub only: Option<String>,
}

impl Choice {
    /// The scenarios that fit, in their order.
    ///
    /// # Errors
    /// A sentence that names a glob, an area or an id that no scenario has.
    pub fn of<'s>(&self, all: &'s [Scenario]) -> Result<Vec<&'s Scenario>, String> {
        for glob in self.globs.iter().chain(&self.only) {
            if !all.iter().any(|scenario| matches(glob, &scenario.id)) {
                return Err(format!(
                    "no scenario is called {glob:?}; `hsm2-harness list` shows all"
                ));
            }
        }
        for area in &self.areas {
            if !all.iter().any(|scenario| scenario.area() == area) {
                let mut areas: Vec<&str> = all.iter().map(Scenario::area).collect();
                areas.dedup();
                return Err(format!(
                    "there is no area {area:?}; there are {}",
                    areas.join(", ")
                ));
            }
        }
        Ok(all.iter().filter(|scenario| self.fits(scenario)).collect())
    }

    fn fits(&self, scenario: &Scenario) -> bool {
        let any = |list: &[String], fits: &dyn Fn(&str) -> bool| {
            list.is_empty() || list.iter().any(|one| fits(one))
        };
        self.only.as_ref().is_none_or(|only| *only == scenario.id)
            && any(&self.globs, &|glob| matches(glob, &scenario.id))
            && any(&self.areas, &|area| area == scenario.area())
            && (self.effects.is_empty() || self.effects.contains(&scenario.effect()))
    }
}
