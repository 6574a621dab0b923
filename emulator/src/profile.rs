//! Device generations: what differs between them, as data.
//!
//! One module for each generation holds its table. A generation whose tokens were not seen to
//! differ from the next in a field takes the value over from it. What no source states is marked
//! (inferred), what is taken over only because something must be chosen, (unknown).
//!
//! Not told apart:
//!
//! - how READ BINARY ends a file before and after firmware 3.4: no record shows a difference, hosts
//!   only stop reading earlier;
//! - what firmware 3.5 once answered to a status query of public key authentication beside two kinds
//!   of key domain: one report, which nobody could repeat;
//! - whether firmware before 2.0 has a secure channel at all (unknown): the oldest generation has that
//!   of the next;
//! - the flag of VERIFY, from 2.1 on, that leaves a login unbound: the manual that names it is not
//!   public. P1 01 is accepted, as a genuine token was seen to do, and changes nothing;
//! - that memory which is used up is reported once and then collected, and that INITIALIZE DEVICE on
//!   a full card can answer 6A84 and succeed the second time: memory is counted exactly here, so
//!   there is nothing to collect. Hosts that repeat the command work;
//! - answers to reset of contactless cards and of other readers' forms: hosts look for an ATR of a
//!   contact card, and a contactless one makes them want a channel before any PIN.

mod domain_rules;
mod nitrokey_hsm;
mod nitrokey_hsm2;
mod nitrokey_hsm2_3_1;
mod nitrokey_hsm2_3_5;
mod nitrokey_hsm2_4_1;
mod smartcard_hsm_1_2;

use crate::crypto::Curve;
use crate::status::StatusWord;

pub use domain_rules::{DomainRules, DomainUid, SharedPointKek, UidExtension};

/// One generation of the device: identity, limits and every decision that a generation may take
/// differently.
///
/// Handlers ask the profile; they never compare versions.
#[derive(Debug)]
pub struct Profile {
    /// Name on the command line and in the card file; never given to another generation.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Answer to reset. Source: the hosts' tables of cards.
    pub atr: &'static [u8],
    /// Form of tag 85 in the applet's FCI.
    pub applet_information: AppletInformation,
    /// Firmware version, major and minor.
    pub version: (u8, u8),

    /// Longest command APDU in bytes that the card's buffer takes; longer ones answer 6700.
    /// Source: OpenSC's figures for each chip.
    pub apdu_buffer: usize,
    /// Most bytes one GET CHALLENGE returns. Source: the hosts' own limit; of the card (unknown).
    pub challenge_max: usize,
    /// Non-volatile memory of an empty card in bytes, as the information query shows it.
    pub memory: usize,
    /// What keys take of the memory.
    pub footprint: Footprint,
    /// Largest elementary file in bytes. (inferred: offsets have 15 bits in the even forms)
    pub file_max: usize,

    /// Instruction bytes of commands that came with a later generation; they answer 6D00.
    pub absent_commands: &'static [u8],
    /// Algorithms that came with a later generation; 6A81 for every key.
    pub absent_algorithms: &'static [u8],
    /// Objects of INITIALIZE DEVICE that came with a later generation; 6A80 as for any unknown
    /// one. (inferred)
    pub absent_objects: &'static [u8],
    /// Option bits of INITIALIZE DEVICE that this generation knows, of those that this program
    /// has; others answer 6A80.
    pub options: u16,
    /// Whether INITIALIZE DEVICE without data tells memory and version. Source: the vendor's host
    /// asks from 2.4 on; before, it answers 6700 (inferred).
    pub information_query: bool,
    /// Most key-domain slots that INITIALIZE DEVICE allots (tag 97), 0 for none: the actions of
    /// MANAGE KEY DOMAIN on slots then answer 6A86. (inferred)
    pub domain_slots_max: u8,

    /// RSA modulus sizes in bits; others answer 6A80.
    pub rsa_bits: &'static [u16],
    /// Curves that keys may be generated on and unwrapped to; others answer 6A80.
    pub curves: &'static [Curve],
    /// Lengths of AES keys in bytes that UNWRAP takes; others answer 6A80.
    pub aes_lengths: &'static [u16],

    /// Word of VERIFY for the user PIN of a card that was never initialised.
    pub virgin_user_pin: StatusWord,
    /// Whether GENERATE ASYMMETRIC KEY PAIR wants a CAR (tag 42) in the template, 6A80 without.
    /// Source: the vendor's PKCS#11 module sends one before 2.0 only; the word is inferred.
    pub wants_inner_authority: bool,
    /// Largest RSA modulus in bits that UNWRAP takes in the CRT form; 6A80 above.
    pub unwrap_crt_max_bits: u16,
    /// Whether UNWRAP takes a key that has an algorithm list; 6F00 otherwise.
    pub unwrap_listed: bool,
    /// Default algorithm that WRAP writes into the blob of an AES key. UNWRAP takes any.
    pub wrapped_aes_oid: &'static [u8],
    /// Whether a login made through the secure channel ends with the channel; otherwise it is like one
    /// that was made without. Source: the vendor, who binds it from 2.0 on.
    pub channel_binds_login: bool,
    /// Whether the issuer's certificate ends with an empty extension, `65 00`.
    pub empty_issuer_extension: bool,
    /// What is decided about key domains.
    pub domains: DomainRules,
}

/// What tag 85 of the applet's FCI says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppletInformation {
    /// Version major ‖ minor: before 2.0.
    Version,
    /// Options(2) ‖ this platform byte ‖ version major ‖ minor.
    Full {
        /// 00, 01 and 02 stand for JCOP. Source: the vendor's manual of 3.5.
        platform: u8,
    },
}

/// Bytes of memory that a key takes, by its kind.
///
/// The capacities that the vendor states fit a fixed part and eight times the key's length.
/// (inferred)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// RSA, by the bytes of the modulus.
    pub rsa: Linear,
    /// Elliptic curve, by the bytes of the field.
    pub ec: Linear,
    /// AES, by the bytes of the key.
    pub aes: Linear,
}

/// A fixed part and one for each byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Whatever the length.
    pub fixed: usize,
    /// For each byte of the length.
    pub per_byte: usize,
}

impl Linear {
    /// The value for a length in bytes.
    #[must_use]
    pub fn of(self, length: usize) -> usize {
        self.fixed + self.per_byte * length
    }
}

/// SmartCard-HSM with firmware 1.2.
pub static SMARTCARD_HSM_1_2: Profile = smartcard_hsm_1_2::PROFILE;
/// Nitrokey HSM, the first, with firmware 2.6.
pub static NITROKEY_HSM: Profile = nitrokey_hsm::PROFILE;
/// Nitrokey HSM 2 with firmware 3.1.
pub static NITROKEY_HSM2_3_1: Profile = nitrokey_hsm2_3_1::PROFILE;
/// Nitrokey HSM 2 with firmware 3.5.
pub static NITROKEY_HSM2_3_5: Profile = nitrokey_hsm2_3_5::PROFILE;
/// Nitrokey HSM 2 with firmware 3.6: the generation most owners have.
pub static NITROKEY_HSM2: Profile = nitrokey_hsm2::PROFILE;
/// Nitrokey HSM 2 with firmware 4.1.
pub static NITROKEY_HSM2_4_1: Profile = nitrokey_hsm2_4_1::PROFILE;

/// Every profile, the default first, the others by age.
pub static PROFILES: &[&Profile] = &[
    &NITROKEY_HSM2,
    &SMARTCARD_HSM_1_2,
    &NITROKEY_HSM,
    &NITROKEY_HSM2_3_1,
    &NITROKEY_HSM2_3_5,
    &NITROKEY_HSM2_4_1,
];

impl Profile {
    /// Finds a profile by its name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        PROFILES
            .iter()
            .copied()
            .find(|profile| profile.name == name)
    }

    /// Whether this generation has the command with this instruction byte, if this program has it
    /// at all.
    #[must_use]
    pub fn has_command(&self, instruction: u8) -> bool {
        !self.absent_commands.contains(&instruction)
    }

    /// Whether this generation has the algorithm, if this program has it at all.
    #[must_use]
    pub fn has_algorithm(&self, algorithm: u8) -> bool {
        !self.absent_algorithms.contains(&algorithm)
    }

    /// Whether the generation lets INITIALIZE DEVICE allot key-domain slots.
    #[must_use]
    pub fn has_slots(&self) -> bool {
        self.domain_slots_max > 0
    }
}
