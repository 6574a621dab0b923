//! A virtual SmartCard-HSM / Nitrokey HSM 2: the applet, its key management and its transport.
//!
//! For testing and learning only: it keeps keys in an ordinary file and has no protection against
//! whoever can read that file or the memory of the process.
//!
//! The way of a command: a transport hands its bytes to [`card::Card::transmit`], which parses
//! them ([`apdu`]), finds the command ([`command`]), lets it read its parameters, checks the right
//! to run it, runs it on [`memory`] and session, and commits all changes before the response goes
//! out.

mod access;
pub mod apdu;
pub mod blob;
pub mod card;
pub mod command;
pub mod cvc;
pub mod description;
pub mod domain;
mod file;
pub mod hostile;
pub mod id;
pub mod identity;
pub mod key;
mod key_attributes;
pub mod memory;
pub mod pin;
pub mod pka;
mod presentation;
pub mod profile;
pub mod secret;
mod secure_messaging;
mod session;
mod session_pin;
pub mod signals;
pub mod snapshot;
pub mod status;
pub mod store;
pub mod tlv;
pub mod trace;
pub mod transport;
pub mod trust;
mod use_key;
mod xkek;

pub use hsm2_crypto as crypto;
