//! `run` and `list`: scenarios on a card.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use hsm2_emulator::trust::Anchor;

use super::consent::{ConsentArgs, TrustArgs};
use super::run_progress::Progress;
use super::{Exit, Failure, files, listen, print};
use crate::device::Unknown;
use crate::guard::{Consent, Denied};
use crate::interrupt::Interrupt;
use crate::report::page::page;
use crate::report::text::Style;
use crate::report::{self, Abort, Report};
use crate::scenario::{Effect, Scenario};
use crate::scenarios;
use crate::suite::choice::Choice;
use crate::suite::runner::{Event, Order, RunError, quoted, run};
use crate::trace;
use crate::transport::TransportError;
use crate::transport::place::Place;

const EXAMPLES: &str = "\
Examples:
  hsm2-harness                                         all scenarios on a virtual card of its own
  hsm2-harness run 'verify.*' --json report.json
  hsm2-harness run --target pcsc:\"READER\"              only looks, on a device in a reader
  hsm2-harness run --only session.reset.logs_out --seed 7

A device that is no virtual card is only looked at. --allow lets scenarios do more, on the device
whose serial is given. No try of a PIN is ever spent there at two or fewer left, and no SO-PIN but
the right one is ever presented.

PINs of a device come from files, from HSM2_PIN and HSM2_SO_PIN in the environment, or are asked for.
A device that was wiped is left empty, with the user PIN that was given. When a run is cut off before
that, it says so, and the next one says whether it shows.

embedded:NAME makes virtual cards of another generation; `hsm2-emulator profiles` lists the names.";

/// Run scenarios on a card and judge what it answers
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    #[command(flatten)]
    choice: ChoiceArgs,
    /// Where the card is: embedded, vpcd:HOST:PORT or pcsc:READER
    #[arg(long, default_value = "embedded", value_name = "PLACE")]
    target: Place,
    /// Where the second card is that some scenarios need [default: embedded, beside a virtual card]
    #[arg(long, value_name = "PLACE")]
    second: Option<Place>,
    /// Seed of everything that scenarios draw
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Scenarios at once on embedded cards [default: one for each processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    #[command(flatten)]
    consent: ConsentArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// Profile to use in place of the one for the device
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Write the report as JSON, the source of all other forms
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one page for a browser, which needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the report as JUnit XML, for build servers
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write all that was said to the cards as a trace, secrets left out
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Put a hash in the place of each serial in all reports
    #[arg(long)]
    anonymous: bool,
    /// Put zero in the place of each time in all reports, so that equal runs give equal files
    #[arg(long)]
    stable: bool,
    /// Say nothing but what is wrong, and the count
    #[arg(long, short)]
    quiet: bool,
}

/// Which scenarios
#[derive(Debug, Args, Default)]
pub(super) struct ChoiceArgs {
    /// Ids, with * for anything
    #[arg(value_name = "GLOB")]
    globs: Vec<String>,
    /// Only this area; may be repeated
    #[arg(long)]
    area: Vec<String>,
    /// Only scenarios with this effect; may be repeated
    #[arg(long, value_enum)]
    effect: Vec<Effect>,
    /// This scenario alone
    #[arg(long, value_name = "ID")]
    only: Option<String>,
}

impl ChoiceArgs {
    fn of<'s>(&self, all: &'s [Scenario]) -> Result<Vec<&'s Scenario>, Failure> {
        let choice = Choice {
            globs: self.globs.clone(),
            areas: self.area.clone(),
            effects: self.effect.clone(),
            only: self.only.clone(),
        };
        choice
            .of(all)
            .map_err(|what| Failure::new(Exit::Usage, what))
    }
}

impl ChoiceArgs {
    /// Leaves out of a report what is not chosen.
    pub(super) fn keep(&self, report: &mut Report) -> Result<(), Failure> {
        let all = scenarios::all();
        let none = self.globs.is_empty()
            && self.area.is_empty()
            && self.effect.is_empty()
            && self.only.is_none();
        if none {
            // A report of another version may have scenarios that this one does not know.
            return Ok(());
        }
        let chosen = self.of(&all)?;
        let is_chosen = |id: &str| chosen.iter().any(|scenario| scenario.id == id);
        report.results.retain(|entry| is_chosen(&entry.id));
        report.tally();
        Ok(())
    }
}

/// List scenarios
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    choice: ChoiceArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let all = scenarios::all();
        let chosen = self.choice.of(&all)?;
        if self.json {
            let entries: Vec<_> = chosen
                .iter()
                .map(|scenario| {
                    serde_json::json!({
                        "id": scenario.id, "area": scenario.area(), "title": scenario.title,
                        "source": scenario.source, "needs": scenario.needs,
                        "effect": scenario.effect(), "start": scenario.start,
                        "cards": scenario.cards,
                    })
                })
                .collect();
            print(&serde_json::to_string_pretty(&entries).unwrap_or_default());
            return Ok(());
        }
        for scenario in &chosen {
            let effect = scenario.effect().word();
            print(&format!(
                "{:60} {effect:13} {}",
                scenario.id, scenario.title
            ));
        }
        print(&format!("{} scenarios", chosen.len()));
        Ok(())
    }
}

/// The whole suite on a card of this process: what the program does without any words.
pub(super) fn run_everything() -> Result<(), Failure> {
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Bare {
        #[command(flatten)]
        run: Run,
    }
    Bare::parse_from(["run"]).run.run()
}

/// What a silent run needs to know besides its choice.
pub(super) struct Quiet<'q> {
    pub(super) place: &'q Place,
    pub(super) consent: Consent,
    pub(super) roots: Vec<Anchor>,
    pub(super) profile: Option<&'q Path>,
    pub(super) interrupt: &'q Interrupt,
}

/// Runs scenarios on a card at this place, silently but for what a person has to do.
pub(super) fn quiet_run(quiet: Quiet<'_>, choice: &ChoiceArgs) -> Result<Report, Failure> {
    let all = scenarios::all();
    let chosen = choice.of(&all)?;
    let order = Order {
        place: quiet.place.clone(),
        consent: quiet.consent,
        roots: quiet.roots,
        profile: profile(quiet.profile)?,
        interrupt: quiet.interrupt.clone(),
        ..Order::new(&all, chosen)
    };
    let mut progress = Progress::new(false);
    progress.announces = false;
    let outcome = stoppable(&order, &mut progress);
    outcome.map_err(failure)
}

/// A run that a signal ends between two scenarios. One on cards of this process ends at once, and so
/// does the wait for a card.
fn stoppable(order: &Order<'_>, progress: &mut Progress) -> Result<Report, RunError> {
    let outcome = run(order, &mut |event| {
        if matches!(event, Event::Ready(..)) && !order.makes_cards() {
            listen(&order.interrupt, "this scenario");
        }
        progress.hear(&event);
    });
    progress.clear();
    outcome
}

impl Run {
    pub(super) fn with_trace(mut self, path: PathBuf) -> Self {
        self.trace = Some(path);
        self
    }

    pub(super) fn run(self) -> Result<(), Failure> {
        let all = scenarios::all();
        let chosen = self.choice.of(&all)?;
        let mut options = self.consent.words() + &self.trust.words();
        if let Some(path) = &self.profile {
            options += &format!(" --profile {}", quoted(&path.display().to_string()));
        }
        let standard = Order::new(&all, chosen);
        let order = Order {
            place: self.target.clone(),
            second: self.second.clone(),
            seed: self.seed,
            consent: self.consent.consent()?,
            jobs: self.jobs.unwrap_or(standard.jobs),
            profile: profile(self.profile.as_deref())?,
            roots: self.trust.roots()?,
            options,
            ..standard
        };
        let style = Style {
            colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        let mut progress = Progress::new(self.quiet);
        let outcome = stoppable(&order, &mut progress);
        let mut report = outcome.map_err(failure)?;
        if self.anonymous {
            report.hide_serials();
        }
        if self.stable {
            report.forget_times();
        }
        self.write(&report)?;
        if self.quiet {
            for entry in report.results.iter().filter(|entry| entry.verdict.is_bad()) {
                print(&style.trouble(entry));
            }
            print(&style.count(&report));
        } else {
            print(style.whole(&report).trim_end_matches('\n'));
        }
        judge(&report)
    }

    fn write(&self, report: &Report) -> Result<(), Failure> {
        if let Some(path) = &self.json {
            let text = serde_json::to_string_pretty(report).unwrap_or_default();
            files::write_report(path, &text)?;
        }
        if let Some(path) = &self.html {
            files::write_report(path, &page(&[report]))?;
        }
        if let Some(path) = &self.junit {
            let text =
                report::junit::junit(report).map_err(|what| Failure::new(Exit::File, what))?;
            files::write_report(path, &text)?;
        }
        if let Some(path) = &self.markdown {
            files::write_report(path, &report::markdown::markdown(report))?;
        }
        if let Some(path) = &self.trace {
            files::write_report(path, &trace::write(report))?;
        }
        Ok(())
    }
}

/// Name and text of a profile's file.
fn profile(path: Option<&Path>) -> Result<Option<(String, String)>, Failure> {
    let Some(path) = path else {
        return Ok(None);
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Exit::File, format!("cannot read {name}: {error}")))?;
    Ok(Some((name, text)))
}

/// The exit code of a run that ended early.
pub(super) fn aborted(report: &Report) -> Option<Failure> {
    let mut what = report.aborted.clone()?;
    for left in &report.left {
        what += "; ";
        what += left;
    }
    let exit = match report.abort {
        Some(Abort::Removed) => Exit::Removed,
        Some(Abort::Exchanged) => Exit::OtherCard,
        Some(Abort::NoService) => Exit::NoService,
        Some(Abort::NoReader) => Exit::NoReader,
        Some(Abort::NoCard) => Exit::NoCard,
        Some(Abort::Interrupted) => Exit::Interrupted,
        Some(Abort::Broken) | None => Exit::Fault,
    };
    Some(Failure::new(exit, what))
}

/// Success, or the exit code of a run that is not good.
fn judge(report: &Report) -> Result<(), Failure> {
    if let Some(failure) = aborted(report) {
        return Err(failure);
    }
    if report.ran() == 0 {
        return Err(Failure::new(
            Exit::NothingRan,
            "no scenario ran, so nothing is known",
        ));
    }
    if report.is_good() {
        return Ok(());
    }
    if !report.results.iter().any(|entry| entry.verdict.is_bad()) {
        return Err(Failure::new(
            Exit::NotConforming,
            "the profile expects departures that no longer show",
        ));
    }
    Err(Failure::new(
        Exit::NotConforming,
        "the card is not as it must be",
    ))
}

pub(super) fn failure(error: RunError) -> Failure {
    let exit = match &error {
        RunError::Denied(denied) => denied_exit(denied),
        RunError::Transport(error) => transport_exit(error),
        RunError::Profile(_) => Exit::Input,
        RunError::Harness(_) => Exit::Fault,
    };
    Failure::new(exit, error.to_string())
}

/// The exit code of each way not to be let to a card.
pub(super) fn denied_exit(denied: &Denied) -> Exit {
    match denied {
        Denied::Unknown(Unknown::OtherCard { .. }) => Exit::OtherCard,
        Denied::Unknown(Unknown::Transport(error)) => transport_exit(error),
        Denied::Serial { .. } | Denied::Keys { .. } => Exit::Card,
    }
}

/// The exit code of each way not to reach a card.
pub(super) fn transport_exit(error: &TransportError) -> Exit {
    match error {
        TransportError::NoService(_) => Exit::NoService,
        TransportError::NoReader { .. } => Exit::NoReader,
        TransportError::NoCard(_) => Exit::NoCard,
        TransportError::Removed(_) => Exit::Removed,
        TransportError::Exchanged { .. } => Exit::OtherCard,
        TransportError::Interrupted => Exit::Interrupted,
        _ => Exit::Card,
    }
}
