//! Departures of a profile that no scenario shows any more.

use super::Setting;
use crate::expect::matches;
use crate::report::{Entry, Verdict};

/// Sentences about departures that explain nothing although all of their scenarios were chosen:
/// the scenarios are left out for what the generation lacks, or another departure explains them.
/// What could not run here for want of consent, cards or PINs is no evidence.
pub(super) fn stale(setting: &Setting<'_>, results: &[Entry]) -> Vec<String> {
    let profile = setting.profile;
    let all = setting.order.all;
    let entry = |id: &str| results.iter().find(|entry| entry.id == id);
    let is_stale = |index: usize| {
        let Some(departure) = profile.departures().nth(index) else {
            return false;
        };
        let mut scenarios = all
            .iter()
            .filter(|one| matches(&departure.scenario, &one.id));
        scenarios.all(|scenario| match entry(&scenario.id) {
            None => false,
            Some(entry) => match (entry.verdict, &entry.finding) {
                (Verdict::KnownDeviation, Some(finding)) => {
                    profile.position(&scenario.id, finding) != Some(index)
                }
                (Verdict::Skip, _) => profile.lacks(scenario).is_some(),
                // What is bad already needs no second word.
                _ => false,
            },
        })
    };
    let count = profile.departures().count();
    (0..count)
        .filter(|index| is_stale(*index))
        .filter_map(|index| profile.departures().nth(index))
        .map(|departure| {
            format!(
                "profile {}: no scenario shows the departure {} found {:?} ({})",
                profile.name, departure.scenario, departure.found, departure.reason
            )
        })
        .collect()
}
