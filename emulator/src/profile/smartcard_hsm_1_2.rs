//! SmartCard-HSM with firmware 1.2 on JCOP 2.4.1.

use super::{AppletInformation, Profile, nitrokey_hsm};
use crate::status::StatusWord;

pub(super) const PROFILE: Profile = Profile {
    name: "smartcard-hsm-1.2",
    description: "SmartCard-HSM, firmware 1.2",
    // The FCI of a genuine token.
    applet_information: AppletInformation::Version,
    version: (1, 2),

    // The manual of 2.4 is the first that names session PINs (5A) and public key authentication
    // (54, and with it 2A and 82). (inferred)
    absent_commands: &[0x2A, 0x48, 0x54, 0x5A, 0x76, 0x78, 0x82],
    // The vendor: PSS with the hash made on the card, 41 and 43, from 1.2; over a given hash, 40,
    // from 2.0. 44 and 45 (unknown).
    absent_algorithms: &[0x40, 0x44, 0x45, 0x84],
    absent_objects: &[0x93, 0x97],
    // RESET RETRY COUNTER and the transport PIN. (inferred)
    options: 0x0003,
    information_query: false,

    // The hosts' reading of cards before 2.0. For the SO-PIN (unknown).
    virgin_user_pin: StatusWord::ReferenceDataNotUsable,
    wants_inner_authority: true,
    // The vendor: bound from 2.0 on.
    channel_binds_login: false,

    ..nitrokey_hsm::PROFILE
};
