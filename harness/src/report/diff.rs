//! Two runs side by side.

use std::fmt::Write;

use super::{Entry, Report};

/// Where two runs differ in one scenario.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The scenario.
    pub id: String,
    /// What differs, in words, left and right.
    pub left: String,
    /// See `left`.
    pub right: String,
}

/// Compares verdicts, and the status words of the exchanges; timings, random data and the place of
/// the cards may differ.
#[must_use]
pub fn diff(left: &Report, right: &Report) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut add = |id: &str, left: String, right: String| {
        differences.push(Difference {
            id: id.into(),
            left,
            right,
        });
    };
    for one in &left.results {
        match find(right, &one.id) {
            None => add(&one.id, one.verdict.word().into(), "not chosen".into()),
            Some(other) if one.verdict != other.verdict => add(&one.id, say(one), say(other)),
            Some(other) => {
                if let Some((left, right)) = first_status(one, other) {
                    add(&one.id, left, right);
                }
            }
        }
    }
    for other in &right.results {
        if find(left, &other.id).is_none() {
            add(&other.id, "not chosen".into(), other.verdict.word().into());
        }
    }
    differences
}

fn find<'r>(report: &'r Report, id: &str) -> Option<&'r Entry> {
    report.results.iter().find(|entry| entry.id == id)
}

fn say(entry: &Entry) -> String {
    let finding = entry.finding.as_ref().map(|finding| &finding.found);
    match finding.or(entry.reason.as_ref()) {
        Some(more) => format!("{}: {more}", entry.verdict.word()),
        None => entry.verdict.word().into(),
    }
}

/// The first exchange whose status words differ.
fn first_status(one: &Entry, other: &Entry) -> Option<(String, String)> {
    let pairs = one.exchanges.iter().zip(&other.exchanges);
    for (number, (left, right)) in (1..).zip(pairs) {
        if left.status != right.status || left.name != right.name {
            let say = |exchange: &crate::suite::wire::Exchange| {
                let (name, status) = (&exchange.name, &exchange.status);
                format!("exchange {number}, {name}: {status}")
            };
            return Some((say(left), say(right)));
        }
    }
    let (left, right) = (one.exchanges.len(), other.exchanges.len());
    (left != right).then(|| (format!("{left} exchanges"), format!("{right} exchanges")))
}

/// The differences as text.
#[must_use]
pub fn text(left: &Report, right: &Report, differences: &[Difference]) -> String {
    let mut out = String::new();
    for (side, report) in [("left ", left), ("right", right)] {
        let device = &report.device;
        let _ = writeln!(
            out,
            "{side}  {}, firmware {}, {}, {}",
            device.serial, device.version, report.target, report.began
        );
    }
    let _ = writeln!(out);
    for difference in differences {
        let _ = writeln!(out, "{}", difference.id);
        let _ = writeln!(out, "  left   {}", difference.left);
        let _ = writeln!(out, "  right  {}", difference.right);
    }
    let compared = left
        .results
        .iter()
        .chain(
            right
                .results
                .iter()
                .filter(|one| find(left, &one.id).is_none()),
        )
        .count();
    let _ = writeln!(out, "{} of {compared} scenarios differ", differences.len());
    out
}
