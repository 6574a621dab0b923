//! How commands reach a card: the vpcd protocol over TCP, one thread for each card.
//!
//! A card computes where its commands arrive, on the thread that reads its socket. That saves the
//! hand-over between threads on every command, and a card that takes a second to make a key
//! delays no other card.

pub mod address;
pub mod frame;
pub mod reader;
pub mod vpcd;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::sync::watch;

use crate::card::Card;
use crate::description::label_of_key;
use crate::id::KeyId;
use crate::store::StoreError;

/// A card as a reader sees it.
pub trait VirtualCard: Send {
    /// Answer to reset.
    fn atr(&self) -> &[u8];

    /// Applies power.
    fn power_on(&mut self);

    /// Removes power.
    fn power_off(&mut self);

    /// Resets without removing power.
    fn reset(&mut self);

    /// Processes a command APDU; the response ends with the status word. Any bytes may come.
    fn transmit(&mut self, command: &[u8]) -> Vec<u8>;

    /// Why the memory could not be written, once, after a command that answered 6581.
    fn take_fault(&mut self) -> Option<StoreError> {
        None
    }

    /// What the reader hears instead of the response to the last command, once.
    fn take_interruption(&mut self) -> Option<Interruption> {
        None
    }

    /// The label of a key, for traces.
    fn key_label(&self, _key: u8) -> Option<String> {
        None
    }
}

/// What a reader hears instead of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Nothing; the card stays in the reader.
    Silence,
    /// The card leaves the reader, and comes back after a moment.
    Removal,
}

/// Where a card meets its reader.
#[derive(Debug)]
pub enum Endpoint {
    /// Connect to a running vpcd, at the first of these addresses that answers; wait for it, and
    /// connect again when the connection ends.
    Connect(Vec<SocketAddr>),
    /// Let readers connect. One connection is served at a time; the next waits until it ends.
    Listen(TcpListener),
}

/// What happens on an endpoint, for whoever wants to tell people.
#[derive(Debug)]
pub enum Event<'a> {
    /// Nothing answers at the address; reported once until a connection was made.
    Waiting(&'a io::Error),
    /// A connection was made; the card is in the reader.
    Connected(SocketAddr),
    /// The connection ended; the card has lost power.
    Ended(SocketAddr, &'a Ended),
    /// A command answered 6581 for this reason.
    Fault(&'a StoreError),
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The reader closed it.
    #[error("the reader closed the connection")]
    Closed,
    /// The card left the reader, as it was told to.
    #[error("the card was taken out, as its script says")]
    Removed,
    /// The process is to stop.
    #[error("stopped")]
    Stopped,
    /// The reader sent a part of a frame, or took none of a response, and then was silent.
    #[error("the reader stopped in the middle of a message")]
    Stalled,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

/// Times that endpoints keep.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a peer may take for the rest of a frame, or to take a response; between frames it
    /// may pause for ever.
    pub stall: Duration,
    /// First pause between two attempts to connect; it doubles until [`Timing::longest_pause`].
    pub shortest_pause: Duration,
    /// Longest pause between two attempts to connect.
    pub longest_pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(5),
            shortest_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(1),
        }
    }
}

/// Tells endpoints to stop; each finishes the command it is at.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// The other end of [`Stop`].
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    /// A pair that belongs together.
    #[must_use]
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(receiver))
    }

    /// Asks all holders of the [`Stop`] to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns when the [`Stopper`] says so or is gone.
    pub async fn requested(&mut self) {
        // An error means that nobody is left who could ask: then stopping is right as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Serves a card at an endpoint until it is told to stop; blocks the calling thread.
///
/// # Errors
///
/// When the thread cannot have an event loop. A connection that fails is an [`Event`].
pub fn serve(
    card: &mut dyn VirtualCard,
    endpoint: Endpoint,
    timing: Timing,
    stop: Stop,
    observer: &dyn Fn(Event<'_>),
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    runtime.block_on(vpcd::run(card, endpoint, timing, stop, observer))
}

impl<C: VirtualCard + ?Sized> VirtualCard for Box<C> {
    fn atr(&self) -> &[u8] {
        self.as_ref().atr()
    }

    fn power_on(&mut self) {
        self.as_mut().power_on();
    }

    fn power_off(&mut self) {
        self.as_mut().power_off();
    }

    fn reset(&mut self) {
        self.as_mut().reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.as_mut().transmit(command)
    }

    fn take_fault(&mut self) -> Option<StoreError> {
        self.as_mut().take_fault()
    }

    fn take_interruption(&mut self) -> Option<Interruption> {
        self.as_mut().take_interruption()
    }

    fn key_label(&self, key: u8) -> Option<String> {
        self.as_ref().key_label(key)
    }
}

impl VirtualCard for Card {
    fn atr(&self) -> &[u8] {
        self.atr()
    }

    fn power_on(&mut self) {
        self.power_on();
    }

    fn power_off(&mut self) {
        self.power_off();
    }

    fn reset(&mut self) {
        self.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.transmit(command)
    }

    fn take_fault(&mut self) -> Option<StoreError> {
        self.take_fault()
    }

    fn key_label(&self, key: u8) -> Option<String> {
        label_of_key(self.memory(), KeyId(key))
    }
}
