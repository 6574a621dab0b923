//! What the operator allows on devices, for all commands that send anything to a card.

use std::path::{Path, PathBuf};

use clap::Args;
use hsm2_emulator::trust::Anchor;

use super::{Exit, Failure, files, secrets};
use crate::guard::Consent;
use crate::scenario::Effect;
use crate::secret::Secret;
use crate::suite::runner::quoted;

/// What may be done to a device
#[derive(Debug, Args)]
pub(super) struct ConsentArgs {
    /// The most that may be done to a device
    #[arg(long, value_enum, default_value = "read-only", value_name = "EFFECT")]
    pub(super) allow: Effect,
    /// Serial of the device that this may be done to
    #[arg(long, requires = "allow")]
    serial: Option<String>,
    /// Number of keys on the device, all of which will be lost; for --allow wipes
    #[arg(long, value_name = "N")]
    lose_keys: Option<usize>,
    /// File whose first line is the user PIN of the device
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// Ask for the user PIN of the device
    #[arg(long, conflicts_with = "pin_file")]
    ask_pin: bool,
    /// File whose first line is the SO-PIN of the device, 16 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    so_pin_file: Option<PathBuf>,
    /// Ask for the SO-PIN of the device
    #[arg(long, conflicts_with = "so_pin_file")]
    ask_so_pin: bool,
}

impl ConsentArgs {
    pub(super) fn consent(&self) -> Result<Consent, Failure> {
        let pin = secret(
            self.pin_file.as_deref(),
            self.ask_pin,
            "User PIN",
            "HSM2_PIN",
        )?;
        let so_pin = secret(
            self.so_pin_file.as_deref(),
            self.ask_so_pin,
            "SO-PIN",
            "HSM2_SO_PIN",
        )?;
        let so_pin = so_pin
            .map(|line| files::so_pin(line.expose()))
            .transpose()?;
        Ok(Consent {
            allow: self.allow,
            serial: self.serial.clone(),
            lose_keys: self.lose_keys,
            pin,
            so_pin,
            rehearsal: false,
        })
    }

    /// The options as they were given, for a line that repeats a run.
    pub(super) fn words(&self) -> String {
        let mut line = String::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                line += &format!(" --{name} {}", quoted(&value));
            }
        };
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let allow = self.allow > Effect::ReadOnly;
        add("allow", allow.then(|| self.allow.word().into()));
        add("serial", self.serial.clone());
        add("lose-keys", self.lose_keys.map(|keys| keys.to_string()));
        add("pin-file", path(&self.pin_file));
        add("so-pin-file", path(&self.so_pin_file));
        for (name, given) in [("ask-pin", self.ask_pin), ("ask-so-pin", self.ask_so_pin)] {
            if given {
                line += &format!(" --{name}");
            }
        }
        line
    }
}

fn secret(
    file: Option<&Path>,
    ask: bool,
    what: &str,
    variable: &str,
) -> Result<Option<Secret>, Failure> {
    if ask {
        return secrets::prompt(&format!("{what}: "), variable).map(Some);
    }
    files::first_line(file, variable)
}

/// Roots that cards of this process trust besides that of virtual cards
#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    /// Self-signed root certificate that embedded cards trust, too, binary or in hexadecimal digits;
    /// repeat it
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
}

impl TrustArgs {
    pub(super) fn roots(&self) -> Result<Vec<Anchor>, Failure> {
        let read = |path: &PathBuf| {
            let bytes = files::read(path)?;
            let digits: Vec<u8> = bytes
                .expose()
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            let certificate = hex::decode(digits).unwrap_or_else(|_| bytes.expose().to_vec());
            Anchor::parse(&certificate).map_err(|cause| {
                let what = format!("{}: {cause}", path.display());
                Failure::new(Exit::Input, what)
            })
        };
        self.trust.iter().map(read).collect()
    }

    /// The options as they were given.
    pub(super) fn words(&self) -> String {
        let word = |path: &PathBuf| format!(" --trust {}", quoted(&path.display().to_string()));
        self.trust.iter().map(word).collect()
    }
}
