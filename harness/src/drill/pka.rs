//! Custodians' cards in place of a PIN.

use super::scene::{A, B, C, D, Scene, Who};
use super::{Drill, DrillError};
use crate::card::command::StatusWord;
use crate::card::cvc::{Kind, Request};
use crate::card::{Attributes, Card};

pub(super) static DRILL: Drill = Drill {
    name: "pka",
    title: "Two of three custodians open a card",
    question: "No single person shall be able to use the keys of card A, and no PIN shall be told. Three \
               custodians hold cards of their own; any two of them open A. How is that set up, what does \
               it withstand, and what when a custodian's card is lost?",
    cards: 4,
    stand_in: None,
    run,
    meaning: &[
        "The custodians' cards need no connection to A: each signs A's name and a challenge that A drew, \
         and signatures travel as 64 bytes. What they sign serves once, and on A only.",
        "The login ends with the session: every SELECT of the applet, every reset and every power cut asks for \
         two custodians again. Keep the session open for the work that it was opened for.",
        "Decide at INITIALIZE: without option 0008 no custodian can ever be replaced, and with two of three \
         cards lost nobody opens A again. Replacing needs the quorum, so replace at the first loss.",
        "Custodians' keys must be on brainpoolP256r1: a genuine token was seen to register a key on another \
         curve and then to refuse all its signatures. Try every custodian before keys are made.",
        "The SO-PIN still erases A. It gives nobody the keys.",
    ],
};

/// The custodian's key on each of their cards.
const KEY: u8 = 1;
/// The key of D's new custodian.
const NEW: u8 = 2;
/// A's key that the custodians guard.
const GUARDED: u8 = 1;

/// A custodian who can sign: card, number and request of the key.
struct Custodian {
    who: Who,
    key: u8,
    request: Request,
}

fn run(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    scene.step(
        "Each custodian makes a key on brainpoolP256r1 on a card of his own",
        "B, C and D are the custodians' cards. The private keys never leave them; the requests say in which \
         device each key was made.",
    )?;
    let mut custodians = Vec::new();
    for who in [B, C, D] {
        scene.initialise(who, 0)?;
        custodians.push(custodian(scene, who, KEY, "custodian's key")?);
    }

    scene.step(
        "Set up A for two of three custodians, without a PIN",
        "Tag 93 of INITIALIZE takes the place of the PIN. Option 0008 lets a custodian be replaced later.",
    )?;
    scene.initialise_for_custodians(A, 3, 2)?;
    quorum(scene, [3, 3, 2, 0])?;

    scene.step(
        "Register the three keys",
        "A verifies the chain of each custodian's device and both signatures of the request.",
    )?;
    for (number, custodian) in (1..).zip(&custodians) {
        register(scene, custodian)?;
        quorum(scene, [3, 3 - number, 2, 0])?;
        if number == 1 {
            let why = "this key is registered already";
            scene.refused(A, StatusWord::NOT_SATISFIED, why, |card| {
                card.register_custodian(&custodian.request)
            })?;
        }
    }
    let [first, second, lost] = &custodians[..] else {
        return scene.check(false, "three custodians", "others");
    };
    scene.on(A, Card::select)?;
    closed(scene, "nobody has authenticated")?;

    scene.step(
        "One custodian is not enough, two are",
        "Each draws a challenge from A and signs A's device name and the challenge with SHA-256.",
    )?;
    authenticate(scene, first)?;
    quorum(scene, [3, 0, 2, 1])?;
    closed(scene, "one of two has authenticated")?;
    authenticate(scene, second)?;
    quorum(scene, [3, 0, 2, 2])?;
    open(scene)?;
    let plain = Attributes::default();
    let guarded = scene.generate(A, GUARDED, Kind::P256, "guarded key", &plain)?;
    scene.signs(
        A,
        GUARDED,
        &guarded.request.key,
        "the public key that A named",
    )?;

    scene.step(
        "Selecting the applet ends it",
        "What the custodians opened is open for this session only.",
    )?;
    scene.on(A, Card::select)?;
    quorum(scene, [3, 0, 2, 0])?;
    closed(scene, "the session is a new one")?;
    let why = "the key signs for nobody";
    scene.refused(A, StatusWord::NOT_AUTHENTICATED, why, |card| {
        card.sign(GUARDED, &guarded.request.key, b"drill")
    })?;

    scene.step(
        "Wrong signatures are refused",
        "A custodian's signature counts for one device and one challenge.",
    )?;
    let challenge = scene.on(A, Card::custodian_challenge)?;
    let elsewhere = sign(scene, first, D, &challenge)?;
    present_wrong(scene, first, &elsewhere, "B signed for another device")?;
    let challenge = scene.on(A, Card::custodian_challenge)?;
    let of_another = sign(scene, second, A, &challenge)?;
    present_wrong(
        scene,
        first,
        &of_another,
        "C signed, and B's key is selected",
    )?;
    let challenge = scene.on(A, Card::custodian_challenge)?;
    let stale = sign(scene, first, A, &challenge)?;
    scene.on(A, Card::custodian_challenge)?;
    present_wrong(scene, first, &stale, "B signed an older challenge")?;
    quorum(scene, [3, 0, 2, 0])?;

    scene.step(
        "A custodian's card is lost: replace its key",
        "D's key gets lost. Key 2 of card D stands for the card of the new custodian. The others must open A \
         before they can change who opens it.",
    )?;
    scene.caution(
        "Of genuine tokens only the refusal without login (6982) is recorded; option 0008 and the form \
         of the command are those of a compatible card. Try it before it is needed.",
    );
    let new = custodian(scene, D, NEW, "new custodian's key")?;
    let chain = scene.chain(D)?;
    scene.on(A, |card| card.trust(&chain))?;
    let why = "only the custodians may replace a custodian";
    scene.refused(A, StatusWord::NOT_AUTHENTICATED, why, |card| {
        card.replace_custodian(2, &new.request)
    })?;
    authenticate(scene, first)?;
    authenticate(scene, second)?;
    scene.on(A, |card| card.trust(&chain))?;
    scene.on(A, |card| card.replace_custodian(2, &new.request))?;

    scene.step(
        "The new custodian counts, the lost key does not",
        "Whoever finds the lost card can do nothing with it here.",
    )?;
    scene.on(A, Card::select)?;
    let name = lost.request.request.holder.clone();
    let why = "the lost key is nobody's any more";
    scene.refused(A, StatusWord::NOT_FOUND, why, |card| {
        card.select_custodian(&name)
    })?;
    authenticate(scene, second)?;
    authenticate(scene, &new)?;
    open(scene)?;
    scene.signs(
        A,
        GUARDED,
        &guarded.request.key,
        "the public key that A named",
    )
}

/// Makes a custodian's key.
fn custodian(
    scene: &mut Scene<'_>,
    who: Who,
    key: u8,
    label: &str,
) -> Result<Custodian, DrillError> {
    // Nothing but signing: such a key cannot be used for anything else.
    let attributes = Attributes {
        domain: None,
        algorithms: &[crate::card::ECDSA_SHA_256],
    };
    let request = scene.generate(who, key, Kind::BrainpoolP256r1, label, &attributes)?;
    Ok(Custodian { who, key, request })
}

fn register(scene: &mut Scene<'_>, custodian: &Custodian) -> Result<(), DrillError> {
    let chain = scene.chain(custodian.who)?;
    scene.on(A, |card| card.trust(&chain))?;
    scene.on(A, |card| card.register_custodian(&custodian.request))?;
    Ok(())
}

/// The custodian's signature for a device and a challenge.
fn sign(
    scene: &mut Scene<'_>,
    custodian: &Custodian,
    device: Who,
    challenge: &[u8],
) -> Result<Vec<u8>, DrillError> {
    let device = scene.chain(device)?.device.holder;
    let message = [&device[..], challenge].concat();
    let public = &custodian.request.request.key;
    scene.on(custodian.who, |card| {
        card.sign(custodian.key, public, &message)
    })
}

fn authenticate(scene: &mut Scene<'_>, custodian: &Custodian) -> Result<(), DrillError> {
    let challenge = scene.on(A, Card::custodian_challenge)?;
    let signature = sign(scene, custodian, A, &challenge)?;
    let name = &custodian.request.request.holder;
    scene.on(A, |card| card.select_custodian(name))?;
    scene.on(A, |card| card.authenticate_custodian(&signature))?;
    scene.shown(format!(
        "A accepts key {} of {}.",
        custodian.key, custodian.who
    ));
    Ok(())
}

fn present_wrong(
    scene: &mut Scene<'_>,
    custodian: &Custodian,
    signature: &[u8],
    why: &str,
) -> Result<(), DrillError> {
    let name = &custodian.request.request.holder;
    scene.on(A, |card| card.select_custodian(name))?;
    scene.refused(A, StatusWord::AUTHENTICATION_FAILED, why, |card| {
        card.authenticate_custodian(signature)
    })
}

/// Makes sure of A's own account: total, missing, required, authenticated.
fn quorum(scene: &mut Scene<'_>, expected: [u8; 4]) -> Result<(), DrillError> {
    let state = scene.on(A, Card::quorum)?;
    let found = [
        state.total,
        state.missing,
        state.required,
        state.authenticated,
    ];
    scene.check(
        found == expected,
        format!("the state {expected:?}"),
        format!("it is {found:?}"),
    )?;
    let [total, missing, required, authenticated] = found;
    scene.shown(format!(
        "A: {total} custodians, {missing} to register, {required} required, {authenticated} authenticated."
    ));
    Ok(())
}

fn closed(scene: &mut Scene<'_>, why: &str) -> Result<(), DrillError> {
    let state = scene.on(A, Card::user_state)?;
    let expected = StatusWord::AUTHENTICATION_FAILED;
    scene.check(
        state == expected,
        format!("{expected}"),
        format!("A answers {state}"),
    )?;
    let chain = scene.chain(A)?;
    scene.refused(A, StatusWord::NOT_AUTHENTICATED, why, |card| {
        card.generate(9, Kind::P256, &Attributes::default(), &chain)
    })
}

fn open(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    let state = scene.on(A, Card::user_state)?;
    scene.check(
        state == StatusWord::OK,
        "A to be open",
        format!("it answers {state}"),
    )?;
    scene.shown("A is open: the user counts as authenticated.");
    Ok(())
}
