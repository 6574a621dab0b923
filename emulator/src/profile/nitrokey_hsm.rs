//! Nitrokey HSM, the first, with firmware 2.6 on JCOP 2.4.1.

use super::{AppletInformation, Footprint, Linear, Profile, nitrokey_hsm2};
use crate::crypto::Curve;

pub(super) const PROFILE: Profile = Profile {
    name: "nitrokey-hsm",
    description: "Nitrokey HSM, firmware 2.6",
    // The contact card of the first chip.
    atr: &[
        0x3B, 0xFE, 0x18, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 0x80, 0x31, 0x81, 0x54, 0x48, 0x53,
        0x4D, 0x31, 0x73, 0x80, 0x21, 0x40, 0x81, 0x07, 0xFA,
    ],
    applet_information: AppletInformation::Full { platform: 0x00 },
    version: (2, 6),

    // JCOP 2.4.1r3.
    apdu_buffer: 1462,
    // 20 keys of RSA-2048, 31 of 256 bits (vendor). The total is (unknown): one that holds so many
    // RSA keys of their size on the later chip.
    memory: 43_600,
    footprint: Footprint {
        rsa: Linear {
            fixed: 60,
            per_byte: 8,
        },
        ec: Linear {
            fixed: 1120,
            per_byte: 8,
        },
        aes: Linear {
            fixed: 12,
            per_byte: 8,
        },
    },

    // AES and derivation: no source names them on the first chip. (inferred)
    absent_commands: &[0x48, 0x76, 0x78],
    // XKEK came with key domains, 3.0.
    absent_algorithms: &[0x84],
    absent_objects: &[0x97],
    domain_slots_max: 0,

    // RSA-3072 and above need the 4K product (vendor).
    rsa_bits: &[1024, 1536, 2048],
    curves: &SMALL_CURVES,
    aes_lengths: &[],

    ..nitrokey_hsm2::PROFILE
};

/// Curves of up to 320 bits. The vendor names curves of up to 521 bits for 3.0; one user reports
/// secp521r1 working on 2.5. (inferred)
const SMALL_CURVES: [Curve; 13] = [
    Curve::Secp192r1,
    Curve::Secp224r1,
    Curve::Secp256r1,
    Curve::Secp192k1,
    Curve::Secp256k1,
    Curve::BrainpoolP192r1,
    Curve::BrainpoolP224r1,
    Curve::BrainpoolP256r1,
    Curve::BrainpoolP320r1,
    Curve::BrainpoolP192t1,
    Curve::BrainpoolP224t1,
    Curve::BrainpoolP256t1,
    Curve::BrainpoolP320t1,
];
