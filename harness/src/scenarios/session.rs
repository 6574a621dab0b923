//! What a session keeps, and what ends it.

use crate::apdu::apdu;
use crate::scenario::{List, Start};

pub(super) fn add(list: &mut List) {
    list.add(
        "session.select.logs_out",
        "SELECT of the applet ends the login",
    )
    .source("recorded on firmware 1.2; vendor, in the Nitrokey forum")
    .start(Start::LoggedIn)
    .run(|t| {
        t.refused(apdu(0x0020_0081), 0x9000)?;
        t.select()?;
        t.refused(apdu(0x0020_0081), 0x63c3)
    });

    list.add(
        "session.reset.logs_out",
        "A reset ends the login and the selection",
    )
    .source("ISO 7816-4, 12.1.1; recorded: 6D00 when the applet is not selected")
    .start(Start::LoggedIn)
    .run(|t| {
        t.reset()?;
        t.refused(apdu(0x0020_0081), 0x6d00)?;
        t.select()?;
        t.refused(apdu(0x0020_0081), 0x63c3)
    });

    list.add(
        "session.power.logs_out",
        "Power off and on ends the login and the selection",
    )
    .source("ISO 7816-4, 12.1.1; recorded: 6D00 when the applet is not selected")
    .start(Start::LoggedIn)
    .run(|t| {
        t.power_cycle()?;
        t.refused(apdu(0x0020_0081), 0x6d00)?;
        t.select()?;
        t.refused(apdu(0x0020_0081), 0x63c3)
    });
}
