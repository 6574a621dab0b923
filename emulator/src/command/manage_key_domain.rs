//! MANAGE KEY DOMAIN, `80 52`, of which IMPORT DKEK SHARE is a part.

use super::Command;
use super::initialize_device::random_kek;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::domain::{DomainLayout, KeyDomain, Share};
use crate::id::DomainId;
use crate::key::Key;
use crate::profile::{DomainRules, Profile};
use crate::status::StatusWord;
use crate::xkek;

/// Shows, creates, fills, clears and deletes key domains. P2 names the slot.
///
/// ```text
/// 80 52 00 slot [Le]              status
/// 80 52 00 slot 20 share(32) Le   import one DKEK share
/// 80 52 01 slot 01 shares Le      create a DKEK domain; 00 shares: the card draws the DKEK
/// 80 52 02 slot Lc membership Le  join an XKEK domain; membership in the data field or EF 2F10
/// 80 52 03 slot Le                delete the domain
/// 80 52 04 slot Le                clear the KEK
/// response                        status of the domain, none after delete
/// ```
///
/// Status and share import need no PIN: `sc-hsm-tool` sends none. The numbers 02 and 04, and the
/// words for a slot that exists or is absent, for a share too many and for a bound key are
/// decided, not recorded: see [`DomainRules`].
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1 is none of these or of a later generation, the slot is not one of the card's, or create: the slot exists |
/// | 6700 | the data field has another length |
/// | 6982 | create, delete, clear: the user PIN was not presented |
/// | 6D00 | INITIALIZE allotted no key domain |
/// | 6A88 | the slot is absent; join: the group signer's device is not the selected key |
/// | 6A80 | join: malformed membership |
/// | 6985 | share: none is outstanding; join: a signature of the membership does not verify |
/// | 6A89 | delete: a key is bound to the domain |
///
/// The card joins when the group signer's request was made on the device whose key is selected,
/// and the signer vouches for this card's device key. See [`crate::xkek::join`].
pub(super) struct ManageKeyDomain {
    slot: DomainId,
    action: Action,
}

enum Action {
    Query,
    ImportShare(Share),
    CreateDkek { shares: u8 },
    JoinXkek { membership: Vec<u8> },
    Delete,
    ClearKek,
}

/// What P1 asks for.
#[derive(Clone, Copy)]
enum Form {
    StatusOrShare,
    CreateDkek,
    JoinXkek,
    Delete,
    ClearKek,
}

impl Form {
    fn of(p1: u8, rules: &DomainRules) -> Option<Self> {
        Some(match p1 {
            0x00 => Self::StatusOrShare,
            0x01 => Self::CreateDkek,
            0x03 => Self::Delete,
            join if join == rules.join_xkek => Self::JoinXkek,
            clear if clear == rules.clear_kek => Self::ClearKek,
            _ => return None,
        })
    }
}

impl Action {
    /// Before there were slots, there were one DKEK and its shares.
    fn is_known_to(&self, profile: &Profile) -> bool {
        profile.has_slots() || matches!(self, Self::Query | Self::ImportShare(_))
    }
}

impl Command for ManageKeyDomain {
    fn parse(apdu: &CommandApdu<'_>, profile: &Profile) -> Result<Self, StatusWord> {
        let form = Form::of(apdu.p1, &profile.domains).ok_or(StatusWord::IncorrectP1P2)?;
        let action = match (form, apdu.data) {
            (Form::StatusOrShare, []) => Action::Query,
            (Form::StatusOrShare, share) => Action::ImportShare(Share::new(
                share.try_into().map_err(|_| StatusWord::WrongLength)?,
            )),
            (Form::CreateDkek, [shares]) => Action::CreateDkek { shares: *shares },
            (Form::JoinXkek, membership) => Action::JoinXkek {
                membership: membership.to_vec(),
            },
            (Form::Delete, []) => Action::Delete,
            (Form::ClearKek, []) => Action::ClearKek,
            (Form::CreateDkek | Form::Delete | Form::ClearKek, _) => {
                return Err(StatusWord::WrongLength);
            }
        };
        Ok(Self {
            slot: DomainId(apdu.p2),
            action,
        })
    }

    fn access(&self) -> Access {
        match self.action {
            Action::Query | Action::ImportShare(_) => Access::Always,
            Action::CreateDkek { .. }
            | Action::JoinXkek { .. }
            | Action::Delete
            | Action::ClearKek => Access::User,
        }
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        let layout = card.memory.layout();
        if layout == DomainLayout::None {
            return Err(StatusWord::InstructionNotSupported);
        }
        if self.slot.0 >= layout.slots() || !self.action.is_known_to(card.profile) {
            return Err(StatusWord::IncorrectP1P2);
        }
        let rules = &card.profile.domains;
        let present = card.memory.domain(self.slot);
        let changed = match self.action {
            Action::Query => {
                let domain = present.ok_or(StatusWord::ReferencedDataNotFound)?;
                return Ok(Response::data(domain.status(rules)));
            }
            Action::ImportShare(share) => present
                .ok_or(rules.share_absent)?
                .with_share(&share)
                .ok_or(rules.share_unawaited)?,
            Action::CreateDkek { .. } | Action::JoinXkek { .. } if present.is_some() => {
                return Err(rules.slot_exists);
            }
            Action::CreateDkek { shares } => KeyDomain::dkek(shares, || random_kek(card)),
            Action::JoinXkek { membership } => {
                let membership = card.data_or_scratch(membership)?;
                let domain = xkek::join(card, membership.expose())?;
                card.session.scratch = None;
                domain
            }
            Action::ClearKek => present.ok_or(rules.delete_absent)?.cleared(),
            Action::Delete => {
                present.ok_or(rules.delete_absent)?;
                let is_bound = |key: &Key| key.attributes.domain == Some(self.slot);
                if card.memory.keys().any(|(_, key)| is_bound(key)) {
                    return Err(rules.key_bound);
                }
                card.memory.set_domain(self.slot, None);
                return Ok(Response::done());
            }
        };
        let status = changed.status(rules);
        card.memory.set_domain(self.slot, Some(changed));
        Ok(Response::data(status))
    }
}
