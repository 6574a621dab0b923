//! Nitrokey HSM 2 with firmware 3.6 on JCOP 3.

use super::{AppletInformation, Footprint, Linear, Profile, domain_rules};
use crate::crypto::Curve;
use crate::status::StatusWord;

pub(super) const PROFILE: Profile = Profile {
    name: "nitrokey-hsm2",
    description: "Nitrokey HSM 2 / SmartCard-HSM 4K, firmware 3.6",
    // Recorded on a Nitrokey HSM 2 with firmware 4.1; taken over. (inferred)
    atr: &[
        0x3B, 0xDE, 0x96, 0xFF, 0x81, 0x91, 0xFE, 0x1F, 0xC3, 0x80, 0x31, 0x81, 0x54, 0x48, 0x53,
        0x4D, 0x31, 0x73, 0x80, 0x21, 0x40, 0x81, 0x07, 0x92,
    ],
    applet_information: AppletInformation::Full { platform: 0x00 },
    version: (3, 6),

    apdu_buffer: 1232,
    challenge_max: 1024,
    // The vendor's key manager on a 3.4 card.
    memory: 81_356,
    // 300 keys of 256 bits, 150 of 521 bits, 38 of RSA-2048, 19 of RSA-4096.
    footprint: Footprint {
        rsa: Linear {
            fixed: 60,
            per_byte: 8,
        },
        ec: Linear {
            fixed: 12,
            per_byte: 8,
        },
        aes: Linear {
            fixed: 12,
            per_byte: 8,
        },
    },
    file_max: 0x7FFF,

    absent_commands: &[],
    absent_algorithms: &[],
    absent_objects: &[],
    options: 0xFFFF,
    information_query: true,
    domain_slots_max: 16,

    rsa_bits: &[1024, 1536, 2048, 3072, 4096],
    curves: &Curve::ALL,
    aes_lengths: &[16, 24, 32],

    virgin_user_pin: StatusWord::ReferencedDataNotFound,
    wants_inner_authority: false,
    unwrap_crt_max_bits: 2048,
    unwrap_listed: true,
    // id-aes, 2.16.840.1.101.3.4.1.
    wrapped_aes_oid: &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01],
    channel_binds_login: true,
    empty_issuer_extension: false,
    domains: domain_rules::INFERRED,
};
