//! Keys under one DKEK are to live under another: four ways.

use super::entry::Comparison;
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
    stand_in: None,
    run,
    meaning: &[
        "A wrapped key opens under its own DKEK only; a second DKEK beside it does not help.",
        "Keys that are in a card move by clearing the KEK and importing the new shares there: nothing \
         is ever outside. `hsm2-harness dkek new-share` makes the new shares and `sc-hsm-tool \
         --import-dkek-share` imports them, but sc-hsm-tool cannot clear a KEK: that takes the command of \
         step 3, from a program such as the vendor's Smart Card Shell. Check with a genuine card and a \
         key that you can lose before you rely on it, and keep the old backup until the new one is \
         proven on a fresh card.",
        "Without a card that holds the keys, all shares of the old DKEK open the wrapped key on a \
         computer: `hsm2-harness blob open --dkek OLD... KEY.bin -o KEY.pem`, then `hsm2-harness blob seal \
         --dkek NEW... --key KEY.pem -o NEW.bin`. Between the two the key lies in a file: use a \
         machine without network whose disk is memory or is destroyed afterwards, and treat the key as \
         one that was seen.",
        "XKEK moves keys with no custodian at all, but only keys made in an XKEK domain. It is a plan \
         for new keys, not a rescue for old ones.",
        "Whichever way: the old wrapped keys stay readable to whoever holds the old DKEK. Destroy them.",
    ],
};

/// Cells of one way in the order of [`COLUMNS`].
type Way = [&'static str; COLUMNS.len()];

const COLUMNS: [&str; 5] = [
    "way",
    "works?",
    "custodians needed",
    "key exposed?",
    "confirmed or inferred",
];

/// Clear of the numbers that the group's keys have.
const KEY: u8 = 11;
const OFF_CARD: u8 = 12;
const BORN: u8 = 13;

fn run(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    xkek::one_root(scene)?;
    let (alpha, beta) = (Custody::new("Alpha", 2), Custody::new("Beta", 2));
    scene.step(
        "Set up A with DKEK Alpha and a key under it, and B with DKEK Beta",
        "Both have a second slot, for the fourth way.",
    )?;
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

    let ways = [
        as_it_is(scene, &old)?,
        in_the_card(scene, &beta, &public, &old)?,
        off_card(scene, [&alpha, &beta], &public, &old)?,
        by_xkek(scene, &bound(1))?,
    ];
    scene.compare(Comparison {
        title: "The four ways side by side".into(),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows: ways.map(|way| way.map(str::to_owned).to_vec()).to_vec(),
    });
    Ok(())
}

fn as_it_is(scene: &mut Scene<'_>, old: &[u8]) -> Result<Way, DrillError> {
    scene.step(
        "First way: unwrap on the card with the other DKEK",
        "It is what everybody tries first.",
    )?;
    let why = "B has no DKEK with the check value that stands in the wrapped key";
    scene.refused(B, StatusWord::WRONG_DATA, why, |card| {
        card.unwrap_key(KEY, old)
    })?;
    Ok([
        "1. Unwrap on the other card",
        "no: refused with 6A80",
        "none helps",
        "no",
        "that it is refused: confirmed; that the word is 6A80: inferred",
    ])
}

fn by_xkek(scene: &mut Scene<'_>, bound: &Attributes<'_>) -> Result<Way, DrillError> {
    scene.step(
        "Fourth way: XKEK, for a key that was made in an XKEK domain",
        "A and B become members of one group and agree on a KEK in slot 1. A key made there travels \
         without any share; the drill `xkek` shows each step of it.",
    )?;
    xkek::connect(scene)?;
    let label = "key born in the XKEK domain";
    let made = scene.generate(A, BORN, Kind::P256, label, bound)?;
    let travels = scene.on(A, |card| card.wrap(BORN))?;
    scene.on(B, |card| card.unwrap_key(BORN, &travels))?;
    scene.label(B, BORN, label)?;
    scene.signs(B, BORN, &made.request.key, "the public key that A named")?;
    Ok([
        "4. XKEK",
        "for keys made in an XKEK domain only, not for keys that exist under a DKEK",
        "none; whoever guards the group signer admits both cards",
        "no",
        "inferred: the vendor describes it, but no record of a genuine card shows it",
    ])
}

fn in_the_card(
    scene: &mut Scene<'_>,
    beta: &Custody,
    public: &PublicKey,
    old: &[u8],
) -> Result<Way, DrillError> {
    scene.step(
        "Second way: clear the KEK on the card that holds the key, and import the new shares",
        "The key stays in A and in its slot; only what it is wrapped under changes. The new DKEK must \
         have as many shares as the old one had: the number stays as it was at creation.",
    )?;
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
    Ok([
        "2. Clear the KEK on the card that holds the key, import the new shares",
        "yes, while a card holds the key",
        "all of the new DKEK; of the old one none",
        "no",
        "inferred: no genuine card was seen to take other shares after clearing",
    ])
}

fn off_card(
    scene: &mut Scene<'_>,
    [alpha, beta]: [&Custody; 2],
    public: &PublicKey,
    old: &[u8],
) -> Result<Way, DrillError> {
    scene.step(
        "Third way: open the wrapped key on a computer and seal it anew",
        "All shares of Alpha together are the DKEK, and whoever has it needs no card to open a wrapped \
         key.",
    )?;
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
    Ok([
        "3. Open on a computer and seal anew",
        "yes, from the wrapped key alone",
        "all of the old DKEK and all of the new one",
        "yes, in the memory of the computer",
        "confirmed for opening: a key that a genuine token wrapped opens so",
    ])
}
