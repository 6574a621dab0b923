//! Changing PINs and getting over a blocked one.

use crate::apdu::apdu;
use crate::card::cvc::object;
use crate::scenario::{Effect, List, Start};
use crate::suite::hand::verify;

const NEW: &[u8] = b"19283746";

pub(super) fn add(list: &mut List) {
    list.add(
        "pins.change.new_pin_logs_in_and_the_old_one_does_not",
        "After CHANGE REFERENCE DATA the new user PIN, of another length, logs in",
    )
    .source("OpenSC card-sc-hsm.c: old and new one after the other")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        let pin = t.pin()?;
        t.refused(apdu(0x0024_0081).parts(&[pin.expose(), NEW]), 0x9000)?;
        // The change itself logs in.
        t.refused(apdu(0x0020_0081), 0x9000)?;
        t.select()?;
        t.refused(verify(pin.expose()), 0x63c2)?;
        t.refused(verify(NEW), 0x9000)
    });

    list.add(
        "pins.change.wrong_old_pin_spends_a_try",
        "CHANGE REFERENCE DATA with a wrong old user PIN answers 63C2 and changes nothing",
    )
    .source("ISO 7816-4, 11.6.7")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        t.refused(apdu(0x0024_0081).parts(&[b"000000", NEW]), 0x63c2)?;
        t.login()
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
        let so_pin = t.so_pin()?;
        t.refused(apdu(0x0024_0088).parts(&[&so_pin, b"87654321"]), 0x9000)?;
        t.refused(apdu(0x002c_0081).parts(&[&so_pin, NEW]), 0x63ce)?;
        t.refused(apdu(0x002c_0081).parts(&[b"87654321", NEW]), 0x9000)?;
        // Back at once: the next scenario initialises the card with the one it knows.
        t.refused(apdu(0x0024_0088).parts(&[b"87654321", &so_pin]), 0x9000)?;
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
        let so_pin = t.so_pin()?;
        t.refused(verify(b"000000"), 0x63c2)?;
        t.refused(verify(b"000000"), 0x63c1)?;
        t.refused(verify(b"000000"), 0x6983)?;
        t.refused(apdu(0x002c_0081).parts(&[&so_pin, NEW]), 0x9000)?;
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
        let so_pin = t.so_pin()?;
        t.refused(verify(b"000000"), 0x63c2)?;
        t.refused(apdu(0x002c_0181).data(so_pin), 0x9000)?;
        t.select()?;
        t.refused(apdu(0x0020_0081), 0x63c3)?;
        t.login()
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
        t.login()
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
        let data = [
            object(0x80, &[&[0, 1]]),
            object(0x81, &[t.pin()?.expose()]),
            object(0x82, &[b"00000000"]),
            object(0x91, &[&[3]]),
        ];
        t.refused(apdu(0x8050_0000).data(data.concat()), 0x63ce)?;
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
        "pins.so_pin.last_wrong_try_blocks_for_good",
        "The fifteenth wrong SO-PIN answers 6983, and no command takes the right one afterwards",
    )
    .source("vendor: fifteen tries, then the device cannot be initialised any more")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Virgin)
    .run(|t| {
        let (pin, so_pin) = (t.pin()?, t.so_pin()?);
        let initialize = [
            object(0x80, &[&[0, 1]]),
            object(0x81, &[pin.expose()]),
            object(0x82, &[&so_pin]),
            object(0x91, &[&[3]]),
        ]
        .concat();
        t.refused(apdu(0x8050_0000).data(&initialize), 0x9000)?;
        t.select()?;
        // Each command with an SO-PIN costs a try of the same counter.
        let wrong = b"00000000";
        let commands = [
            apdu(0x0020_0088).data(wrong),
            apdu(0x002c_0181).data(wrong),
            apdu(0x0024_0088).parts(&[wrong, &so_pin]),
        ];
        for (left, command) in (1..15).rev().zip(commands.iter().cycle()) {
            t.refused(command, 0x63c0 | left)?;
        }
        t.refused(apdu(0x0020_0088).data(wrong), 0x6983)?;
        t.refused(apdu(0x0020_0088), 0x6983)?;
        t.refused(apdu(0x0020_0088).data(so_pin), 0x6983)?;
        t.refused(apdu(0x002c_0181).data(so_pin), 0x6983)?;
        t.refused(apdu(0x002c_0081).parts(&[&so_pin, NEW]), 0x6983)?;
        t.refused(apdu(0x0024_0088).parts(&[&so_pin, &so_pin]), 0x6983)?;
        t.refused(apdu(0x8050_0000).data(initialize), 0x6983)?;
        t.login()
    });

    list.add(
        "pins.change.blocked_is_6983",
        "CHANGE REFERENCE DATA spends the tries of the user PIN and answers 6983 at the last",
    )
    .source("ISO 7816-4, 11.6.7")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        let pin = t.pin()?;
        for word in [0x63c2, 0x63c1, 0x6983] {
            t.refused(apdu(0x0024_0081).parts(&[b"000000", NEW]), word)?;
        }
        t.refused(apdu(0x0024_0081).parts(&[pin.expose(), NEW]), 0x6983)?;
        t.refused(verify(pin.expose()), 0x6983)
    });
}
