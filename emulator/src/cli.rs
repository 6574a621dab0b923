//! Arguments, what they mean, and what the process answers.

mod card;
mod failure;
mod guide;
mod hostile;
mod plan;
mod replay;
mod serve;
mod show;
mod trust;

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::{PROFILES, Profile};
use hsm2_emulator::transport::address::Address;
use hsm2_emulator::transport::reader::Persona;

pub(crate) use failure::Failure;

/// A virtual SmartCard-HSM / Nitrokey HSM 2.
///
/// It is for testing and learning only. Whoever can read the card file, or the memory of this
/// process, has all its keys.
#[derive(Debug, Parser)]
#[command(name = "hsm2-emulator", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or stopped by Ctrl-C or SIGTERM
  1  internal error
  2  wrong command line
  3  a file does not exist, or exists and was to be created
  4  another process has the card file open
  5  the file is no card file, is damaged, or needs a newer version of this program
  6  a network address cannot be used
  7  the operating system refused: permissions, disk full
  8  a --trust file holds no root certificate
  9  a card answered otherwise than the trace that was replayed";

#[derive(Debug, Subcommand)]
enum Command {
    /// Put cards into virtual readers until Ctrl-C or SIGTERM
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Box<ServeArgs>),
    /// Create, show and copy card files
    #[command(subcommand)]
    Card(CardCommand),
}

const SERVE_EXAMPLES: &str = "\
Examples:
  hsm2-emulator serve
      One card, kept in ~/.local/share/hsm2-emulator/card.hsm2, in vpcd's first reader;
      pcsc-lite shows it like any other card: try `opensc-tool -n`.
  hsm2-emulator serve --ephemeral --listen 127.0.0.1:0
      A card that is forgotten in the end, for a test that speaks vpcd's protocol itself. The
      first line on standard output is `card 1 listening on 127.0.0.1:PORT`.
  hsm2-emulator serve --card one.hsm2 --card two.hsm2
      Two cards in vpcd's two readers, 127.0.0.1:35963 and 127.0.0.1:35964.
  hsm2-emulator serve --ephemeral --seed 01 --trace run.jsonl
      The same keys and random numbers on every run, and a line for every command in run.jsonl.
  hsm2-emulator serve --ephemeral --seed 01 --mutate 2A --trace run.jsonl
      A card that misbehaves, for testing host programs; again and again in the same way.
  hsm2-emulator serve --trust DESRCACC100001.cvc
      A card that verifies genuine devices' certificates, given the vendor's root.";

#[derive(Debug, Args)]
struct ServeArgs {
    /// Card file to serve; may be given again [default: card.hsm2 in the user's data directory,
    /// created when it is missing]
    #[arg(long = "card", value_name = "FILE")]
    cards: Vec<PathBuf>,

    /// Connect to a vpcd. Addresses go with cards in the order of both on the command line; cards
    /// without one get 127.0.0.1:35963, the second card 35964, and so on
    #[arg(long, value_name = "HOST:PORT")]
    vpcd: Vec<Address>,

    /// Wait for a reader instead; port 0 takes a free one. One connection is served at a time, the
    /// next waits until it ends
    #[arg(long, value_name = "HOST:PORT")]
    listen: Vec<Address>,

    /// Generation of device for cards that are created now [default: nitrokey-hsm2]
    #[arg(long, value_name = "NAME", value_parser = profiles())]
    profile: Option<&'static Profile>,

    /// Keep the cards in memory only, one for each address
    #[arg(long, conflicts_with = "cards")]
    ephemeral: bool,

    /// Trust this root as well as the virtual one, so that the cards can judge the certificates
    /// below it; may be given again. The file holds one root certificate (7F21...), binary or in
    /// hexadecimal
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,

    /// What the readers do to commands
    #[arg(long, value_name = "PERSONA", value_parser = personas(), default_value = "full")]
    reader: Persona,

    /// Draw all random numbers from this seed of 1 to 32 bytes, so that a run can be repeated
    /// byte for byte. THE KEYS ARE THEN WORTHLESS. Each card draws from SHA-256 of a label, its
    /// number and the seed; a served card file starts over on every run
    #[arg(long, value_name = "HEX", value_parser = plan::seed)]
    seed: Option<plan::Seed>,

    /// Misbehave as the rules in this file say, see docs/hostile.md: wrong lengths, wrong words,
    /// silence, a card that is pulled out, power that goes during a write
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,

    /// Change some responses at random, data objects above all; the same seed of 1 to 32 bytes
    /// makes the same changes to the same commands
    #[arg(long, value_name = "HEX", value_parser = plan::seed)]
    mutate: Option<plan::Seed>,

    /// How many of a hundred responses --mutate changes
    #[arg(long, value_name = "PERCENT", default_value_t = 10, requires = "mutate",
          value_parser = clap::value_parser!(u8).range(1..=100))]
    mutate_rate: u8,

    /// Append a line of JSON for every command to this file; PINs, key shares, plaintexts and other
    /// secrets are blank
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Write secrets to the trace as well
    #[arg(long, requires = "trace")]
    trace_secrets: bool,

    /// Serve no reader: send the commands of a trace to the same cards instead, with power, resets
    /// and all, and end at the first answer that is another one. The trace must have its secrets
    /// (--trace-secrets), the card file must be as it was, --seed, --script and --mutate the same
    #[arg(long, value_name = "TRACE", conflicts_with_all = ["vpcd", "listen", "reader"])]
    replay: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum CardCommand {
    /// Create a new card, as it leaves the factory: not initialised, no PINs
    #[command(after_help = "Example:\n  hsm2-emulator card create my.hsm2 --serial VT0000042")]
    Create {
        /// Where; an existing file is never overwritten
        file: PathBuf,
        /// Generation of device [default: nitrokey-hsm2]
        #[arg(long, value_name = "NAME", value_parser = profiles())]
        profile: Option<&'static Profile>,
        /// Serial, 1 to 9 characters out of A-Z and 0-9 [default: VT and seven digits, drawn]
        #[arg(long, value_name = "TEXT", value_parser = Serial::new)]
        serial: Option<Serial>,
    },
    /// Show what a card holds, never its secrets; the card must not be in use
    Show {
        /// The card file; it is not changed
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy a card with all its keys; the card must not be in use
    Copy {
        /// The card file; it is not changed
        from: PathBuf,
        /// Where; an existing file is never overwritten
        to: PathBuf,
    },
}

/// The names of the profiles, each with its description in `--help`.
fn profiles() -> impl TypedValueParser<Value = &'static Profile> {
    let names = PROFILES
        .iter()
        .map(|profile| PossibleValue::new(profile.name).help(profile.description));
    PossibleValuesParser::new(names)
        .try_map(|name| Profile::by_name(&name).ok_or("there is no such profile"))
}

/// The names of the readers' personas.
fn personas() -> impl TypedValueParser<Value = Persona> {
    let names = Persona::ALL.map(|(_, name, what)| PossibleValue::new(name).help(what));
    PossibleValuesParser::new(names)
        .try_map(|name| Persona::by_name(&name).ok_or("there is no such reader"))
}

/// Does what the command line says.
pub(crate) fn run() -> Result<(), Failure> {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match cli.command {
        Command::Serve(args) => {
            let given = matches
                .subcommand_matches("serve")
                .map(|serve| plan::endpoints(serve, &args))
                .unwrap_or_default();
            serve::run(&args, given)
        }
        Command::Card(CardCommand::Create {
            file,
            profile,
            serial,
        }) => card::create(&file, profile, serial),
        Command::Card(CardCommand::Show { file, json }) => show::run(&file, json),
        Command::Card(CardCommand::Copy { from, to }) => card::copy(&from, &to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
