//! The command line: parsing, exit codes, and one module per group of commands.

mod attest;
mod blob;
mod consent;
mod dkek;
mod drill;
mod files;
mod opensc_corpus;
mod progress;
mod report;
mod run;
mod run_progress;
mod secrets;
mod sessions;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::interrupt::Interrupt;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for a run: every scenario that ran is as it must be
  1  a run found something that is not as it must be
  2  the command line is wrong
  3  an input file is malformed, or a key or share cannot be used
  4  a password or the custodians' shares do not open a file
  5  the wrapped key belongs to another DKEK
  6  the wrapped key is not authentic: changed or damaged
  7  a file cannot be read or written, or exists already
  8  a password is needed and there is nowhere to get it from
  9  a drill ended otherwise than it must
 10  a card cannot be reached or may not be changed or erased
 11  a run ended early: the card was removed
 12  there is no such reader
 13  there is no card in the reader
 14  the PC/SC service does not answer
 15  the card in the reader is no SmartCard-HSM, or another one than before
 16  no scenario ran
 17  the connection to the card or the harness itself is at fault
 18  a signal ended a run or report, of which nothing is left on the card; a second signal
     ends it at once, with 130
 21  an attestation is refuted: a signature, root or proof is wrong
 22  a device did not prove that it has its key
 23  an attestation holds, below a root that vouches for nothing
 24  an attestation meets a key of a kind that is not known here, or an old device that does not
     hold its issuer's certificate";

/// Conformance scenarios, drills and key-material tools for the SmartCard-HSM / Nitrokey HSM 2.
///
/// Without any words it runs all scenarios on a virtual card of its own.
#[derive(Debug, Parser)]
#[command(name = "hsm2-harness", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    // Far larger than the others.
    Run(Box<run::Run>),
    List(run::List),
    Record(Box<sessions::Record>),
    Replay(Box<sessions::Replay>),
    Diff(Box<sessions::Diff>),
    Report(report::Report),
    /// DKEK shares: what the custodians of a token keep
    Dkek(dkek::Dkek),
    /// Wrapped keys: look into, seal and open them without a card
    Blob(blob::Blob),
    Drill(drill::Drill),
    Attest(attest::Attest),
    ExportOpenscCorpus(opensc_corpus::ExportOpenscCorpus),
}

/// Why a command failed, for a person and for a script.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    NotConforming = 1,
    Usage = 2,
    Input = 3,
    WrongPassword = 4,
    OtherDkek = 5,
    NotAuthentic = 6,
    File = 7,
    NoSecret = 8,
    Drill = 9,
    Card = 10,
    Removed = 11,
    NoReader = 12,
    NoCard = 13,
    NoService = 14,
    OtherCard = 15,
    NothingRan = 16,
    Fault = 17,
    Interrupted = 18,
    Refuted = 21,
    NotProven = 22,
    WithoutValue = 23,
    NotJudged = 24,
}

impl Failure {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        None => run::run_everything(),
        Some(Command::Run(command)) => command.run(),
        Some(Command::List(command)) => command.run(),
        Some(Command::Record(command)) => command.run(),
        Some(Command::Replay(command)) => command.run(),
        Some(Command::Diff(command)) => command.run(),
        Some(Command::Report(command)) => command.run(),
        Some(Command::Dkek(command)) => command.run(),
        Some(Command::Blob(command)) => command.run(),
        Some(Command::Drill(command)) => command.run(),
        Some(Command::Attest(command)) => command.run(),
        Some(Command::ExportOpenscCorpus(command)) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Lets work on a card end after this step once somebody stops the program.
fn listen(interrupt: &Interrupt, step: &'static str) {
    let tell = move || eprintln!("stopping after {step}; a second signal stops at once");
    if let Err(error) = interrupt.listen(tell) {
        eprintln!("a signal will end this program at once, as it cannot wait for one: {error}");
    }
}

/// Prints a result; a reader that has gone away is no error worth a word.
fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
