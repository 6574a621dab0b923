//! Key domains: what a card says of one, and what it is told.

use super::command::{Command, Expect};
use super::cvc::Request;
use super::keys::DERIVE_XKEK;
use super::{Card, CardError, Outcome, SCRATCH};
use crate::dkek::{CheckValue, Dkek};

/// State of one slot.
///
/// ```text
/// shares, outstanding, KCV (8)           a DKEK domain, exactly 10 bytes
/// two bytes of no use, KCV (8), UID      an XKEK domain
/// ```
///
/// Eight zero bytes of KCV: there is no KEK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainStatus {
    /// KCV, when there is a KEK.
    pub check_value: Option<CheckValue>,
    /// What kind of domain it is.
    pub kind: DomainKind,
}

/// Kind of a key domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainKind {
    /// Its KEK is made of shares.
    Dkek {
        /// Shares in all.
        shares: u8,
        /// Shares still to come.
        outstanding: u8,
    },
    /// Its KEK is agreed on by two cards of a group.
    Xkek {
        /// Identifier of the group.
        uid: Vec<u8>,
    },
}

impl DomainStatus {
    /// Reads the answer to MANAGE KEY DOMAIN; `None` for fewer than 10 bytes.
    #[must_use]
    pub fn parse(answer: &[u8]) -> Option<Self> {
        let (&[shares, outstanding], rest) = answer.split_first_chunk::<2>()?;
        let (kcv, uid) = rest.split_first_chunk::<8>()?;
        Some(Self {
            check_value: (*kcv != [0; 8]).then_some(CheckValue(*kcv)),
            kind: match uid {
                [] => DomainKind::Dkek {
                    shares,
                    outstanding,
                },
                uid => DomainKind::Xkek { uid: uid.to_vec() },
            },
        })
    }
}

/// Key domains.
impl Card {
    fn manage(&mut self, name: &'static str, p1: u8, slot: u8, data: &[u8]) -> Outcome {
        let command = Command::new(name, [0x80, 0x52, p1, slot]).data(data);
        self.run(&command.expect(Expect::Short))
    }

    fn manage_and_read(
        &mut self,
        name: &'static str,
        p1: u8,
        slot: u8,
        data: &[u8],
    ) -> Result<DomainStatus, CardError> {
        let status = self.manage(name, p1, slot, data)?;
        DomainStatus::parse(&status).ok_or_else(|| CardError::Answer {
            command: name,
            what: format!("{} bytes are no status of a key domain", status.len()),
        })
    }

    /// State of a slot.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6A88 for an absent domain, 6A86 for a slot that the card has not.
    pub fn domain(&mut self, slot: u8) -> Result<DomainStatus, CardError> {
        self.manage_and_read("KEY DOMAIN status", 0x00, slot, &[])
    }

    /// Creates a DKEK domain that waits for this many shares.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn create_dkek(&mut self, slot: u8, shares: u8) -> Result<DomainStatus, CardError> {
        self.manage_and_read("KEY DOMAIN create", 0x01, slot, &[shares])
    }

    /// Imports one DKEK share.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn import_share(&mut self, slot: u8, share: &Dkek) -> Result<DomainStatus, CardError> {
        self.manage_and_read("IMPORT DKEK SHARE", 0x00, slot, share.expose())
    }

    /// Joins an XKEK domain; the device that holds the group signer must be selected, see
    /// [`Card::trust`].
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6985 when the membership is another card's.
    pub fn join(&mut self, slot: u8, membership: &[u8]) -> Result<DomainStatus, CardError> {
        self.manage_and_read("KEY DOMAIN join", 0x02, slot, membership)
    }

    /// Forgets the KEK of a domain; its keys stay and go on working.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn clear_kek(&mut self, slot: u8) -> Result<DomainStatus, CardError> {
        self.manage_and_read("KEY DOMAIN clear KEK", 0x04, slot, &[])
    }

    /// Agrees on the KEK of the exchange key's domain with the sender of a request.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6A88 when the request is of another group.
    pub fn derive_xkek(&mut self, key: u8, peer: &Request) -> Result<(), CardError> {
        let command = Command::new("DERIVE XKEK", [0x80, 0x62, key, DERIVE_XKEK]);
        self.run(&command.data(&peer.content).expect(Expect::All))
            .map(|_| ())
    }

    /// As [`Card::derive_xkek`], with the request written to EF 2F10 in blocks before.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn derive_xkek_in_blocks(&mut self, key: u8, peer: &Request) -> Result<(), CardError> {
        self.write(SCRATCH, &peer.content)?;
        let command = Command::new("DERIVE XKEK", [0x80, 0x62, key, DERIVE_XKEK]);
        self.run(&command.expect(Expect::Short)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_tells_the_kinds_apart() {
        assert_eq!(DomainStatus::parse(&[0; 9]), None);
        let dkek = DomainStatus::parse(&[2, 1, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(dkek.check_value, None);
        let (shares, outstanding) = (2, 1);
        assert_eq!(
            dkek.kind,
            DomainKind::Dkek {
                shares,
                outstanding
            }
        );
        let xkek = DomainStatus::parse(&[0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
        assert_eq!(xkek.check_value, Some(CheckValue([1, 2, 3, 4, 5, 6, 7, 8])));
        assert_eq!(xkek.kind, DomainKind::Xkek { uid: vec![9] });
    }
}
