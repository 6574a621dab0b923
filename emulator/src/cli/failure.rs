//! Why the process ends without success, and with which exit code.

use std::io;
use std::path::{Path, PathBuf};

use hsm2_emulator::card::CardError;
use hsm2_emulator::memory::OpenError;
use hsm2_emulator::store::StoreError;

/// What ends the process; the message names the cause and the way out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line contradicts itself.
    #[error("{0}; see --help")]
    Usage(String),
    /// The card file.
    #[error(transparent)]
    Store(StoreError),
    /// What the card file holds.
    #[error("{}: {cause}", path.display())]
    Content {
        /// The card file.
        path: PathBuf,
        /// What is wrong.
        cause: CardError,
    },
    /// A file that is not there.
    #[error("{}: there is no such file", .0.display())]
    Missing(PathBuf),
    /// What a `--trust` file holds.
    #[error(
        "{}: {cause}; --trust takes one self-signed root certificate, 7F21..., binary or in \
         hexadecimal", path.display()
    )]
    Trust {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// A replay that was answered otherwise.
    #[error("{0}")]
    Replay(String),
    /// A network address.
    #[error("{0}")]
    Address(String),
    /// The operating system.
    #[error("{what}: {cause}")]
    System {
        /// What was attempted.
        what: String,
        /// Why it failed.
        cause: io::Error,
    },
    /// A defect of this program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Failure {
    /// Tells file trouble from trouble with what the file holds.
    pub(crate) fn of_card(path: &Path, cause: CardError) -> Self {
        match cause {
            CardError::Store(error) | CardError::Open(OpenError::Store(error)) => error.into(),
            cause => Self::Content {
                path: path.to_path_buf(),
                cause,
            },
        }
    }

    /// The exit code; `--help` lists them.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Internal(_) => 1,
            Self::Usage(_) => 2,
            Self::Missing(_)
            | Self::Store(StoreError::NotFound { .. } | StoreError::Exists { .. }) => 3,
            Self::Store(StoreError::Locked { .. }) => 4,
            Self::Store(
                StoreError::Foreign { .. }
                | StoreError::Version { .. }
                | StoreError::Damaged { .. },
            )
            | Self::Content { .. } => 5,
            Self::Address(_) => 6,
            Self::Store(_) | Self::System { .. } => 7,
            Self::Trust { .. } => 8,
            Self::Replay(_) => 9,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
