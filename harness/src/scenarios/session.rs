//! What a session keeps, and what ends it.

use crate::apdu::{Apdu, apdu};
use crate::scenario::List;
use crate::suite::bench::{Bench, Stop};

/// READ BINARY of the current file from its beginning.
fn read_current() -> Apdu {
    apdu(0x00b1_0000).data([0x54, 2, 0, 0]).le(4)
}

/// Makes EF 2F02 the current file.
fn choose_file(t: &mut Bench) -> Result<(), Stop> {
    t.ok(apdu(0x00a4_0000).data([0x2f, 0x02]).le(256))?;
    t.ok(read_current()).map(|_| ())
}

/// What the PIN says with all its tries while nobody is logged in; then the user is.
fn log_in(t: &mut Bench) -> Result<u16, Stop> {
    t.login()?;
    t.select()?;
    let full = t.pin_status()?;
    t.check(full & 0xfff0 == 0x63c0, "the number of tries", || {
        format!("{full:04X}")
    })?;
    t.login()?;
    t.refused(apdu(0x0020_0081), 0x9000)?;
    Ok(full)
}

/// Nobody is logged in, no try is lost, and no file is chosen.
fn is_new(t: &mut Bench, full: u16) -> Result<(), Stop> {
    t.refused(apdu(0x0020_0081), full)?;
    t.refused(read_current(), 0x6986)
}

pub(super) fn add(list: &mut List) {
    list.add(
        "session.select.logs_out",
        "SELECT of the applet ends the login and the choice of a file",
    )
    .source("recorded on firmware 1.2; vendor, in the Nitrokey forum")
    .run(|t| {
        let full = log_in(t)?;
        choose_file(t)?;
        t.select()?;
        is_new(t, full)
    });

    list.add(
        "session.reset.logs_out",
        "A reset ends the login, the choice of a file and the selection",
    )
    .source("ISO 7816-4, 12.1.1; recorded: 6D00 when the applet is not selected")
    .run(|t| {
        let full = log_in(t)?;
        choose_file(t)?;
        t.reset()?;
        t.refused(apdu(0x0020_0081), 0x6d00)?;
        t.select()?;
        is_new(t, full)
    });

    list.add(
        "session.power.logs_out",
        "Power off and on ends the login, the choice of a file and the selection",
    )
    .source("ISO 7816-4, 12.1.1; recorded: 6D00 when the applet is not selected")
    .run(|t| {
        let full = log_in(t)?;
        choose_file(t)?;
        t.power_cycle()?;
        t.refused(apdu(0x0020_0081), 0x6d00)?;
        t.select()?;
        is_new(t, full)
    });
}
