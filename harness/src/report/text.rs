//! A run as text for a terminal or a log.

use std::fmt::Write;

use super::{Entry, Report, Verdict};

/// How to write.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With colours.
    pub colour: bool,
}

impl Style {
    fn paint(self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Pass => "32",
            Verdict::Observation | Verdict::KnownDeviation => "33",
            Verdict::Skip | Verdict::NotRun => "2",
            Verdict::Fail | Verdict::UnexpectedPass | Verdict::Error => "1;31",
        };
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.into()
        }
    }

    /// What is wrong with one scenario, with the exchange that shows it and the line that repeats it.
    #[must_use]
    pub fn trouble(self, entry: &Entry) -> String {
        let mut out = String::new();
        let word = self.paint(entry.verdict, &entry.verdict.word().to_uppercase());
        let _ = writeln!(out, "{word} {}", entry.id);
        let _ = writeln!(out, "  {}", entry.title);
        if let Some(finding) = &entry.finding {
            let _ = writeln!(out, "  expected  {}", finding.expected);
            let _ = writeln!(out, "  found     {}", finding.found);
            let shown = finding.exchange.and_then(|number| number.checked_sub(1));
            if let Some(exchange) = shown.and_then(|index| entry.exchanges.get(index)) {
                let number = finding.exchange.unwrap_or_default();
                let _ = writeln!(
                    out,
                    "  exchange  {number}: {} > {}",
                    short(&exchange.command),
                    short(&exchange.response)
                );
            }
        }
        if let Some(reason) = &entry.reason {
            let _ = writeln!(out, "  because   {reason}");
        }
        if !entry.source.is_empty() {
            let _ = writeln!(out, "  source    {}", entry.source);
        }
        let _ = writeln!(out, "  again     {}", entry.rerun);
        out
    }

    /// The whole run: the card, each area, what is wrong, what did not run and why, the count.
    #[must_use]
    pub fn whole(self, report: &Report) -> String {
        let mut out = String::new();
        let areas = areas(report);
        let widest = areas.iter().map(|(area, _)| area.len()).max().unwrap_or(0);
        for (area, entries) in &areas {
            let marks: String = entries.iter().map(|one| self.mark(one.verdict)).collect();
            let good = entries.iter().filter(|entry| !entry.verdict.is_bad());
            let ran = |entry: &&&Entry| !matches!(entry.verdict, Verdict::Skip | Verdict::NotRun);
            let (good, all) = (good.filter(ran).count(), entries.iter().filter(ran).count());
            let _ = writeln!(
                out,
                "{area:widest$}  {:>7}  {marks}",
                format!("{good}/{all}")
            );
        }
        let _ = writeln!(out, "\n{}\n", self.legend(report));
        for verdict in [Verdict::Error, Verdict::Fail, Verdict::UnexpectedPass] {
            for entry in with(report, verdict) {
                let _ = writeln!(out, "{}", self.trouble(entry));
            }
        }
        self.notes(&mut out, report);
        if let Some(aborted) = &report.aborted {
            let left = report.count(Verdict::NotRun);
            let _ = writeln!(
                out,
                "{} the run ended early, {left} scenarios did not run: {aborted}",
                self.paint(Verdict::Error, "ABORTED")
            );
        }
        for left in report.left_before.iter().chain(&report.left) {
            let word = self.paint(Verdict::Error, "NOT GIVEN BACK");
            let _ = writeln!(out, "{word} {left}");
        }
        for stale in &report.stale {
            let word = self.paint(Verdict::Error, "stale departure");
            let _ = writeln!(out, "{word} {stale}");
        }
        let _ = writeln!(out, "{}\n{}", self.count(report), self.sentence(report));
        out
    }

    /// What the marks mean that this report has.
    fn legend(self, report: &Report) -> String {
        let all = [
            (Verdict::Pass, "as it must be"),
            (Verdict::Observation, "as it must be, with a remark"),
            (
                Verdict::KnownDeviation,
                "a known deviation of this firmware",
            ),
            (Verdict::Skip, "not tried, the reason is below"),
            (Verdict::NotRun, "not reached"),
            (Verdict::Fail, "NOT as it must be"),
            (
                Verdict::UnexpectedPass,
                "better than this firmware is known for",
            ),
            (Verdict::Error, "could not be judged"),
        ];
        let parts: Vec<String> = all
            .into_iter()
            .filter(|(verdict, _)| report.count(*verdict) > 0)
            .map(|(verdict, words)| format!("{} {words}", self.mark(verdict)))
            .collect();
        parts.join("   ")
    }

    /// The verdict on the card in one sentence, for somebody who reads nothing else.
    #[must_use]
    pub fn sentence(self, report: &Report) -> String {
        let device = &report.device;
        let kind = if device.is_virtual {
            "virtual card"
        } else {
            "device"
        };
        let who = format!("The {kind} {} (firmware {})", device.serial, device.version);
        let ran = report.ran();
        let bad = report.results.iter().filter(|entry| entry.verdict.is_bad());
        let bad = bad.count();
        let (verdict, text) = if let Some(aborted) = &report.aborted {
            let left = report.count(Verdict::NotRun);
            (
                Verdict::Error,
                format!(
                    "Nothing is known for certain of {}: the run ended early, {left} scenarios were not reached ({aborted}).",
                    device.serial
                ),
            )
        } else if ran == 0 {
            (
                Verdict::Error,
                format!("Nothing is known of {}: no scenario ran.", device.serial),
            )
        } else if bad > 0 {
            (
                Verdict::Fail,
                format!(
                    "{who} is not as it must be: {bad} of the {ran} scenarios that ran went wrong, see above."
                ),
            )
        } else if !report.stale.is_empty() {
            (
                Verdict::UnexpectedPass,
                format!(
                    "{who} behaves as expected in all {ran} scenarios that ran, but its profile expects deviations that no longer show."
                ),
            )
        } else {
            let known = report.count(Verdict::KnownDeviation);
            let known = if known > 0 {
                format!(", {known} of them with a deviation that is known of this firmware")
            } else {
                String::new()
            };
            let skipped = report.count(Verdict::Skip);
            let skipped = if skipped > 0 {
                format!(" {skipped} scenarios were not tried.")
            } else {
                String::new()
            };
            (
                Verdict::Pass,
                format!(
                    "{who} behaves as its generation must in all {ran} scenarios that ran{known}.{skipped}"
                ),
            )
        };
        self.paint(verdict, &text)
    }

    fn notes(self, out: &mut String, report: &Report) {
        for entry in with(report, Verdict::KnownDeviation) {
            let reason = entry.reason.as_deref().unwrap_or_default();
            let word = self.paint(entry.verdict, "known deviation");
            let _ = writeln!(out, "{word} {}: {reason}", entry.id);
        }
        for entry in with(report, Verdict::Observation) {
            for observation in &entry.observations {
                let word = self.paint(entry.verdict, "observation");
                let _ = writeln!(out, "{word} {}: {observation}", entry.id);
            }
        }
        let mut skipped: Vec<(&str, usize)> = Vec::new();
        for entry in with(report, Verdict::Skip) {
            let reason = entry.reason.as_deref().unwrap_or_default();
            match skipped.iter_mut().find(|(other, _)| *other == reason) {
                Some((_, count)) => *count += 1,
                None => skipped.push((reason, 1)),
            }
        }
        for (reason, count) in skipped {
            let word = self.paint(Verdict::Skip, "skipped");
            let _ = writeln!(out, "{word} {count}: {reason}");
        }
    }

    fn mark(self, verdict: Verdict) -> String {
        let mark = match verdict {
            Verdict::Pass => ".",
            Verdict::Observation => "o",
            Verdict::KnownDeviation => "d",
            Verdict::Skip => "s",
            Verdict::NotRun => "-",
            Verdict::Fail => "F",
            Verdict::UnexpectedPass => "U",
            Verdict::Error => "E",
        };
        self.paint(verdict, mark)
    }

    /// The last line.
    #[must_use]
    pub fn count(self, report: &Report) -> String {
        let all = [
            Verdict::Pass,
            Verdict::Observation,
            Verdict::KnownDeviation,
            Verdict::Fail,
            Verdict::UnexpectedPass,
            Verdict::Error,
            Verdict::Skip,
            Verdict::NotRun,
        ];
        let parts: Vec<String> = all
            .into_iter()
            .filter(|verdict| report.count(*verdict) > 0 || *verdict == Verdict::Fail)
            .map(|verdict| {
                let text = format!("{} {}", report.count(verdict), verdict.word());
                match verdict {
                    Verdict::Fail if report.count(verdict) == 0 => text,
                    _ => self.paint(verdict, &text),
                }
            })
            .collect();
        format!(
            "{} of {} scenarios ran on {} in {:.1} s: {}",
            report.ran(),
            report.chosen_scenarios,
            report.device.serial,
            report.millis / 1e3,
            parts.join(", ")
        )
    }
}

fn with(report: &Report, verdict: Verdict) -> impl Iterator<Item = &Entry> {
    report
        .results
        .iter()
        .filter(move |entry| entry.verdict == verdict)
}

/// Areas in the order of their first scenario.
pub(crate) fn areas(report: &Report) -> Vec<(&str, Vec<&Entry>)> {
    let mut areas: Vec<(&str, Vec<&Entry>)> = Vec::new();
    for entry in &report.results {
        match areas.iter_mut().find(|(area, _)| *area == entry.area) {
            Some((_, entries)) => entries.push(entry),
            None => areas.push((&entry.area, vec![entry])),
        }
    }
    areas
}

/// Long hexadecimal text, cut in the middle.
fn short(digits: &str) -> String {
    const HEAD: usize = 48;
    const TAIL: usize = 8;
    match (
        digits.get(..HEAD),
        digits
            .len()
            .checked_sub(TAIL)
            .and_then(|at| digits.get(at..)),
    ) {
        (Some(head), Some(tail)) if digits.len() > HEAD + TAIL + 3 => {
            format!("{head}...{tail}")
        }
        _ => digits.into(),
    }
}
