//! XKEK domains: membership of a group, and the KEK that two members agree on.

use crate::card::Context;
use crate::cvc::{AuthenticatedRequest, EcPublicKey};
use crate::domain::{Kek, KeyDomain, Uid};
use crate::id::{DomainId, KeyId};
use crate::profile::DomainUid;
use crate::status::StatusWord;
use crate::tlv::{Reader, Writer};

/// Algorithm identifier of XKEK derivation, in P2 of DECIPHER and in algorithm lists.
pub(crate) const DERIVE_XKEK: u8 = 0x84;

/// Tag of the group signer's signature; its byte is also the first of what is signed.
const MEMBERSHIP: u16 = 0x54;

/// id-key-domain-UID, 1.3.6.1.4.1.24991.3.2.2.
const OID_DOMAIN_UID: [u8; 11] = [
    0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x03, 0x02, 0x02,
];

/// The domain that a key-domain membership makes this card a member of.
///
/// ```text
/// membership   7F21 request of the group signer ‖ 42 ‖ 5F37 ‖ 54 40 r‖s
/// signed       54 ‖ X of this card's device key, 33 bytes, SHA-256
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A80 | the membership is malformed |
/// | 6A88 | the group signer's device is not the selected key |
/// | 6985 | a signature does not verify: tampered, or a membership of another card |
pub(crate) fn join(card: &Context<'_>, membership: &[u8]) -> Result<KeyDomain, StatusWord> {
    let request = AuthenticatedRequest::parse(membership)?;
    let mut rest = Reader::new(request.rest);
    let signature = rest.expect(MEMBERSHIP)?.value;
    rest.finish()?;
    let signer = card.attested_key(&request)?;
    let device = card.memory.device()?.key()?.public_point();
    let field_len = (device.len() - 1) / 2;
    let x = device.get(1..=field_len).ok_or(StatusWord::InternalError)?;
    let [_, tag] = MEMBERSHIP.to_be_bytes();
    signer
        .verify(&[&[tag], x].concat(), signature)
        .map_err(|_| StatusWord::ConditionsNotSatisfied)?;
    Ok(KeyDomain::Xkek {
        uid: domain_uid(&signer, card.profile.domains.uid).ok_or(StatusWord::InternalError)?,
        kek: None,
    })
}

/// The identifier of the group that this key signs for.
fn domain_uid(signer: &EcPublicKey, form: DomainUid) -> Option<Uid> {
    Uid::new(match form {
        DomainUid::Point => signer.point.get(1..)?.to_vec(),
        DomainUid::X => signer.x().to_vec(),
    })
}

/// Content of the extension element 65 of an exchange key's request: the domain it belongs to.
///
/// ```text
/// 73 { 06 id-key-domain-UID, 80 UID }
/// ```
pub(crate) fn domain_extension(uid: &Uid) -> Vec<u8> {
    Writer::new()
        .nested(0x73, |extension| {
            extension
                .element(0x06, &OID_DOMAIN_UID)
                .element(0x80, uid.as_bytes())
        })
        .into_vec()
}

/// Reads the domain that a request's extensions name.
fn domain_of(extensions: Option<&[u8]>) -> Result<&[u8], StatusWord> {
    let mut extensions = Reader::new(extensions.ok_or(StatusWord::WrongData)?);
    while !extensions.is_empty() {
        let mut extension = Reader::new(extensions.expect(0x73)?.value);
        if extension.expect(0x06)?.value == OID_DOMAIN_UID {
            let uid = extension.expect(0x80)?.value;
            extension.finish()?;
            return Ok(uid);
        }
    }
    Err(StatusWord::WrongData)
}

/// Agrees on the KEK of the exchange key's domain with a peer.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A88 | no such key; the peer's device is not the selected key; the peer is of another domain |
/// | 6984, 6A81 | the exchange key may not be used so |
/// | 6985 | the exchange key is not in an XKEK domain or may also agree in the clear (80), or a signature of the request does not verify |
/// | 6A80 | malformed request, no domain in it, or a key of another curve |
pub(crate) fn derive(card: &mut Context<'_>, key: KeyId, request: &[u8]) -> Result<(), StatusWord> {
    let exchange = card.use_key(key, DERIVE_XKEK)?;
    let secret = exchange.material.ec()?;
    if !exchange.attributes.may_exchange() {
        return Err(StatusWord::ConditionsNotSatisfied);
    }
    let (slot, uid) = own_domain(card, exchange.attributes.domain)?;
    let request = AuthenticatedRequest::parse(request)?;
    if !request.rest.is_empty() {
        return Err(StatusWord::WrongData);
    }
    let peer = card.attested_key(&request)?;
    if domain_of(request.request.extensions)? != uid.as_bytes() {
        return Err(StatusWord::ReferencedDataNotFound);
    }
    if peer.curve != secret.curve() {
        return Err(StatusWord::WrongData);
    }
    let rule = card.profile.domains.shared_point;
    let kek =
        Kek::from_shared_point(&secret.ecdh(&peer.point)?, rule).ok_or(StatusWord::WrongData)?;
    card.memory.set_domain(
        slot,
        Some(KeyDomain::Xkek {
            uid,
            kek: Some(kek),
        }),
    );
    Ok(())
}

fn own_domain(card: &Context<'_>, slot: Option<DomainId>) -> Result<(DomainId, Uid), StatusWord> {
    let slot = slot.ok_or(StatusWord::ConditionsNotSatisfied)?;
    match card.memory.domain(slot).map(AsRef::as_ref) {
        Some(KeyDomain::Xkek { uid, .. }) => Ok((slot, uid.clone())),
        _ => Err(StatusWord::ConditionsNotSatisfied),
    }
}
