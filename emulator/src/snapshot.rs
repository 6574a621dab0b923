//! A card at one moment, to make cards of and to come back to.
//!
//! Taking one copies no key: a snapshot shares the records with the card, and a card changes a
//! record by replacing it. So a fuzzer can begin every run with the same initialised card for a
//! few microseconds.

use crate::memory::Contents;
use crate::profile::Profile;
use crate::session::Session;
use crate::store::{Change, StoreError};
use crate::trust::TrustedKey;

/// Memory and session of a card, with all its secrets.
///
/// ```
/// use hsm2_emulator::{card::Card, crypto::CardRng, identity::Serial, profile, store};
///
/// let mut card = Card::personalise(
///     &profile::NITROKEY_HSM2,
///     &Serial::new("VT0000001")?,
///     Box::new(store::EphemeralStore::default()),
///     Box::new(CardRng::from_seed([7; 32])),
/// )?;
/// let select = [0x00, 0xA4, 0x04, 0x00, 11, 0xE8, 0x2B, 6, 1, 4, 1, 0x81, 0xC3, 0x1F, 2, 1, 0];
/// let before = card.snapshot();
/// assert!(card.transmit(&select).ends_with(&[0x90, 0x00]));
/// card.restore(&before)?;
/// // The session is that of the snapshot: nothing is selected.
/// assert_eq!(card.transmit(&[0x00, 0x20, 0x00, 0x81]), [0x6D, 0x00]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) profile: &'static Profile,
    pub(crate) memory: Contents,
    pub(crate) session: Option<Session>,
    pub(crate) anchors: Vec<TrustedKey>,
}

impl Snapshot {
    /// What a store that holds the records of `earlier` must be told to hold those of this snapshot.
    /// Records that neither card has replaced are taken as equal without a look.
    ///
    /// # Errors
    ///
    /// When a record cannot be encoded.
    pub fn changes_since(&self, earlier: &Self) -> Result<Vec<Change>, StoreError> {
        self.memory.changes_since(&earlier.memory)
    }

    /// The same card without power: no applet is selected.
    #[must_use]
    pub fn powered_off(self) -> Self {
        Self {
            session: None,
            ..self
        }
    }
}

/// Shows the profile only: the rest is secret.
impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("profile", &self.profile.name)
            .finish_non_exhaustive()
    }
}
