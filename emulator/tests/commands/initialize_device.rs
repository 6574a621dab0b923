//! INITIALIZE DEVICE.

use crate::support::{Reader, SELECT_APPLET};

#[test]
fn leaves_the_user_authenticated_until_reselection() {
    let mut reader = Reader::initialised();
    assert!(reader.is_logged_in());
    reader.ok(SELECT_APPLET);
    reader.refused("00 20 00 81", 0x63C3);
}

#[test]
fn erases_files_and_needs_the_so_pin_the_second_time() {
    let mut reader = Reader::initialised();
    reader.log_out();
    reader.log_in();
    reader.ok("00 D7 CA01 09 54 02 0000 53 03 010203");
    reader.run(&[
        (
            "wrong SO-PIN",
            "80 50 00 00 12 81 06 363438323139 82 08 3030303030303030",
            0x63CE,
        ),
        ("the file is still there", "00 A4 00 00 02 CA01 00", 0x9000),
        (
            "right SO-PIN",
            "80 50 00 00 12 81 06 363438323139 82 08 3537363231383830",
            0x9000,
        ),
        ("the file is gone", "00 A4 00 00 02 CA01 00", 0x6A82),
        ("all tries of the SO-PIN are back", "00 20 00 88", 0x63CF),
    ]);
}
