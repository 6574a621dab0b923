//! Handing the shares of a password to its custodians: one file each, or one screen each.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::super::secrets::new_password;
use super::super::{Exit, Failure, files};
use crate::dkek::shamir::{self, Share};
use crate::secret::Secret;

/// Clears the screen and what can be scrolled back to.
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

/// Number of custodians and how they get their shares.
#[derive(Debug, Args)]
pub(super) struct Scheme {
    /// Draw the password and cut it into shares of which N custodians together open the file
    #[arg(long, value_name = "N", requires = "shares")]
    pub(super) threshold: Option<u8>,
    /// Number of custodians
    #[arg(long, value_name = "M", requires = "threshold")]
    pub(super) shares: Option<u8>,
    /// Write each custodian's share to a file of its own in DIR; without it each is shown on the
    /// terminal, one after the other
    #[arg(long, value_name = "DIR", requires = "threshold")]
    pub(super) share_dir: Option<PathBuf>,
}

/// A new password, and the shares it was cut into.
pub(super) enum NewSecret {
    Password(Secret),
    Shared(Secret, Vec<Share>),
}

impl NewSecret {
    pub(super) fn password(&self) -> &Secret {
        match self {
            Self::Password(password) | Self::Shared(password, _) => password,
        }
    }
}

/// The shares that left the program as files.
#[derive(Default)]
pub(super) struct HandedOut {
    pub(super) files: Vec<PathBuf>,
}

impl HandedOut {
    /// Removes them again: they belong to a file that was not written.
    pub(super) fn take_back(&self) {
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
    }
}

impl Scheme {
    /// Finds before any work what would fail after it.
    pub(super) fn check(&self, target: &Path, json: bool) -> Result<(), Failure> {
        let (Some(threshold), Some(total)) = (self.threshold, self.shares) else {
            return Ok(());
        };
        if total < shamir::MIN_TOTAL || threshold < shamir::MIN_THRESHOLD || threshold > total {
            let error = shamir::ShamirError::Scheme { threshold, total };
            return Err(Failure::new(Exit::Usage, error.to_string()));
        }
        if let Some(directory) = &self.share_dir {
            return (1..=total).try_for_each(|id| {
                files::must_not_exist(&share_path(directory, target, id, total))
            });
        }
        if json || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            let what = "shares are shown on a terminal only; write them to files with --share-dir";
            return Err(Failure::new(Exit::NoSecret, what));
        }
        Ok(())
    }

    /// The password as given, or a random one with its shares.
    pub(super) fn new_secret(
        &self,
        file: Option<&Path>,
        variable: &str,
    ) -> Result<NewSecret, Failure> {
        let (Some(threshold), Some(total)) = (self.threshold, self.shares) else {
            return new_password(file, variable).map(NewSecret::Password);
        };
        let failed = |error: shamir::ShamirError| Failure::new(Exit::Input, error.to_string());
        let password = shamir::random_password().map_err(failed)?;
        let shares = shamir::split(&password, threshold, total).map_err(failed)?;
        // Nobody keeps the password, so its last chance to be proven is now.
        let enough = shares.get(..usize::from(threshold)).unwrap_or_default();
        let rebuilt = shamir::combine(enough).map_err(failed)?;
        if rebuilt.first() != Some(&password) {
            return Err(Failure::new(
                Exit::Input,
                "the shares do not rebuild the password",
            ));
        }
        Ok(NewSecret::Shared(password, shares))
    }

    /// Gives each custodian the share that is theirs.
    pub(super) fn hand_out(&self, secret: &NewSecret, target: &Path) -> Result<HandedOut, Failure> {
        let NewSecret::Shared(_, shares) = secret else {
            return Ok(HandedOut::default());
        };
        let total = self.shares.unwrap_or_default();
        let Some(directory) = &self.share_dir else {
            show_each(shares, target)?;
            return Ok(HandedOut::default());
        };
        let mut handed = HandedOut::default();
        for share in shares {
            let path = share_path(directory, target, share.id(), total);
            let text = Zeroizing::new(format!(
                "Share {} of {total} of the password of {}; any {} open it.\n\n{share}\n",
                share.id(),
                target.file_name().unwrap_or_default().display(),
                self.threshold.unwrap_or_default(),
            ));
            files::write_new(&path, text.as_bytes()).inspect_err(|_| handed.take_back())?;
            handed.files.push(path);
        }
        Ok(handed)
    }
}

fn share_path(directory: &Path, target: &Path, id: u8, total: u8) -> PathBuf {
    let stem = target.file_stem().unwrap_or_default().display();
    directory.join(format!("{stem}-share-{id}-of-{total}.txt"))
}

fn show_each(shares: &[Share], target: &Path) -> Result<(), Failure> {
    let gone = |_| Failure::new(Exit::NoSecret, "the terminal is gone; nothing was written");
    let mut terminal = std::io::stdout();
    for share in shares {
        let (id, total) = (share.id(), shares.len());
        let name = target.display();
        write!(
            terminal,
            "{CLEAR}Custodian {id} of {total} of {name}: press <enter> to see your share"
        )
        .map_err(gone)?;
        wait(&mut terminal)?;
        let text = Zeroizing::new(format!("{share}"));
        write!(
            terminal,
            "\n{}\n\nNote ALL values above, then press <enter>",
            *text
        )
        .map_err(gone)?;
        wait(&mut terminal)?;
        write!(terminal, "{CLEAR}").map_err(gone)?;
    }
    terminal.flush().map_err(gone)
}

/// Waits for a whole line; the end of input means that nobody is there any more.
fn wait(terminal: &mut impl Write) -> Result<(), Failure> {
    let gone = || Failure::new(Exit::NoSecret, "the terminal is gone; nothing was written");
    terminal.flush().map_err(|_| gone())?;
    match std::io::stdin().lock().read_line(&mut String::new()) {
        Ok(1..) => Ok(()),
        _ => Err(gone()),
    }
}
