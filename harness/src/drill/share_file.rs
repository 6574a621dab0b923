//! Share files in a drill: the real format and the real n-of-m scheme, with a shorter derivation.

use super::DrillError;
use super::scene::Scene;
use crate::dkek::Dkek;
use crate::dkek::kdf::FileKey;
use crate::dkek::shamir::{self, Share};
use crate::dkek::share_file::ShareFile;
use crate::secret::Secret;

/// Rounds of each chain; a real file has ten million.
const ROUNDS: u32 = 1000;

/// Said once in each drill that uses share files.
pub(super) const SHORTCUT: &str = "Drill-only shortcut: the password is hashed 3 x 1,000 times here, \
     3 x 10,000,000 times in a real share file. Format and n-of-m scheme are the real ones.";

/// A share file and the pieces of its password.
#[derive(Debug)]
pub(super) struct Held {
    file: ShareFile,
    pieces: Vec<Share>,
}

impl Held {
    /// Seals a share under a new password and cuts the password for `total` custodians.
    pub(super) fn new(
        scene: &Scene<'_>,
        share: &Dkek,
        threshold: u8,
        total: u8,
    ) -> Result<Self, DrillError> {
        let password = scene.host("a new password", shamir::random_password())?;
        let salt = scene.host("randomness for a salt", Secret::random(8))?;
        let salt = scene.host("a salt of 8 bytes", salt.expose().try_into())?;
        let key = FileKey::derive_in(ROUNDS, password.expose(), &salt, &|_| {});
        let pieces = shamir::split(&password, threshold, total);
        Ok(Self {
            file: ShareFile::seal(share, salt, &key),
            pieces: scene.host("the password in pieces", pieces)?,
        })
    }

    /// The pieces of these custodians, counted from 1.
    pub(super) fn pieces(&self, custodians: &[u8]) -> Vec<Share> {
        let chosen = |piece: &&Share| custodians.contains(&piece.id());
        self.pieces.iter().filter(chosen).cloned().collect()
    }

    /// The share, when the pieces give the password.
    pub(super) fn open(&self, pieces: &[Share]) -> Result<Dkek, String> {
        let passwords = shamir::combine(pieces).map_err(|error| error.to_string())?;
        let opened = passwords.iter().find_map(|password| {
            let salt = self.file.salt();
            let key = FileKey::derive_in(ROUNDS, password.expose(), salt, &|_| {});
            self.file.open(&key).ok()
        });
        opened.ok_or_else(|| "the password that they make does not open the file".into())
    }
}
