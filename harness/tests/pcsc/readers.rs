//! One pcscd with four readers, and new cards in the first of them.

use crate::altered::Altered;
use crate::pcscd::{Daemon, await_condition, cards_present, start_pcscd};
use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::EphemeralStore;
use hsm2_emulator::transport::{Endpoint, Stopper, Timing, serve};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tempfile::TempDir;

/// Port of the first reader.
const PORT: u16 = 35963;

/// Running readers and cards; ends what it started when dropped.
pub(crate) struct Readers {
    stopper: Stopper,
    cards: Vec<JoinHandle<()>>,
    /// Commands that reached the cards.
    commands: Arc<AtomicUsize>,
    pcscd: Option<Daemon>,
    _directory: TempDir,
}

impl Readers {
    /// Readers with `count` new cards, as they leave the factory: never initialised.
    pub(crate) fn with_cards(count: u8) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let pcscd = start_pcscd(directory.path(), 2);
        let (stopper, stop) = Stopper::new();
        let commands = Arc::new(AtomicUsize::new(0));
        let cards = (0..count).zip(PORT..).map(|(number, port)| {
            let stop = stop.clone();
            let commands = Arc::clone(&commands);
            std::thread::spawn(move || {
                let serial = Serial::new(&format!("PCSC{number}")).expect("a serial");
                let card = Card::personalise(
                    &NITROKEY_HSM2,
                    &serial,
                    Box::new(EphemeralStore::default()),
                    Box::new(CardRng::from_seed([number; 32])),
                )
                .expect("a card");
                let mut card = Altered {
                    card,
                    transmit: |card: &mut Card, command: &[u8]| {
                        commands.fetch_add(1, Ordering::Relaxed);
                        card.transmit(command)
                    },
                };
                let address = SocketAddr::from(([127, 0, 0, 1], port));
                let endpoint = Endpoint::Connect(vec![address]);
                serve(&mut card, endpoint, Timing::default(), stop, &|_| {}).expect("an endpoint");
            })
        });
        let cards = cards.collect();
        await_condition("the cards to be in their readers", || {
            cards_present() == usize::from(count)
        });
        Self {
            stopper,
            cards,
            commands,
            pcscd: Some(pcscd),
            _directory: directory,
        }
    }
}

impl Readers {
    /// Waits until so many commands have reached the cards.
    pub(crate) fn await_commands(&self, count: usize) {
        await_condition("commands to reach the cards", || {
            self.commands.load(Ordering::Relaxed) >= count
        });
    }

    /// Takes all cards out of their readers.
    pub(crate) fn remove_cards(&mut self) {
        self.stopper.stop();
        for card in self.cards.drain(..) {
            drop(card.join());
        }
    }

    /// Ends the service.
    pub(crate) fn stop_service(&mut self) {
        drop(self.pcscd.take());
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.stopper.stop();
        for card in self.cards.drain(..) {
            // A card that panicked has failed its test already.
            drop(card.join());
        }
    }
}
