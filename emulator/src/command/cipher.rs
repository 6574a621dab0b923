//! ENCIPHER, DECIPHER, MAC and DERIVE with an AES key, `80 78`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::crypto::{kdf, symmetric};
use crate::id::KeyId;
use crate::key::DERIVE_SECRET;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::status::StatusWord;

/// Uses an AES key.
///
/// ```text
/// 80 78 key algorithm Lc data Le
/// 10   CBC encipher   n·16 -> n·16      the initial vector is zero: hosts XOR theirs themselves
/// 11   CBC decipher   n·16 -> n·16
/// 18   CMAC           any length -> 16  there is no command to verify one: hosts compare
/// 99   derive         any length -> 32  see [`kdf::derive`]; only a key that lists 99
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6700 | no data field, or Le is too small for the result |
/// | 6982 | the user is not authenticated |
/// | 6A88 | no such key |
/// | 6984 | the key's use counter has expired |
/// | 6A81 | unknown algorithm, not in the key's list, or for another kind of key |
/// | 6A80 | the data is no multiple of 16 |
///
/// Source: a genuine token for 6A81 of 10, 11 and 99 on RSA and EC keys.
#[derive(Debug)]
pub(super) struct Cipher {
    key: KeyId,
    algorithm: u8,
    input: Secret,
}

impl Command for Cipher {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        let input = Secret::from(apdu.expect_data()?);
        Ok(Self {
            key: KeyId(apdu.p1),
            algorithm: apdu.p2,
            input,
        })
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        let key = card.use_key(self.key, self.algorithm)?;
        let key = key.material.aes()?.expose();
        let input = self.input.expose();
        let result = match self.algorithm {
            0x10 => symmetric::aes_cbc_encrypt(key, &[0; 16], input)?,
            0x11 => symmetric::aes_cbc_decrypt(key, &[0; 16], input)?,
            0x18 => symmetric::aes_cmac(key, input)?.to_vec(),
            DERIVE_SECRET => kdf::derive(key, input)?.to_vec(),
            _ => return Err(StatusWord::FunctionNotSupported),
        };
        Ok(Response::data(result))
    }
}
