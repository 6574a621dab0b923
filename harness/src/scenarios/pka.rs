//! Public key authentication: custodians' keys on a second card open the first.

mod refused;
mod scene;

use self::scene::{authenticate, challenge, custodians, is_open, register, set_up, signed, status};
use crate::apdu::apdu;
use crate::card::cvc::object;
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};

const VENDOR: &str =
    "the vendor on n-of-m authentication in the Nitrokey forum; OpenSC card-sc-hsm.c";
const COMPATIBLE: &str = "vendor API names and a compatible card (inferred)";

/// A scenario with a card of custodians; both begin freshly initialised.
fn scenario(
    list: &mut List,
    id: &str,
    title: &str,
    source: &str,
    body: fn(&mut Bench) -> Result<(), Stop>,
) {
    list.add(format!("pka.{id}"), title)
        .source(source)
        .needs("pka")
        .effect(Effect::Wipes)
        .start(Start::Fresh)
        .two_cards()
        .run(body);
}

pub(super) fn add(list: &mut List) {
    scenario(
        list,
        "register.counts_down",
        "The status counts the custodians that are still to register",
        VENDOR,
        |t| {
            let custodians = custodians::<2>(t)?;
            set_up(t, 0x0001, None, [2, 1])?;
            status(t, [2, 2, 1, 0])?;
            for (missing, custodian) in [(1, &custodians[0]), (0, &custodians[1])] {
                let answer = register(t, custodian)?.is(0x9000)?;
                t.same("the status", [2, missing, 1, 0], answer)?;
            }
            status(t, [2, 0, 1, 0])
        },
    );
    scenario(
        list,
        "register.through_the_scratch_file",
        "A request that was written to EF 2F10 is registered by the command without data, once",
        "as for UNWRAP KEY (inferred)",
        |t| {
            let custodians = custodians::<1>(t)?;
            set_up(t, 0x0001, Some(()), [2, 1])?;
            t.login()?;
            scene::trust_other(t)?;
            t.card().write(0x2f10, &custodians[0].request.content)?;
            let answer = t.ok(apdu(0x8054_0000).le(256))?;
            t.same("the status", [2, 1, 1, 0], answer)?;
            status(t, [2, 1, 1, 0])
        },
    );
    scenario(
        list,
        "quorum.opens_the_card",
        "Two of three custodians open a card that has no PIN, one does not",
        VENDOR,
        |t| {
            let custodians = custodians::<3>(t)?;
            set_up(t, 0x0001, None, [3, 2])?;
            for custodian in &custodians {
                register(t, custodian)?.is(0x9000)?;
            }
            t.refused("00200081", 0x6300)?;
            is_open(t, false)?;
            authenticate(t, &custodians[2])?;
            status(t, [3, 0, 2, 1])?;
            t.refused("00200081", 0x6300)?;
            is_open(t, false)?;
            authenticate(t, &custodians[0])?;
            status(t, [3, 0, 2, 2])?;
            t.refused("00200081", 0x9000)?;
            is_open(t, true)
        },
    );
    for (what, again) in [("select", false), ("reset", true)] {
        list.add(
            format!("pka.session.{what}_forgets_who_authenticated"),
            format!("A {what} ends what custodians opened"),
        )
        .source("OpenSC issue 594, on a compatible card")
        .needs("pka")
        .effect(Effect::Wipes)
        .start(Start::Fresh)
        .two_cards()
        .run(move |t| {
            let custodians = ready(t, 0x0001, None)?;
            authenticate(t, &custodians[0])?;
            is_open(t, true)?;
            if again {
                t.reset()?;
            }
            t.select()?;
            status(t, [1, 0, 1, 0])?;
            t.refused("00200081", 0x6300)?;
            is_open(t, false)
        });
    }
    add_with_pin(list);
    add_names(list);
    add_replacement(list);
    refused::add(list);
}

/// One custodian, registered, of whom one is enough; nobody is logged in.
fn ready(t: &mut Bench, options: u16, pin: Option<()>) -> Result<[scene::Custodian; 1], Stop> {
    let custodians = custodians::<1>(t)?;
    set_up(t, options, pin, [1, 1])?;
    register(t, &custodians[0])?.is(0x9000)?;
    Ok(custodians)
}

fn add_with_pin(list: &mut List) {
    scenario(
        list,
        "with_pin.either_is_enough",
        "A card with PIN and custodians opens by the PIN alone and by the custodians alone",
        "vendor's key manager: PIN or keys",
        |t| {
            let custodians = ready(t, 0x0001, Some(()))?;
            t.refused("00200081", 0x63c3)?;
            is_open(t, false)?;
            t.login()?;
            is_open(t, true)?;
            t.select()?;
            is_open(t, false)?;
            authenticate(t, &custodians[0])?;
            t.refused("00200081", 0x9000)?;
            is_open(t, true)
        },
    );
    scenario(
        list,
        "with_pin.option_0010_wants_both",
        "With option 0010 neither PIN nor custodians open the card alone, both do",
        "vendor's key manager: PIN and keys (inferred)",
        |t| {
            let custodians = ready(t, 0x0011, Some(()))?;
            t.login()?;
            t.refused("00200081", 0x6300)?;
            is_open(t, false)?;
            t.select()?;
            authenticate(t, &custodians[0])?;
            t.refused("00200081", 0x63c3)?;
            is_open(t, false)?;
            t.login()?;
            t.refused("00200081", 0x9000)?;
            is_open(t, true)
        },
    );
}

fn add_names(list: &mut List) {
    scenario(
        list,
        "name.tells_who_is_registered_and_who_has_authenticated",
        "The name of a custodian comes with 9000, with 9001 once he has authenticated",
        COMPATIBLE,
        |t| {
            let custodians = ready(t, 0x0001, None)?;
            let name = &custodians[0].request.request.holder;
            let found = t.ok("80540200 00")?;
            t.same("the name", name, found)?;
            authenticate(t, &custodians[0])?;
            let found = t.send("80540200 00")?.is(0x9001)?;
            t.same("the name", name, found)
        },
    );
    scenario(
        list,
        "name.of_an_unregistered_custodian_is_6a88",
        "The name of a custodian who is not registered answers 6A88, of one beyond the last 6A86",
        COMPATIBLE,
        |t| {
            set_up(t, 0x0001, None, [2, 1])?;
            t.refused("80540201 00", 0x6a88)?;
            t.refused("80540202 00", 0x6a86)?;
            t.refused("80540200 01 00 00", 0x6700)
        },
    );
}

fn add_replacement(list: &mut List) {
    scenario(
        list,
        "replace.option_0008_allows_it",
        "With option 0008 custodians replace one of them; the old key is nobody's, the new one opens",
        COMPATIBLE,
        |t| {
            let all = custodians::<2>(t)?;
            set_up(t, 0x0009, None, [1, 1])?;
            register(t, &all[0])?.is(0x9000)?;
            authenticate(t, &all[0])?;
            let request = &all[1].request.content;
            scene::trust_other(t)?;
            let answer = t.ok(apdu(0x8054_0100).data(request).le(256))?;
            t.same("the status", [1, 0, 1, 0], answer)?;
            is_open(t, false)?;
            let old = object(0x83, &[&all[0].request.request.holder]);
            t.refused(apdu(0x0022_81a4).data(old), 0x6a88)?;
            authenticate(t, &all[1])?;
            is_open(t, true)
        },
    );
    scenario(
        list,
        "replace.without_authentication_is_6982",
        "Nobody replaces a custodian before the custodians have authenticated",
        "recorded on a genuine token: 6982",
        |t| {
            let all = custodians::<2>(t)?;
            set_up(t, 0x0009, None, [1, 1])?;
            register(t, &all[0])?.is(0x9000)?;
            scene::trust_other(t)?;
            let replace = apdu(0x8054_0100).data(&all[1].request.content).le(256);
            t.refused(&replace, 0x6982)?;
            authenticate(t, &all[0])?;
            is_open(t, true)
        },
    );
    scenario(
        list,
        "replace.without_option_is_6985",
        "Without option 0008 no custodian is replaced, not even by all of them",
        COMPATIBLE,
        |t| {
            let all = custodians::<2>(t)?;
            set_up(t, 0x0001, None, [1, 1])?;
            register(t, &all[0])?.is(0x9000)?;
            authenticate(t, &all[0])?;
            scene::trust_other(t)?;
            let replace = apdu(0x8054_0100).data(&all[1].request.content).le(256);
            t.refused(&replace, 0x6985)?;
            t.refused(replace.p2(1), 0x6a86)
        },
    );
    scenario(
        list,
        "authenticate.each_custodian_signs_the_same_challenge_once",
        "A challenge serves one custodian; the next needs another",
        COMPATIBLE,
        |t| {
            let all = custodians::<2>(t)?;
            set_up(t, 0x0001, None, [2, 2])?;
            for custodian in &all {
                register(t, custodian)?.is(0x9000)?;
            }
            let random = challenge(t)?;
            for (custodian, word) in [(&all[0], 0x9000), (&all[1], 0x6985)] {
                let signature = signed(t, custodian, &random)?;
                scene::choose(t, custodian)?.is(0x9000)?;
                t.refused(apdu(0x0082_0000).data(signature), word)?;
            }
            status(t, [2, 0, 2, 1])
        },
    );
}
