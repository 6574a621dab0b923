//! The program as people and scripts run it: real processes, files, sockets and signals.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cli;
mod hostile;
mod kill;
mod readers;
mod support;
mod trust;
