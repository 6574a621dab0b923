//! `blob`: wrapped keys without a card.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are the help text of the options"
)]

mod wrapped;

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;

use self::wrapped::Wrapped;
use super::secrets::{self, SecretArgs};
use super::{Exit, Failure, files, print};
use crate::blob::container::{self, KeyFile as Container};
use crate::blob::open::OpenError;
use crate::blob::{open, seal, show};
use crate::key::file::KeyFile;
use crate::key::{self, Key, KeyError};
use crate::secret::Secret;

#[derive(Debug, Args)]
pub(super) struct Blob {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(Show),
    Seal(Seal),
    Open(Open),
}

const SHOW_EXAMPLES: &str = "\
Examples:
  hsm2-harness blob show key.bin
  hsm2-harness blob show --dkek alice.pbe bob.pbe key.bin

Without --dkek the header is shown and nothing is verified. What is secret is never shown.";

/// Show every field of a wrapped key; with the DKEK verify it and show its public part
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
struct Show {
    #[command(flatten)]
    wrapped: Wrapped,
    #[command(flatten)]
    secrets: SecretArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const SEAL_EXAMPLES: &str = "\
Examples:
  hsm2-harness blob seal --dkek alice.pbe --key tls.pem --label tls -o tls.bin
  hsm2-harness blob seal --dkek a.pbe b.pbe --key aes.hex --algorithms 10,11,18 -o aes.bin

Bring the result into a token with: sc-hsm-tool --unwrap-key tls.bin --key-reference 10
The key file stays as it is: destroy it when it must live in the token only.
AES keys: 16, 24 or 32 raw bytes, or hexadecimal digits (32 such characters are taken as AES-128).
With a list of algorithms that lacks 92 the token never wraps the key again: no backup from there.
What no token takes is refused with exit code 3: RSA keys of other sizes than 1024, 1536, 2048, 3072
and 4096 bits, lists of more than 16 algorithms.";

/// Wrap an existing RSA, EC or AES key so that a token with this DKEK takes it
#[derive(Debug, Args)]
#[command(after_help = SEAL_EXAMPLES, group = ArgGroup::new("description").args(["label", "bare"]))]
struct Seal {
    /// All share files of the DKEK; repeat the option or name several after it
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    dkek: Vec<PathBuf>,
    #[command(flatten)]
    secrets: SecretArgs,
    /// The key: PEM, DER or PKCS#12, or an AES key raw or in hexadecimal
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// File whose first line is the password of the key file; otherwise HSM2_KEY_PASSWORD or the
    /// prompt
    #[arg(long, value_name = "FILE")]
    key_password_file: Option<PathBuf>,
    /// What the token may do with the key, as hexadecimal ids; without it: everything but deriving
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = algorithm_id)]
    algorithms: Vec<u8>,
    /// Label for a key description in the container
    #[arg(long)]
    label: Option<String>,
    /// Certificate (DER) to put into the container
    #[arg(long, value_name = "FILE", requires = "label")]
    certificate: Option<PathBuf>,
    /// Write the wrapped key without container; sc-hsm-tool does not read this
    #[arg(long)]
    bare: bool,
    /// File to create
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const OPEN_USAGE: &str = "hsm2-harness blob open [OPTIONS] --dkek <FILE>... <FILE> --output <FILE> \
                          --i-understand-this-exposes-the-private-key";

const OPEN_EXAMPLES: &str = "\
Examples:
  hsm2-harness blob open --dkek alice.pbe key.bin -o key.pem \\
      --i-understand-this-exposes-the-private-key
  hsm2-harness blob open --dkek alice.pbe bob.pbe key.bin -o key.pem \\
      --i-understand-this-exposes-the-private-key

--dkek takes all share files of the DKEK; the last name after it is the wrapped key.

Writes PKCS#8 in PEM, or hexadecimal digits for an AES key, unencrypted, readable for you only.
Nothing can undo this: a key that was open once is no longer one that exists in tokens only.";

/// Take a key out of its wrapping, in the clear
#[derive(Debug, Args)]
#[command(after_help = OPEN_EXAMPLES, override_usage = OPEN_USAGE)]
struct Open {
    #[command(flatten)]
    wrapped: Wrapped,
    #[command(flatten)]
    secrets: SecretArgs,
    /// File to create
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Needed: the private key will lie in the output file unprotected
    #[arg(long, required = true)]
    i_understand_this_exposes_the_private_key: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Blob {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Show(command) => command.run(),
            Command::Seal(command) => command.run(),
            Command::Open(command) => command.run(),
        }
    }
}

impl Show {
    fn run(self) -> Result<(), Failure> {
        let (file, shares) = self.wrapped.split()?;
        let bytes = files::read(file)?;
        let container = parse(file, &bytes)?;
        // What is wrong with the file shows before anyone types a password.
        let header = show::report(&container, None).map_err(|e| failure(file, e))?;
        let report = if shares.is_empty() {
            header
        } else {
            let dkek = self.secrets.assemble(shares)?;
            show::report(&container, Some(&dkek)).map_err(|e| failure(file, e))?
        };
        if self.json {
            let json = serde_json::to_string(&report);
            print(&json.map_err(|e| Failure::new(Exit::Input, e.to_string()))?);
        } else {
            print(&report.to_string());
        }
        Ok(())
    }
}

impl Seal {
    fn run(self) -> Result<(), Failure> {
        files::must_not_exist(&self.output)?;
        seal::check_algorithms(&self.algorithms)
            .map_err(|error| Failure::new(Exit::Input, error.to_string()))?;
        let key = self.read_key()?;
        seal::check_key(&key).map_err(|e| key_failure(&self.key, &e))?;
        let certificate = self.certificate.as_deref().map(files::read).transpose()?;
        let dkek = self.secrets.assemble(&self.dkek)?;
        let failed = |e: KeyError| key_failure(&self.key, &e);
        let blob = seal::seal(&key, &dkek, &self.algorithms).map_err(failed)?;
        // What is written must open again, or the key file might be destroyed for nothing.
        open::open(&blob, &dkek).map_err(|e| failure(&self.output, e))?;

        let description = self
            .label
            .as_deref()
            .map(|label| container::description(&key, label));
        let file = match self.bare {
            true => blob,
            false => container::write(
                &blob,
                description.as_deref(),
                certificate.as_ref().map(Secret::expose),
            ),
        };
        files::write_new(&self.output, &file)?;
        done(
            self.json,
            "Sealed",
            &key,
            &dkek.check_value().to_string(),
            &self.output,
        );
        Ok(())
    }

    fn read_key(&self) -> Result<Key, Failure> {
        let failed = |e: KeyError| key_failure(&self.key, &e);
        let bytes = files::read(&self.key)?;
        let locked = match KeyFile::parse(&bytes).map_err(failed)? {
            KeyFile::Open(key) => return Ok(key),
            KeyFile::Locked(locked) => locked,
        };
        let password = match &self.key_password_file {
            Some(path) => secrets::password_from_file(path)?,
            None => match secrets::environment("HSM2_KEY_PASSWORD") {
                Some(password) => password,
                None => secrets::prompt(
                    &format!("Password of {}: ", self.key.display()),
                    "--key-password-file or HSM2_KEY_PASSWORD",
                )?,
            },
        };
        locked.unlock(&password).map_err(failed)
    }
}

impl Open {
    fn run(self) -> Result<(), Failure> {
        files::must_not_exist(&self.output)?;
        let (file, shares) = self.wrapped.split()?;
        if shares.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                "a wrapped key opens with --dkek only",
            ));
        }
        let bytes = files::read(file)?;
        let container = parse(file, &bytes)?;
        show::report(&container, None).map_err(|e| failure(file, e))?;
        let dkek = self.secrets.assemble(shares)?;
        let key = open::open(container.blob, &dkek).map_err(|e| failure(file, e))?;
        let text = key::file::write(&key).map_err(|e| key_failure(file, &e))?;
        files::write_new(&self.output, text.expose())?;
        done(
            self.json,
            "Opened, unprotected",
            &key,
            &dkek.check_value().to_string(),
            &self.output,
        );
        Ok(())
    }
}

fn done(json: bool, what: &str, key: &Key, check_value: &str, output: &Path) {
    let (key, output) = (key.describe(), output.display().to_string());
    if json {
        let value = json!({ "key": key, "key_check_value": check_value, "file": output });
        return print(&value.to_string());
    }
    print(&format!("{what}: {key}, DKEK {check_value}, in {output}"));
}

fn parse<'a>(path: &Path, bytes: &'a Secret) -> Result<Container<'a>, Failure> {
    Container::parse(bytes.expose()).map_err(|e| {
        Failure::new(
            Exit::Input,
            format!("{}: not a wrapped key: {e}", path.display()),
        )
    })
}

fn failure(path: &Path, error: OpenError) -> Failure {
    let exit = match error {
        OpenError::Layout(_) | OpenError::Content(_) | OpenError::Key(_) => Exit::Input,
        OpenError::OtherDkek { .. } => Exit::OtherDkek,
        OpenError::Mac => Exit::NotAuthentic,
    };
    Failure::new(exit, format!("{}: {error}", path.display()))
}

fn key_failure(path: &Path, error: &KeyError) -> Failure {
    let exit = match error {
        KeyError::WrongPassword => Exit::WrongPassword,
        KeyError::Unusable(_) => Exit::Input,
    };
    Failure::new(exit, format!("{}: {error}", path.display()))
}

fn algorithm_id(text: &str) -> Result<u8, String> {
    let digits = text.trim();
    let id = (digits.len() == 2)
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten();
    id.ok_or_else(|| format!("{text:?} is not an id of two hexadecimal digits, as in 10 or A0"))
}
