//! `drill`: rehearse a key ceremony on cards.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::{Exit, Failure, files, print};
use crate::card::CardError;
use crate::drill::guard::{Consent, Denied};
use crate::drill::render::{self, Terminal};
use crate::drill::{self, Account, DRILLS, DrillError};
use crate::transport::Target;
use crate::transport::place::{Opener, Place};

const EXAMPLES: &str = "\
Examples:
  hsm2-harness drill xkek
  hsm2-harness drill xkek --markdown xkek.md
  hsm2-harness drill xkek --cards vpcd:127.0.0.1:35963
  hsm2-harness drill xkek --cards pcsc:\"Virtual PCD 00 00\" pcsc:\"Virtual PCD 00 01\"

Two cards are enough, but pka takes four. Where xkek and custodians-lost have a third, a virtual card
plays it unless it is given.

A drill erases its cards. Virtual cards are recognised by their certificates; any other card is
erased only when its serial is given with --wipe, and its SO-PIN is presented once.

With vpcd the harness is the reader: it waits at that address until enough cards have connected, one
after the other. Start each with: hsm2-emulator serve --ephemeral --vpcd HOST:PORT
Readers of PC/SC need a harness built with: --features pcsc";

/// Rehearse a key ceremony step by step, with every outcome checked
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Drill {
    /// Which ceremony
    #[arg(value_parser = PossibleValuesParser::new(DRILLS.map(|drill| drill.name)))]
    name: String,
    /// Where the cards are: embedded, vpcd, vpcd:HOST:PORT or pcsc:READER; several readers in the
    /// order of cards A, B, C, D
    #[arg(long, default_value = "embedded", value_name = "PLACE", num_args = 1..=4)]
    cards: Vec<Place>,
    /// Serial of a device that may be erased; once for each device
    #[arg(long, value_name = "SERIAL")]
    wipe: Vec<String>,
    /// File whose first line is the SO-PIN of these devices, 16 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    so_pin_file: Option<PathBuf>,
    /// Write the account as a page, too; an older one is replaced
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Print the account as JSON at the end instead of telling it
    #[arg(long)]
    json: bool,
}

/// Serials of the cards that a drill makes for itself.
const SERIALS: [&str; 4] = ["DRILLA", "DRILLB", "DRILLC", "DRILLD"];

impl Drill {
    pub(super) fn run(self) -> Result<(), Failure> {
        let drill = drill::Drill::by_name(&self.name)
            .ok_or_else(|| Failure::new(Exit::Usage, "there is no such drill"))?;
        let consent = self.consent()?;
        let targets = self.targets(drill)?;
        let terminal = Terminal {
            width: 96,
            colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        if !self.json {
            print(&terminal.head(drill));
            for (name, target) in ('A'..).zip(&targets) {
                print(&format!("Card {name}: {}", target.describe()));
            }
        }
        let outcome = drill.run(targets, &consent, &mut |entry| {
            if !self.json {
                print(terminal.entry(entry).trim_end_matches('\n'));
            }
        });
        let account = outcome.map_err(failure)?;
        if self.json {
            print(&serde_json::to_string_pretty(&account).unwrap_or_default());
        }
        self.write_page(drill, &account)
    }

    fn write_page(&self, drill: &drill::Drill, account: &Account) -> Result<(), Failure> {
        let Some(path) = &self.markdown else {
            return Ok(());
        };
        std::fs::write(path, render::markdown(drill, account)).map_err(|error| {
            let what = format!("cannot write {}: {error}", path.display());
            Failure::new(Exit::File, what)
        })
    }

    fn consent(&self) -> Result<Consent, Failure> {
        let so_pin = match &self.so_pin_file {
            None => None,
            Some(path) => files::first_line(Some(path), "")?
                .map(|line| files::so_pin(line.expose()))
                .transpose()?,
        };
        Ok(Consent {
            serials: self.wipe.clone(),
            so_pin,
        })
    }

    /// Opens one place for each card; a place that holds many serves for all that are not named.
    fn targets(&self, drill: &drill::Drill) -> Result<Vec<Box<dyn Target>>, Failure> {
        let mut places: Vec<&Place> = self.cards.iter().take(drill.cards).collect();
        if let Some(last) = places.last().copied().filter(|last| last.holds_many()) {
            places.resize(drill.cards, last);
        }
        let (needed, given) = (drill.cards_needed(), places.len());
        if given < needed {
            return Err(unreachable(Denied::TooFewCards { needed, given }));
        }
        let mut opener = Opener::default();
        let mut tell = |what: &str| eprintln!("{what}");
        places
            .into_iter()
            .zip(SERIALS)
            .map(|(place, serial)| {
                let target = opener.open(place, serial, &mut tell);
                target.map_err(unreachable)
            })
            .collect()
    }
}

fn unreachable(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Card, error.to_string())
}

fn failure(error: DrillError) -> Failure {
    let exit = match &error {
        DrillError::Denied(_)
        | DrillError::Card {
            source: CardError::Transport { .. },
            ..
        } => Exit::Card,
        _ => Exit::Drill,
    };
    Failure::new(exit, format!("the drill failed: {error}"))
}
