//! Changing PINs and getting over a blocked one.

use crate::apdu::apdu;
use crate::scenario::{Effect, List, Start};
use crate::suite::fixture::{PIN, SO_PIN};
use crate::suite::hand::verify;

const NEW: &[u8] = b"19283746";

pub(super) fn add(list: &mut List) {
    list.add(
        "pins.change.new_pin_logs_in_and_the_old_one_does_not",
        "After CHANGE REFERENCE DATA the new user PIN, of another length, logs in",
    )
    .source("OpenSC card-sc-hsm.c: old and new one after the other")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        t.refused(apdu(0x0024_0081).parts(&[PIN, NEW]), 0x9000)?;
        // The change itself logs in.
        t.refused(apdu(0x0020_0081), 0x9000)?;
        t.select()?;
        t.refused(verify(PIN), 0x63c2)?;
        t.refused(verify(NEW), 0x9000)
    });

    list.add(
        "pins.change.wrong_old_pin_spends_a_try",
        "CHANGE REFERENCE DATA with a wrong old user PIN answers 63C2 and changes nothing",
    )
    .source("ISO 7816-4, 11.6.7")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        t.refused(apdu(0x0024_0081).parts(&[b"000000", NEW]), 0x63c2)?;
        t.refused(verify(PIN), 0x9000)
    });

    list.add(
        "pins.change.so_pin",
        "A changed SO-PIN resets the user PIN, and the old one costs a try",
    )
    .source("OpenSC and sc-hsm-embedded: eight bytes each")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        t.refused(apdu(0x0024_0088).parts(&[&SO_PIN, b"87654321"]), 0x9000)?;
        t.refused(apdu(0x002c_0081).parts(&[&SO_PIN, NEW]), 0x63ce)?;
        t.refused(apdu(0x002c_0081).parts(&[b"87654321", NEW]), 0x9000)?;
        // Back at once: the next scenario initialises the card with the one it knows.
        t.refused(apdu(0x0024_0088).parts(&[b"87654321", &SO_PIN]), 0x9000)?;
        t.select()?;
        t.refused(verify(NEW), 0x9000)
    });

    list.add(
        "pins.reset.unblocks_and_sets_a_new_pin",
        "RESET RETRY COUNTER with the SO-PIN unblocks the user PIN and sets a new one",
    )
    .source("OpenSC card-sc-hsm.c; vendor PKCS#11 regression test")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        t.refused(verify(b"000000"), 0x63c2)?;
        t.refused(verify(b"000000"), 0x63c1)?;
        t.refused(verify(b"000000"), 0x6983)?;
        t.refused(apdu(0x002c_0081).parts(&[&SO_PIN, NEW]), 0x9000)?;
        t.select()?;
        t.refused(apdu(0x0020_0081), 0x63c3)?;
        t.refused(verify(NEW), 0x9000)
    });

    list.add(
        "pins.reset.unblocks_and_keeps_the_pin",
        "RESET RETRY COUNTER with P1 01 unblocks the user PIN and keeps it",
    )
    .source("sc-hsm-embedded token-sc-hsm.c")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        t.refused(verify(b"000000"), 0x63c2)?;
        t.refused(apdu(0x002c_0181).data(SO_PIN), 0x9000)?;
        t.select()?;
        t.refused(apdu(0x0020_0081), 0x63c3)?;
        t.refused(verify(PIN), 0x9000)
    });

    list.add(
        "pins.reset.wrong_so_pin_spends_a_try",
        "RESET RETRY COUNTER with a wrong SO-PIN answers 63CE and changes nothing",
    )
    .source("vendor Java card service: it counts tries of the SO-PIN")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        t.refused(apdu(0x002c_0081).parts(&[b"00000000", NEW]), 0x63ce)?;
        t.refused(apdu(0x0020_0088), 0x63ce)?;
        t.refused(verify(PIN), 0x9000)
    });

    list.add(
        "pins.initialize.wrong_so_pin_erases_nothing",
        "INITIALIZE DEVICE with a wrong SO-PIN answers 63CE and leaves the keys",
    )
    .source("recorded on firmware 3.2: the counter goes down")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Keys)
    .run(|t| {
        let before = t.objects()?;
        let parts: [&[u8]; 5] = [
            &[0x80, 2, 0, 1, 0x81, 6],
            PIN,
            &[0x82, 8],
            b"00000000",
            &[0x91, 1, 3],
        ];
        t.refused(apdu(0x8050_0000).parts(&parts), 0x63ce)?;
        let after = t.objects()?;
        t.check(before == after, "the objects from before", || {
            format!("{after:04X?}")
        })
    });

    list.add(
        "pins.pka.status_without_it_is_6d00",
        "A card without public key authentication answers 6D00 to its status query",
    )
    .source("OpenSC sc-hsm-tool.c")
    .start(Start::Fresh)
    .run(|t| t.refused(apdu(0x8054_0000).le(256), 0x6d00));

    list.add(
        "pins.trust.unknown_name_is_6a88",
        "MANAGE SECURITY ENVIRONMENT with a name that nobody has answers 6A88",
    )
    .source("OpenSC card-sc-hsm.c goes on with the certificate then")
    .run(|t| {
        let data = crate::card::cvc::object(0x83, &[b"XXNOBODY00001"]);
        t.refused(apdu(0x0022_81b6).data(data), 0x6a88)
    });
}
