//! Keys under one DKEK are to live under another: four ways.

use super::scene::{A, B, Custody, Scene};
use super::{Drill, DrillError, xkek};
use crate::blob;
use crate::card::Attributes;
use crate::card::command::StatusWord;
use crate::card::cvc::Kind;
use crate::verify::PublicKey;

pub(super) static DRILL: Drill = Drill {
    name: "new-dkek",
    title: "Move keys from one DKEK to another",
    question: "Keys live under DKEK Alpha and shall live under DKEK Beta, in the same card or in \
               another one. Four ways are tried side by side.",
    cards: 2,
    run,
    meaning: &[
        "A wrapped key opens under its own DKEK only; a second DKEK beside it does not help.",
        "Keys that are in a card move by clearing the KEK and importing the new shares there: nothing \
         is ever outside. Check with a genuine card and a key that you can lose before you rely on it, \
         and keep the old backup until the new one is proven on a fresh card.",
        "Without a card that holds the keys, all shares of the old DKEK open the wrapped key on a \
         computer. For that moment the key is in its memory: use a machine without network that is \
         erased afterwards, and treat the key as one that was seen.",
        "XKEK moves keys with no custodian at all, but only keys made in an XKEK domain. It is a plan \
         for new keys, not a rescue for old ones.",
        "Whichever way: the old wrapped keys stay readable to whoever holds the old DKEK. Destroy them.",
    ],
};

/// Clear of the numbers that the group's keys have.
const KEY: u8 = 11;
const OFF_CARD: u8 = 12;
const BORN: u8 = 13;

fn run(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    let (alpha, beta) = (Custody::new("Alpha", 2), Custody::new("Beta", 2));
    scene.step(
        "Set up A with DKEK Alpha and a key under it, and B with DKEK Beta",
        "Both have a second slot, for the fourth way.",
    );
    for (who, dkek) in [(A, &alpha), (B, &beta)] {
        scene.initialise(who, 2)?;
        scene.dkek(who, 0, dkek)?;
    }
    let bound = |slot| Attributes {
        domain: Some(slot),
        algorithms: &[],
    };
    let made = scene.generate(A, KEY, Kind::P256, "signing key", &bound(0))?;
    let public = made.request.key;
    let old = scene.on(A, |card| card.wrap(KEY))?;
    scene.holds()?;

    scene.step(
        "First way: unwrap on the card with the other DKEK",
        "It is what everybody tries first.",
    );
    let why = "B has no DKEK with the check value that stands in the wrapped key";
    scene.refused(B, StatusWord::WRONG_DATA, why, |card| {
        card.unwrap_key(KEY, &old)
    })?;

    in_the_card(scene, &beta, &public, &old)?;
    off_card(scene, [&alpha, &beta], &public, &old)?;

    scene.step(
        "Fourth way: XKEK, for a key that was made in an XKEK domain",
        "A and B become members of one group and agree on a KEK in slot 1. A key made there travels \
         without any share; the drill `xkek` shows each step of it.",
    );
    xkek::connect(scene)?;
    let made = scene.generate(
        A,
        BORN,
        Kind::P256,
        "key born in the XKEK domain",
        &bound(1),
    )?;
    let travels = scene.on(A, |card| card.wrap(BORN))?;
    scene.on(B, |card| card.unwrap_key(BORN, &travels))?;
    scene.label(B, BORN, "key born in the XKEK domain")?;
    scene.signs(B, BORN, &made.request.key, "the public key that A named")?;
    scene.holds()
}

fn in_the_card(
    scene: &mut Scene<'_>,
    beta: &Custody,
    public: &PublicKey,
    old: &[u8],
) -> Result<(), DrillError> {
    scene.step(
        "Second way: clear the KEK on the card that holds the key, and import the new shares",
        "The key stays in A and in its slot; only what it is wrapped under changes. The new DKEK must \
         have as many shares as the old one had: the number stays as it was at creation.",
    );
    scene.caution(
        "Inferred, until a genuine card confirms that it takes other shares after clearing.",
    );
    scene.on(A, |card| card.clear_kek(0))?;
    scene.import(A, 0, beta)?;
    let fresh = scene.on(A, |card| card.wrap(KEY))?;
    scene.on(B, |card| card.unwrap_key(KEY, &fresh))?;
    scene.label(B, KEY, "signing key, moved in the card")?;
    scene.signs(B, KEY, public, "the public key that A named under Alpha")?;
    let why = "A no longer has Alpha: the old wrapped key does not come back here";
    scene.refused(A, StatusWord::WRONG_DATA, why, |card| {
        card.unwrap_key(OFF_CARD, old)
    })?;
    scene.holds()
}

fn off_card(
    scene: &mut Scene<'_>,
    [alpha, beta]: [&Custody; 2],
    public: &PublicKey,
    old: &[u8],
) -> Result<(), DrillError> {
    scene.step(
        "Third way: open the wrapped key on a computer and seal it anew",
        "All shares of Alpha together are the DKEK, and whoever has it needs no card to open a wrapped \
         key.",
    );
    let wrong = blob::open::open(old, &beta.dkek());
    scene.check(wrong.is_err(), "Beta not to open it", "it did")?;
    let key = scene.host("Alpha to open it", blob::open::open(old, &alpha.dkek()))?;
    scene.caution(format!(
        "From here on the private key ({}) lies open in the memory of this computer.",
        key.describe()
    ));
    let sealed = blob::seal::seal(&key, &beta.dkek(), &[]);
    let sealed = scene.host("the key under Beta", sealed)?;
    drop(key);
    scene.shown("It is sealed under Beta, and its memory is wiped.");
    scene.on(B, |card| card.unwrap_key(OFF_CARD, &sealed))?;
    scene.label(B, OFF_CARD, "signing key, moved off the card")?;
    scene.signs(
        B,
        OFF_CARD,
        public,
        "the public key that A named under Alpha",
    )?;
    scene.holds()
}
