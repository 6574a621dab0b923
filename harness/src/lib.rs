//! Judge and workshop for the SmartCard-HSM / Nitrokey HSM 2, next to the emulator.
//!
//! What stands here encodes and checks bytes with its own code, never the emulator's, so that an
//! error in one cannot agree with the same error in the other.
//!
//! - [`dkek`]: device key encryption keys and the custodians' share files
//! - [`blob`]: wrapped keys, sealed and opened off the card
//! - [`key`]: RSA, EC and AES keys and the files they come in
//! - [`cli`]: the command line

pub mod blob;
pub mod cli;
pub mod der;
pub mod dkek;
pub mod key;
pub mod secret;
