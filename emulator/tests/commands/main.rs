//! What each command answers, in each state: one module for each command, as in `src/command`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod decipher;
mod domain_model;
mod generate_key_pair;
mod initialize_device;
mod key_attributes;
mod keys;
mod manage_key_domain;
mod public_key_authentication;
mod sealed;
mod sign;
mod support;
mod symmetric;
mod unwrap_key;
mod vectors;
mod wrap_key;
mod xkek;
mod xkek_vectors;
