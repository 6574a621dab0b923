//! What each command answers, in each state: one module for each command, as in `src/command`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bad_requests;
mod change_reference_data;
mod channel;
mod decipher;
mod delete_file;
mod derive_ec_key;
mod dispatch;
mod domain_model;
mod domain_rules;
mod enumerate_objects;
mod every_command;
mod external_authenticate;
mod foreign_identities;
mod full_card;
mod general_authenticate;
mod generate_key_pair;
mod generate_session_pin;
mod get_challenge;
mod initialize_device;
mod key_attributes;
mod keys;
mod manage_key_domain;
mod manage_public_key_authentication;
mod manage_security_environment;
mod profiles;
mod public_key_authentication;
mod published_certificates;
mod read_binary;
mod records;
mod reset_retry_counter;
mod sealed;
mod secure_messaging;
mod select;
mod shared_store;
mod sign;
mod state;
mod store_failures;
mod support;
mod symmetric;
mod unwrap_key;
mod update_binary;
mod vectors;
mod verify;
mod verify_certificate;
mod verify_template;
mod wrap_key;
mod xkek;
mod xkek_vectors;
