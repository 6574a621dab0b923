//! UNWRAP KEY, `80 74`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::blob::Envelope;
use crate::card::Context;
use crate::domain::{DomainLayout, Kek};
use crate::id::{DomainId, KeyId};
use crate::key::{Key, KeyAttributes};
use crate::profile::Profile;
use crate::status::StatusWord;

/// Algorithm identifier of unwrapping, in P2.
const UNWRAP: u8 = 0x93;

/// Takes a key in that was sealed under a KEK of this card.
///
/// ```text
/// 80 74 key 93 Lc blob
/// 80 74 key 93              the blob is in EF 2F10, which is emptied
/// ```
///
/// The blob's KCV selects the domain, the lowest slot first; the key is bound to it. Its
/// algorithm list comes along, a use counter does not. Neither a description nor a request is
/// made: a request would attest that the key was made here. Source: a genuine 4.1 token.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P2 is not 93 |
/// | 6982 | the user PIN was not presented |
/// | 6D00 | INITIALIZE allotted no key domain |
/// | 6A89 | the key exists |
/// | 6A88 | no domain has a KEK, or there is no blob |
/// | 6A80 | no KEK has this KCV; malformed or tampered blob; a key that this card does not take |
/// | 6F00 | the key has an algorithm list, and the generation cannot take one (3.1) |
/// | 6A84 | the card's memory is full |
pub(super) struct UnwrapKey {
    key: KeyId,
    /// Empty when the blob is in EF 2F10.
    blob: Vec<u8>,
}

impl Command for UnwrapKey {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        if apdu.p2 != UNWRAP {
            return Err(StatusWord::IncorrectP1P2);
        }
        Ok(Self {
            key: KeyId(apdu.p1),
            blob: apdu.data.to_vec(),
        })
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        if card.memory.layout() == DomainLayout::None {
            return Err(StatusWord::InstructionNotSupported);
        }
        card.require_free(self.key)?;
        let keks = keks(card);
        if keks.is_empty() {
            return Err(StatusWord::ReferencedDataNotFound);
        }
        let blob = card.data_or_scratch(self.blob)?;
        let envelope = Envelope::parse(blob.expose())?;
        let (slot, kek) = keks
            .into_iter()
            .find(|(_, kek)| kek.kcv() == envelope.kcv)
            .ok_or(card.profile.domains.unknown_kcv)?;
        let unsealed = envelope.open(kek, card.profile)?;
        if unsealed.algorithms.is_some() && !card.profile.unwrap_listed {
            return Err(StatusWord::InternalError);
        }
        let attributes = KeyAttributes {
            algorithms: unsealed.algorithms,
            domain: Some(slot),
            ..KeyAttributes::default()
        };
        card.memory.put_key(
            self.key,
            Key {
                material: unsealed.material,
                attributes,
            },
        );
        card.check_memory()?;
        card.session.scratch = None;
        Ok(Response::done())
    }
}

/// The KEKs of this card, the lowest slot first.
fn keks<'a>(card: &'a Context<'_>) -> Vec<(DomainId, &'a Kek)> {
    let slots = card.memory.layout().ids();
    slots
        .filter_map(|slot| Some((slot, card.memory.domain(slot)?.kek()?)))
        .collect()
}
