//! All cryptography of the virtual card: keys and pure functions over bytes.
//!
//! Nothing in here knows an APDU, a file or the state of the card. What a command may do with a key
//! is decided elsewhere; this package only says whether the mathematics accept the input. It is one of
//! its own because arithmetic is compiled for speed wherever the rest is compiled for finding faults.
//!
//! Randomness always comes from the caller as [`rand_core::CryptoRng`]: the same generator state
//! and the same input give the same bytes, and take as many from the generator.

pub mod curve;
pub mod ec;
pub mod hash;
pub mod kdf;
pub mod random;
pub mod rsa;
pub mod symmetric;
mod words;

pub use curve::{Curve, DomainParameters};
pub use ec::{EcPrivateKey, EcdsaSignature, verify_prehash};
pub use hash::Hash;
pub use random::CardRng;
pub use rsa::RsaPrivateKey;

/// Why a cryptographic operation refused its input.
///
/// The variants carry no values: they may be logged without showing key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An input has a length the operation does not take.
    #[error("wrong input length")]
    Length,
    /// A number is outside its range: a scalar not in 1..n-1, an RSA input not below the modulus.
    #[error("number out of range")]
    Range,
    /// A point is not in the form 04‖x‖y, not on the curve, or the point at infinity.
    #[error("not a point of the curve")]
    Point,
    /// The parts of a key do not belong together, or its size is not supported.
    #[error("inconsistent or unsupported key")]
    Key,
    /// A signature does not verify, or is not well formed.
    #[error("signature does not verify")]
    Signature,
    /// A padding block is wrong. Never says where.
    #[error("wrong padding")]
    Padding,
    /// The result failed its own check and was withheld.
    #[error("computation fault")]
    Fault,
    /// The operating system gave no randomness.
    #[error("no randomness from the system")]
    Random,
}
