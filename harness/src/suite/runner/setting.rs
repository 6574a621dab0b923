//! What becomes of a scenario: whether it can run, and what its end means.

use std::time::Instant;

use super::super::bench::{Bench, Stop};
use super::super::dice::Dice;
use super::super::wire::Exchange;
use super::Order;
use crate::expect::Profile;
use crate::report::{Entry, Verdict};
use crate::scenario::Scenario;
use crate::transport::TransportError;
use crate::transport::place::Place;

/// What all scenarios of a run share.
pub(super) struct Setting<'r> {
    pub(super) order: &'r Order<'r>,
    pub(super) profile: &'r Profile,
    /// That of the second card, where there is one.
    pub(super) second_profile: Option<&'r Profile>,
    pub(super) is_virtual: bool,
    /// Why the two cards cannot trust each other, when they cannot.
    pub(super) strangers: Option<String>,
}

impl Setting<'_> {
    /// Why a scenario does not run here.
    pub(super) fn obstacle(&self, scenario: &Scenario) -> Option<String> {
        if let Some(lacking) = self.profile.lacks(scenario) {
            let name = &self.profile.name;
            return Some(format!("profile {name} has no {lacking}"));
        }
        let needs = |what: &str| scenario.needs.iter().any(|need| need == what);
        if scenario.cards > 1 {
            if let Some(profile) = self.second_profile
                && let Some(lacking) = profile.lacks(scenario)
            {
                let name = &profile.name;
                return Some(format!(
                    "profile {name} of the second card has no {lacking}"
                ));
            }
            // Whatever two cards have to do with each other begins with their certificates.
            if self.strangers.is_some() {
                return self.strangers.clone();
            }
        }
        if needs("expendable-pin") && !self.is_virtual {
            return Some("would risk the last tries of a PIN, which is never done here".into());
        }
        None
    }

    pub(super) fn dice(&self, scenario: &Scenario) -> Dice {
        Dice::new(self.order.seed, &scenario.id)
    }

    /// The result of a scenario, and why no other can run after it.
    pub(super) fn judge(
        &self,
        scenario: &Scenario,
        went: Went,
        begun: Instant,
    ) -> (Entry, Option<TransportError>) {
        let Went {
            outcome,
            observations,
            exchanges,
        } = went;
        let mut gone = None;
        let known = |departure: &crate::expect::Departure| {
            format!("{} (seen: {})", departure.reason, departure.seen)
        };
        let (verdict, reason, finding) = match outcome {
            Ok(()) => match self.profile.departure(&scenario.id, None) {
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
            Err(Stop::Fail(finding)) => {
                match self.profile.departure(&scenario.id, Some(&finding)) {
                    Some(departure) => (
                        Verdict::KnownDeviation,
                        Some(known(departure)),
                        Some(finding),
                    ),
                    None => (Verdict::Fail, None, Some(finding)),
                }
            }
            Err(Stop::Skip(reason)) => (Verdict::Skip, Some(reason), None),
            Err(Stop::Transport(error @ TransportError::Never(_))) => {
                (Verdict::Skip, Some(error.to_string()), None)
            }
            Err(Stop::Transport(error)) => {
                let what = error.to_string();
                if !matches!(error, TransportError::Guard(_)) {
                    gone = Some(error);
                }
                (Verdict::Error, Some(what), None)
            }
            Err(Stop::Harness(what)) => (Verdict::Error, Some(what), None),
        };
        let entry = Entry {
            verdict,
            reason,
            finding,
            observations,
            millis: begun.elapsed().as_secs_f64() * 1e3,
            exchanges,
            ..self.not_run(scenario)
        };
        (entry, gone)
    }

    /// The result of a scenario that the run did not come to.
    pub(super) fn not_run(&self, scenario: &Scenario) -> Entry {
        Entry {
            id: scenario.id.clone(),
            area: scenario.area().into(),
            title: scenario.title.clone(),
            source: scenario.source.clone(),
            effect: scenario.effect().word().into(),
            start: scenario.start.word().into(),
            verdict: Verdict::NotRun,
            reason: None,
            finding: None,
            observations: Vec::new(),
            millis: 0.0,
            exchanges: Vec::new(),
            rerun: self.rerun(scenario),
        }
    }

    fn rerun(&self, scenario: &Scenario) -> String {
        let order = self.order;
        let mut line = String::from("hsm2-harness run");
        if order.place != Place::EMBEDDED {
            line += &format!(" --target {}", quoted(&order.place.to_string()));
        }
        if let Some(second) = &order.second {
            line += &format!(" --second {}", quoted(&second.to_string()));
        }
        line += &order.options;
        line + &format!(" --only {} --seed {}", scenario.id, order.seed)
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// What became of a scenario's body.
pub(super) struct Went {
    pub(super) outcome: Result<(), Stop>,
    pub(super) observations: Vec<String>,
    pub(super) exchanges: Vec<Exchange>,
}

impl Went {
    pub(super) fn stopped(stop: Stop) -> Self {
        Self {
            outcome: Err(stop),
            observations: Vec::new(),
            exchanges: Vec::new(),
        }
    }
}

/// Lets a scenario work; a panic in it is an error of the harness and ends nothing else.
pub(super) fn work(scenario: &Scenario, bench: &mut Bench) -> Result<(), Stop> {
    let attempt = std::panic::AssertUnwindSafe(|| scenario.run(bench));
    std::panic::catch_unwind(attempt)
        .unwrap_or_else(|_| Err(Stop::Harness("the scenario itself panicked".into())))
}
