//! `export-opensc-corpus`: recorded sessions in the form that OpenSC's fuzz targets read.
//!
//! OpenSC's targets put their input in the place of a reader with one card, to which they connect
//! once: the first chunk is the answer to reset, each later one the response to the next command. So
//! each connection of a tool is a seed of its own.
//!
//! ```text
//! length   2 bytes, in the byte order of the machine that fuzzes: little endian here
//! chunk    so many bytes
//! ```
//!
//! The sessions in `harness/data/opensc` were recorded by `record.py` there from OpenSC's own tools
//! and a virtual card with a seed: every key in them is worthless.

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
/// one file for each connection of a tool, as chunks: the answer to reset, then the responses.
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
            for (number, connection) in (1..).zip(connections(record)) {
                let seed = chunks(&connection).ok_or_else(|| {
                    Failure::new(Exit::Input, format!("the record {name} is damaged"))
                })?;
                let path = self.folder.join(format!("{name}-{number:02}"));
                let written = std::fs::File::create_new(&path)
                    .and_then(|mut file| std::io::Write::write_all(&mut file, &seed));
                written.map_err(|error| refused(&path, &error))?;
                print(&format!("{}: {} bytes", path.display(), seed.len()));
            }
        }
        Ok(())
    }
}

/// What OpenSC sends first on every connection: SELECT of an application of another card.
const FIRST: &str = "> 00A4040007627601FF000000";

/// The lines of each connection: it begins with [`FIRST`], or with power for what comes before that.
fn connections(record: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut begins = true;
    for line in record.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with('=') {
            begins = true;
            continue;
        }
        if std::mem::take(&mut begins) || line == FIRST {
            all.push(String::new());
        }
        if let Some(connection) = all.last_mut() {
            *connection += line;
            connection.push('\n');
        }
    }
    all
}

/// The chunks of a connection: lines `< response`.
fn chunks(connection: &str) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut add = |chunk: &[u8]| -> Option<()> {
        all.extend_from_slice(&u16::try_from(chunk.len()).ok()?.to_le_bytes());
        all.extend_from_slice(chunk);
        Some(())
    };
    add(hsm2_emulator::profile::NITROKEY_HSM2.atr)?;
    for response in connection
        .lines()
        .filter_map(|line| line.strip_prefix("< "))
    {
        add(&hex::decode(response).ok()?)?;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use hsm2_emulator::card::Card;
    use hsm2_emulator::crypto::CardRng;
    use hsm2_emulator::identity::Serial;
    use hsm2_emulator::profile::NITROKEY_HSM2;
    use hsm2_emulator::store::EphemeralStore;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn every_connection_is_chunks_that_begin_with_the_answer_to_reset() {
        for (name, record) in SESSIONS {
            let connections = connections(record);
            assert!(connections.len() > 4, "{name}: {}", connections.len());
            let mut done = 0;
            for connection in connections {
                let seed = chunks(&connection).unwrap();
                let mut rest = &seed[..];
                let mut found = Vec::new();
                while let Some(([low, high], tail)) = rest.split_first_chunk() {
                    let length = usize::from(u16::from_le_bytes([*low, *high]));
                    let (chunk, tail) = tail.split_at(length);
                    found.push(chunk);
                    rest = tail;
                }
                assert!(rest.is_empty(), "{name}");
                assert_eq!(found[0], NITROKEY_HSM2.atr, "{name}");
                assert!(found.len() > 3, "{name}: {} chunks", found.len());
                assert!(found[1..].iter().all(|chunk| chunk.len() >= 2), "{name}");
                done += usize::from(found.iter().any(|chunk| chunk.ends_with(&[0x90, 0x00])));
                assert_eq!(connection.matches(FIRST).count(), 1, "{name}: {connection}");
            }
            assert!(done > 3, "{name}");
        }
    }

    /// The card that `serve --ephemeral --seed` makes first.
    fn card(seed: &[u8]) -> Card {
        let start = Sha256::new()
            .chain_update("hsm2-emulator use card 1 ")
            .chain_update(seed)
            .finalize();
        let mut rng = CardRng::from_seed(start.into());
        let serial = Serial::random(&mut rng);
        let store = Box::new(EphemeralStore::default());
        Card::personalise(&NITROKEY_HSM2, &serial, store, Box::new(rng)).unwrap()
    }

    #[test]
    fn a_card_with_the_seed_answers_as_recorded() {
        for (name, record) in SESSIONS {
            let (head, lines) = record.split_once('\n').unwrap();
            let (_, seed) = head.split_once("the seed ").unwrap();
            let mut card = card(&hex::decode(&seed[..4]).unwrap());
            let mut answer = None;
            for (number, line) in (2..).zip(lines.lines()) {
                let place = format!("{name}.txt:{number}");
                match line.split_at(2) {
                    ("> ", command) => {
                        let response = card.transmit(&hex::decode(command).unwrap());
                        answer = Some(hex::encode_upper(response));
                    }
                    ("< ", recorded) => assert_eq!(answer.as_deref(), Some(recorded), "{place}"),
                    _ if line == "= power on" => card.power_on(),
                    _ if line == "= power off" => card.power_off(),
                    _ if line == "= reset" => card.reset(),
                    _ => panic!("{place}: {line}"),
                }
            }
        }
    }

    #[test]
    fn sessions_hold_what_they_are_named_for() {
        let has = |session: &str, exchange: [&str; 2]| {
            let (_, record) = SESSIONS.iter().find(|(name, _)| *name == session).unwrap();
            let lines: Vec<_> = record.lines().collect();
            let found = lines
                .windows(2)
                .any(|two| two[0].starts_with(exchange[0]) && two[1].ends_with(exchange[1]));
            assert!(found, "{session}: {exchange:?}");
        };
        for (session, exchange) in [
            ("initialise", ["> 80500000", "9000"]),
            ("initialise", ["> 80500000", "63CE"]),
            ("keys", ["> 0046", "9000"]),
            ("keys", ["> 00E40200", "9000"]),
            ("sign", ["> 806801", "9000"]),
            ("sign", ["> 806802", "9000"]),
            ("wrap", ["> 80720192", "9000"]),
            ("wrap", ["> 80740293", "9000"]),
            // The custodian's key is registered, and authenticates.
            ("pka", ["> 80540000", "010001009000"]),
            ("pka", ["> 00820000", "9000"]),
            ("pka", ["> 80540000", "010001019000"]),
            // A second slot: created, filled by two shares, cleared, deleted.
            ("domains", ["> 80520101", "9000"]),
            ("domains", ["> 8052000120", "9000"]),
            ("domains", ["> 80520401", "9000"]),
            ("domains", ["> 80520301", "9000"]),
        ] {
            has(session, exchange);
        }
    }

    #[test]
    fn a_damaged_record_is_no_seed() {
        assert_eq!(chunks("< 90zz"), None);
    }
}
