//! What custodians do: the second card holds their keys and signs.

use crate::apdu::apdu;
use crate::card::cvc::{Kind, Request, object};
use crate::card::{Attributes, ECDSA_SHA_256};
use crate::suite::bench::{Answer, Bench, Stop};

/// A custodian, whose key is on the second card.
pub(super) struct Custodian {
    /// Number of the key there.
    pub(super) key: u8,
    /// The key's request.
    pub(super) request: Request,
}

/// Makes custodians' keys on the second card, numbered from 1.
pub(super) fn custodians<const N: usize>(t: &mut Bench) -> Result<[Custodian; N], Stop> {
    let other = t.other()?;
    other.login()?;
    let chain = other.chain()?;
    let signing = Attributes {
        domain: None,
        algorithms: &[ECDSA_SHA_256],
    };
    let make = |key| {
        let kind = Kind::BrainpoolP256r1;
        let request = other.card().generate(key, kind, &signing, &chain)?;
        Ok(Custodian { key, request })
    };
    let made: Vec<Custodian> = (1..).take(N).map(make).collect::<Result<_, Stop>>()?;
    made.try_into()
        .map_err(|_| Stop::Harness("too many custodians".into()))
}

/// Sets the first card up for custodians, with the PIN or without one; nobody is logged in.
pub(super) fn set_up(
    t: &mut Bench,
    options: u16,
    pin: Option<()>,
    quorum: [u8; 2],
) -> Result<(), Stop> {
    let mut data = object(0x80, &[&options.to_be_bytes()]);
    if pin.is_some() {
        data.extend(object(0x81, &[t.pin()?.expose()]));
        data.extend(object(0x91, &[&[3]]));
    }
    data.extend(object(0x82, &[&t.so_pin()?]));
    data.extend(object(0x93, &[&quorum]));
    t.ok(apdu(0x8050_0000).data(data))?;
    t.select().map(|_| ())
}

/// Makes the first card verify the second one's certificates and select its device key.
pub(super) fn trust_other(t: &mut Bench) -> Result<(), Stop> {
    let chain = t.other()?.chain()?;
    Ok(t.card().trust(&chain)?)
}

/// Registers a custodian's key.
pub(super) fn register(t: &mut Bench, custodian: &Custodian) -> Result<Answer, Stop> {
    trust_other(t)?;
    let content = &custodian.request.content;
    t.send(apdu(0x8054_0000).data(content).le(256))
}

/// Makes sure of the status: total, missing, required, authenticated.
pub(super) fn status(t: &mut Bench, expected: [u8; 4]) -> Result<(), Stop> {
    let found = t.ok(apdu(0x8054_0000).le(4))?;
    t.same("total, missing, required, authenticated", expected, found)
}

/// Draws what a custodian has to sign.
pub(super) fn challenge(t: &mut Bench) -> Result<Vec<u8>, Stop> {
    t.ok(apdu(0x0084_0000).le(8))
}

/// The custodian's signature for the first card and a challenge, made by the second card.
pub(super) fn signed(
    t: &mut Bench,
    custodian: &Custodian,
    challenge: &[u8],
) -> Result<Vec<u8>, Stop> {
    let device = t.chain()?.device.holder;
    let message = [&device, challenge].concat();
    let public = &custodian.request.request.key;
    Ok(t.other()?.card().sign(custodian.key, public, &message)?)
}

/// Selects a custodian's key.
pub(super) fn choose(t: &mut Bench, custodian: &Custodian) -> Result<Answer, Stop> {
    let name = object(0x83, &[&custodian.request.request.holder]);
    t.send(apdu(0x0022_81a4).data(name))
}

/// The whole way of one custodian, which must succeed.
pub(super) fn authenticate(t: &mut Bench, custodian: &Custodian) -> Result<(), Stop> {
    let random = challenge(t)?;
    let signature = signed(t, custodian, &random)?;
    choose(t, custodian)?.is(0x9000)?;
    t.refused(apdu(0x0082_0000).data(signature), 0x9000)
}

/// Whether the card lets a key be made and a file be written; leaves neither.
pub(super) fn is_open(t: &mut Bench, open: bool) -> Result<(), Stop> {
    let write = apdu(0x00d7_cf01).data([0x54, 2, 0, 0, 0x53, 1, 0xaa]);
    if !open {
        return t.refused(write, 0x6982);
    }
    t.refused(write, 0x9000)?;
    t.delete(0xcf01)
}
