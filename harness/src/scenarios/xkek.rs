//! XKEK: two cards of a group agree on a key encryption key, and keys travel under it.
//!
//! The bytes are those of a compatible card; no record of a genuine one shows the whole way.

use crate::apdu::apdu;
use crate::card::Attributes;
use crate::card::cvc::{Kind, Request, object};
use crate::card::{DERIVE_XKEK, ECDSA_SHA_256};
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::hand::Hand;

const SLOT: u8 = 1;
const SIGNER: u8 = 101;
const EXCHANGE: u8 = 102;
const TRAVELLER: u8 = 103;

const SOURCE: &str = "published key domain vectors and vendor API names (inferred)";

/// Makes the key that is the group's identity.
fn signer(hand: &mut Hand) -> Result<Request, Stop> {
    let chain = hand.chain()?;
    let signing = Attributes {
        domain: None,
        algorithms: &[ECDSA_SHA_256],
    };
    Ok(hand
        .card()
        .generate(SIGNER, Kind::BrainpoolP256r1, &signing, &chain)?)
}

/// Content of the signer's request, then 54 { signature over 54 || X of the member's device key }.
fn membership(host: &mut Hand, signer: &Request, device: &[u8]) -> Result<Vec<u8>, Stop> {
    let vouched = [&[0x54], device.get(1..33).unwrap_or_default()].concat();
    let public = signer.request.key.clone();
    let signature = host.card().sign(SIGNER, &public, &vouched)?;
    Ok([signer.content.clone(), object(0x54, &[&signature])].concat())
}

/// Point of a card's device key.
fn device_key(hand: &mut Hand) -> Result<Vec<u8>, Stop> {
    let chain = hand.chain()?;
    let point = chain.device.key.point();
    Ok(point.unwrap_or_default().to_vec())
}

fn exchange_key(hand: &mut Hand) -> Result<Request, Stop> {
    let chain = hand.chain()?;
    let exchange = Attributes {
        domain: Some(SLOT),
        algorithms: &[DERIVE_XKEK],
    };
    Ok(hand
        .card()
        .generate(EXCHANGE, Kind::BrainpoolP256r1, &exchange, &chain)?)
}

/// Makes both cards members of one group.
fn join(t: &mut Bench) -> Result<(), Stop> {
    let host = t.chain()?;
    let signer = signer(t)?;
    let device = device_key(t)?;
    let for_a = membership(t, &signer, &device)?;
    let device = device_key(t.other()?)?;
    let for_b = membership(t, &signer, &device)?;
    t.card().trust(&host)?;
    t.card().join(SLOT, &for_a)?;
    let other = t.other()?.card();
    other.trust(&host)?;
    other.join(SLOT, &for_b)?;
    Ok(())
}

/// Lets both cards agree; gives the two check values.
fn agree(t: &mut Bench) -> Result<[Option<crate::dkek::CheckValue>; 2], Stop> {
    join(t)?;
    let (of_a, of_b) = (exchange_key(t)?, exchange_key(t.other()?)?);
    let (chain_a, chain_b) = (t.chain()?, t.other()?.chain()?);
    t.card().trust(&chain_b)?;
    t.card().derive_xkek(EXCHANGE, &of_b)?;
    let other = t.other()?.card();
    other.trust(&chain_a)?;
    other.derive_xkek_in_blocks(EXCHANGE, &of_a)?;
    let theirs = other.domain(SLOT)?.check_value;
    Ok([t.card().domain(SLOT)?.check_value, theirs])
}

pub(super) fn add(list: &mut List) {
    list.add(
        "xkek.agreement.two_cards_show_one_check_value",
        "Two cards of a group agree on an XKEK and show the same check value",
    )
    .source(SOURCE)
    .needs("xkek")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .two_cards()
    .run(|t| {
        let [ours, theirs] = agree(t)?;
        t.check(
            ours.is_some() && ours == theirs,
            "one check value on both",
            || format!("{ours:?} and {theirs:?}"),
        )
    });

    list.add(
        "xkek.wrap.key_travels_and_signs",
        "A key made in the XKEK domain of one card signs on the other",
    )
    .source(SOURCE)
    .needs("xkek")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .two_cards()
    .run(|t| {
        agree(t)?;
        let chain = t.chain()?;
        let bound = Attributes {
            domain: Some(SLOT),
            algorithms: &[],
        };
        let made = t.card().generate(TRAVELLER, Kind::P256, &bound, &chain)?;
        let blob = t.card().wrap(TRAVELLER)?;
        let other = t.other()?;
        other.card().unwrap_key(TRAVELLER, &blob)?;
        let hash = crate::judge::Hash::Sha256.of(b"carried")?;
        let sign = apdu(0x8068_0070).p1(TRAVELLER).data(&hash).le(512);
        let signature = other.ok(sign)?;
        let point = made.request.key.point().unwrap_or_default();
        let good = crate::judge::ecdsa_by("secp256r1", point, &hash, &signature)?;
        t.check(good, "a signature of the key that was made", || {
            hex::encode_upper(&signature)
        })
    });

    list.add(
        "xkek.membership.status_shows_the_group",
        "The status of an XKEK domain has no check value before the agreement, and one UID on both cards",
    )
    .source(SOURCE)
    .needs("xkek")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .two_cards()
    .run(|t| {
        join(t)?;
        let status = apdu(0x8052_0000).p2(SLOT).le(256);
        let ours = t.ok(&status)?;
        let theirs = t.other()?.ok(&status)?;
        t.same("the status on both cards", &ours, theirs)?;
        let Some((first, [0, 0, 0, 0, 0, 0, 0, 0, uid @ ..])) = ours.split_at_checked(2) else {
            return Err(t.finding("two bytes, eight zeros, UID", hex::encode_upper(&ours)));
        };
        t.check(!uid.is_empty(), "a UID", || "none".into())?;
        // What hosts do not read differs from card to card.
        let first = hex::encode_upper(first);
        t.observe(format!("the status begins with {first}, and the UID has {} bytes", uid.len()));
        Ok(())
    });

    for (what, word) in [
        ("malformed", 0x6a80),
        ("without_selected_device", 0x6a88),
        ("tampered", 0x6985),
        ("into_an_existing_slot", 0x6a86),
    ] {
        list.add(
            format!("xkek.membership.{what}_is_{word:04x}"),
            format!(
                "A membership that cannot be taken ({what}) answers {word:04X} and makes no domain"
            ),
        )
        .source(SOURCE)
        .needs("xkek")
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(move |t| {
            let signer = signer(t)?;
            let device = device_key(t)?;
            let mut membership = membership(t, &signer, &device)?;
            let chain = t.chain()?;
            t.card().trust(&chain)?;
            let mut slot = SLOT;
            match what {
                "malformed" => membership.truncate(membership.len() - 1),
                "without_selected_device" => {
                    t.select()?;
                    t.login()?;
                }
                "into_an_existing_slot" => slot = 0,
                _ => {
                    if let Some(last) = membership.last_mut() {
                        *last ^= 1;
                    }
                }
            }
            let join = apdu(0x8052_0200).p2(slot).data(membership).le(256);
            t.refused(join, word)?;
            t.refused(apdu(0x8052_0000).p2(SLOT).le(256), 0x6a88)
        });
    }

    list.add(
        "xkek.membership.of_another_card_is_6985",
        "A membership that names another card's device key is refused with 6985",
    )
    .source(SOURCE)
    .needs("xkek")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .two_cards()
    .run(|t| {
        let host = t.chain()?;
        let signer = signer(t)?;
        let device = device_key(t)?;
        let for_a = membership(t, &signer, &device)?;
        let other = t.other()?;
        other.card().trust(&host)?;
        other.refused(apdu(0x8052_0200).p2(SLOT).data(for_a).le(256), 0x6985)
    });

    list.add(
        "xkek.agreement.tampered_request_leaves_the_kek",
        "A request with one bit changed is refused with 6985, and the domain has no KEK afterwards",
    )
    .source(SOURCE)
    .needs("xkek")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .two_cards()
    .run(|t| {
        join(t)?;
        exchange_key(t)?;
        let mut of_b = exchange_key(t.other()?)?.content;
        if let Some(last) = of_b.last_mut() {
            *last ^= 1;
        }
        let chain_b = t.other()?.chain()?;
        t.card().trust(&chain_b)?;
        t.refused(apdu(0x8062_0084).p1(EXCHANGE).data(of_b).all(), 0x6985)?;
        let kcv = t.card().domain(SLOT)?.check_value;
        t.check(kcv.is_none(), "no check value", || format!("{kcv:?}"))
    });
}
