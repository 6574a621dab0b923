//! WRAP KEY and UNWRAP KEY.

use crate::apdu::apdu;
use crate::scenario::{Effect, List, Start};
use crate::suite::fixture;

pub(super) fn add(list: &mut List) {
    list.add(
        "wrap.key.absent_is_6a88",
        "WRAP KEY of a key that is not there answers 6A88",
    )
    .source("recorded, OpenSC issue 2685")
    .needs("dkek")
    .start(Start::Domains)
    .run(|t| t.refused(apdu(0x8072_fe92).all(), 0x6a88));

    list.add(
        "wrap.kek.another_is_6a80",
        "UNWRAP KEY of a blob under another DKEK answers 6A80 and makes no key",
    )
    .source("sc-hsm-tool.c: \"Wrapped key does not match DKEK\"")
    .needs("dkek")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        let mut blob = fixture::key("secp256r1")?.blob.clone();
        if let Some(first) = blob.first_mut() {
            *first ^= 1;
        }
        t.refused(apdu(0x8074_0a93).data(&blob), 0x6a80)?;
        let objects = t.objects()?;
        t.check(!objects.contains(&0xcc0a), "no CC0A", || {
            format!("{objects:04X?}")
        })
    });
}
