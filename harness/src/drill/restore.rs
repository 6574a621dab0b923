//! Backup, restore on a fresh card, and what goes wrong on the way.

use super::scene::{A, B, Custody, Scene};
use super::{Drill, DrillError};
use crate::card::Attributes;
use crate::card::command::StatusWord;
use crate::card::cvc::Kind;
use crate::transport::{Target, TransportError};

pub(super) static DRILL: Drill = Drill {
    name: "restore",
    title: "Back up keys and restore them on a fresh card",
    question: "Two keys, one EC and one RSA with 4096 bits, are backed up and restored on a fresh card, \
               past the traps that people fall into.",
    cards: 2,
    stand_in: None,
    run,
    meaning: &[
        "A backup is the wrapped key and all shares of its DKEK. Either alone is worth nothing; write \
         the key check value on both: `hsm2-harness dkek kcv FILE...` tells it of the shares, \
         `hsm2-harness blob show KEY.bin` of a wrapped key, and sc-hsm-tool of a card.",
        "sc-hsm-tool wants the key reference, the number in the list of sc-hsm-tool or pkcs15-tool -k, \
         not the key id that pkcs11-tool shows.",
        "6A80 at unwrapping: another DKEK, or a damaged file; `hsm2-harness blob show --dkek FILE... \
         KEY.bin` says which, without a card. 6A88: \
         shares are missing. 6A89: the number is taken, choose a free one.",
        "Long wrapped keys go to the card in blocks through EF 2F10, as sc-hsm-tool does from version \
         0.24: not every reader passes on a command of 1100 bytes.",
        "A restored key has no description and no certificate on the card; store them with the wrapped \
         key and write them back. A backup that was never restored is a hope.",
    ],
};

const EC: u8 = 1;
const RSA: u8 = 2;
/// A number that no key has: a key id taken for a key reference.
const KEY_ID: u8 = 0x45;

/// Longest command of the reader that stands in here, as some real ones have it.
const SHORT_READER: usize = 1014;

fn run(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    let (alpha, beta) = (Custody::new("Alpha", 2), Custody::new("Beta", 2));
    scene.step(
        "Set up A with a DKEK of two shares, make two keys and back them up",
        "Keys must be in a domain with a KEK when they are wrapped.",
    )?;
    scene.initialise(A, 1)?;
    scene.dkek(A, 0, &alpha)?;
    let bound = Attributes {
        domain: Some(0),
        algorithms: &[],
    };
    let ec = scene
        .generate(A, EC, Kind::P256, "EC key", &bound)?
        .request
        .key;
    let rsa = scene.generate(A, RSA, Kind::Rsa(4096), "RSA-4096 key", &bound)?;
    let rsa = rsa.request.key;
    let why = "69 is the key's id in a directory, not its number on the card";
    scene.refused(A, StatusWord::NOT_FOUND, why, |card| card.wrap(KEY_ID))?;
    let ec_backup = scene.on(A, |card| card.wrap(EC))?;
    let rsa_backup = scene.on(A, |card| card.wrap(RSA))?;
    scene.shown(format!(
        "The wrapped keys have {} and {} bytes.",
        ec_backup.len(),
        rsa_backup.len()
    ));

    scene.step(
        "Restore on a card with another DKEK, or with a share missing",
        "Both happen when shares of several cards lie in one safe.",
    )?;
    scene.initialise(B, 1)?;
    scene.dkek(B, 0, &beta)?;
    let why = "B has DKEK Beta";
    scene.refused(B, StatusWord::WRONG_DATA, why, |card| {
        card.unwrap_key(EC, &ec_backup)
    })?;
    scene.initialise(B, 1)?;
    scene.on(B, |card| card.create_dkek(0, 2))?;
    if let Some(first) = alpha.shares.first() {
        scene.on(B, |card| card.import_share(0, first))?;
    }
    let why = "one of two shares is missing, so B has no KEK";
    scene.refused(B, StatusWord::NOT_FOUND, why, |card| {
        card.unwrap_key(EC, &ec_backup)
    })?;

    scene.step(
        "Restore with the right DKEK",
        "B is erased and gets both shares; its check value must be that of A before any key is \
         unwrapped.",
    )?;
    scene.initialise(B, 1)?;
    scene.dkek(B, 0, &alpha)?;
    scene.on(B, |card| card.unwrap_key(EC, &ec_backup))?;
    scene.label(B, EC, "EC key, restored")?;
    scene.signs(B, EC, &ec, "the public key from before the backup")?;
    let why = "the number is taken";
    scene.refused(B, StatusWord::EXISTS, why, |card| {
        card.unwrap_key(EC, &ec_backup)
    })?;

    scene.step(
        "Restore the RSA key through a reader that cuts long commands",
        "The wrapped key is longer than this reader lets through in one command. EF 2F10 takes it in \
         blocks, and the unwrapping itself carries no data.",
    )?;
    scene.caution(format!(
        "The reader is played by the harness: it answers 6700 to commands of more than {SHORT_READER} \
         bytes. Real ones fail in ways of their own, such as 6F00 or a card that must be put in again."
    ));
    scene.through(B, |card| Box::new(ShortReader { card }))?;
    let why = "the command is too long for the reader";
    scene.refused(B, StatusWord::WRONG_LENGTH, why, |card| {
        card.unwrap_key(RSA, &rsa_backup)
    })?;
    scene.on(B, |card| card.unwrap_key_in_blocks(RSA, &rsa_backup))?;
    scene.label(B, RSA, "RSA-4096 key, restored")?;
    scene.signs(B, RSA, &rsa, "the public key from before the backup")?;
    Ok(())
}

/// A reader that passes on short commands only.
struct ShortReader {
    card: Box<dyn Target>,
}

impl Target for ShortReader {
    fn describe(&self) -> String {
        format!("{} behind a short reader", self.card.describe())
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if command.len() > SHORT_READER {
            return Ok(vec![0x67, 0x00]);
        }
        self.card.transmit(command)
    }

    fn atr(&self) -> Vec<u8> {
        self.card.atr()
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.card.power_cycle()
    }
}
