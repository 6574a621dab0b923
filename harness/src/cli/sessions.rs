//! `record`, `replay` and `diff`: sessions written down, repeated and compared.

use std::path::{Path, PathBuf};

use clap::Args;

use super::consent::{ConsentArgs, TrustArgs};
use super::report::stopped;
use super::run::{ChoiceArgs, Quiet, Run, aborted, failure, quiet_run};
use super::{Exit, Failure, files, print};
use crate::interrupt::Interrupt;
use crate::report::page::page;
use crate::report::{Report, SCHEMA_VERSION, diff};
use crate::suite::runner::one_card;
use crate::trace;
use crate::trace::replay::{Ended, Outcome, replay};
use crate::transport::place::Place;

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

/// Send what was recorded to a card and show where it first answers otherwise
///
/// Fields that are random, or other ones on each device, are compared by their length only. PINs are
/// those of the harness, or those of the device that the options give. A scenario is left at the first
/// command that changes something and whose secret is not in the trace, or whose answer is not. The
/// last line says how many were not sent. On a device that is no virtual card only that is sent which
/// the options allow, as for `run`.
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
    #[command(flatten)]
    consent: ConsentArgs,
    #[command(flatten)]
    trust: TrustArgs,
}

impl Replay {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let name = self.file.display().to_string();
        let text = text(&self.file)?;
        let lines = trace::parse(&name, &text)
            .map_err(|mistake| Failure::new(Exit::Input, mistake.to_string()))?;
        let first = lines.first().map(|line| line.card.clone());
        let card = self.card.clone().or(first).unwrap_or_default();
        let consent = self.consent.consent()?;
        let mut tell = |what: &str| eprintln!("{what}");
        let mut source =
            one_card(&self.target, &self.trust.roots()?, &consent, &mut tell).map_err(failure)?;
        let outcome = replay(&lines, &card, &mut source)
            .and_then(|outcome| source.give_back().map(|()| outcome))
            .map_err(|stop| {
                let mut failure = stopped(stop);
                if let Some(left) = source.left() {
                    failure.message += &format!("; {left}");
                }
                failure
            })?;
        say(&outcome);
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
        print(&match outcome.not_sent() {
            0 => format!("{} commands, all answered as recorded", outcome.sent),
            left => format!(
                "{} of {} commands, all answered as recorded; {left} not sent",
                outcome.sent,
                outcome.sent + left
            ),
        });
        Ok(())
    }
}

fn say(outcome: &Outcome) {
    for (what, count) in &outcome.masked {
        print(&format!("{count} fields compared by length only: {what}"));
    }
    for (why, count) in &outcome.left_out {
        print(&format!("{count} commands not sent: {why}"));
    }
    for Ended {
        scenario,
        line,
        why,
    } in &outcome.ended
    {
        print(&format!("{scenario}: left at line {line}: {why}"));
    }
}

/// Compare two runs: reports, or cards on which scenarios run now
///
/// What is not chosen is left out of reports, too. The options about devices go for both sides.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// A report in JSON, or a place: embedded, vpcd:HOST:PORT or pcsc:READER
    left: String,
    /// The same
    right: String,
    #[command(flatten)]
    choice: ChoiceArgs,
    #[command(flatten)]
    consent: ConsentArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// Profile to use in place of those for the devices
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Write both runs side by side as one page for a browser, which needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Diff {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let interrupt = Interrupt::default();
        let left = self.side(&self.left, &interrupt)?;
        interrupt
            .check()
            .map_err(|error| Failure::new(Exit::Interrupted, error.to_string()))?;
        let right = self.side(&self.right, &interrupt)?;
        let differences = diff::diff(&left, &right);
        if let Some(path) = &self.html {
            files::write_report(path, &page(&[&left, &right]))?;
        }
        if self.json {
            print(&serde_json::to_string_pretty(&differences).unwrap_or_default());
        } else {
            print(diff::text(&left, &right, &differences).trim_end());
        }
        for (side, report) in [(&self.left, &left), (&self.right, &right)] {
            if let Some(mut failure) = aborted(report) {
                failure.message = format!("{side} ended early: {}", failure.message);
                return Err(failure);
            }
            if report.ran() == 0 {
                let what = format!("no scenario ran in {side}: there is nothing to compare");
                return Err(Failure::new(Exit::NothingRan, what));
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Exit::NotConforming, "the runs differ"))
    }

    fn side(&self, name: &str, interrupt: &Interrupt) -> Result<Report, Failure> {
        if let Ok(place) = name.parse::<Place>() {
            let quiet = Quiet {
                place: &place,
                consent: self.consent.consent()?,
                roots: self.trust.roots()?,
                profile: self.profile.as_deref(),
                interrupt,
            };
            return quiet_run(quiet, &self.choice);
        }
        let mut report = read_report(name)?;
        self.choice.keep(&mut report)?;
        Ok(report)
    }
}

/// A report in the JSON form, of a schema that this program reads.
fn read_report(name: &str) -> Result<Report, Failure> {
    let text = text(Path::new(name))?;
    let malformed = |error: &serde_json::Error| {
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        let (line, column) = (error.line(), error.column());
        Failure::new(
            Exit::Input,
            format!("{name}, line {line}, column {column}: {what}"),
        )
    };
    #[derive(serde::Deserialize)]
    struct Schema {
        schema_version: String,
    }
    let schema: Schema = serde_json::from_str(&text).map_err(|error| malformed(&error))?;
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    if major(&schema.schema_version) != major(SCHEMA_VERSION) {
        let what = format!(
            "{name} has schema version {}, and this program reads {SCHEMA_VERSION}",
            schema.schema_version
        );
        return Err(Failure::new(Exit::Input, what));
    }
    serde_json::from_str(&text).map_err(|error| malformed(&error))
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let what = format!("cannot read {}: {error}", path.display());
        Failure::new(Exit::File, what)
    })
}
