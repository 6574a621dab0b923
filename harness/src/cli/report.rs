//! `report`: a device in short, for the owner of many.

use std::path::PathBuf;

use clap::Args;

use super::run::{denied_exit, transport_exit};
use super::{Exit, Failure, files, listen, print};
use crate::attest::Verdict;
use crate::expect::Profile;
use crate::fleet::{self, CutOff, Depth};
use crate::guard::{Consent, Denied, Guard};
use crate::interrupt::Interrupt;
use crate::scenario::{Effect, Start};
use crate::scenarios;
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

Without --allow creates it only looks. With it, test keys and a test file are made at free
numbers, used and deleted. With --allow wipes, an empty slot for key domains is used, too, for a
key whose nonces can be computed, and emptied again. No key is lost by that; the number of keys
on the device must be given all the same, as what is allowed could lose them.

All of it takes some minutes on a device. When a report is cut off it says what may still be
there; after Ctrl-C nobody does.

The user PIN comes from --pin-file, or from HSM2_PIN in the environment.

Exit codes of its own: 1 a smoke test is bad, or a test object is left on the device;
21 the device's certificates or its proof are wrong.";

/// Tell all that is known of a device: identity, state, contents, speed, health
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Report {
    /// Where the card is: embedded, vpcd:HOST:PORT or pcsc:READER
    #[arg(long, default_value = "embedded", value_name = "PLACE")]
    target: Place,
    /// The most that may be done: read-only, creates or wipes
    #[arg(long, value_enum, default_value = "read-only", value_name = "EFFECT")]
    allow: Effect,
    /// Serial of the device that this may be done to
    #[arg(long)]
    serial: Option<String>,
    /// Number of keys on the device; for --allow wipes
    #[arg(long, value_name = "N")]
    lose_keys: Option<usize>,
    /// File whose first line is the user PIN of the device
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// Make RSA test keys, too, up to so many bits [4096 without a number]; minutes on a device
    #[arg(long, value_name = "BITS", num_args = 0..=1, default_missing_value = "4096")]
    rsa: Option<u16>,
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
            allow: self.allow,
            serial: self.serial.clone(),
            lose_keys: self.lose_keys,
            pin: files::first_line(self.pin_file.as_deref(), "HSM2_PIN")?,
            ..Consent::default()
        };
        let own = self.target.makes_cards();
        let depth = Depth {
            test_keys: own || consent.allow >= Effect::Creates,
            rsa: self.rsa,
            key_domain: own || consent.allow >= Effect::Wipes,
        };
        let mut tell = |what: &str| eprintln!("{what}");
        let mut target = Opener::default()
            .open(&self.target, "SUITEA", &mut tell)
            .map_err(|error| Failure::new(transport_exit(&error), error.to_string()))?;
        let (guard, identity) = Guard::admit(&mut *target, &consent).map_err(denied)?;
        let mut hand = if let Place::Embedded(generation) = self.target {
            let profile = Profile::for_device(&identity, &scenarios::all());
            let stock = Stock {
                generation,
                equipment: profile
                    .map(|profile| profile.equipment())
                    .unwrap_or_default(),
                ..Stock::default()
            };
            // A new card would have nothing to tell of; this one has all that the suite puts on it.
            stock.honest_card('A', Start::AsFound).map_err(stopped)?
        } else {
            let secrets = Secrets {
                pin: consent.pin.clone(),
                so_pin: None,
            };
            Hand::new('A', target, guard, Log::default(), secrets)
        };
        hand.select().map_err(stopped)?;
        let mut progress = |what: &str| eprintln!("looking at {what}");
        let interrupt = Interrupt::default();
        if depth.test_keys && !own {
            listen(&interrupt, "the test that runs");
        }
        let report = fleet::report(&mut hand, &identity, depth, &mut progress, &interrupt)
            .map_err(cut_off)?;
        let text = fleet::markdown(&report);
        if let Some(path) = &self.json {
            let json = serde_json::to_string_pretty(&report).unwrap_or_default();
            files::write_report(path, &json)?;
        }
        if let Some(path) = &self.markdown {
            files::write_report(path, &text)?;
        }
        print(text.trim_end());
        if !report.left.is_empty() {
            let left = report.left.join(", ");
            return Err(Failure::new(
                Exit::NotConforming,
                format!("the device did not delete {left} again"),
            ));
        }
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

fn cut_off(cut_off: CutOff) -> Failure {
    let mut failure = stopped(cut_off.stop);
    if !cut_off.left.is_empty() {
        failure.message += &format!(
            "; of the test objects these may still be on the device: {}",
            cut_off.left.join(", ")
        );
    }
    failure
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
