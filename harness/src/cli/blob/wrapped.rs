//! Which wrapped key, and which shares of its DKEK: told apart on the command line.

use std::path::PathBuf;

use clap::Args;

use super::super::{Exit, Failure};

/// A wrapped key and the share files of its DKEK.
///
/// In `--dkek a.pbe b.pbe key.bin` nothing says where the shares end: the last one is the key, unless
/// the key stands elsewhere.
#[derive(Debug, Args)]
pub(super) struct Wrapped {
    /// A wrapped key, bare or in the container of sc-hsm-tool
    #[arg(required_unless_present = "dkek")]
    file: Option<PathBuf>,
    /// All share files of the DKEK; repeat the option or name several after it. The wrapped key may
    /// follow them
    #[arg(long, value_name = "FILE", num_args = 1..)]
    dkek: Vec<PathBuf>,
}

impl Wrapped {
    /// The wrapped key and the share files, none when no DKEK was named.
    pub(super) fn split(&self) -> Result<(&PathBuf, &[PathBuf]), Failure> {
        match (&self.file, self.dkek.as_slice()) {
            (Some(file), shares) => Ok((file, shares)),
            (None, [shares @ .., file]) if !shares.is_empty() => Ok((file, shares)),
            _ => Err(Failure::new(
                Exit::Usage,
                "name the wrapped key as well, after the share files",
            )),
        }
    }
}
