//! `export-opensc-corpus`: recorded sessions in the form that OpenSC's fuzz targets read.
//!
//! OpenSC's targets put their input in the place of a reader: the first chunk is the answer to
//! reset, each later one the response to the next command.
//!
//! ```text
//! length   2 bytes, in the byte order of the machine that fuzzes: little endian here
//! chunk    so many bytes
//! ```
//!
//! The sessions in `harness/data/opensc` were recorded from OpenSC's own tools and a virtual card
//! with a seed: every key in them is worthless.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, print};

/// Name and record of each session.
const SESSIONS: &[(&str, &str)] = &[
    (
        "initialise",
        include_str!("../../data/opensc/initialise.txt"),
    ),
    ("keys", include_str!("../../data/opensc/keys.txt")),
    ("sign", include_str!("../../data/opensc/sign.txt")),
    ("wrap", include_str!("../../data/opensc/wrap.txt")),
    ("pka", include_str!("../../data/opensc/pka.txt")),
    ("domains", include_str!("../../data/opensc/domains.txt")),
];

/// Write recorded sessions as seeds for OpenSC's fuzz targets
///
/// Initialisation, key generation, signatures, wrapping, public key authentication and key domains,
/// each as chunks: the answer to reset, then the responses.
#[derive(Debug, Args)]
pub(super) struct ExportOpenscCorpus {
    /// Where; created when it is missing, existing files are not replaced
    folder: PathBuf,
}

impl ExportOpenscCorpus {
    pub(super) fn run(self) -> Result<(), Failure> {
        let refused = |path: &std::path::Path, error: &std::io::Error| {
            Failure::new(Exit::File, format!("{}: {error}", path.display()))
        };
        std::fs::create_dir_all(&self.folder).map_err(|error| refused(&self.folder, &error))?;
        for (name, record) in SESSIONS {
            let seed = chunks(record).ok_or_else(|| {
                Failure::new(Exit::Input, format!("the record {name} is damaged"))
            })?;
            let path = self.folder.join(name);
            let written = std::fs::File::create_new(&path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, &seed));
            written.map_err(|error| refused(&path, &error))?;
            print(&format!("{}: {} bytes", path.display(), seed.len()));
        }
        Ok(())
    }
}

/// The chunks of a record: lines `< response`.
fn chunks(record: &str) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut add = |chunk: &[u8]| -> Option<()> {
        all.extend_from_slice(&u16::try_from(chunk.len()).ok()?.to_le_bytes());
        all.extend_from_slice(chunk);
        Some(())
    };
    add(hsm2_emulator::profile::NITROKEY_HSM2.atr)?;
    for response in record.lines().filter_map(|line| line.strip_prefix("< ")) {
        add(&hex::decode(response).ok()?)?;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_is_chunks_that_begin_with_the_answer_to_reset() {
        for (name, record) in SESSIONS {
            let seed = chunks(record).unwrap();
            let mut rest = &seed[..];
            let mut found = Vec::new();
            while let Some(([low, high], tail)) = rest.split_first_chunk() {
                let (chunk, tail) = tail.split_at(usize::from(u16::from_le_bytes([*low, *high])));
                found.push(chunk);
                rest = tail;
            }
            assert!(rest.is_empty(), "{name}");
            assert_eq!(found[0][0], 0x3B, "{name}");
            assert!(found.len() > 5, "{name}: {} chunks", found.len());
            assert!(found[1..].iter().all(|chunk| chunk.len() >= 2), "{name}");
            assert!(
                found.iter().any(|chunk| chunk.ends_with(&[0x90, 0x00])),
                "{name}"
            );
        }
    }

    #[test]
    fn a_damaged_record_is_no_seed() {
        assert_eq!(chunks("< 90zz"), None);
    }
}
