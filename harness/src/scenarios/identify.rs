//! Who the card is: answer to reset, template, certificates, list of objects.

use crate::apdu::apdu;
use crate::scenario::{List, Start};
use crate::suite::hand::{AID, select};

/// Answers to reset of the family's chips with contacts.
const KNOWN_ATRS: [&str; 3] = [
    "3BFE1800008131FE458031815448534D31738021408107FA",
    "3BDE18FF8191FE1FC38031815448534D317380214081071C",
    "3BDE96FF8191FE1FC38031815448534D3173802140810792",
];

pub(super) fn add(list: &mut List) {
    list.add(
        "identify.atr.is_known_to_hosts",
        "The answer to reset is one that hosts know",
    )
    .source("OpenSC card-sc-hsm.c; the longest recorded on firmware 4.1")
    .run(|t| {
        let atr = hex::encode_upper(t.atr());
        t.check(
            KNOWN_ATRS.contains(&atr.as_str()),
            "an ATR of the family",
            || atr.clone(),
        )
    });

    list.add(
        "identify.select.template_6f_with_version",
        "SELECT by name with P2 00 answers template 6F with a version in tag 85",
    )
    .source("OpenSC card-sc-hsm.c; recorded on firmware 1.2")
    .run(|t| {
        let fci = t.ok(select())?;
        let mut outer = crate::der::Reader::new(&fci);
        let template = outer.expect(0x6f, "the template")?;
        outer.finish("the template")?;
        let mut fields = template.reader();
        let mut version = None;
        while !fields.is_empty() {
            let field = fields.element()?;
            if field.tag == 0x85 {
                version = Some(field.content.to_vec());
            }
        }
        let length = version.map(|version| version.len());
        t.check(
            matches!(length, Some(2 | 5)),
            "tag 85 with 2 or 5 bytes",
            || format!("{length:?}"),
        )
    });

    list.add(
        "identify.select.template_62_for_p2_04",
        "SELECT by name with P2 04 answers template 62",
    )
    .source("sc-hsm-embedded token-sc-hsm.c reads tag 85 in 62")
    .run(|t| {
        let fcp = t.ok(apdu(0x00a4_0404).data(AID).le(256))?;
        t.check(fcp.first() == Some(&0x62), "a template 62", || {
            hex::encode_upper(&fcp)
        })
    });

    list.add(
        "identify.select.no_data_for_p2_0c",
        "SELECT by name with P2 0C and no Le answers without data",
    )
    .source("GnuPG app-sc-hsm.c; recorded on firmware 4.1")
    .run(|t| t.refused(apdu(0x00a4_040c).data(AID), 0x9000));

    list.add(
        "identify.select.unknown_name_is_6a82",
        "SELECT by a name that is none of this card's answers 6A82 and keeps the login",
    )
    .source("ISO 7816-4, 11.2.2 (inferred); OpenSC probes foreign names first")
    .start(Start::LoggedIn)
    .run(|t| {
        t.refused(
            apdu(0x00a4_0400).data([0xa0, 0, 0, 0, 0x63, 0x50]).le(256),
            0x6a82,
        )?;
        t.refused(apdu(0x0020_0081), 0x9000)
    });

    list.add(
        "identify.certificates.chain_verifies",
        "EF 2F02 holds the device's certificate and its issuer's, which signed it",
    )
    .source("recorded and verified on firmware 3.x and 4.1")
    .run(|t| {
        let chain = t.chain()?;
        let holder = &chain.device.holder;
        t.check(
            holder.len() >= 8,
            "a holder's name of eight characters, as OpenSC wants it",
            || holder.escape_ascii().to_string(),
        )
    });

    list.add(
        "identify.objects.device_key_and_certificates_are_listed",
        "ENUMERATE OBJECTS lists EF 2F02 first and the device key CC00",
    )
    .source("recorded on firmware 3.4")
    .run(|t| {
        let objects = t.objects()?;
        t.check(
            objects.first() == Some(&0x2f02) && objects.contains(&0xcc00),
            "2F02 first, and CC00",
            || format!("{objects:04X?}"),
        )
    });

    list.add(
        "identify.objects.empty_card_lists_the_device_alone",
        "A card that was just initialised lists EF 2F02 and the device key, and nothing else",
    )
    .source("recorded on firmware 3.4; vendor Java card service on what INITIALIZE DEVICE erases")
    .start(Start::Fresh)
    .run(|t| {
        let objects = t.objects()?;
        t.check(objects == [0x2f02, 0xcc00], "2F02 and CC00", || {
            format!("{objects:04X?}")
        })
    });

    list.add(
        "identify.query.information_ends_with_the_version",
        "The information query of INITIALIZE DEVICE ends with the version of tag 85",
    )
    .source("vendor Java card service, from firmware 2.4")
    .needs("information-query")
    .run(|t| {
        let fci = t.ok(select())?;
        let answer = t.ok(apdu(0x8050_0000).le(256))?;
        let version = |bytes: &[u8]| bytes.last_chunk::<2>().copied();
        t.check(
            version(&answer).is_some() && version(&answer) == version(&fci),
            "the version of tag 85 at the end",
            || hex::encode_upper(&answer),
        )?;
        if let Some(free) = answer.first_chunk::<4>() {
            t.observe(format!("{} bytes are free", u32::from_be_bytes(*free)));
        }
        Ok(())
    });
}
