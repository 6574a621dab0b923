//! A run as Markdown, for a page in a repository or a comment.

use std::fmt::Write;

use super::text::areas;
use super::{Entry, Report, Verdict};

/// The whole run.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    let device = &report.device;
    let _ = writeln!(out, "# Conformance of {}\n", cell(&device.serial));
    let sentence = super::text::Style { colour: false }.sentence(report);
    let _ = writeln!(out, "{}\n", cell(&sentence));
    let rows = [
        (
            "Device",
            format!("{}, firmware {}", device.serial, device.version),
        ),
        ("Place", device.place.clone()),
        ("ATR", device.atr.clone()),
        ("Profile", report.profile.join(": ")),
        ("Began", report.began.clone()),
        ("Took", format!("{:.1} s", report.millis / 1e3)),
        ("Seed", report.seed.to_string()),
        ("By", report.tool.clone()),
    ];
    let _ = writeln!(out, "| | |\n|---|---|");
    for (name, value) in rows {
        let _ = writeln!(out, "| {name} | {} |", cell(&value));
    }
    if let Some(aborted) = &report.aborted {
        let _ = writeln!(out, "\n**The run ended early:** {}", cell(aborted));
    }
    for left in report.left_before.iter().chain(&report.left) {
        let _ = writeln!(out, "\n**Not given back:** {}", cell(left));
    }
    for stale in &report.stale {
        let _ = writeln!(out, "\n**Stale departure:** {}", cell(stale));
    }
    let columns = [
        Verdict::Pass,
        Verdict::Observation,
        Verdict::KnownDeviation,
        Verdict::Fail,
        Verdict::UnexpectedPass,
        Verdict::Error,
        Verdict::Skip,
        Verdict::NotRun,
    ];
    let _ = write!(out, "\n| area |");
    for verdict in columns {
        let _ = write!(out, " {} |", verdict.word());
    }
    let _ = writeln!(out, "\n|---|{}", "---|".repeat(columns.len()));
    for (area, entries) in areas(report) {
        let _ = write!(out, "| {} |", cell(area));
        for verdict in columns {
            let count = entries.iter().filter(|e| e.verdict == verdict).count();
            let _ = write!(out, " {count} |");
        }
        let _ = writeln!(out);
    }
    for verdict in [Verdict::Error, Verdict::Fail, Verdict::UnexpectedPass] {
        section(&mut out, report, verdict);
    }
    for verdict in [
        Verdict::KnownDeviation,
        Verdict::Observation,
        Verdict::Skip,
        Verdict::NotRun,
    ] {
        section(&mut out, report, verdict);
    }
    out
}

fn section(out: &mut String, report: &Report, verdict: Verdict) {
    let entries: Vec<&Entry> = report
        .results
        .iter()
        .filter(|entry| entry.verdict == verdict)
        .collect();
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## {}: {}\n", verdict.word(), entries.len());
    for entry in entries {
        let _ = writeln!(out, "- `{}`: {}", entry.id, cell(&entry.title));
        if let Some(finding) = &entry.finding {
            let _ = writeln!(
                out,
                "  - expected {}, found {}",
                cell(&finding.expected),
                cell(&finding.found)
            );
        }
        for what in entry.reason.iter().chain(&entry.observations) {
            let _ = writeln!(out, "  - {}", cell(what));
        }
        if verdict.is_bad() {
            let _ = writeln!(out, "  - again: `{}`", entry.rerun);
        }
    }
}

/// Text that cannot end a cell or begin markup.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '`' | '*' | '_' | '[' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
