//! Conditions of use as hosts state them when a key is made.

use crate::card::Context;
use crate::id::{DomainId, KeyId};
use crate::key::KeyAttributes;
use crate::status::StatusWord;
use crate::tlv::Reader;

/// Most algorithms a key's list can name.
pub(crate) const ALGORITHMS_MAX: usize = 16;

/// Reads the objects 90, 91, 92 and 93, in any order, each at most once.
///
/// Objects 42 and 45, an outer CAR that some hosts add, are skipped.
///
/// # Errors
///
/// [`StatusWord::WrongData`] (6A80) for anything else, a counter of zero, an empty or overlong
/// list, and values of the wrong length.
pub(crate) fn parse_attributes(objects: &[u8]) -> Result<KeyAttributes, StatusWord> {
    let mut attributes = KeyAttributes::default();
    let mut reader = Reader::new(objects);
    while !reader.is_empty() {
        let object = reader.next_element()?;
        let is_new = match object.tag {
            0x90 => attributes
                .uses_left
                .replace(parse_uses(object.value)?)
                .is_none(),
            0x91 => attributes
                .algorithms
                .replace(parse_algorithms(object.value)?)
                .is_none(),
            0x92 => attributes
                .domain
                .replace(DomainId(one_byte(object.value)?))
                .is_none(),
            0x93 => attributes
                .wrapping_key
                .replace(KeyId(one_byte(object.value)?))
                .is_none(),
            0x42 | 0x45 => true,
            _ => false,
        };
        if !is_new {
            return Err(StatusWord::WrongData);
        }
    }
    Ok(attributes)
}

fn parse_uses(value: &[u8]) -> Result<u32, StatusWord> {
    match <[u8; 4]>::try_from(value).map(u32::from_be_bytes) {
        Ok(uses) if uses > 0 => Ok(uses),
        _ => Err(StatusWord::WrongData),
    }
}

fn parse_algorithms(value: &[u8]) -> Result<Vec<u8>, StatusWord> {
    if (1..=ALGORITHMS_MAX).contains(&value.len()) {
        Ok(value.to_vec())
    } else {
        Err(StatusWord::WrongData)
    }
}

fn one_byte(value: &[u8]) -> Result<u8, StatusWord> {
    match value {
        [byte] => Ok(*byte),
        _ => Err(StatusWord::WrongData),
    }
}

impl Context<'_> {
    /// Binds a new key to the domain it names, or to the domain of keys that name none.
    ///
    /// A key is bound to no slot that is absent: it would fall into whatever domain is created
    /// there later.
    ///
    /// # Errors
    ///
    /// [`StatusWord::ReferencedDataNotFound`] (6A88) when the domain that the key names does not
    /// exist.
    pub(crate) fn bind(&self, attributes: KeyAttributes) -> Result<KeyAttributes, StatusWord> {
        let domain = match attributes.domain {
            Some(named) => {
                self.memory
                    .domain(named)
                    .ok_or(StatusWord::ReferencedDataNotFound)?;
                Some(named)
            }
            None => {
                let rules = &self.profile.domains;
                let default = self.memory.layout().default_domain(rules);
                default.filter(|slot| self.memory.domain(*slot).is_some())
            }
        };
        Ok(KeyAttributes {
            domain,
            ..attributes
        })
    }
}
