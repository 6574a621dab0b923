//! MANAGE SECURITY ENVIRONMENT and PSO VERIFY CERTIFICATE: whose keys the card has reason to trust.

use crate::apdu::{Apdu, apdu};
use crate::card::cvc::{Chain, object};
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};

const HOST: &str = "OpenSC card-sc-hsm.c verifies a chain so";
const FORM: &str = "the form that OpenSC sends, violated (inferred)";

/// Selects the key of this name.
fn select_key(name: &[u8]) -> Apdu {
    apdu(0x0022_81b6).data(object(0x83, &[name]))
}

fn verify(certificate: &[u8]) -> Apdu {
    apdu(0x002a_00be).data(certificate)
}

/// A scenario about MANAGE SECURITY ENVIRONMENT, which touches the session alone.
fn looks(
    list: &mut List,
    id: &str,
    title: &str,
    source: &str,
    body: fn(&mut Bench) -> Result<(), Stop>,
) {
    list.add(format!("trust.{id}"), title)
        .source(source)
        .run(body);
}

/// A scenario that verifies certificates; the card's own chain is as good as any.
fn verifies(
    list: &mut List,
    id: &str,
    title: &str,
    source: &str,
    body: fn(&mut Bench, &Chain) -> Result<(), Stop>,
) {
    list.add(format!("trust.certificate.{id}"), title)
        .source(source)
        .needs("pka")
        .effect(Effect::Wipes)
        .start(Start::Fresh)
        .run(move |t| {
            let chain = t.chain()?;
            body(t, &chain)
        });
}

pub(super) fn add(list: &mut List) {
    looks(
        list,
        "select_key.root_is_known",
        "The root of the device's own chain is known without any certificate, its issuer is not",
        HOST,
        |t| {
            let chain = t.chain()?;
            t.refused(select_key(&chain.issuer.authority), 0x9000)?;
            t.refused(select_key(&chain.issuer.holder), 0x6a88)?;
            t.refused(select_key(&chain.device.holder), 0x6a88)
        },
    );
    looks(
        list,
        "select_key.without_data_is_6700",
        "MANAGE SECURITY ENVIRONMENT without data answers 6700 in every form",
        FORM,
        |t| {
            t.refused("002281B6", 0x6700)?;
            t.refused("002281A4", 0x6700)?;
            t.refused("002241A4", 0x6700)
        },
    );
    looks(
        list,
        "select_key.malformed_is_6a80",
        "MANAGE SECURITY ENVIRONMENT with another object than 83, or with more than it, answers 6A80",
        FORM,
        |t| {
            let root = t.chain()?.issuer.authority;
            let more = [object(0x83, &[&root]), vec![0x80, 0]].concat();
            for header in [0x0022_81b6, 0x0022_81a4] {
                for data in [
                    object(0x84, &[&root]),
                    more.clone(),
                    vec![0x83, 20, 1],
                    vec![0x83],
                ] {
                    t.refused(apdu(header).data(data), 0x6a80)?;
                }
            }
            Ok(())
        },
    );
    looks(
        list,
        "select_key.other_template_is_6a86",
        "MANAGE SECURITY ENVIRONMENT with other P1 and P2 answers 6A86",
        FORM,
        |t| {
            for header in [0x0022_41b6, 0x0022_8100, 0x0022_01b6, 0x0022_81a6] {
                t.refused(apdu(header).data(object(0x83, &[b"NAME"])), 0x6a86)?;
            }
            Ok(())
        },
    );
    looks(
        list,
        "select_key.no_custodian_is_6a88",
        "The name of a custodian that the card has not answers 6A88, without custodians, too",
        "compatible card (inferred)",
        |t| {
            let data = object(0x83, &[b"XXNOBODY00001"]);
            t.refused(apdu(0x0022_81a4).data(data), 0x6a88)
        },
    );
    verifies(
        list,
        "chain_makes_names_known",
        "Root, issuer, device: each verified certificate makes the next name known",
        HOST,
        |t, chain| {
            t.refused(select_key(&chain.issuer.authority), 0x9000)?;
            t.refused(verify(&chain.issuer.content), 0x9000)?;
            t.refused(select_key(&chain.issuer.holder), 0x9000)?;
            t.refused(verify(&chain.device.content), 0x9000)?;
            t.refused(select_key(&chain.device.holder), 0x9000)
        },
    );
    verifies(
        list,
        "frame_is_taken_too",
        "A certificate is taken with its outer tag 7F21, too",
        "OpenSC strips the frame (inferred)",
        |t, chain| {
            t.refused(select_key(&chain.issuer.authority), 0x9000)?;
            let framed = object(0x7f21, &[&chain.issuer.content]);
            t.refused(verify(&framed), 0x9000)?;
            t.refused(select_key(&chain.issuer.holder), 0x9000)
        },
    );
    verifies(
        list,
        "select_forgets_them",
        "SELECT of the applet forgets verified certificates and the selected key",
        "a session ends there (inferred)",
        |t, chain| {
            t.card().trust(chain)?;
            t.select()?;
            t.refused(select_key(&chain.device.holder), 0x6a88)?;
            t.refused(verify(&chain.issuer.content), 0x6a88)
        },
    );
    verifies(
        list,
        "without_issuer_selected_is_6a88",
        "A certificate answers 6A88 when no key is selected, or not that of its issuer",
        FORM,
        |t, chain| {
            t.refused(verify(&chain.issuer.content), 0x6a88)?;
            t.refused(select_key(&chain.issuer.authority), 0x9000)?;
            t.refused(verify(&chain.device.content), 0x6a88)?;
            t.refused(verify(&chain.issuer.content), 0x9000)
        },
    );
    verifies(
        list,
        "wrong_signature_is_6985",
        "A certificate with a bit changed in its signature answers 6985 and is not known afterwards",
        "6985 is recorded for a key whose chain does not verify",
        |t, chain| {
            t.refused(select_key(&chain.issuer.authority), 0x9000)?;
            let mut bad = chain.issuer.content.clone();
            if let Some(last) = bad.last_mut() {
                *last ^= 1;
            }
            t.refused(verify(&bad), 0x6985)?;
            t.refused(select_key(&chain.issuer.holder), 0x6a88)
        },
    );
    verifies(
        list,
        "malformed_is_6a80",
        "What is no certificate, or one and more, answers 6A80",
        FORM,
        |t, chain| {
            t.refused(select_key(&chain.issuer.authority), 0x9000)?;
            let good = &chain.issuer.content;
            let cut = good.get(..good.len() - 1).unwrap_or_default().to_vec();
            let more = [object(0x7f21, &[good]), vec![0]].concat();
            for bad in [cut, more, vec![0x7f, 0x4e, 0], vec![0]] {
                t.refused(verify(&bad), 0x6a80)?;
            }
            t.refused(verify(good), 0x9000)
        },
    );
    verifies(
        list,
        "request_is_6a88",
        "A request names a key that nobody vouched for: it is not verified, and its name stays unknown",
        "a key is known by its certificate only (inferred)",
        |t, chain| {
            t.login()?;
            let kind = crate::card::cvc::Kind::BrainpoolP256r1;
            let plain = crate::card::Attributes::default();
            let made = t.card().generate(1, kind, &plain, chain)?;
            t.card().trust(chain)?;
            let own = select_key(&made.request.authority);
            t.refused(own, 0x6a88)?;
            t.refused(verify(&made.request.content), 0x6a88)
        },
    );
    verifies(
        list,
        "form_violated",
        "PSO VERIFY CERTIFICATE without data answers 6700, with other P1 and P2 6A86",
        FORM,
        |t, chain| {
            t.refused("002A00BE", 0x6700)?;
            t.refused(apdu(0x002a_00ae).data(&chain.issuer.content), 0x6a86)?;
            t.refused(apdu(0x002a_80be).data(&chain.issuer.content), 0x6a86)
        },
    );
}
