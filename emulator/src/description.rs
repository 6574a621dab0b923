//! Descriptions of keys that hosts write to files C4xx, as far as people need them.
//!
//! ```text
//! 30 | A0 | A8 { 30 { 0C label, … }, … }       RSA, EC, AES: a PKCS#15 private or secret key object
//! ```

use crate::id::{FileId, KeyId};
use crate::memory::Memory;
use crate::tlv::Reader;

/// Longest label that is shown, in characters.
const LONGEST: usize = 64;

/// The label in a key's description, without control characters; `None` when there is none.
///
/// ```
/// use hsm2_emulator::description::label;
///
/// let description = [0xA0, 0x08, 0x30, 0x06, 0x0C, 0x04, b'm', b'a', b'i', b'n'];
/// assert_eq!(label(&description).as_deref(), Some("main"));
/// assert_eq!(label(&[0xA0, 0x03, 0x30, 0x06, 0x0C]), None);
/// ```
#[must_use]
pub fn label(description: &[u8]) -> Option<String> {
    let object = Reader::new(description).next_element().ok()?;
    let common = Reader::new(object.value).expect(0x30).ok()?;
    let label = Reader::new(common.value).expect(0x0C).ok()?;
    let text = std::str::from_utf8(label.value).ok()?;
    Some(
        text.chars()
            .filter(|character| !character.is_control())
            .take(LONGEST)
            .collect(),
    )
}

/// The label that a host gave a key of this card.
#[must_use]
pub fn label_of_key(memory: &Memory, key: KeyId) -> Option<String> {
    label(
        memory
            .file(FileId::of_description(key))
            .ok()?
            .content
            .expose(),
    )
}
