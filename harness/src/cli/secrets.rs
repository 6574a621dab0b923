//! Where passwords come from: files, custodians' shares, environment, prompt. Never arguments.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are the help text of the options"
)]

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::progress::Progress;
use super::{Exit, Failure, files};
use crate::dkek::Dkek;
use crate::dkek::kdf::{FileKey, TOTAL_ROUNDS};
use crate::dkek::shamir::{self, ShamirError, Share};
use crate::dkek::share_file::ShareFile;
use crate::secret::Secret;

/// Shorter passwords get a warning: the derivation slows a guess to seconds, not to years.
const SHORT_PASSWORD: usize = 12;

/// How DKEK share files are opened.
#[derive(Debug, Args)]
pub(super) struct SecretArgs {
    /// File whose first line is the password of a share file; repeat it in the order of the share
    /// files. Without it: HSM2_DKEK_PASSWORD_1, _2, ... for each, HSM2_DKEK_PASSWORD for all, or
    /// the prompt
    #[arg(long, value_name = "FILE")]
    password_file: Vec<PathBuf>,
    /// File with custodians' shares of a password (the lines Prime, Share ID, Share value); repeat
    /// it. Shares of one prime open one share file, after those that have a password file
    #[arg(long, value_name = "FILE")]
    share_file: Vec<PathBuf>,
    /// Ask N custodians for their shares instead of asking for a password
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..))]
    enter_shares: Option<u8>,
}

/// A share file and what was in it.
pub(super) struct OpenedShare {
    pub(super) path: PathBuf,
    pub(super) file: Secret,
    pub(super) share: Dkek,
}

impl SecretArgs {
    /// Opens the share files, several at a time.
    pub(super) fn open(&self, paths: &[PathBuf]) -> Result<Vec<OpenedShare>, Failure> {
        let mut sealed = Vec::new();
        for path in paths {
            let bytes = files::read(path)?;
            let file = ShareFile::parse(bytes.expose())
                .map_err(|e| Failure::new(Exit::Input, format!("{}: {e}", path.display())))?;
            sealed.push((path, bytes, file));
        }
        let passwords = self.passwords(paths)?;

        let label = if paths.len() == 1 {
            "opening the share file"
        } else {
            "opening share files"
        };
        let progress = Progress::new(label, TOTAL_ROUNDS * paths.len() as u64);
        let at_once = std::thread::available_parallelism().map_or(1, usize::from);
        let mut opened = Vec::new();
        let work: Vec<_> = sealed.into_iter().zip(passwords).collect();
        for chunk in work.chunks(at_once) {
            let shares = std::thread::scope(|scope| {
                let threads: Vec<_> = chunk
                    .iter()
                    .map(|((path, _, file), readings)| {
                        let progress = &progress;
                        scope.spawn(move || open_with(path, file, readings, progress))
                    })
                    .collect();
                threads.into_iter().map(join).collect::<Result<Vec<_>, _>>()
            })?;
            for (((path, file, _), _), share) in chunk.iter().zip(shares) {
                opened.push(OpenedShare {
                    path: (*path).clone(),
                    file: file.clone(),
                    share,
                });
            }
        }
        Ok(opened)
    }

    /// Opens the share files and combines them.
    pub(super) fn assemble(&self, paths: &[PathBuf]) -> Result<Dkek, Failure> {
        combine(&self.open(paths)?)
    }

    /// The readings of each password, most likely first.
    fn passwords(&self, paths: &[PathBuf]) -> Result<Vec<Vec<Secret>>, Failure> {
        let mut given = Vec::new();
        for path in &self.password_file {
            given.push(vec![password_from_file(path)?]);
        }
        for shares in by_prime(&self.share_file)? {
            given.push(shamir::combine(&shares).map_err(|error| unusable(&error))?);
        }
        if given.len() > paths.len() {
            let what = format!("{} passwords for {} share files", given.len(), paths.len());
            return Err(Failure::new(Exit::Usage, what));
        }
        for (index, path) in paths.iter().enumerate().skip(given.len()) {
            given.push(match (from_environment(index), self.enter_shares) {
                (Some(password), _) => vec![password],
                (None, Some(custodians)) => enter_shares(path, custodians)?,
                (None, None) => vec![prompt(
                    &format!("Password of {}: ", path.display()),
                    "--password-file, --share-file or HSM2_DKEK_PASSWORD",
                )?],
            });
        }
        Ok(given)
    }
}

/// Exclusive-or of all shares; refuses a share that is there twice.
pub(super) fn combine(opened: &[OpenedShare]) -> Result<Dkek, Failure> {
    for (index, one) in opened.iter().enumerate() {
        if let Some(other) = opened
            .iter()
            .skip(index + 1)
            .find(|other| other.share == one.share)
        {
            let what = format!(
                "{} and {} hold the same share; two equal shares cancel each other",
                one.path.display(),
                other.path.display()
            );
            return Err(Failure::new(Exit::Input, what));
        }
    }
    let shares: Vec<Dkek> = opened.iter().map(|opened| opened.share.clone()).collect();
    Ok(Dkek::assemble(&shares))
}

fn join(thread: std::thread::ScopedJoinHandle<'_, Result<Dkek, Failure>>) -> Result<Dkek, Failure> {
    let died = || Failure::new(Exit::Input, "the key derivation stopped; please report it");
    thread.join().map_err(|_| died())?
}

fn open_with(
    path: &Path,
    file: &ShareFile,
    readings: &[Secret],
    progress: &Progress,
) -> Result<Dkek, Failure> {
    for password in readings {
        let key = FileKey::derive(password.expose(), file.salt(), &|steps| progress.add(steps));
        if let Ok(share) = file.open(&key) {
            return Ok(share);
        }
    }
    let what = format!(
        "the password does not open {}: wrong password, fewer shares than the threshold, \
         or a damaged file",
        path.display()
    );
    Err(Failure::new(Exit::WrongPassword, what))
}

fn unusable(error: &ShamirError) -> Failure {
    Failure::new(Exit::Input, error.to_string())
}

/// All shares of the files, in groups of one prime, in order of first appearance.
fn by_prime(paths: &[PathBuf]) -> Result<Vec<Vec<Share>>, Failure> {
    let mut groups: Vec<Vec<Share>> = Vec::new();
    for path in paths {
        let bytes = files::read(path)?;
        let failed =
            |what: String| Failure::new(Exit::Input, format!("{}: {what}", path.display()));
        let text = std::str::from_utf8(bytes.expose()).map_err(|e| failed(e.to_string()))?;
        for share in shamir::parse_shares(text).map_err(|e| failed(e.to_string()))? {
            let same = |group: &&mut Vec<Share>| {
                group
                    .first()
                    .is_some_and(|first| first.prime() == share.prime())
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(share),
                None => groups.push(vec![share]),
            }
        }
    }
    Ok(groups)
}

/// First line of a file, without its end.
pub(super) fn password_from_file(path: &Path) -> Result<Secret, Failure> {
    let bytes = files::read(path)?;
    let line = bytes
        .expose()
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        let what = format!("the first line of {} is empty, no password", path.display());
        return Err(Failure::new(Exit::Input, what));
    }
    Ok(Secret::from(line))
}

fn from_environment(index: usize) -> Option<Secret> {
    let own = environment(&format!("HSM2_DKEK_PASSWORD_{}", index + 1));
    own.or_else(|| environment("HSM2_DKEK_PASSWORD"))
}

/// A password from an environment variable that is set and not empty.
pub(super) fn environment(name: &str) -> Option<Secret> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(Secret::new(value.into_bytes()))
}

/// Asks for a password without showing it.
pub(super) fn prompt(question: &str, instead: &str) -> Result<Secret, Failure> {
    if !std::io::stdin().is_terminal() {
        let what = format!("a password is needed and there is no terminal to ask; use {instead}");
        return Err(Failure::new(Exit::NoSecret, what));
    }
    let password = rpassword::prompt_password(question)
        .map_err(|e| Failure::new(Exit::NoSecret, format!("cannot ask for a password: {e}")))?;
    Ok(Secret::new(password.into_bytes()))
}

/// A password for a new file: from a file, the environment, or asked for twice.
pub(super) fn new_password(file: Option<&Path>, variable: &str) -> Result<Secret, Failure> {
    let password = match file {
        Some(path) => password_from_file(path)?,
        None => match environment(variable) {
            Some(password) => password,
            None => {
                let instead = format!("a password file or {variable}");
                let first = prompt("New password: ", &instead)?;
                if prompt("The same again: ", &instead)? != first {
                    return Err(Failure::new(Exit::Input, "the two passwords are different"));
                }
                first
            }
        },
    };
    if password.is_empty() {
        return Err(Failure::new(
            Exit::Input,
            "an empty password protects nothing",
        ));
    }
    if password.len() < SHORT_PASSWORD {
        eprintln!(
            "warning: a password of {} characters; whoever gets the file can try many per second",
            password.len()
        );
    }
    Ok(password)
}

fn enter_shares(path: &Path, custodians: u8) -> Result<Vec<Secret>, Failure> {
    let instead = "--share-file";
    let mut prime = Zeroizing::new(String::new());
    let mut shares = Vec::new();
    for custodian in 1..=custodians {
        eprintln!("Share {custodian} of {custodians} for {}", path.display());
        if prime.is_empty() {
            prime = ask("Prime       : ", instead)?;
        }
        let id = ask("Share ID    : ", instead)?;
        let value = prompt("Share value : ", instead)?;
        let value = std::str::from_utf8(value.expose()).unwrap_or_default();
        let share = Share::from_text(&prime, &id, value).map_err(|error| unusable(&error))?;
        shares.push(share);
    }
    shamir::combine(&shares).map_err(|error| unusable(&error))
}

fn ask(question: &str, instead: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |what: &str| Failure::new(Exit::NoSecret, format!("{what}; use {instead}"));
    if !std::io::stdin().is_terminal() {
        return Err(failed("there is no terminal to ask custodians"));
    }
    let _ = write!(std::io::stderr(), "{question}");
    let mut line = Zeroizing::new(String::with_capacity(80));
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|_| failed("the terminal is gone"))?;
    Ok(line)
}
