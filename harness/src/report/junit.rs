//! A run as JUnit XML, which build servers read.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::text::areas;
use super::{Entry, Report, Verdict};

/// The whole run: a suite for each area. A known deviation counts as passed, with its reason as
/// output; what did not run is skipped with its reason.
///
/// # Errors
/// A sentence when the XML cannot be written.
pub fn junit(report: &Report) -> Result<String, String> {
    let mut out = quick_junit::Report::new(format!("hsm2 {}", report.device.serial));
    out.set_time(duration(report.millis));
    for (area, entries) in areas(report) {
        let mut suite = TestSuite::new(area);
        let millis = entries.iter().map(|entry| entry.millis).sum();
        suite.set_time(duration(millis));
        for entry in entries {
            suite.add_test_case(case(entry));
        }
        out.add_test_suite(suite);
    }
    if let Some(aborted) = &report.aborted {
        let mut suite = TestSuite::new("run");
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        let parts = std::iter::once(aborted).chain(&report.left);
        let parts: Vec<&str> = parts.map(String::as_str).collect();
        status.set_message(parts.join("; "));
        suite.add_test_case(TestCase::new("ends", status));
        out.add_test_suite(suite);
    }
    if !report.stale.is_empty() {
        let mut suite = TestSuite::new("profile");
        for stale in &report.stale {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(stale.as_str());
            suite.add_test_case(TestCase::new("departures", status));
        }
        out.add_test_suite(suite);
    }
    out.to_string().map_err(|error| error.to_string())
}

fn duration(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1e3).unwrap_or_default()
}

fn case(entry: &Entry) -> TestCase {
    let mut status = match entry.verdict {
        Verdict::Pass | Verdict::Observation | Verdict::KnownDeviation => TestCaseStatus::success(),
        Verdict::Skip | Verdict::NotRun => TestCaseStatus::skipped(),
        Verdict::Fail | Verdict::UnexpectedPass => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        Verdict::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let mut lines: Vec<String> = Vec::new();
    if let Some(finding) = &entry.finding {
        lines.push(format!(
            "expected {}, found {}",
            finding.expected, finding.found
        ));
    }
    lines.extend(entry.reason.clone());
    if entry.verdict == Verdict::NotRun {
        lines.push("not run: the run ended before".into());
    }
    if let Some(first) = lines.first()
        && entry.verdict >= Verdict::Skip
    {
        status.set_message(first.as_str());
        status.set_type(entry.verdict.word());
    }
    if entry.verdict.is_bad() {
        lines.push(format!("again: {}", entry.rerun));
        status.set_description(lines.join("\n"));
    }
    let mut case = TestCase::new(entry.id.as_str(), status);
    case.set_classname(entry.area.as_str());
    case.set_time(duration(entry.millis));
    lines.extend(entry.observations.iter().cloned());
    if !lines.is_empty() {
        case.set_system_out(lines.join("\n"));
    }
    case
}
