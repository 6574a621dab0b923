//! Fewer custodians remain than are needed.

use super::scene::{A, B, C, Custody, Scene};
use super::share_file::{Held, SHORTCUT};
use super::{Drill, DrillError};
use crate::card::Attributes;
use crate::card::command::StatusWord;
use crate::card::cvc::Kind;

pub(super) static DRILL: Drill = Drill {
    name: "custodians-lost",
    title: "Too few custodians remain",
    question: "Three of five custodians are needed, and only two are left. The share file cannot be \
               opened any more. What still works, what is gone, and what is the way forward?",
    cards: 3,
    stand_in: Some(
        "Two cards were given. A virtual card in this program plays C, the fresh card. What a genuine one \
         does differently does not show, and the drill's keys end up in this program's memory.",
    ),
    run,
    meaning: &[
        "Nothing stops at once: a card that holds the DKEK signs, wraps and unwraps as before. What is \
         lost is the way to bring the DKEK into another card, and with it every backup.",
        "Do not initialise, and do not clear the KEK on, a card that holds the old DKEK before its keys \
         are safe: neither can be undone without the share file.",
        "Bring keys of other cards in first, while old wrapped keys still open there. Then clear the \
         KEK of one card, import shares of a new DKEK with new custodians (`hsm2-harness dkek new-share \
         FILE --threshold 3 --shares 5`), wrap all keys anew and prove the new backup on a fresh card \
         before the next old card is touched. sc-hsm-tool wraps, unwraps and imports shares; it cannot \
         clear a KEK, the vendor's Smart Card Shell can send that command.",
        "Check once a year that enough custodians can open the file: `hsm2-harness dkek kcv FILE \
         --enter-shares 3` needs no card and shows the check value that the cards show. While three of \
         five can still meet, `hsm2-harness dkek reshare FILE --enter-shares 3 --threshold 3 --shares 5` \
         deals the pieces anew, and nothing of this drill happens.",
    ],
};

const KEY: u8 = 1;
const OTHER: u8 = 2;

fn run(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    let (alpha, beta) = (Custody::new("Alpha", 1), Custody::new("Beta", 1));
    scene.step(
        "Set up A and B with one DKEK; custodians hold its share file three of five",
        "This is the usual pair: two cards that can exchange keys. Then custodians 3, 4 and 5 are lost.",
    )?;
    scene.caution(SHORTCUT);
    let held = Held::new(scene, &alpha.dkek(), 3, 5)?;
    let bound = Attributes {
        domain: Some(0),
        algorithms: &[],
    };
    for who in [A, B] {
        scene.initialise(who, 1)?;
        scene.dkek(who, 0, &alpha)?;
    }
    let key = scene.generate(A, KEY, Kind::P256, "key of A", &bound)?;
    let other = scene.generate(B, OTHER, Kind::P256, "key of B", &bound)?;
    let (key, other) = (key.request.key, other.request.key);
    let shut = held.open(&held.pieces(&[1, 2])).is_err();
    scene.check(shut, "two pieces not to open the file", "they opened it")?;
    scene.shown("Custodians 1 and 2 together do not open the share file.");

    scene.step(
        "What still works: keys, and exchange between cards that hold the DKEK",
        "The DKEK is in both cards, and no command asks for a custodian.",
    )?;
    let backup = scene.on(A, |card| card.wrap(KEY))?;
    scene.on(B, |card| card.unwrap_key(KEY, &backup))?;
    scene.label(B, KEY, "key of A")?;
    scene.signs(B, KEY, &key, "the public key that A named")?;
    let moved = scene.on(B, |card| card.wrap(OTHER))?;
    scene.on(A, |card| card.unwrap_key(OTHER, &moved))?;
    scene.label(A, OTHER, "key of B")?;
    scene.signs(A, OTHER, &other, "the public key that B named")?;

    scene.step(
        "What is gone: new cards, and cards that are initialised",
        "A fresh card gets the DKEK from its shares only, and no card gives its DKEK away.",
    )?;
    scene.initialise(C, 1)?;
    scene.on(C, |card| card.create_dkek(0, 1))?;
    let why = "C waits for a share that nobody can open";
    scene.refused(C, StatusWord::NOT_FOUND, why, |card| {
        card.unwrap_key(KEY, &backup)
    })?;
    scene.initialise(B, 1)?;
    scene.on(B, |card| card.create_dkek(0, 1))?;
    let why = "B was initialised: its DKEK is gone like its keys, and does not come back";
    scene.refused(B, StatusWord::NOT_FOUND, why, |card| {
        card.unwrap_key(KEY, &backup)
    })?;

    scene.step(
        "The way forward: a new DKEK on A, with new custodians",
        "A is now the only card with the keys. Its KEK is cleared, the shares of a new DKEK come in, and \
         the keys are wrapped anew.",
    )?;
    scene.caution(
        "That a genuine card takes other shares after clearing is inferred. From the moment of \
         clearing the old wrapped keys open nowhere: try it on another card first.",
    );
    scene.on(A, |card| card.clear_kek(0))?;
    scene.import(A, 0, &beta)?;
    let why = "A no longer has the old DKEK";
    scene.refused(A, StatusWord::WRONG_DATA, why, |card| {
        card.unwrap_key(9, &backup)
    })?;
    let fresh = scene.on(A, |card| card.wrap(KEY))?;
    let fresh_other = scene.on(A, |card| card.wrap(OTHER))?;
    scene.import(C, 0, &beta)?;
    scene.on(C, |card| card.unwrap_key(KEY, &fresh))?;
    scene.on(C, |card| card.unwrap_key(OTHER, &fresh_other))?;
    scene.label(C, KEY, "key of A")?;
    scene.label(C, OTHER, "key of B")?;
    scene.signs(C, KEY, &key, "the public key that A named")?;
    scene.signs(C, OTHER, &other, "the public key that B named")?;
    Ok(())
}
