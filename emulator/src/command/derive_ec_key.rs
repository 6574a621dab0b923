//! DERIVE EC KEY, `80 76`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::id::KeyId;
use crate::key::{DERIVE_EC, Key, KeyAttributes, KeyMaterial};
use crate::profile::Profile;
use crate::secret::Secret;
use crate::status::StatusWord;

/// Makes a key of an EC key and a parameter.
///
/// ```text
/// 80 76 key new Lc 98 ‖ parameter      parameter: 1 to n-1, big endian, at most n's length
/// ```
///
/// The new private key is the sum of the old one and the parameter, modulo n: the one rule that
/// lets a host that has the public key compute the new one. Which rule genuine tokens have is not
/// published, and no host computes it. (inferred)
///
/// From the new key and the parameter follows the old key. So the new key is bound to the same
/// domain and has the same algorithm list: nothing may leave the card or be done that the old key
/// forbids. It has no use counter; the old key's counts the derivation. No request is made, as none
/// could name the key. (inferred)
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6700 | no data field |
/// | 6A81 | the first byte is not 98 |
/// | 6982 | the user is not authenticated |
/// | 6A89 | the new key exists |
/// | 6A88 | no such key |
/// | 6984 | the key's use counter has expired |
/// | 6A81 | the key does not list 98, or is no EC key |
/// | 6A80 | the parameter is not in its range, or the sum is zero |
/// | 6A84 | the card's memory is full |
///
/// Source: sc-hsm-embedded for what is sent; a genuine token for 6A81 of a key without list.
#[derive(Debug)]
pub(super) struct DeriveEcKey {
    key: KeyId,
    new: KeyId,
    parameter: Secret,
}

impl Command for DeriveEcKey {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        match apdu.expect_data()? {
            [DERIVE_EC, parameter @ ..] => Ok(Self {
                key: KeyId(apdu.p1),
                new: KeyId(apdu.p2),
                parameter: Secret::from(parameter),
            }),
            _ => Err(StatusWord::FunctionNotSupported),
        }
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        card.require_free(self.new)?;
        let key = card.use_key(self.key, DERIVE_EC)?;
        let derived = key.material.ec()?.plus(self.parameter.expose())?;
        let attributes = KeyAttributes {
            uses_left: None,
            ..key.attributes.clone()
        };
        card.memory.put_key(
            self.new,
            Key {
                material: KeyMaterial::Ec(derived.into()),
                attributes,
            },
        );
        card.check_memory()?;
        Ok(Response::done())
    }
}
