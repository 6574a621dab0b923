//! What each command answers, in each state: one module for each command, as in `src/command`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod initialize_device;
mod public_key_authentication;
mod support;
mod symmetric;
