//! `dkek`: new shares, new custodians, check values.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are the help text of the options"
)]

mod custodians;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use self::custodians::NewSecret;
use super::progress::Progress;
use super::secrets::{self, SecretArgs};
use super::{Exit, Failure, files, print};
use crate::dkek::Dkek as Share;
use crate::dkek::kdf::{FileKey, TOTAL_ROUNDS};
use crate::dkek::share_file::ShareFile;
use crate::secret::Secret;

#[derive(Debug, Args)]
pub(super) struct Dkek {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    NewShare(NewShare),
    Reshare(Reshare),
    Kcv(Kcv),
}

const NEW_SHARE_EXAMPLES: &str = "\
Examples:
  hsm2-harness dkek new-share alice.pbe
  hsm2-harness dkek new-share group.pbe --threshold 2 --shares 3
  hsm2-harness dkek new-share group.pbe --threshold 2 --shares 3 --share-dir /media/stick

The file is the one sc-hsm-tool reads: sc-hsm-tool --import-dkek-share alice.pbe
With shares add --pwd-shares-total and the number of custodians present.
The DKEK of a token is made of all its share files; n-of-m is about the password of one file.
The share comes from this machine's randomness. The file is not authenticated: note the check
value, it is how a damaged or exchanged file is noticed.";

/// Draw a new DKEK share and write its file
#[derive(Debug, Args)]
#[command(after_help = NEW_SHARE_EXAMPLES)]
struct NewShare {
    /// File to create (64 bytes, the form of sc-hsm-tool)
    file: PathBuf,
    /// File whose first line is the password; otherwise HSM2_DKEK_PASSWORD or the prompt
    #[arg(long, value_name = "FILE", conflicts_with = "threshold")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    custodians: custodians::Scheme,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const RESHARE_EXAMPLES: &str = "\
Examples:
  hsm2-harness dkek reshare group.pbe --share-file a.txt --share-file b.txt \\
      --threshold 3 --shares 5 --share-dir /media/stick
  hsm2-harness dkek reshare group.pbe --enter-shares 2 --threshold 2 --shares 4 -o new.pbe
  hsm2-harness dkek reshare alice.pbe

The new file takes the place of the old one, which is kept beside it as FILE.old, unless -o names
another place. --share-file and --enter-shares open the old file; --share-dir takes the new shares,
which are shown on the terminal without it. Without --threshold the file gets a new password.

The share inside stays the same, so tokens and wrapped keys go on working. For the same reason
it excludes nobody who keeps a copy of the old file and can open it: destroy the old file and its
backups. A clean break needs a new DKEK and keys wrapped again.";

/// Give a share file a new password or new custodians; the share inside stays the same
#[derive(Debug, Args)]
#[command(after_help = RESHARE_EXAMPLES)]
struct Reshare {
    /// The share file as it is
    file: PathBuf,
    #[command(flatten)]
    secrets: SecretArgs,
    /// File whose first line is the new password; otherwise HSM2_DKEK_NEW_PASSWORD or the prompt
    #[arg(long, value_name = "FILE", conflicts_with = "threshold")]
    new_password_file: Option<PathBuf>,
    #[command(flatten)]
    custodians: custodians::Scheme,
    /// File to create; without it the new file takes the place of the old one, which is kept with
    /// ".old" added to its name
    #[arg(short, long, value_name = "NEW")]
    output: Option<PathBuf>,
    /// What happens without --output, said in so many words
    #[arg(long, conflicts_with = "output")]
    in_place: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const KCV_EXAMPLES: &str = "\
Examples:
  hsm2-harness dkek kcv alice.pbe bob.pbe
  HSM2_DKEK_PASSWORD_1=... HSM2_DKEK_PASSWORD_2=... hsm2-harness dkek kcv --json alice.pbe bob.pbe

Give all the share files of a DKEK, in any order. The value is 8 bytes of a hash and no secret.";

/// Show the key check value that a card shows after importing these shares
#[derive(Debug, Args)]
#[command(after_help = KCV_EXAMPLES)]
struct Kcv {
    /// The share files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    secrets: SecretArgs,
    /// Show the check value of each share alone, too
    #[arg(long)]
    per_share: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Dkek {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::NewShare(command) => command.run(),
            Command::Reshare(command) => command.run(),
            Command::Kcv(command) => command.run(),
        }
    }
}

impl NewShare {
    fn run(self) -> Result<(), Failure> {
        files::must_not_exist(&self.file)?;
        self.custodians.check(&self.file, self.json)?;
        let password = self.password_file.as_deref();
        let secret = self.custodians.new_secret(password, "HSM2_DKEK_PASSWORD")?;
        let share = Share::random().map_err(|e| no_randomness(&e))?;
        let file = seal(&share, &secret)?;

        let handed = self.custodians.hand_out(&secret, &self.file)?;
        files::write_new(&self.file, &file).inspect_err(|_| handed.take_back())?;
        let report = Written {
            file: self.file,
            share: &share,
            handed: &handed.files,
            old: None,
        };
        report.print(&self.custodians, self.json);
        Ok(())
    }
}

impl Reshare {
    fn run(self) -> Result<(), Failure> {
        let target = self.output.as_ref().unwrap_or(&self.file);
        match &self.output {
            None => no_older_one(target)?,
            Some(output) => files::must_not_exist(output)?,
        }
        self.custodians.check(target, self.json)?;
        let opened = self.secrets.open(std::slice::from_ref(&self.file))?;
        let [old] = opened.as_slice() else {
            return Err(Failure::new(Exit::Input, "no share file was opened"));
        };
        let password = self.new_password_file.as_deref();
        let secret = self
            .custodians
            .new_secret(password, "HSM2_DKEK_NEW_PASSWORD")?;
        let file = seal(&old.share, &secret)?;

        let handed = self.custodians.hand_out(&secret, target)?;
        let backup = match &self.output {
            None => files::replace(target, old.file.expose(), &file).map(Some),
            Some(output) => files::write_new(output, &file).map(|()| None),
        };
        let backup = backup.inspect_err(|_| handed.take_back())?;
        let old_file = backup.unwrap_or_else(|| self.file.clone());
        let report = Written {
            file: target.clone(),
            share: &old.share,
            handed: &handed.files,
            old: Some(old_file),
        };
        report.print(&self.custodians, self.json);
        Ok(())
    }
}

impl Kcv {
    fn run(self) -> Result<(), Failure> {
        let opened = self.secrets.open(&self.files)?;
        let check_value = secrets::combine(&opened)?.check_value();
        if self.json {
            let shares: Vec<_> = opened
                .iter()
                .map(|opened| {
                    let own = self
                        .per_share
                        .then(|| opened.share.check_value().to_string());
                    json!({ "file": opened.path.display().to_string(), "check_value": own })
                })
                .collect();
            let value = json!({ "key_check_value": check_value.to_string(), "shares": shares });
            print(&value.to_string());
            return Ok(());
        }
        if self.per_share {
            for opened in &opened {
                print(&format!(
                    "{}  {}",
                    opened.share.check_value(),
                    opened.path.display()
                ));
            }
        }
        print(&format!("{check_value}"));
        Ok(())
    }
}

/// Makes sure that the file kept from an earlier time stays what it is.
fn no_older_one(file: &Path) -> Result<(), Failure> {
    let kept = files::backup_path(file);
    files::must_not_exist(&kept).map_err(|failure| {
        let what = format!(
            "{}: it is the file from before the last time; destroy it or move it away, or name \
             another place with --output",
            failure.message
        );
        Failure::new(failure.exit, what)
    })
}

/// What was written, for a person or for a script.
struct Written<'a> {
    file: PathBuf,
    share: &'a Share,
    handed: &'a [PathBuf],
    old: Option<PathBuf>,
}

impl Written<'_> {
    fn print(&self, scheme: &custodians::Scheme, json: bool) {
        let path = |path: &PathBuf| path.display().to_string();
        let check_value = self.share.check_value().to_string();
        if json {
            let value = json!({
                "file": path(&self.file),
                "share_check_value": check_value,
                "threshold": scheme.threshold,
                "shares": scheme.shares,
                "share_files": self.handed.iter().map(path).collect::<Vec<_>>(),
                "old_file": self.old.as_ref().map(path),
            });
            return print(&value.to_string());
        }
        print(&format!("Written           {}", path(&self.file)));
        print(&format!("Share check value {check_value}"));
        if let (Some(threshold), Some(shares)) = (scheme.threshold, scheme.shares) {
            print(&format!(
                "Password          any {threshold} of {shares} custodians"
            ));
        }
        for file in self.handed {
            print(&format!("Custodian's share {}", path(file)));
        }
        if let Some(old) = &self.old {
            print(&format!(
                "Old file kept as  {}, and it still opens: destroy it once the new one is proven",
                path(old)
            ));
        }
    }
}

fn seal(share: &Share, secret: &NewSecret) -> Result<[u8; 64], Failure> {
    let mut salt = [0; 8];
    getrandom::fill(&mut salt).map_err(|e| no_randomness(&e))?;
    let progress = Progress::new("encrypting the share", TOTAL_ROUNDS);
    let password: &Secret = secret.password();
    let key = FileKey::derive(password.expose(), &salt, &|steps| progress.add(steps));
    Ok(ShareFile::seal(share, salt, &key).to_bytes())
}

fn no_randomness(error: &getrandom::Error) -> Failure {
    Failure::new(
        Exit::File,
        format!("the system gives no randomness: {error}"),
    )
}
