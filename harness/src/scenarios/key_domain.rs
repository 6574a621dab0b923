//! MANAGE KEY DOMAIN: DKEK and XKEK domains.

use crate::apdu::apdu;
use crate::scenario::{Effect, List, Start};
use crate::suite::fixture;

pub(super) fn add(list: &mut List) {
    list.add(
        "key_domain.none.status_is_6d00",
        "A card that was initialised without key domains answers 6D00 to a status query",
    )
    .source("OpenSC sc-hsm-tool.c prints nothing about a DKEK then")
    .start(Start::Fresh)
    .run(|t| t.refused(apdu(0x8052_0000).le(256), 0x6d00));

    list.add(
        "key_domain.dkek.check_value_is_that_of_the_shares",
        "A DKEK of two shares shows the check value that follows from them",
    )
    .source("verified on a genuine share file: first 8 bytes of SHA-256")
    .needs("dkek")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        let status = t.ok(apdu(0x8052_0000).le(256))?;
        let expected = [&[2, 0], fixture::dkek().check_value().0.as_slice()].concat();
        t.same("the status", expected, status)
    });
}
