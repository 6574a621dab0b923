//! `record`, `replay` and `diff`: sessions written down, repeated and compared.

use std::path::{Path, PathBuf};

use clap::Args;

use super::report::stopped;
use super::run::{ChoiceArgs, Run, quiet_run, transport_exit};
use super::{Exit, Failure, files, print};
use crate::guard::{Consent, Guard};
use crate::report::page::page;
use crate::report::{Report, diff};
use crate::suite::fixture;
use crate::suite::hand::Hand;
use crate::suite::wire::Log;
use crate::trace;
use crate::transport::place::{Opener, Place};

/// Run scenarios and write down all that is said to the cards
#[derive(Debug, Args)]
pub(super) struct Record {
    /// The trace to write: lines of JSON, secrets left out
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    run: Run,
}

impl Record {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.run.with_trace(self.out).run()
    }
}

/// Send what was recorded to a virtual card and show where it first answers otherwise
///
/// Answers that are random, or another one on each device, are compared by their status word only.
/// PINs are those of the harness; commands whose other secrets were left out are not sent.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The trace: of this program, or of `hsm2-emulator serve --trace`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the card is: embedded, vpcd:HOST:PORT or pcsc:READER
    #[arg(long, default_value = "embedded", value_name = "PLACE")]
    target: Place,
    /// Which card of the trace [default: the first]
    #[arg(long, value_name = "NAME")]
    card: Option<String>,
}

impl Replay {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let name = self.file.display().to_string();
        let text = text(&self.file)?;
        let lines = trace::parse(&name, &text)
            .map_err(|mistake| Failure::new(Exit::Input, mistake.to_string()))?;
        let first = lines.first().map(|line| line.card.clone());
        let card = self.card.clone().or(first).unwrap_or_default();
        let mut hand = self.hand()?;
        let outcome = trace::replay::replay(&lines, &card, &mut hand).map_err(stopped)?;
        for (what, count) in &outcome.masked {
            print(&format!("{count} answers with a {what}: status word only"));
        }
        if outcome.left_out > 0 {
            let count = outcome.left_out;
            print(&format!(
                "{count} commands not sent: their secrets are not in the trace, or they need a new card"
            ));
        }
        if let Some(divergence) = outcome.divergence {
            let scenario = divergence.scenario.map(|id| format!(" ({id})"));
            print(&format!(
                "line {}{}: {}\n  recorded  {}\n  found     {}",
                divergence.line,
                scenario.unwrap_or_default(),
                divergence.command,
                divergence.recorded,
                divergence.found
            ));
            return Err(Failure::new(
                Exit::NotConforming,
                "the card answers otherwise than was recorded",
            ));
        }
        if outcome.sent == 0 {
            return Err(Failure::new(
                Exit::NothingRan,
                format!("nothing in {name} could be sent for card {card:?}"),
            ));
        }
        print(&format!(
            "{} commands, all answered as recorded",
            outcome.sent
        ));
        Ok(())
    }

    /// A virtual card: a recorded session may erase what it is sent to.
    fn hand(&self) -> Result<Hand, Failure> {
        let mut tell = |what: &str| eprintln!("{what}");
        let unreachable = |error: crate::transport::TransportError| {
            Failure::new(transport_exit(&error), error.to_string())
        };
        let mut target = Opener::default()
            .open(&self.target, "SUITEA", &mut tell)
            .map_err(unreachable)?;
        let (guard, identity) = Guard::admit(&mut *target, &Consent::default())
            .map_err(|denied| Failure::new(Exit::Card, denied.to_string()))?;
        if !identity.is_virtual {
            let what = format!(
                "device {} is no virtual card, and a recorded session may erase it",
                identity.serial
            );
            return Err(Failure::new(Exit::Card, what));
        }
        let log = Log::default();
        Ok(Hand::new('A', target, guard, log, fixture::secrets()))
    }
}

/// Compare two runs: reports, or cards on which scenarios run now
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// A report in JSON, or a place: embedded, vpcd:HOST:PORT or pcsc:READER
    left: String,
    /// The same
    right: String,
    #[command(flatten)]
    choice: ChoiceArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Write both runs side by side as one page for a browser, which needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Diff {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let left = self.side(&self.left)?;
        let right = self.side(&self.right)?;
        let differences = diff::diff(&left, &right);
        if let Some(path) = &self.html {
            files::write_report(path, &page(&[&left, &right]))?;
        }
        if self.json {
            print(&serde_json::to_string_pretty(&differences).unwrap_or_default());
        } else {
            print(diff::text(&left, &right, &differences).trim_end());
        }
        if left.results.is_empty() || right.results.is_empty() {
            return Err(Failure::new(
                Exit::NothingRan,
                "there is nothing to compare",
            ));
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Exit::NotConforming, "the runs differ"))
    }

    fn side(&self, name: &str) -> Result<Report, Failure> {
        if let Ok(place) = name.parse::<Place>() {
            return quiet_run(&place, &self.choice);
        }
        let text = text(Path::new(name))?;
        serde_json::from_str(&text).map_err(|error| {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            let (line, column) = (error.line(), error.column());
            Failure::new(
                Exit::Input,
                format!("{name}, line {line}, column {column}: {what}"),
            )
        })
    }
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let what = format!("cannot read {}: {error}", path.display());
        Failure::new(Exit::File, what)
    })
}
