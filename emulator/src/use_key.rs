//! Using a key: conditions of use, in one place for every operation.

use std::sync::Arc;

use crate::card::Context;
use crate::id::KeyId;
use crate::key::Key;
use crate::status::StatusWord;

impl Context<'_> {
    /// Finds a key for an operation and takes one use off its counter.
    ///
    /// The use is committed together with the command, before its result leaves the card; a
    /// command that fails costs no use.
    ///
    /// # Errors
    ///
    /// | word | when |
    /// |---|---|
    /// | 6A88 | no such key; the device key is none of the host's |
    /// | 6984 | the use counter has expired |
    /// | 6A81 | this generation does not have the algorithm, or the key's list does not name it |
    pub(crate) fn use_key(&mut self, id: KeyId, algorithm: u8) -> Result<Arc<Key>, StatusWord> {
        self.use_key_or(id, algorithm, StatusWord::FunctionNotSupported)
    }

    /// As [`Context::use_key`], with the word for an algorithm that is not listed.
    pub(crate) fn use_key_or(
        &mut self,
        id: KeyId,
        algorithm: u8,
        not_listed: StatusWord,
    ) -> Result<Arc<Key>, StatusWord> {
        let key = Arc::clone(self.memory.key(id)?);
        if !self.profile.has_algorithm(algorithm) {
            return Err(StatusWord::FunctionNotSupported);
        }
        let uses_left = match key.attributes.uses_left {
            Some(0) => return Err(StatusWord::ReferenceDataNotUsable),
            Some(uses) => Some(uses - 1),
            None => None,
        };
        if !key.attributes.allow(algorithm) {
            return Err(not_listed);
        }
        if uses_left.is_some() {
            let mut used = Key::clone(&key);
            used.attributes.uses_left = uses_left;
            self.memory.put_key(id, used);
        }
        Ok(key)
    }

    /// Requires that a key number is free for a new key.
    ///
    /// # Errors
    ///
    /// [`StatusWord::FileExists`] (6A89) when it is not; 00 never is. (inferred: hosts choose
    /// free numbers)
    pub(crate) fn require_free(&self, id: KeyId) -> Result<(), StatusWord> {
        if id == KeyId::DEVICE || self.memory.key(id).is_ok() {
            return Err(StatusWord::FileExists);
        }
        Ok(())
    }
}
