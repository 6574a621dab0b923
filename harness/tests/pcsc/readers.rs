//! One pcscd with four readers, and new cards in the first of them.

use crate::pcscd::{Daemon, await_condition, cards_present, start_pcscd};
use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::EphemeralStore;
use hsm2_emulator::transport::{Endpoint, Interruption, Stopper, Timing, VirtualCard, serve};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tempfile::TempDir;

/// Port of the first reader.
const PORT: u16 = 35963;

/// Running readers and cards; ends what it started when dropped.
pub(crate) struct Readers {
    hand: Arc<Hand>,
    cards: Vec<JoinHandle<()>>,
    pcscd: Option<Daemon>,
    _directory: TempDir,
}

/// Whoever put the cards into the readers.
struct Hand {
    stopper: Stopper,
    /// Commands that reached the cards.
    commands: AtomicUsize,
    /// Takes the cards out at the next reset of one of them.
    pulls_at_reset: AtomicBool,
}

/// A card that can be pulled out while it is being reset.
struct Held {
    card: Card,
    hand: Arc<Hand>,
    pulled: bool,
}

impl Held {
    fn comes_up(&mut self) {
        if self.hand.pulls_at_reset.load(Ordering::Relaxed) {
            self.pulled = true;
            self.hand.stopper.stop();
        }
    }
}

impl VirtualCard for Held {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn power_on(&mut self) {
        self.card.power_on();
        self.comes_up();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn reset(&mut self) {
        self.card.reset();
        self.comes_up();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.hand.commands.fetch_add(1, Ordering::Relaxed);
        self.card.transmit(command)
    }

    fn take_interruption(&mut self) -> Option<Interruption> {
        self.pulled.then_some(Interruption::Removal)
    }
}

impl Readers {
    /// Readers with `count` new cards, as they leave the factory: never initialised.
    pub(crate) fn with_cards(count: u8) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let pcscd = start_pcscd(directory.path(), 2);
        let (stopper, stop) = Stopper::new();
        let hand = Arc::new(Hand {
            stopper,
            commands: AtomicUsize::new(0),
            pulls_at_reset: AtomicBool::new(false),
        });
        let cards = (0..count).zip(PORT..).map(|(number, port)| {
            let stop = stop.clone();
            let hand = Arc::clone(&hand);
            std::thread::spawn(move || {
                let serial = Serial::new(&format!("PCSC{number}")).expect("a serial");
                let card = Card::personalise(
                    &NITROKEY_HSM2,
                    &serial,
                    Box::new(EphemeralStore::default()),
                    Box::new(CardRng::from_seed([number; 32])),
                )
                .expect("a card");
                let mut card = Held {
                    card,
                    hand,
                    pulled: false,
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
            hand,
            cards,
            pcscd: Some(pcscd),
            _directory: directory,
        }
    }
}

impl Readers {
    /// Waits until so many commands have reached the cards.
    pub(crate) fn await_commands(&self, count: usize) {
        await_condition("commands to reach the cards", || {
            self.hand.commands.load(Ordering::Relaxed) >= count
        });
    }

    /// Takes all cards out of their readers.
    pub(crate) fn remove_cards(&mut self) {
        self.hand.stopper.stop();
        for card in self.cards.drain(..) {
            drop(card.join());
        }
    }

    /// Takes all cards out of their readers when one of them is reset next, before it can answer.
    pub(crate) fn remove_cards_at_reset(&mut self) {
        self.hand.pulls_at_reset.store(true, Ordering::Relaxed);
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
        self.hand.stopper.stop();
        for card in self.cards.drain(..) {
            // A card that panicked has failed its test already.
            drop(card.join());
        }
    }
}
