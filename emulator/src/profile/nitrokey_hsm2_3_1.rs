//! Nitrokey HSM 2 with firmware 3.1 on JCOP 3, with the defects that 3.2 and 3.3 mended.

use super::{Profile, nitrokey_hsm2};

pub(super) const PROFILE: Profile = Profile {
    name: "nitrokey-hsm2-3.1",
    description: "Nitrokey HSM 2 / SmartCard-HSM 4K, firmware 3.1 with its known defects",
    version: (3, 1),
    // A genuine token answered 6F00 until its firmware was 3.2.
    unwrap_listed: false,
    // 3.0 to 3.2 wrote a value that does not begin with 60 (the vendor's script). Which one is
    // (unknown): here the identifier stands with its tag and length.
    wrapped_aes_oid: &[0x06, 0x08, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01],
    ..nitrokey_hsm2::PROFILE
};
