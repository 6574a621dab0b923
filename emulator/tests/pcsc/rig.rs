//! One pcscd with the two slots of vpcd, and the cards in them.

use crate::pcscd::{Daemon, await_condition, cards_present, start_pcscd};
use crate::tool::Tool;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const EMULATOR: &str = env!("CARGO_BIN_EXE_hsm2-emulator");

/// The security officer's PIN of every card that a test initialises.
pub(crate) const SO_PIN: &str = "3537363231383830";
/// The user's PIN of every card that a test initialises.
pub(crate) const USER_PIN: &str = "648219";

/// Running readers and cards; ends what it started when dropped.
pub(crate) struct Rig {
    // Field order is drop order: the cards leave before the readers, the files go last.
    cards: Option<Daemon>,
    _readers: Daemon,
    card_files: Vec<PathBuf>,
    directory: TempDir,
}

impl Rig {
    /// Readers with `count` new cards, as they leave the factory: never initialised.
    pub(crate) fn with_cards(count: usize) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let readers = start_pcscd(directory.path(), 1);
        let mut rig = Self {
            cards: None,
            _readers: readers,
            card_files: Vec::new(),
            directory,
        };
        for number in 0..count {
            let file = rig.path(&format!("card-{number}"));
            Tool::new(EMULATOR).words("card create").arg(&file).ok();
            rig.card_files.push(file);
        }
        rig.insert_cards();
        rig
    }

    /// Readers with one card that is initialised and has no DKEK.
    pub(crate) fn with_initialized_card() -> Self {
        let rig = Self::with_cards(1);
        rig.initialize(0, &[]);
        rig
    }

    /// Starts the cards' process and waits until each reader reports its card.
    pub(crate) fn insert_cards(&mut self) {
        self.insert_cards_with(&[]);
    }

    /// As [`Rig::insert_cards`], with more options of `serve`.
    pub(crate) fn insert_cards_with(&mut self, options: &[String]) {
        let mut command = Command::new(EMULATOR);
        command.arg("serve").args(options);
        for file in &self.card_files {
            command.arg("--card").arg(file);
        }
        self.cards = Some(Daemon::start("the cards", command, self.path("cards.log")));
        let count = self.card_files.len();
        await_condition("the cards to be in their readers", || {
            cards_present() == count
        });
    }

    /// Ends the cards' process as an administrator would and waits until the readers are empty.
    pub(crate) fn remove_cards(&mut self) {
        let cards = self.cards.take().expect("the cards are inserted");
        cards.terminate();
        await_condition("the readers to be empty", || cards_present() == 0);
    }

    /// A file of this rig, gone when the rig is dropped.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of this rig and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("the temporary directory is writable");
        path
    }

    /// Reads a file of this rig.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// `sc-hsm-tool` on the card in the given reader, in the rig's directory.
    pub(crate) fn sc_hsm_tool(&self, reader: usize) -> Tool {
        Tool::new("sc-hsm-tool")
            .words(&format!("--reader {reader}"))
            .directory(self.directory.path())
    }

    /// Initialises a card and checks that it took it: the tool's exit code does not tell.
    pub(crate) fn initialize(&self, reader: usize, more: &[&str]) {
        self.sc_hsm_tool(reader)
            .words(&format!("--initialize --so-pin {SO_PIN} --pin {USER_PIN}"))
            .args(more)
            .ok()
            .lacks("failed");
        self.sc_hsm_tool(reader)
            .ok()
            .has("User PIN tries left")
            .lacks("never been initialized");
    }
}
