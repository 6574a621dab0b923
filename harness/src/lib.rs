//! Judge and workshop for the SmartCard-HSM / Nitrokey HSM 2, next to the emulator.
//!
//! What stands here encodes and checks bytes with its own code, never the emulator's, so that an
//! error in one cannot agree with the same error in the other.
//!
//! - [`dkek`]: device key encryption keys and the custodians' share files
//! - [`blob`]: wrapped keys, sealed and opened off the card
//! - [`key`]: RSA, EC and AES keys and the files they come in
//! - [`transport`] and [`card`]: a card in any reader, and its commands as a host sends them
//! - [`verify`]: signatures judged by implementations that no card here uses
//! - [`drill`]: key ceremonies rehearsed on cards
//! - [`scenario`], [`scenarios`], [`suite`]: what a card must answer, and running that
//! - [`expect`]: what each generation of the device is known to do otherwise
//! - [`device`], [`guard`]: which card it is, and what must never be done to it
//! - [`fleet`]: all that is known of one device
//! - [`report`]: what a run showed, as data and as text
//! - [`trace`]: recorded sessions, and replaying them
//! - [`attest`]: which device a card is, and which keys it made
//! - [`cli`]: the command line

pub mod apdu;
pub mod attest;
pub mod blob;
pub mod card;
pub mod cli;
pub mod der;
pub mod device;
pub mod dkek;
pub mod drill;
pub mod expect;
pub mod fleet;
pub mod guard;
pub mod interrupt;
pub mod judge;
pub mod key;
pub mod report;
pub mod scenario;
pub mod scenarios;
pub mod secret;
pub mod suite;
pub mod trace;
pub mod transport;
pub mod verify;
