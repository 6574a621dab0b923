//! Two cards with different DKEKs exchange a key by XKEK.

use super::scene::{A, B, C, Custody, Scene, Who};
use super::{Drill, DrillError};
use crate::card::command::StatusWord;
use crate::card::cvc::{Kind, Request, object};
use crate::card::{Attributes, CardError, DERIVE_XKEK, ECDSA_SHA_256};
use crate::verify::PublicKey;

pub(super) static DRILL: Drill = Drill {
    name: "xkek",
    title: "Exchange keys between cards with different DKEKs",
    question: "Two HSMs belong to two groups of custodians and have different DKEKs. A key made in \
               one shall also work in the other, and no custodian shall have to come.",
    cards: 3,
    stand_in: Some(
        "Two cards were given. A virtual card in this program plays C, the outsider. Its certificates \
         end at the virtual root: where A and B are genuine devices, they and C refuse each other for \
         that alone.",
    ),
    run,
    meaning: &[
        "Plan it before the first key: only keys that are made in an XKEK domain, or came into one, \
         can travel this way. INITIALIZE DEVICE fixes the number of slots and erases everything, so \
         reserve a slot for the XKEK from the start.",
        "Whoever may use the group signer decides which devices are in the group. Keep it in an HSM of \
         its own, guard its PIN as you guard the DKEK shares, and check the serial of each device \
         before you sign for it.",
        "sc-hsm-tool knows nothing of XKEK. The commands are those above; the vendor's Smart Card Shell \
         sends them, and `hsm2-harness drill xkek --cards pcsc:\"READER A\" pcsc:\"READER B\"` tries on two \
         devices that may be erased whether their firmware does what this account says.",
        "No custodian has to come and no share exists: the KEK is agreed on by the devices and never \
         leaves them. So nothing outside can open a wrapped key, and nothing outside can replace a \
         lost group: with the last member all its keys are gone. Have two members, or more.",
        "A KEK lasts until it is cleared. The same two exchange keys always agree on the same KEK; \
         make new exchange keys where each transfer shall have its own.",
        "The device that trusts and the device that is trusted compare certificates up to their \
         common root. Genuine devices do not trust virtual ones, nor the other way round.",
    ],
};

/// Slot of the DKEK on each card, and of the XKEK.
const DKEK: u8 = 0;
const XKEK: u8 = 1;

/// Key numbers, the same on all cards.
const SIGNER: u8 = 1;
const EXCHANGE: u8 = 2;
const TRAVELLER: u8 = 3;
const RESIDENT: u8 = 4;

fn run(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    one_root(scene)?;
    two_slots(scene)?;
    let signer = group_signer(scene, A)?;
    memberships(scene, &signer)?;
    agree(scene)?;
    let (public, blob) = travel(scene)?;
    outsider(scene, &blob)?;
    dkek_keys_stay(scene)?;
    clear(scene, &public, &blob)
}

/// Found before a card is erased: a genuine device and a virtual one never trust each other.
pub(super) fn one_root(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    let one = scene.one_root(A, B)?;
    let expected = "certificates of A and B that end at one root, or they never trust each other";
    scene.check(one, expected, "their roots differ; nothing was erased")
}

fn two_slots(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    scene.step(
        "Set up three cards with two slots each, and a DKEK of its own in slot 0",
        "A key domain lives in a slot, and a card can have several: the DKEK of its custodians and \
         the XKEK stand side by side. C is there to be refused.",
    )?;
    for (who, name) in [(A, "Alpha"), (B, "Beta"), (C, "Gamma")] {
        scene.initialise(who, 2)?;
        scene.dkek(who, DKEK, &Custody::new(name, 2))?;
    }
    Ok(())
}

/// Makes the key that is the group's identity.
fn group_signer(scene: &mut Scene<'_>, who: Who) -> Result<Request, DrillError> {
    scene.step(
        "Make the group signer on A",
        "A group is identified by one public key; whoever that key vouches for is a member. Any \
         SmartCard-HSM can hold it, here it is A.",
    )?;
    let signing = Attributes {
        domain: None,
        algorithms: &[ECDSA_SHA_256],
    };
    let signer = scene.generate(who, SIGNER, Kind::BrainpoolP256r1, "group signer", &signing)?;
    scene.shown(
        "A's device key signed the request of the new key: every card that trusts A's certificates \
         knows that the group signer was made in a genuine device.",
    );
    Ok(signer)
}

/// Content of the signer's request, then 54 { signature over 54 || X of the member's device key }.
fn membership(
    scene: &mut Scene<'_>,
    signer: (Who, &Request),
    member: Who,
) -> Result<Vec<u8>, DrillError> {
    let (host, request) = signer;
    let device = scene.chain(member)?.device.key;
    let x = device.point().and_then(|point| point.get(1..33));
    let x = scene.host("an EC device key", x.ok_or("it is another kind of key"))?;
    let vouched = [&[0x54], x].concat();
    let public = request.request.key.clone();
    let signature = scene.on(host, |card| card.sign(SIGNER, &public, &vouched))?;
    Ok([request.content.clone(), object(0x54, &[&signature])].concat())
}

/// Presents a membership to a card that trusts the signer's device.
fn join(scene: &mut Scene<'_>, who: Who, signer: Who, membership: &[u8]) -> Result<(), DrillError> {
    let chain = scene.chain(signer)?;
    scene.on(who, |card| card.trust(&chain))?;
    scene
        .on(who, |card| card.join(XKEK, membership))
        .map(|_| ())
}

fn memberships(scene: &mut Scene<'_>, signer: &Request) -> Result<(), DrillError> {
    scene.step(
        "Sign memberships for A and B and present them in slot 1",
        "A membership names one device by its device key, so it works on that device only. The card \
         checks the certificates of the signer's device first, then the signature.",
    )?;
    scene.caution(
        "The vendor names the actions \"create XKEK domain\" and \"clear KEK\" but publishes no bytes. \
         P1 = 02 and 04 are those of a compatible card, and no record of a genuine card shows the whole \
         way from membership to transfer: what follows is inferred until one does.",
    );
    let for_a = membership(scene, (A, signer), A)?;
    let for_b = membership(scene, (A, signer), B)?;
    join(scene, A, A, &for_a)?;
    join(scene, B, A, &for_b)?;
    if scene.introduce(C, A)? {
        let foreign = "the membership names B's device key, not C's";
        scene.refused(C, StatusWord::NOT_SATISFIED, foreign, |card| {
            card.join(XKEK, &for_b)
        })?;
    }
    Ok(())
}

fn exchange_key(scene: &mut Scene<'_>, who: Who) -> Result<Request, DrillError> {
    let exchange = Attributes {
        domain: Some(XKEK),
        algorithms: &[DERIVE_XKEK],
    };
    let kind = Kind::BrainpoolP256r1;
    scene.generate(who, EXCHANGE, kind, "exchange key", &exchange)
}

fn agree(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    scene.step(
        "Make an exchange key on each side and let both agree on the XKEK",
        "Each card combines its own exchange key with the other's public one (ECDH) and arrives at \
         the same KEK, which neither shows. The request names the group, so a key made outside it \
         is of no use.",
    )?;
    let of_a = exchange_key(scene, A)?;
    let of_b = exchange_key(scene, B)?;
    let (chain_a, chain_b) = (scene.chain(A)?, scene.chain(B)?);
    scene.on(A, |card| card.trust(&chain_b))?;
    scene.on(A, |card| card.derive_xkek(EXCHANGE, &of_b))?;
    scene.on(B, |card| card.trust(&chain_a))?;
    scene.on(B, |card| card.derive_xkek_in_blocks(EXCHANGE, &of_a))?;
    let kcv = scene.same_kek([(A, XKEK), (B, XKEK)], "XKEK-1")?;
    scene.shown(format!(
        "Both show KCV {kcv} in slot 1. A took the request in one command, B in blocks through EF 2F10, \
         the way for readers that cut long commands: the result is the same."
    ));
    Ok(())
}

fn travel(scene: &mut Scene<'_>) -> Result<(PublicKey, Vec<u8>), DrillError> {
    scene.step(
        "Make a key in A's XKEK domain and take it to B",
        "A key is bound to a domain when it is made. It leaves the card encrypted under the KEK of \
         that domain, and enters any card that holds the same KEK.",
    )?;
    let bound = Attributes {
        domain: Some(XKEK),
        algorithms: &[],
    };
    let made = scene.generate(A, TRAVELLER, Kind::P256, "signing key", &bound)?;
    let public = made.request.key;
    let blob = scene.on(A, |card| card.wrap(TRAVELLER))?;
    scene.on(B, |card| card.unwrap_key(TRAVELLER, &blob))?;
    scene.label(B, TRAVELLER, "signing key from A")?;
    scene.signs(B, TRAVELLER, &public, "the public key that A named")?;
    scene.signs(A, TRAVELLER, &public, "the same key, which A still has")?;
    Ok((public, blob))
}

fn outsider(scene: &mut Scene<'_>, blob: &[u8]) -> Result<(), DrillError> {
    scene.step(
        "Try to let C in, from outside the group",
        "The group must be closed. C has a group of its own, with its own signer and exchange key: \
         none of that helps.",
    )?;
    let agreed = scene.same_kek([(A, XKEK), (B, XKEK)], "XKEK-1")?;
    scene.refused(
        C,
        StatusWord::WRONG_DATA,
        "C has no KEK with the check value that stands in the wrapped key",
        |card| card.unwrap_key(TRAVELLER, blob),
    )?;
    let signing = Attributes {
        domain: None,
        algorithms: &[ECDSA_SHA_256],
    };
    let label = "signer of another group";
    let signer = scene.generate(C, SIGNER, Kind::BrainpoolP256r1, label, &signing)?;
    let own = membership(scene, (C, &signer), C)?;
    join(scene, C, C, &own)?;
    let of_c = exchange_key(scene, C)?;
    if scene.introduce(B, C)? {
        let other = "C's exchange key names another group than B's slot 1";
        scene.refused(B, StatusWord::NOT_FOUND, other, |card| {
            card.derive_xkek(EXCHANGE, &of_c)
        })?;
    }
    let after = scene.same_kek([(A, XKEK), (B, XKEK)], "XKEK-1")?;
    let (expected, found) = (format!("KCV {agreed} as before"), format!("it is {after}"));
    scene.check(after == agreed, expected, found)?;
    scene.shown("The refused attempt left the KEK of A and B as it was.");
    Ok(())
}

fn dkek_keys_stay(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    scene.step(
        "Try to send a key of A's DKEK domain by XKEK",
        "This is the wish behind most questions: keys exist already, under the DKEK. But a key is \
         wrapped under the KEK of its own domain only, and no command moves it to another.",
    )?;
    let bound = Attributes {
        domain: Some(DKEK),
        algorithms: &[],
    };
    scene.generate(A, RESIDENT, Kind::P256, "key under the DKEK", &bound)?;
    let blob = scene.on(A, |card| card.wrap(RESIDENT))?;
    let found = blob.get(..8).unwrap_or_default();
    let alpha = Custody::new("Alpha", 2).dkek().check_value();
    let expected = format!("KCV {alpha} of DKEK Alpha in the wrapped key");
    let shown = format!("it has {}", hex::encode_upper(found));
    scene.check(found == alpha.0, expected, shown)?;
    scene.shown(format!(
        "A wraps it, but under its DKEK: the wrapped key begins with {alpha}."
    ));
    scene.refused(
        B,
        StatusWord::WRONG_DATA,
        "B has another DKEK, and its XKEK has another check value",
        |card| card.unwrap_key(RESIDENT, &blob),
    )?;
    Ok(())
}

/// Makes A and B members of one group and lets them agree on a KEK in slot 1.
pub(super) fn connect(scene: &mut Scene<'_>) -> Result<(), DrillError> {
    let signing = Attributes {
        domain: None,
        algorithms: &[ECDSA_SHA_256],
    };
    let kind = Kind::BrainpoolP256r1;
    let signer = scene.generate(A, SIGNER, kind, "group signer", &signing)?;
    for who in [A, B] {
        let membership = membership(scene, (A, &signer), who)?;
        join(scene, who, A, &membership)?;
    }
    let (of_a, of_b) = (exchange_key(scene, A)?, exchange_key(scene, B)?);
    for (who, peer, request) in [(A, B, of_b), (B, A, of_a)] {
        let chain = scene.chain(peer)?;
        scene.on(who, |card| card.trust(&chain))?;
        scene.on(who, |card| card.derive_xkek(EXCHANGE, &request))?;
    }
    scene.same_kek([(A, XKEK), (B, XKEK)], "XKEK-1").map(|_| ())
}

fn clear(scene: &mut Scene<'_>, public: &PublicKey, blob: &[u8]) -> Result<(), DrillError> {
    scene.step(
        "Clear the KEK on both cards",
        "After a transfer the KEK has no more work to do. Without it nothing leaves or enters the \
         domain, and the keys in it go on working.",
    )?;
    scene.on(A, |card| card.clear_kek(XKEK))?;
    scene.on(B, |card| card.clear_kek(XKEK))?;
    scene.signs(B, TRAVELLER, public, "the public key that A named")?;
    no_kek(scene, B, |card| card.wrap(TRAVELLER))?;
    scene.on(B, |card| card.delete_key(TRAVELLER))?;
    scene.refused(
        B,
        StatusWord::WRONG_DATA,
        "the wrapped key from before does not come back without its KEK",
        |card| card.unwrap_key(TRAVELLER, blob),
    )?;
    Ok(())
}

fn no_kek<T>(
    scene: &mut Scene<'_>,
    who: Who,
    act: impl FnOnce(&mut crate::card::Card) -> Result<T, CardError>,
) -> Result<(), DrillError> {
    let why = "the domain has no KEK to wrap under";
    scene.refused(who, StatusWord::NOT_FOUND, why, act)
}
