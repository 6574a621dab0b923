//! Nitrokey HSM 2 with firmware 4.1 on JCOP 4.

use super::{Profile, nitrokey_hsm2};

pub(super) const PROFILE: Profile = Profile {
    name: "nitrokey-hsm2-4.1",
    description: "Nitrokey HSM 2, firmware 4.1",
    version: (4, 1),
    apdu_buffer: 1454,
    // EF 2F02 of a genuine token.
    empty_issuer_extension: true,
    // ATR recorded. Free memory and capacity (unknown).
    ..nitrokey_hsm2::PROFILE
};
