//! What a card says of a key domain.

use crate::dkek::CheckValue;

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
