//! Nitrokey HSM 2 with firmware 3.5 on JCOP 3; nothing but the version is known to differ from 3.6.

use super::{Profile, nitrokey_hsm2};

pub(super) const PROFILE: Profile = Profile {
    name: "nitrokey-hsm2-3.5",
    description: "Nitrokey HSM 2 / SmartCard-HSM 4K, firmware 3.5",
    version: (3, 5),
    ..nitrokey_hsm2::PROFILE
};
