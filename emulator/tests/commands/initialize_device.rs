//! INITIALIZE DEVICE.

use crate::support::{Reader, SELECT_APPLET};

#[test]
fn leaves_the_user_authenticated_until_reselection() {
    let mut reader = Reader::initialised();
    assert!(reader.is_logged_in());
    reader.ok(SELECT_APPLET);
    reader.refused("00 20 00 81", 0x63C3);
}
