//! One custodian of an n-of-m scheme leaves.

use super::scene::{A, B, Custody, Scene};
use super::share_file::{Held, SHORTCUT};
use super::{Drill, DrillError};
use crate::card::Attributes;
use crate::card::command::StatusWord;
use crate::card::cvc::Kind;

pub(super) static DRILL: Drill = Drill {
    name: "custodian-leaves",
    title: "One of five custodians leaves",
    question: "Five custodians hold the password of a DKEK share file, any three open it. One of them \
               leaves the company. What must the others do so that the leaver is out?",
    cards: 2,
    stand_in: None,
    run,
    meaning: &[
        "Three of five is a property of the password of a share file. The card knows nothing of \
         it, and the DKEK is the same before and after the pieces are dealt anew.",
        "Dealing anew is `hsm2-harness dkek reshare FILE --enter-shares 3 --threshold 3 --shares 4`: \
         three holders type their pieces in, the four who stay see new ones, and the old file is kept \
         beside the new one until you destroy it. Before that, compare what `hsm2-harness dkek kcv FILE \
         --enter-shares 3` says of the new file with the check value on the card.",
        "It replaces a lost piece and brings the number of holders back. It excludes nobody who kept \
         a copy of the old file and can meet two old holders. Destroy all copies of the old file, and \
         the old pieces, in front of witnesses.",
        "Only a new DKEK (`hsm2-harness dkek new-share`) shuts a leaver out, and only from what is \
         wrapped after it. A backup under the old DKEK stays readable to whoever has it together with \
         the old DKEK: destroy the old backups, or replace the keys in them. The drill `new-dkek` \
         compares the ways there.",
    ],
};

const KEY: u8 = 1;

fn run(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    let (alpha, beta) = (Custody::new("Alpha", 1), Custody::new("Beta", 1));
    scene.step(
        "Set up A with a DKEK whose share file five custodians hold",
        "There is one share file. Its password is cut in five pieces of which any three give it back. \
         The key's backup is wrapped under the DKEK and kept outside.",
    )?;
    scene.caution(SHORTCUT);
    let old = Held::new(scene, &alpha.dkek(), 3, 5)?;
    scene.initialise(A, 1)?;
    scene.dkek(A, 0, &alpha)?;
    let bound = Attributes {
        domain: Some(0),
        algorithms: &[],
    };
    let made = scene.generate(A, KEY, Kind::P256, "signing key", &bound)?;
    let public = made.request.key;
    let backup = scene.on(A, |card| card.wrap(KEY))?;
    opens(scene, &old, &[1, 2, 3], &alpha)?;
    stays_shut(scene, &old, &[1, 2])?;

    scene.step(
        "Custodian 5 leaves: deal the password anew to the other four",
        "Three of those who stay open the file, seal the same share under a new password and cut that \
         in four pieces. The cards are not needed for it.",
    )?;
    let share = scene.host(
        "custodians 1, 2 and 4 to open it",
        old.open(&old.pieces(&[1, 2, 4])),
    )?;
    let new = Held::new(scene, &share, 3, 4)?;
    opens(scene, &new, &[2, 3, 4], &alpha)?;
    let mixed = [new.pieces(&[1, 2]), old.pieces(&[5])].concat();
    let outcome = new.open(&mixed);
    scene.check(
        outcome.is_err(),
        "the leaver's piece not to fit the new file",
        "it opened it",
    )?;
    scene.shown("Two new pieces and the leaver's old one do not open the new file.");

    scene.step(
        "What the leaver can still do with a copy of the old file",
        "The share inside has not changed. Two holders who kept their old pieces are enough help.",
    )?;
    opens(scene, &old, &[3, 4, 5], &alpha)?;
    scene.initialise(B, 1)?;
    scene.dkek(B, 0, &alpha)?;
    scene.on(B, |card| card.unwrap_key(KEY, &backup))?;
    scene.label(B, KEY, "signing key from the old backup")?;
    scene.signs(B, KEY, &public, "the public key that A named")?;
    scene.shown(
        "So the leaver, with two helpers, made a card that holds the key: nothing is closed.",
    );

    scene.step(
        "Shut the leaver out with a new DKEK on A, and wrap anew",
        "The KEK of A's domain is cleared and the shares of a new DKEK come in. The key stays in \
         the domain and can be wrapped under the new DKEK.",
    )?;
    scene.caution(
        "That a genuine card takes other shares after clearing is inferred; try it with a key that \
         you can lose.",
    );
    scene.on(A, |card| card.clear_kek(0))?;
    scene.import(A, 0, &beta)?;
    scene.signs(A, KEY, &public, "the public key from before")?;
    let fresh = scene.on(A, |card| card.wrap(KEY))?;
    scene.on(B, |card| card.delete_key(KEY))?;
    let why = "the new backup is under a DKEK that the leaver does not have";
    scene.refused(B, StatusWord::WRONG_DATA, why, |card| {
        card.unwrap_key(KEY, &fresh)
    })?;
    scene.on(B, |card| card.unwrap_key(KEY, &backup))?;
    scene.signs(B, KEY, &public, "the public key from before")?;
    scene.shown("The old backup still opens with the old DKEK: it must be destroyed as well.");
    Ok(())
}

fn opens(scene: &mut Scene<'_>, held: &Held, who: &[u8], of: &Custody) -> Result<(), DrillError> {
    let share = scene.host("the pieces to open the file", held.open(&held.pieces(who)))?;
    let same = share == of.dkek();
    scene.check(same, "the share of the DKEK in the file", "it is another")?;
    let (who, kcv) = (names(who), share.check_value());
    scene.shown(format!(
        "Custodians {who} open the file; its share gives KCV {kcv}."
    ));
    Ok(())
}

fn stays_shut(scene: &mut Scene<'_>, held: &Held, who: &[u8]) -> Result<(), DrillError> {
    let shut = held.open(&held.pieces(who)).is_err();
    scene.check(
        shut,
        "too few pieces not to open the file",
        "they opened it",
    )?;
    let who = names(who);
    scene.shown(format!("Custodians {who} alone do not open it."));
    Ok(())
}

/// `1, 2 and 4`
fn names(custodians: &[u8]) -> String {
    let words: Vec<String> = custodians.iter().map(u8::to_string).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}
