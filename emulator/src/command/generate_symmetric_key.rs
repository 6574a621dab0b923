//! GENERATE SYMMETRIC KEY, `00 48`.

use zeroize::Zeroizing;

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::id::KeyId;
use crate::key::{Key, KeyAttributes, KeyMaterial};
use crate::key_attributes::parse_attributes;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::status::StatusWord;

/// Makes an AES key.
///
/// ```text
/// 00 48 key B0 Lc { [91 n algorithms] [90 04 uses] [92 01 domain] [93 01 wrapping key] }
///           B0 AES-128, B1 AES-192, B2 AES-256
/// ```
///
/// Nothing is returned, and no request is made: there is nothing to attest. Without a data field
/// the key has no conditions of use.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P2 is none of these |
/// | 6A80 | malformed conditions of use |
/// | 6982 | the user is not authenticated |
/// | 6A89 | the key exists |
/// | 6A88 | the key domain does not exist |
/// | 6A84 | the card's memory is full |
#[derive(Debug)]
pub(super) struct GenerateSymmetricKey {
    key: KeyId,
    length: usize,
    attributes: KeyAttributes,
}

impl Command for GenerateSymmetricKey {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        let length = match apdu.p2 {
            0xB0 => 16,
            0xB1 => 24,
            0xB2 => 32,
            _ => return Err(StatusWord::IncorrectP1P2),
        };
        Ok(Self {
            key: KeyId(apdu.p1),
            length,
            attributes: parse_attributes(apdu.data)?,
        })
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        card.require_free(self.key)?;
        let attributes = card.bind(self.attributes)?;
        let mut bytes = Zeroizing::new(vec![0; self.length]);
        card.rng.fill_bytes(&mut bytes);
        let material = KeyMaterial::Aes(Secret::from(bytes.as_slice()));
        card.memory.put_key(
            self.key,
            Key {
                material,
                attributes,
            },
        );
        card.check_memory()?;
        Ok(Response::done())
    }
}
