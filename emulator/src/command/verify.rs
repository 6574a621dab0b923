//! VERIFY, `00 20`, and its form for biometric templates, `80 20`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::pin::{Pin, PinReference};
use crate::profile::Profile;
use crate::secret::Secret;
use crate::status::StatusWord;

/// Presents a PIN, or asks for the state of one.
///
/// ```text
/// 00 20 P1 P2 Lc PIN      P2 = 81 user PIN or session PIN, 88 SO-PIN; no padding
/// 00 20 P1 P2             status query: spends no try
/// ```
///
/// P1 is 00; a genuine token was seen to take 01 as well.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1 is neither 00 nor 01 |
/// | 6A88 | P2 is no PIN of this card, or the PIN was never set |
/// | 6A80 | no PIN has this length; no try is spent |
/// | 6983 | no try is left |
/// | 6984 | the user PIN is a transport PIN and must be changed first; no try is spent. Before 2.0 also: the card was never initialised |
/// | 6300 | query: custodians must authenticate, and have not |
/// | 63Cx | wrong PIN, x tries are left; for a query: not verified in this session |
/// | 6581 | the spent try could not be made durable; nothing was compared |
///
/// A query answers 9000 while the PIN counts as verified.
#[derive(Debug)]
pub(super) struct Verify {
    reference: PinReference,
    /// `None` for a status query.
    candidate: Option<Secret>,
}

impl Command for Verify {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        if apdu.p1 > 0x01 {
            return Err(StatusWord::IncorrectP1P2);
        }
        let reference = PinReference::from_p2(apdu.p2)?;
        if apdu.data.is_empty() {
            return Ok(Self {
                reference,
                candidate: None,
            });
        }
        if !reference.accepts_length(apdu.data.len()) {
            return Err(StatusWord::WrongData);
        }
        Ok(Self {
            reference,
            candidate: Some(apdu.data.into()),
        })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        let Some(candidate) = self.candidate else {
            return query(card, self.reference);
        };
        let pin = pin(card, self.reference)?;
        if pin.tries_left() > 0 && pin.is_transport() {
            return Err(StatusWord::ReferenceDataNotUsable);
        }
        match self.reference {
            PinReference::User => card.present_user_or_session_pin(candidate.expose())?,
            PinReference::SecurityOfficer => {
                card.present_pin(self.reference, |pin| pin.matches(candidate.expose()))?;
            }
        }
        card.session.set_verified(self.reference, true);
        Ok(Response::done())
    }
}

/// Whether all that this PIN stands for is fulfilled.
fn authenticated(card: &Context<'_>, reference: PinReference) -> bool {
    match reference {
        PinReference::User => card.user_is_authenticated(),
        PinReference::SecurityOfficer => card.session.is_verified(reference),
    }
}

/// The PIN, or the generation's word for that of a card that was never initialised.
fn pin<'a>(card: &'a Context<'_>, reference: PinReference) -> Result<&'a Pin, StatusWord> {
    match card.memory.pin(reference) {
        Ok(pin) => Ok(pin),
        Err(_) if reference == PinReference::User && card.memory.setup().is_none() => {
            Err(card.profile.virgin_user_pin)
        }
        Err(absent) => Err(absent),
    }
}

fn query(card: &Context<'_>, reference: PinReference) -> Result<Response, StatusWord> {
    if reference == PinReference::User && keys_are_missing(card) {
        return Err(StatusWord::AuthenticationFailed);
    }
    let pin = match pin(card, reference) {
        Err(_) if authenticated(card, reference) => return Ok(Response::done()),
        pin => pin?,
    };
    match pin.tries_left() {
        0 => Err(StatusWord::AuthenticationBlocked),
        _ if authenticated(card, reference) => Ok(Response::done()),
        _ if pin.is_transport() => Err(StatusWord::ReferenceDataNotUsable),
        left => Err(StatusWord::TriesLeft(left)),
    }
}

/// Whether the custodians are what the user still lacks: there is no PIN, or it was presented and
/// does not suffice.
fn keys_are_missing(card: &Context<'_>) -> bool {
    let pin_is_done = card.memory.pin(PinReference::User).is_err()
        || card.session.is_verified(PinReference::User);
    card.quorum().is_ok() && pin_is_done && !card.user_is_authenticated()
}

/// Presents a fingerprint; no card here has templates to compare it with.
///
/// ```text
/// 80 20 00 85 Lc 7F24 ...  template 1, with tag 95 of INITIALIZE DEVICE
/// 80 20 00 86 Lc 7F24 ...  template 2, with tag 96
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1 is not 00 |
/// | 6E00 | P2 is no template: PINs are presented under class 00 |
/// | 6A88 | always: there is no such template |
///
/// Source: hosts of cards without a fingerprint reader expect 6A82 or 6A88; 6A88 is what the status
/// query of class 00 answers. (inferred)
#[derive(Debug)]
pub(super) struct VerifyTemplate;

impl Command for VerifyTemplate {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        match (apdu.p1, apdu.p2) {
            (0x00, 0x85 | 0x86) => Ok(Self),
            (_, 0x85 | 0x86) => Err(StatusWord::IncorrectP1P2),
            _ => Err(StatusWord::ClassNotSupported),
        }
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, _: &mut Context<'_>) -> Result<Response, StatusWord> {
        Err(StatusWord::ReferencedDataNotFound)
    }
}
