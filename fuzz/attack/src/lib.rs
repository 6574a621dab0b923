//! Attacks on the virtual card, for tests and for the fuzz targets in `fuzz/`.
//!
//! Nothing here is for production: like a test, it panics when the card breaks a rule.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "this is the body of tests and fuzz targets: they fail by panicking"
)]

pub mod apdu;
pub mod bench;
pub mod clock;
pub mod fixture;
pub mod session;
pub mod sm;
pub mod store;
pub mod tally;
pub mod tape;
pub mod targets;
pub mod watch;
