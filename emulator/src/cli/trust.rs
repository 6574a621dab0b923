//! `serve --trust`: root certificates from files.

use std::path::{Path, PathBuf};

use hsm2_emulator::card::Card;
use hsm2_emulator::trust::Anchor;

use super::Failure;

/// A root certificate has some 450 bytes, twice as much in hexadecimal.
const LARGEST: u64 = 64 * 1024;

/// A root and the file it came from.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    pub(super) anchor: Anchor,
}

/// Reads all files before any card is made or opened.
pub(super) fn roots(paths: &[PathBuf]) -> Result<Vec<Root>, Failure> {
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<Root, Failure> {
    let bytes = contents(path)?;
    let certificate = from_hexadecimal(&bytes).unwrap_or(bytes);
    let anchor = Anchor::parse(&certificate).map_err(|cause| Failure::Trust {
        path: path.into(),
        cause: cause.to_string(),
    })?;
    Ok(Root {
        path: path.into(),
        anchor,
    })
}

fn contents(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |cause: std::io::Error| match cause.kind() {
        std::io::ErrorKind::NotFound => Failure::Missing(path.into()),
        _ => Failure::System {
            what: path.display().to_string(),
            cause,
        },
    };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > LARGEST {
        return Err(Failure::Trust {
            path: path.into(),
            cause: format!("{size} bytes are no certificate"),
        });
    }
    std::fs::read(path).map_err(failed)
}

/// The bytes that a text of hexadecimal digits and white space stands for. A certificate begins
/// with 7F, which no such text does.
fn from_hexadecimal(bytes: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    hex::decode(digits).ok()
}

/// Makes a card trust these roots.
pub(super) fn trust(card: &mut Card, roots: &[Root]) -> Result<(), Failure> {
    for root in roots {
        card.trust(&root.anchor).map_err(|cause| Failure::Trust {
            path: root.path.clone(),
            cause: cause.to_string(),
        })?;
    }
    Ok(())
}
