//! GENERATE SESSION PIN: random bytes in place of the user PIN.

use super::{open, says};
use crate::apdu::apdu;
use crate::card::cvc::object;
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};

const SOURCE: &str = "OpenSC card-sc-hsm.c; sc-hsm-tool.c for the options (partly inferred)";

/// Initialises the card with these options; nobody is logged in.
fn set_up(t: &mut Bench, options: u16) -> Result<(), Stop> {
    let pin = t.pin()?;
    let data = [
        object(0x80, &[&options.to_be_bytes()]),
        object(0x81, &[pin.expose()]),
        object(0x82, &[&t.so_pin()?]),
        object(0x91, &[&[3]]),
    ];
    t.ok(apdu(0x8050_0000).data(data.concat()))?;
    t.select().map(|_| ())
}

/// Draws a session PIN through a channel, as hosts do.
fn draw(t: &mut Bench) -> Result<Vec<u8>, Stop> {
    let pin = t.pin()?;
    let mut channel = open(t)?;
    says(t, &mut channel, (0x0020_0081, pin.expose(), None), 0x9000)?;
    let drawn = says(t, &mut channel, (0x805a_0181, &[], Some(256)), 0x9000)?;
    t.check(drawn.len() == 8, "8 bytes", || {
        format!("{} bytes", drawn.len())
    })?;
    t.select()?;
    Ok(drawn)
}

/// Whether VERIFY takes these bytes.
fn is_taken(t: &mut Bench, pin: &[u8], taken: bool) -> Result<(), Stop> {
    let word = if taken { 0x9000 } else { 0x63c2 };
    t.refused(apdu(0x0020_0081).data(pin), word)?;
    t.login()?;
    t.select().map(|_| ())
}

fn scenario(list: &mut List, id: &str, title: &str, body: fn(&mut Bench) -> Result<(), Stop>) {
    list.add(format!("channel.session_pin.{id}"), title)
        .source(SOURCE)
        .needs("secure-messaging")
        .needs("session-pin")
        .needs("expendable-pin")
        .effect(Effect::Wipes)
        .start(Start::Fresh)
        .run(body);
}

pub(super) fn add(list: &mut List) {
    scenario(
        list,
        "option_0004_ends_it_at_a_reset",
        "A session PIN of option 0004 logs in after SELECT, not after a reset; the next one differs",
        |t| {
            set_up(t, 0x0005)?;
            let drawn = draw(t)?;
            is_taken(t, &drawn, true)?;
            t.reset()?;
            t.select()?;
            is_taken(t, &drawn, false)?;
            let next = draw(t)?;
            t.check(next != drawn, "another session PIN", || "the same".into())
        },
    );
    scenario(
        list,
        "option_000c_keeps_it_until_it_is_cleared",
        "A session PIN of option 000C survives power off and ends when it is cleared",
        |t| {
            set_up(t, 0x000d)?;
            let drawn = draw(t)?;
            is_taken(t, &drawn, true)?;
            t.power_cycle()?;
            t.select()?;
            is_taken(t, &drawn, true)?;
            t.login()?;
            t.refused("805A0081", 0x9000)?;
            t.select()?;
            is_taken(t, &drawn, false)
        },
    );
    scenario(
        list,
        "new_one_replaces_the_old",
        "A new session PIN ends the one before",
        |t| {
            set_up(t, 0x0005)?;
            let old = draw(t)?;
            let new = draw(t)?;
            is_taken(t, &old, false)?;
            is_taken(t, &new, true)
        },
    );
    scenario(
        list,
        "changed_user_pin_ends_it",
        "A session PIN ends with the user PIN that it stands for",
        |t| {
            set_up(t, 0x0005)?;
            let drawn = draw(t)?;
            let pin = t.pin()?;
            t.refused(
                apdu(0x0024_0081).parts(&[pin.expose(), pin.expose()]),
                0x9000,
            )?;
            t.select()?;
            is_taken(t, &drawn, false)
        },
    );
    scenario(
        list,
        "refused_without_option_is_6985",
        "Without option 0004 no session PIN is drawn or cleared: 6985",
        |t| {
            t.login()?;
            t.refused("805A0181 00", 0x6985)?;
            t.refused("805A0081", 0x6985)
        },
    );
    scenario(
        list,
        "refused_forms",
        "GENERATE SESSION PIN without login, and in other forms, draws nothing",
        |t| {
            set_up(t, 0x0005)?;
            t.refused("805A0181 00", 0x6982)?;
            t.refused("805A0081", 0x6982)?;
            t.login()?;
            t.refused("805A0281 00", 0x6a86)?;
            t.refused("805A0188 00", 0x6a88)?;
            t.refused("805A0182 00", 0x6a88)?;
            t.refused("805A0181 01 00 00", 0x6700)?;
            t.refused("805A0181", 0x6700)?;
            t.refused("805A0181 07", 0x6700)
        },
    );
}
