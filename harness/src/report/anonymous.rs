//! Reports that can be shown to others: which device it was stays unknown.

use sha2::{Digest, Sha256};

use super::Report;

/// What a serial becomes.
fn hashed(serial: &str) -> String {
    let hash = hex::encode_upper(Sha256::digest(serial));
    format!("ANON-{}", hash.get(..8).unwrap_or_default())
}

pub(super) fn hide_serials(report: &mut Report) {
    let mut serials: Vec<String> = [Some(&report.device), report.second.as_ref()]
        .into_iter()
        .flatten()
        .map(|device| device.serial.clone())
        .collect();
    // The longest first: one may be a part of another.
    serials.sort_by_key(|serial| std::cmp::Reverse(serial.len()));
    let hide = |text: &mut String| {
        for serial in serials.iter().filter(|serial| !serial.is_empty()) {
            if text.contains(serial.as_str()) {
                *text = text.replace(serial.as_str(), &hashed(serial));
            }
            // In what a card says, letters are bytes.
            let bytes = hex::encode_upper(serial);
            if text.contains(&bytes) {
                *text = text.replace(&bytes, &"*".repeat(bytes.len()));
            }
            // Embedded cards call themselves without the prefix of their certificates.
            if let Some(short) = serial.strip_prefix("ZZ")
                && text.contains(short)
            {
                *text = text.replace(short, &hashed(serial));
            }
        }
    };
    for device in [Some(&mut report.device), report.second.as_mut()]
        .into_iter()
        .flatten()
    {
        hide(&mut device.place);
        hide(&mut device.serial);
    }
    for card in &mut report.cards {
        hide(&mut card.serial);
    }
    hide(&mut report.target);
    if let Some(aborted) = &mut report.aborted {
        hide(aborted);
    }
    report.left.iter_mut().for_each(hide);
    report.left_before.iter_mut().for_each(hide);
    for entry in &mut report.results {
        hide(&mut entry.rerun);
        entry.reason.iter_mut().for_each(hide);
        entry.observations.iter_mut().for_each(hide);
        if let Some(finding) = &mut entry.finding {
            hide(&mut finding.expected);
            hide(&mut finding.found);
        }
        for exchange in &mut entry.exchanges {
            // A public key tells the device as well as its name does.
            if exchange
                .command
                .get(2..8)
                .is_some_and(|it| it == "B12F02" || it == "B02F02")
            {
                let data = exchange.response.len().saturating_sub(4);
                let status = exchange.response.split_off(data);
                exchange.response = "*".repeat(data) + &status;
            }
            hide(&mut exchange.command);
            hide(&mut exchange.response);
            exchange.details.iter_mut().for_each(hide);
            exchange.guard.iter_mut().for_each(hide);
        }
    }
}
