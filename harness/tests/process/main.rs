//! Both programs as processes: the harness is the reader, and `hsm2-emulator serve` puts a card in.
//!
//! The emulator has a test of this name too, so that whatever builds the one builds the other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod programs;
mod replay;
mod trust;
