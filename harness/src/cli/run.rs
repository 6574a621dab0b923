//! `run` and `list`: scenarios on a card.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::{Exit, Failure, files, print};
use crate::device::Unknown;
use crate::guard::{Consent, Denied};
use crate::report::page::page;
use crate::report::text::Style;
use crate::report::{self, Entry, Report};
use crate::scenario::{Effect, Scenario};
use crate::scenarios;
use crate::suite::choice::Choice;
use crate::suite::runner::{Event, Order, RunError, run};
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

PINs of a device come from files, or from HSM2_PIN and HSM2_SO_PIN in the environment.";

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
    /// The most that may be done to a device
    #[arg(long, value_enum, default_value = "read-only", value_name = "EFFECT")]
    allow: Effect,
    /// Serial of the device that this may be done to
    #[arg(long, requires = "allow")]
    serial: Option<String>,
    /// Number of keys on the device, all of which will be lost; for --allow wipes
    #[arg(long, value_name = "N")]
    lose_keys: Option<usize>,
    /// File whose first line is the user PIN of the device
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// File whose first line is the SO-PIN of the device, 16 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    so_pin_file: Option<PathBuf>,
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

/// Runs scenarios on a card at this place, silently but for what a person has to do.
pub(super) fn quiet_run(place: &Place, choice: &ChoiceArgs) -> Result<Report, Failure> {
    let all = scenarios::all();
    let chosen = choice.of(&all)?;
    let order = Order {
        all: &all,
        chosen,
        place: place.clone(),
        second: None,
        seed: 1,
        consent: Consent::default(),
        jobs: std::thread::available_parallelism().map_or(1, usize::from),
        profile: None,
        tamper: None,
    };
    let mut progress = Progress::new(false);
    progress.announces = false;
    let outcome = run(&order, &mut |event| progress.hear(&event));
    progress.clear();
    outcome.map_err(failure)
}

impl Run {
    pub(super) fn with_trace(mut self, path: PathBuf) -> Self {
        self.trace = Some(path);
        self
    }

    pub(super) fn run(self) -> Result<(), Failure> {
        let all = scenarios::all();
        let chosen = self.choice.of(&all)?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let order = Order {
            all: &all,
            chosen,
            place: self.target.clone(),
            second: self.second.clone(),
            seed: self.seed,
            consent: self.consent()?,
            jobs: self.jobs.unwrap_or(processors),
            profile: self.profile()?,
            tamper: None,
        };
        let style = Style {
            colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        let mut progress = Progress::new(self.quiet);
        let outcome = run(&order, &mut |event| progress.hear(&event));
        progress.clear();
        let report = outcome.map_err(failure)?;
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

    fn consent(&self) -> Result<Consent, Failure> {
        Ok(Consent {
            allow: self.allow,
            serial: self.serial.clone(),
            lose_keys: self.lose_keys,
            pin: files::first_line(self.pin_file.as_deref(), "HSM2_PIN")?,
            so_pin: match files::first_line(self.so_pin_file.as_deref(), "HSM2_SO_PIN")? {
                None => None,
                Some(line) => Some(files::so_pin(line.expose())?),
            },
        })
    }

    fn profile(&self) -> Result<Option<(String, String)>, Failure> {
        let Some(path) = &self.profile else {
            return Ok(None);
        };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::new(Exit::File, format!("cannot read {name}: {error}")))?;
        Ok(Some((name, text)))
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

/// Success, or the exit code of a run that is not good.
fn judge(report: &Report) -> Result<(), Failure> {
    if let Some(aborted) = &report.aborted {
        return Err(Failure::new(Exit::Broken, aborted));
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
    Err(Failure::new(
        Exit::NotConforming,
        "the card is not as it must be",
    ))
}

fn failure(error: RunError) -> Failure {
    let exit = match &error {
        RunError::Denied(Denied::Unknown(Unknown::OtherCard { .. })) => Exit::OtherCard,
        RunError::Denied(Denied::Unknown(Unknown::Transport(error)))
        | RunError::Transport(error) => transport_exit(error),
        RunError::Denied(_) => Exit::Card,
        RunError::Profile(_) => Exit::Input,
        RunError::Harness(_) => Exit::Broken,
    };
    Failure::new(exit, error.to_string())
}

/// The exit code of each way not to reach a card.
pub(super) fn transport_exit(error: &TransportError) -> Exit {
    match error {
        TransportError::NoService(_) => Exit::NoService,
        TransportError::NoReader { .. } => Exit::NoReader,
        TransportError::NoCard(_) => Exit::NoCard,
        TransportError::Removed(_) => Exit::Broken,
        TransportError::Exchanged { .. } => Exit::OtherCard,
        _ => Exit::Card,
    }
}

/// Where a run is: one line that is rewritten on a terminal, a line now and then in a log.
struct Progress {
    quiet: bool,
    announces: bool,
    terminal: bool,
    begun: Instant,
    shown: Option<Instant>,
    total: usize,
    done: usize,
    bad: usize,
    current: String,
}

/// How often a terminal shows where the run is.
const REDRAW: Duration = Duration::from_millis(50);
/// How often a log shows where the run is.
const LOG: Duration = Duration::from_secs(5);

impl Progress {
    fn new(quiet: bool) -> Self {
        Self {
            quiet,
            announces: !quiet,
            terminal: std::io::stderr().is_terminal(),
            begun: Instant::now(),
            shown: None,
            total: 0,
            done: 0,
            bad: 0,
            current: String::new(),
        }
    }

    fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Tell(what) => eprintln!("{what}"),
            Event::Ready(identity, profile, total) => {
                self.total = *total;
                if self.announces {
                    let kind = if identity.is_virtual { "virtual " } else { "" };
                    print(&format!(
                        "{kind}device {}, firmware {}, {}\nprofile {}: {}\n{total} scenarios\n",
                        identity.serial,
                        identity.version,
                        identity.place,
                        profile.name,
                        profile.title,
                    ));
                }
            }
            Event::Begun(scenario) => {
                self.current.clone_from(&scenario.id);
                self.draw();
            }
            Event::Ended(entry) => self.ended(entry),
        }
    }

    fn ended(&mut self, entry: &Entry) {
        self.done += 1;
        if entry.verdict.is_bad() {
            self.bad += 1;
            self.clear();
            // At once: whoever watches a long run need not wait for its end.
            eprintln!("{}: {}", entry.verdict.word(), entry.id);
        }
        self.draw();
    }

    fn draw(&mut self) {
        if self.quiet {
            return;
        }
        let pause = if self.terminal { REDRAW } else { LOG };
        let since = self.shown.unwrap_or(self.begun).elapsed();
        if self.shown.is_some() && since < pause || self.shown.is_none() && !self.terminal {
            self.shown.get_or_insert(self.begun);
            return;
        }
        self.shown = Some(Instant::now());
        let seconds = self.begun.elapsed().as_secs_f64();
        let line = format!(
            "{}/{} {} {seconds:.1} s",
            self.done, self.total, self.current
        );
        let mut out = std::io::stderr();
        let _ = if self.terminal {
            write!(out, "\r\x1b[K{line}")
        } else {
            writeln!(out, "{line}")
        };
        let _ = out.flush();
    }

    fn clear(&self) {
        if self.terminal && !self.quiet {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
