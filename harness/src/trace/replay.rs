//! Sends what was recorded to another card, and finds where it first answers otherwise.

mod fill;
mod mask;

use std::collections::BTreeMap;

use super::Line;
use crate::scenario::Start;
use crate::suite::bench::Stop;
use crate::suite::hand::Hand;
use crate::suite::runner::OneCard;
use crate::transport::TransportError;

/// The first difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Number of the line, from 1, empty ones not counted.
    pub line: usize,
    /// The scenario it is in, when the trace says so.
    pub scenario: Option<String>,
    /// The command in words.
    pub command: String,
    /// What was recorded.
    pub recorded: String,
    /// What the card answered.
    pub found: String,
}

/// What a replay showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Commands that were sent.
    pub sent: usize,
    /// Commands that were not sent, by the reason.
    pub left_out: BTreeMap<&'static str, usize>,
    /// Scenarios whose rest was left out.
    pub ended: Vec<Ended>,
    /// Fields of which only the length was compared, by their names.
    pub masked: BTreeMap<&'static str, usize>,
    /// The first difference.
    pub divergence: Option<Divergence>,
}

/// Where a scenario was left: at a command that could not be sent and changed something, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The scenario; a trace without scenarios is one, called `the session`.
    pub scenario: String,
    /// Number of the line, as in [`Divergence`].
    pub line: usize,
    /// Why its command could not be sent, in words.
    pub why: &'static str,
}

impl Outcome {
    /// How many commands of the trace were not sent.
    #[must_use]
    pub fn not_sent(&self) -> usize {
        self.left_out.values().sum()
    }

    fn leave_out(&mut self, why: &'static str) {
        *self.left_out.entry(why).or_default() += 1;
    }
}

const NOT_HAD: &str = "they begin with a card that cannot be had here, or must not be erased";
const SECRET: &str = "their secrets are not in the trace";
const AFTER: &str = "what came before them could not be sent";
const GUARDED: &str = "the guard did not let them through to this device";
/// What such a command did to the card nobody knows, so that what follows cannot be judged.
const UNANSWERED: &str = "the trace holds no answer to them";
const OTHER_CARD: &str = "they went to another card";

/// Replays the lines of one card, in whose session no scenario begins, on a card that is ready.
///
/// # Errors
/// [`Stop`] when the card cannot be reached.
pub fn replay_session(lines: &[Line], card: &str, hand: Hand) -> Result<Outcome, Stop> {
    replay(lines, card, &mut OneCard::ready(hand))
}

/// Replays the lines of one card until the first difference.
///
/// # Errors
/// [`Stop`] when the card cannot be reached or brought to a start.
pub(crate) fn replay(lines: &[Line], card: &str, source: &mut OneCard) -> Result<Outcome, Stop> {
    let mut outcome = Outcome::default();
    let mut scenario: Option<String> = None;
    // Why the rest of a scenario is left out.
    let mut over: Option<&'static str> = None;
    for (number, line) in (1..).zip(lines) {
        if let Some(id) = &line.scenario {
            scenario = Some(id.clone());
            let begun = source.begin(line.start.unwrap_or(Start::AsFound));
            over = match begun {
                Ok(true) => None,
                Ok(false) | Err(Stop::Skip(_)) => Some(NOT_HAD),
                Err(stop) => return Err(stop),
            };
            continue;
        }
        if line.card != card {
            if line.command.is_some() {
                outcome.leave_out(OTHER_CARD);
            }
            continue;
        }
        if let Some(why) = over {
            if line.command.is_some() {
                outcome.leave_out(why);
            }
            continue;
        }
        let hand = source.hand()?;
        match line.event.as_deref() {
            Some("reset") => hand.reset()?,
            Some("power cycle" | "power on") => hand.power_cycle()?,
            _ => {}
        }
        let Some(command) = &line.command else {
            continue;
        };
        let mut stop_here = |outcome: &mut Outcome, why, changes| {
            outcome.leave_out(why);
            if changes {
                let scenario = scenario.clone().unwrap_or_else(|| "the session".into());
                outcome.ended.push(Ended {
                    scenario,
                    line: number,
                    why,
                });
                over = Some(AFTER);
            }
        };
        let Some(response) = &line.response else {
            stop_here(&mut outcome, UNANSWERED, true);
            continue;
        };
        let status = response.get(response.len().saturating_sub(4)..);
        let status = status.unwrap_or_default();
        let changes = matches!(status, "9000" | "6282") || status.starts_with("61");
        let Some(bytes) = fill::whole(command, status, hand) else {
            stop_here(&mut outcome, SECRET, changes);
            continue;
        };
        let answer = match hand.send(bytes) {
            Err(Stop::Transport(TransportError::Guard(_) | TransportError::Never(_))) => {
                stop_here(&mut outcome, GUARDED, changes);
                continue;
            }
            other => other?,
        };
        outcome.sent += 1;
        let found = format!("{}{:04X}", hex::encode_upper(&answer.data), answer.status);
        match mask::agree(command, response, &found) {
            Some(masked) => {
                for name in masked {
                    *outcome.masked.entry(name).or_default() += 1;
                }
            }
            None => {
                let mut words = vec![line.name.clone().unwrap_or_default()];
                words.extend(line.algorithm.clone());
                words.extend(line.about.clone());
                outcome.divergence = Some(Divergence {
                    line: number,
                    scenario,
                    command: words.join(", "),
                    recorded: response.clone(),
                    found,
                });
                break;
            }
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests;
