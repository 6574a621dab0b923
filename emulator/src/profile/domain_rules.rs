//! What no source settles about key domains: each point decided here, once, and by the profile.

use crate::id::DomainId;
use crate::status::StatusWord;

/// The decisions that a generation takes about key domains and wrapped keys.
///
/// All are inferred: of the vendor's card nothing is recorded for them, hosts test for 9000 or read
/// over the bytes. Where a compatible card is known to decide, its way is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainRules {
    /// P1 of MANAGE KEY DOMAIN for joining an XKEK domain. Source: a compatible card made to work
    /// with the vendor's key manager. (inferred)
    pub join_xkek: u8,
    /// P1 of MANAGE KEY DOMAIN for clearing the KEK. Source: the same. (inferred)
    pub clear_kek: u8,
    /// Form of the identifier of an XKEK domain. (inferred)
    pub uid: DomainUid,
    /// Which requests carry the identifier of the XKEK domain of their key. (inferred)
    pub uid_extension: UidExtension,
    /// The two bytes before the KCV in the status of an XKEK domain, where a DKEK domain has its
    /// shares. Source: no host reads them; zero is a compatible card's. (inferred)
    pub xkek_status: [u8; 2],
    /// How the KEK comes of the point that two cards share. (inferred)
    pub shared_point: SharedPointKek,
    /// The slot of a key that names none, on a card with slots; `None`: the key is in no domain, and
    /// cannot be wrapped. A compatible card takes slot 0. (inferred)
    pub default_slot: Option<DomainId>,
    /// Word for creating a domain, or joining one, in a slot that exists. (inferred)
    pub slot_exists: StatusWord,
    /// Word for a share to an absent slot. (inferred)
    pub share_absent: StatusWord,
    /// Word for deleting the domain, or clearing the KEK, of an absent slot. (inferred)
    pub delete_absent: StatusWord,
    /// Word for a share that the domain does not wait for. (inferred)
    pub share_unawaited: StatusWord,
    /// Word for deleting a domain that a key is bound to. (inferred)
    pub key_bound: StatusWord,
    /// Word of WRAP KEY for a key whose algorithm list does not name wrapping. A compatible card
    /// answers 6985; genuine tokens answer 6A81 to other unlisted algorithms, this one is not
    /// recorded. (inferred)
    pub wrap_not_listed: StatusWord,
    /// Word of UNWRAP KEY for a blob whose KCV is that of no KEK of the card. (inferred)
    pub unknown_kcv: StatusWord,
    /// Word of UNWRAP KEY for a blob with a wrong MAC. (inferred)
    pub wrong_mac: StatusWord,
    /// Largest RSA modulus in bits that WRAP KEY seals with the values of the Chinese remainder
    /// theorem, type 06; larger ones are type 05. A genuine RSA-4096 blob has room for nothing
    /// else, smaller ones are not recorded: 0. (inferred)
    pub wrap_crt_max_bits: u16,
}

/// How the identifier of an XKEK domain is made of the group signer's public point.
///
/// A compatible card uses both coordinates, and so do the published vectors; the vendor's host has
/// room for 54 bytes, which speaks for one. (inferred)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainUid {
    /// X‖Y.
    Point,
    /// X, the form of the default key domain.
    X,
}

/// Which requests carry the extension with the identifier of an XKEK domain. (inferred)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UidExtension {
    /// Only those of keys that may agree on an XKEK: they list 84, and not 80.
    ExchangeKeys,
    /// Those of all keys in the domain.
    AllKeys,
}

/// How the KEK comes of the point 04‖x‖y that two cards share; curves of 256 bits only.
///
/// The vendor's rule is unknown and never leaves the cards. (inferred)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedPointKek {
    /// x, no further derivation: the rule of a compatible card and of the published vectors.
    X,
    /// SHA-256(x).
    HashedX,
}

/// The rules of every generation that is here.
pub(super) const INFERRED: DomainRules = DomainRules {
    join_xkek: 0x02,
    clear_kek: 0x04,
    uid: DomainUid::Point,
    uid_extension: UidExtension::ExchangeKeys,
    xkek_status: [0, 0],
    shared_point: SharedPointKek::X,
    default_slot: None,
    slot_exists: StatusWord::IncorrectP1P2,
    share_absent: StatusWord::ReferencedDataNotFound,
    delete_absent: StatusWord::ReferencedDataNotFound,
    share_unawaited: StatusWord::ConditionsNotSatisfied,
    key_bound: StatusWord::FileExists,
    wrap_not_listed: StatusWord::ConditionsNotSatisfied,
    unknown_kcv: StatusWord::WrongData,
    wrong_mac: StatusWord::WrongData,
    wrap_crt_max_bits: 0,
};
