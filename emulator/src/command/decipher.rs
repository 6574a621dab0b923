//! DECIPHER and key agreement, `80 62`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::crypto::Hash;
use crate::crypto::rsa::padding;
use crate::id::KeyId;
use crate::profile::Profile;
use crate::status::StatusWord;
use crate::xkek::{self, DERIVE_XKEK};

/// Deciphers with an RSA key or agrees on a secret with an EC key.
///
/// ```text
/// 80 62 key algorithm Lc data Le
/// 21   RSA                     modulus length -> modulus length, padding left in place
/// 22   RSA PKCS#1 v1.5         modulus length -> plain text
/// 23   RSA-OAEP, SHA-1         modulus length -> plain text
/// 80   ECDH                    04‖x‖y -> 04‖x‖y
/// 84   derive XKEK             peer's request, content of 67 or in EF 2F10 -> no data
/// ```
///
/// 84 replaces the KEK of the key's own domain, see [`crate::xkek::derive`] for its words.
///
/// The hash of 23 is inferred from the platform's own OAEP.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6700 | no data field, or Le is too small for the result |
/// | 6982 | the user PIN was not presented |
/// | 6A88 | no such key |
/// | 6984 | the key's use counter has expired |
/// | 6A81 | unknown algorithm, not in the key's list, or for another kind of key |
/// | 6A80 | wrong length, not below the modulus, wrong padding, not a point of the key's curve |
#[derive(Debug)]
pub(super) struct Decipher {
    key: KeyId,
    algorithm: u8,
    input: Vec<u8>,
}

impl Command for Decipher {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        let input = match apdu.p2 {
            DERIVE_XKEK => apdu.data,
            _ => apdu.expect_data()?,
        };
        Ok(Self {
            key: KeyId(apdu.p1),
            algorithm: apdu.p2,
            input: input.to_vec(),
        })
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        if self.algorithm == DERIVE_XKEK {
            let request = card.data_or_scratch(self.input)?;
            xkek::derive(card, self.key, request.expose())?;
            card.session.scratch = None;
            return Ok(Response::done());
        }
        let key = card.use_key(self.key, self.algorithm)?;
        let result = match self.algorithm {
            0x21..=0x23 => {
                let key = key.material.rsa()?;
                if self.input.len() != key.modulus_len() {
                    return Err(StatusWord::WrongData);
                }
                let block = key.raw(&self.input, card.rng)?;
                match self.algorithm {
                    0x22 => padding::pkcs1v15_unpad(&block)?.to_vec(),
                    0x23 => padding::oaep_unpad(Hash::Sha1, &[], &block)?.to_vec(),
                    _ => block.to_vec(),
                }
            }
            0x80 => key.material.ec()?.ecdh(&self.input)?.to_vec(),
            _ => return Err(StatusWord::FunctionNotSupported),
        };
        Ok(Response::data(result))
    }
}
