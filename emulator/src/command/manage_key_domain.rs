//! MANAGE KEY DOMAIN, `80 52`, of which IMPORT DKEK SHARE is a part.

use super::Command;
use super::initialize_device::random_kek;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::domain::{DomainLayout, KeyDomain, Share};
use crate::id::DomainId;
use crate::profile::Profile;
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
/// Status and share import need no PIN: `sc-hsm-tool` sends none. P1 = 01, 02 and 04 are those of a
/// compatible card made to work with the vendor's key manager.
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
///
/// The words for a slot that exists or is absent, for a share too many and for a bound key are
/// decided, not recorded: hosts test for 9000 only.
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

impl Action {
    /// Before there were slots, there were one DKEK and its shares.
    fn is_known_to(&self, profile: &Profile) -> bool {
        profile.has_slots() || matches!(self, Self::Query | Self::ImportShare(_))
    }
}

impl Command for ManageKeyDomain {
    fn parse(apdu: &CommandApdu<'_>) -> Result<Self, StatusWord> {
        let action = match (apdu.p1, apdu.data) {
            (0x00, []) => Action::Query,
            (0x00, share) => Action::ImportShare(Share::new(
                share.try_into().map_err(|_| StatusWord::WrongLength)?,
            )),
            (0x01, [shares]) => Action::CreateDkek { shares: *shares },
            (0x02, membership) => Action::JoinXkek {
                membership: membership.to_vec(),
            },
            (0x03, []) => Action::Delete,
            (0x04, []) => Action::ClearKek,
            (0x01 | 0x03 | 0x04, _) => return Err(StatusWord::WrongLength),
            _ => return Err(StatusWord::IncorrectP1P2),
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
        let present = card
            .memory
            .domain(self.slot)
            .ok_or(StatusWord::ReferencedDataNotFound);
        let changed = match self.action {
            Action::Query => return Ok(Response::data(present?.status())),
            Action::ImportShare(share) => present?
                .with_share(&share)
                .ok_or(StatusWord::ConditionsNotSatisfied)?,
            Action::CreateDkek { .. } | Action::JoinXkek { .. } if present.is_ok() => {
                return Err(StatusWord::IncorrectP1P2);
            }
            Action::CreateDkek { shares } => KeyDomain::dkek(shares, || random_kek(card)),
            Action::JoinXkek { membership } => {
                let membership = card.data_or_scratch(membership)?;
                let domain = xkek::join(card, membership.expose())?;
                card.session.scratch = None;
                domain
            }
            Action::ClearKek => present?.cleared(),
            Action::Delete => {
                present?;
                if card
                    .memory
                    .keys()
                    .any(|(_, key)| key.attributes.domain == Some(self.slot))
                {
                    return Err(StatusWord::FileExists);
                }
                card.memory.set_domain(self.slot, None);
                return Ok(Response::done());
            }
        };
        let status = changed.status();
        card.memory.set_domain(self.slot, Some(changed));
        Ok(Response::data(status))
    }
}
