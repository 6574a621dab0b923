//! Both programs as processes: the harness is the reader, and `hsm2-emulator serve` puts a card in.
//!
//! The emulator has a test of this name too, so that whatever builds the one builds the other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "shared with tests that need more of it")]
#[path = "../shared/program.rs"]
mod program;
mod programs;
mod replay;
mod trust;
