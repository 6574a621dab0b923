//! `report`: a device in short, for the owner of many.

use std::path::PathBuf;

use clap::Args;

use super::run::{denied_exit, transport_exit};
use super::{Exit, Failure, files, print};
use crate::attest::Verdict;
use crate::fleet::{self, Depth};
use crate::guard::{Consent, Denied, Guard};
use crate::scenario::{Effect, Start};
use crate::suite::bench::Stop;
use crate::suite::hand::{Hand, Secrets};
use crate::suite::stock::Stock;
use crate::suite::wire::Log;
use crate::transport::place::{Opener, Place};

const EXAMPLES: &str = "\
Examples:
  hsm2-harness report
  hsm2-harness report --target pcsc:\"READER\" --json device.json
  hsm2-harness report --target pcsc:\"READER\" --allow creates --serial DENK0100001 --pin-file pin

Without --allow creates it only looks. With it, test keys are made at free numbers, used and deleted.
The user PIN comes from --pin-file, or from HSM2_PIN in the environment.";

/// Tell all that is known of a device: identity, state, contents, speed, health
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Report {
    /// Where the card is: embedded, vpcd:HOST:PORT or pcsc:READER
    #[arg(long, default_value = "embedded", value_name = "PLACE")]
    target: Place,
    /// The most that may be done: read-only or creates
    #[arg(long, value_enum, default_value = "read-only", value_name = "EFFECT")]
    allow: Effect,
    /// Serial of the device that this may be done to
    #[arg(long)]
    serial: Option<String>,
    /// File whose first line is the user PIN of the device
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// Make an RSA test key, too, which takes a while
    #[arg(long)]
    rsa: bool,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl Report {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let consent = Consent {
            // Nothing that a report does needs more.
            allow: self.allow.min(Effect::Creates),
            serial: self.serial.clone(),
            pin: files::first_line(self.pin_file.as_deref(), "HSM2_PIN")?,
            ..Consent::default()
        };
        let depth = Depth {
            test_keys: self.target.makes_cards() || consent.allow >= Effect::Creates,
            rsa: self.rsa,
        };
        let mut tell = |what: &str| eprintln!("{what}");
        let mut target = Opener::default()
            .open(&self.target, "SUITEA", &mut tell)
            .map_err(|error| Failure::new(transport_exit(&error), error.to_string()))?;
        let (guard, identity) = Guard::admit(&mut *target, &consent).map_err(denied)?;
        let mut hand = if self.target.makes_cards() {
            // A new card would have nothing to tell of.
            Stock::default()
                .honest_card('A', Start::Keys)
                .map_err(stopped)?
        } else {
            let secrets = Secrets {
                pin: consent.pin.clone(),
                so_pin: None,
            };
            Hand::new('A', target, guard, Log::default(), secrets)
        };
        hand.select().map_err(stopped)?;
        let mut progress = |what: &str| eprintln!("looking at {what}");
        let report = fleet::report(&mut hand, &identity, depth, &mut progress).map_err(stopped)?;
        let text = fleet::markdown(&report);
        if let Some(path) = &self.json {
            let json = serde_json::to_string_pretty(&report).unwrap_or_default();
            files::write_report(path, &json)?;
        }
        if let Some(path) = &self.markdown {
            files::write_report(path, &text)?;
        }
        print(text.trim_end());
        if report.vouched.verdict == Verdict::Refuted {
            return Err(Failure::new(
                Exit::Refuted,
                "the device's certificates or its proof are wrong, see above",
            ));
        }
        if report.checks.iter().any(|check| check.good == Some(false)) {
            return Err(Failure::new(
                Exit::NotConforming,
                "a smoke test is bad, see above",
            ));
        }
        Ok(())
    }
}

pub(super) fn denied(denied: Denied) -> Failure {
    Failure::new(denied_exit(&denied), denied.to_string())
}

pub(super) fn stopped(stop: Stop) -> Failure {
    match stop {
        Stop::Transport(error) => Failure::new(transport_exit(&error), error.to_string()),
        Stop::Fail(finding) => Failure::new(
            Exit::Fault,
            format!("expected {}, found {}", finding.expected, finding.found),
        ),
        Stop::Skip(what) | Stop::Harness(what) => Failure::new(Exit::Fault, what),
    }
}
