//! `drill`: rehearse a key ceremony on cards.

use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::{Exit, Failure, files, print};
use crate::card::CardError;
use crate::drill::guard::Consent;
use crate::drill::render::{self, Terminal};
use crate::drill::{self, Account, DRILLS, DrillError};
use crate::transport::Target;
use crate::transport::embedded::Embedded;
use crate::transport::vpcd::Vpcd;

const EXAMPLES: &str = "\
Examples:
  hsm2-harness drill xkek
  hsm2-harness drill xkek --markdown xkek.md
  hsm2-harness drill xkek --cards vpcd

A drill erases its cards. Virtual cards are recognised by their certificates; any other card is
erased only when its serial is given with --wipe, and its SO-PIN is presented once.

With --cards vpcd the harness is the reader: it waits at --listen until enough cards have connected.
Start each of them with: hsm2-emulator serve --ephemeral --vpcd HOST:PORT";

/// Rehearse a key ceremony step by step, with every outcome checked
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Drill {
    /// Which ceremony
    #[arg(value_parser = PossibleValuesParser::new(DRILLS.map(|drill| drill.name)))]
    name: String,
    /// Where the cards are: embedded or vpcd
    #[arg(long, default_value = "embedded", value_name = "PLACE")]
    cards: Place,
    /// Where virtual cards connect
    #[arg(long, default_value = "127.0.0.1:35963", value_name = "HOST:PORT")]
    listen: SocketAddr,
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

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Embedded,
    Vpcd,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "embedded" => Ok(Self::Embedded),
            "vpcd" => Ok(Self::Vpcd),
            _ => Err("a place is embedded or vpcd".into()),
        }
    }
}

/// Serials of the cards that a drill makes for itself.
const SERIALS: [&str; 3] = ["DRILLA", "DRILLB", "DRILLC"];

impl Drill {
    pub(super) fn run(self) -> Result<(), Failure> {
        let drill = drill::Drill::by_name(&self.name)
            .ok_or_else(|| Failure::new(Exit::Usage, "there is no such drill"))?;
        let consent = self.consent()?;
        let targets = self.targets(drill.cards)?;
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
            Some(path) => {
                let text = files::read(path)?;
                let line = text.expose().split(|byte| *byte == b'\n').next();
                let line = line.unwrap_or_default().trim_ascii();
                let mut so_pin = [0; 8];
                hex::decode_to_slice(line, &mut so_pin).map_err(|_| {
                    Failure::new(Exit::Input, "an SO-PIN has 16 hexadecimal digits")
                })?;
                Some(so_pin)
            }
        };
        Ok(Consent {
            serials: self.wipe.clone(),
            so_pin,
        })
    }

    fn targets(&self, count: usize) -> Result<Vec<Box<dyn Target>>, Failure> {
        match self.cards {
            Place::Embedded => SERIALS
                .into_iter()
                .take(count)
                .map(|serial| Ok(Box::new(Embedded::new(serial).map_err(unreachable)?) as _))
                .collect(),
            Place::Vpcd => {
                let listener = TcpListener::bind(self.listen).map_err(unreachable)?;
                let address = listener.local_addr().map_err(unreachable)?;
                eprintln!(
                    "Waiting for {count} cards at {address}; start each with: hsm2-emulator serve --ephemeral --vpcd {address}"
                );
                (0..count)
                    .map(|_| Ok(Box::new(Vpcd::accept(&listener).map_err(unreachable)?) as _))
                    .collect()
            }
        }
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
