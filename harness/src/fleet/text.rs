use std::fmt::Write;

use super::{DeviceReport, KeyFacts, Worth};
use crate::attest::Origin;

/// The report as Markdown, which reads as text as well.
#[must_use]
pub fn markdown(report: &DeviceReport) -> String {
    let mut out = String::new();
    let device = &report.device;
    let kind = if device.is_virtual {
        "virtual device"
    } else {
        "device"
    };
    let _ = writeln!(out, "# {kind} {}\n", device.serial);
    let memory = match report.free_memory {
        Some(bytes) => format!("{bytes} bytes free"),
        None => "not told by this firmware".into(),
    };
    let options = if report.options.is_empty() {
        "none".into()
    } else {
        report.options.join("; ")
    };
    for (name, value) in [
        ("Firmware", device.version.as_str()),
        ("Answer to reset", &device.atr),
        ("Place", &device.place),
        ("Options", &options),
        ("User PIN", &report.user_pin),
        ("SO-PIN", &report.so_pin),
        ("Memory", &memory),
        (
            "Public key authentication",
            &report.public_key_authentication,
        ),
        ("Made", &report.made),
        ("By", report.tool),
    ] {
        let _ = writeln!(out, "- {name}: {value}");
    }
    if let Some(left) = &report.left_before {
        let _ = writeln!(out, "- NOT GIVEN BACK: {left}");
    }
    certificates(&mut out, report);
    contents(&mut out, report);
    speed(&mut out, report);
    if !report.left.is_empty() {
        let left = report.left.join(", ");
        let _ = writeln!(out, "\nLEFT ON THE DEVICE, which did not delete it: {left}");
    }
    let _ = writeln!(out, "\n## Smoke tests\n");
    for check in &report.checks {
        let word = match check.good {
            Some(true) => "good",
            Some(false) => "BAD",
            None => "left out",
        };
        let _ = writeln!(out, "- {}: {word}: {}", check.name, check.what);
    }
    let _ = writeln!(out, "\n## Known of this firmware\n");
    if report.issues.is_empty() {
        let _ = writeln!(out, "- nothing that this program knows of");
    }
    for issue in &report.issues {
        let _ = writeln!(
            out,
            "- {} ({}: {})",
            issue.what,
            issue.tag.word(),
            issue.source
        );
    }
    out
}

fn speed(out: &mut String, report: &DeviceReport) {
    let _ = writeln!(out, "\n## Speed\n");
    let _ = writeln!(out, "| | runs | median | 95 % |\n|---|---|---|---|");
    for measure in &report.measured {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            measure.what,
            measure.runs,
            time(measure.median_micros),
            time(measure.p95_micros),
        );
    }
    if !report.refused.is_empty() {
        let _ = writeln!(out, "\nNot done by this device:\n");
    }
    for refused in &report.refused {
        let _ = writeln!(out, "- {refused}");
    }
    let _ = writeln!(out, "\n## Sizes\n");
    for limit in &report.limits {
        let most = match limit.most_bytes {
            Some(bytes) => format!("{bytes} bytes"),
            None => "none went".into(),
        };
        let _ = writeln!(out, "- {}: {most}; {}", limit.what, limit.tried);
    }
}

fn certificates(out: &mut String, report: &DeviceReport) {
    let vouched = &report.vouched;
    let _ = writeln!(out, "\n## Certificates\n");
    for certificate in &vouched.certificates {
        let signature = certificate.signature_in_words();
        let unknown = || "unknown".to_string();
        let left = match certificate.days_left {
            Some(days) if days < 0 => format!(", EXPIRED {} days ago", -days),
            Some(days) => format!(", {days} days left"),
            None => String::new(),
        };
        let _ = writeln!(
            out,
            "- {} by {}: {signature}; {} to {}{left}",
            certificate.holder,
            certificate.authority,
            certificate.from.clone().unwrap_or_else(unknown),
            certificate.to.clone().unwrap_or_else(unknown),
        );
    }
    let root = vouched.root.map_or("unknown", Worth::in_words);
    let _ = writeln!(out, "- Root: {root}");
    let _ = writeln!(out, "- Device key: {}", vouched.possession.in_words());
    let _ = writeln!(out, "- Verdict: {}", vouched.verdict.in_words());
    for finding in &vouched.findings {
        let _ = writeln!(out, "- FINDING: {finding}");
    }
}

fn contents(out: &mut String, report: &DeviceReport) {
    let _ = writeln!(out, "\n## Key domains\n");
    if report.map.domains.is_empty() {
        let _ = writeln!(out, "- none");
    }
    for domain in &report.map.domains {
        let keys: Vec<String> = report
            .map
            .keys
            .iter()
            .filter(|key| key.domain == Some(domain.slot))
            .map(|key| key.key.to_string())
            .collect();
        let value = match (&domain.check_value, domain.outstanding) {
            (Some(value), _) => format!(", check value {value}"),
            (None, Some(outstanding)) => format!(", {outstanding} shares to come"),
            (None, None) => String::new(),
        };
        let keys = if keys.is_empty() {
            String::new()
        } else {
            format!(", keys {}", keys.join(" "))
        };
        let _ = writeln!(out, "- slot {}: {}{value}{keys}", domain.slot, domain.kind);
    }
    let _ = writeln!(out, "\n## Objects\n");
    for item in &report.inventory.items {
        let more = match (&item.key, item.size) {
            // The size of a key's file says nothing of the key.
            (Some(key), _) => key_in_words(key),
            (None, Some(size)) => format!(", {size} bytes"),
            (None, None) => String::new(),
        };
        let _ = writeln!(out, "- {} {}{more}", item.file, item.kind);
    }
    for orphan in &report.inventory.orphans {
        let _ = writeln!(out, "- ORPHAN {orphan}");
    }
}

fn key_in_words(key: &KeyFacts) -> String {
    let kind = match (&key.kind, key.told_by) {
        (Some(kind), Some(by)) => format!("{kind} by {by}"),
        _ => "of unknown kind, with no request, certificate or description".into(),
    };
    let conditions = match (&key.conditions_unknown, key.domain) {
        (Some(why), _) => format!("conditions of use unknown ({why})"),
        (None, Some(slot)) => format!("key domain {slot}"),
        (None, None) => "no key domain".into(),
    };
    let mut words = vec![kind, conditions];
    if let Some(algorithms) = &key.algorithms {
        words.push(format!("algorithms {} only", algorithms.join(" ")));
    }
    if let Some(uses) = key.uses_left {
        words.push(format!("{uses} uses left"));
    }
    words.push(match &key.origin {
        // Why is in the JSON; most keys that were imported are so.
        Origin::NotAttested(_) => "not attested".into(),
        origin => origin.in_words(),
    });
    format!(": {}", words.join("; "))
}

/// Microseconds in the unit that reads best.
fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}
