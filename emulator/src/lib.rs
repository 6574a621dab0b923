//! A virtual SmartCard-HSM / Nitrokey HSM 2: the applet, its key management and its transport.
//!
//! For testing and learning only: it keeps keys in an ordinary file and has no protection against
//! whoever can read that file or the memory of the process.

pub mod apdu;
pub mod crypto;
pub mod secret;
pub mod status;
pub mod store;
pub mod tlv;
