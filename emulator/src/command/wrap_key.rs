//! WRAP KEY, `80 72`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::blob;
use crate::card::Context;
use crate::domain::DomainLayout;
use crate::id::KeyId;
use crate::profile::Profile;
use crate::status::StatusWord;

/// Algorithm identifier of wrapping, in P2 and in algorithm lists.
const WRAP: u8 = 0x92;

/// Returns a key sealed under the KEK of its own domain.
///
/// ```text
/// 80 72 key 92 Le      response: key blob
/// ```
///
/// Wrapping is a use of the key: it takes one off the counter. (inferred)
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P2 is not 92 |
/// | 6700 | there is a data field, or Le is too small for the blob |
/// | 6982 | the user PIN was not presented |
/// | 6D00 | INITIALIZE allotted no key domain |
/// | 6A88 | no such key, the key is in no domain, or its domain has no KEK |
/// | 6984 | the key's use counter has expired |
/// | 6985 | the key's algorithm list does not name 92 |
pub(super) struct WrapKey {
    key: KeyId,
}

impl Command for WrapKey {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        if apdu.p2 != WRAP {
            return Err(StatusWord::IncorrectP1P2);
        }
        apdu.expect_no_data()?;
        Ok(Self {
            key: KeyId(apdu.p1),
        })
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        if card.memory.layout() == DomainLayout::None {
            return Err(StatusWord::InstructionNotSupported);
        }
        let key = card.use_key_or(self.key, WRAP, card.profile.domains.wrap_not_listed)?;
        let kek = key
            .attributes
            .domain
            .and_then(|slot| card.memory.domain(slot))
            .and_then(|domain| domain.kek())
            .ok_or(StatusWord::ReferencedDataNotFound)?;
        let algorithms = key.attributes.algorithms.as_deref();
        Ok(Response::data(blob::seal(
            kek,
            &key.material,
            algorithms,
            card.profile,
            card.rng,
        )?))
    }
}
