//! Device generations: what differs between them, as data.

use crate::crypto::Curve;
use crate::status::StatusWord;

/// One generation of the device: identity, limits and every decision that a generation may take
/// differently.
///
/// Handlers ask the profile; they never compare versions.
#[derive(Debug)]
pub struct Profile {
    /// Name on the command line and in the card file.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Answer to reset.
    pub atr: &'static [u8],
    /// Platform byte in tag 85 of the applet's FCI.
    pub platform: u8,
    /// Firmware version, major and minor.
    pub version: (u8, u8),
    /// Longest command APDU in bytes that the card's buffer takes; longer ones answer 6700.
    pub apdu_buffer: usize,
    /// Most bytes one GET CHALLENGE returns.
    pub challenge_max: usize,
    /// Non-volatile memory of an empty card in bytes, as the information query shows it.
    pub memory: usize,
    /// Largest elementary file in bytes.
    pub file_max: usize,
    /// RSA modulus sizes in bits.
    pub rsa_bits: &'static [u16],
    /// Curves that keys may be generated on and unwrapped to.
    pub curves: &'static [Curve],
    /// Largest RSA modulus in bits that UNWRAP takes in the CRT form; 6A80 above.
    pub unwrap_crt_max_bits: u16,
    /// Form of the identifier of an XKEK domain. (inferred)
    pub domain_uid: DomainUid,
    /// Word of WRAP KEY for a key whose algorithm list does not name wrapping. A compatible card
    /// answers 6985; genuine tokens answer 6A81 to other unlisted algorithms, this one is not
    /// recorded. (inferred)
    pub wrap_not_listed: StatusWord,
    /// Most key-domain slots that INITIALIZE allots (tag 97). (inferred)
    pub domain_slots_max: u8,
}

/// Nitrokey HSM 2 with firmware 3.6 on JCOP 3: the generation most owners have.
///
/// Sources: ATR and limits from the hosts' tables, version and platform byte from status output
/// of genuine tokens, memory from the vendor's key manager on a 3.4 card.
pub static NITROKEY_HSM2: Profile = Profile {
    name: "nitrokey-hsm2",
    description: "Nitrokey HSM 2 / SmartCard-HSM 4K, firmware 3.6",
    atr: &[
        0x3B, 0xDE, 0x96, 0xFF, 0x81, 0x91, 0xFE, 0x1F, 0xC3, 0x80, 0x31, 0x81, 0x54, 0x48, 0x53,
        0x4D, 0x31, 0x73, 0x80, 0x21, 0x40, 0x81, 0x07, 0x92,
    ],
    platform: 0x00,
    version: (3, 6),
    apdu_buffer: 1232,
    challenge_max: 1024,
    memory: 81_356,
    file_max: 0x7FFF,
    rsa_bits: &[1024, 1536, 2048, 3072, 4096],
    curves: &Curve::ALL,
    unwrap_crt_max_bits: 2048,
    domain_uid: DomainUid::Point,
    wrap_not_listed: StatusWord::ConditionsNotSatisfied,
    domain_slots_max: 16,
};

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

/// Every profile, the default first.
pub static PROFILES: &[&Profile] = &[&NITROKEY_HSM2];

impl Profile {
    /// Finds a profile by its name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        PROFILES
            .iter()
            .copied()
            .find(|profile| profile.name == name)
    }
}
