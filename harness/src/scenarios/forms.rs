//! The forms of a command: lengths, classes, headers, and what a session remembers.

use super::script::{self, Script};
use crate::scenario::{List, Start::Fresh};

const ISO: &str = "ISO 7816-4, table 6";
const APDU: &str = "ISO 7816-3, 12.1.3";

#[rustfmt::skip]
const SCRIPTS: &[Script] = &[
    Script { id: "forms.instruction.unknown_is_6d00", title: "An instruction that no command has answers 6D00", source: ISO, start: Fresh,
        lines: "00010000 > 6D00
                80010000 > 6D00" },
    Script { id: "forms.class.other_is_6e00", title: "A command under the class of another answers 6E00", source: ISO, start: Fresh,
        lines: "80200081 > 6E00
                00580000 000000 > 6E00" },
    Script { id: "forms.class.channel_is_6881", title: "A logical channel answers 6881", source: ISO, start: Fresh,
        lines: "01200081 > 6881" },
    Script { id: "forms.class.chaining_is_6884", title: "Command chaining answers 6884", source: ISO, start: Fresh,
        lines: "10200081 > 6884" },
    Script { id: "forms.selection.before_it_everything_is_6d00", title: "Before the applet is selected commands answer 6D00", source: "recorded: VERIFY without applet", start: Fresh,
        lines: "RESET
                00200081 > 6D00
                00840000 08 > 6D00
                00A40000 (2F02) 00 > 6D00
                SELECT
                00200081 > 63C3" },
    Script { id: "forms.length.short_lc_without_data_is_6700", title: "A data field shorter than Lc answers 6700", source: APDU, start: Fresh,
        lines: "0020008106 3634 > 6700" },
    Script { id: "forms.length.data_behind_le_is_6700", title: "Bytes behind Le answer 6700", source: APDU, start: Fresh,
        lines: "00A4000002 2F02 00 00 > 6700" },
    Script { id: "forms.select.other_p1_is_6a86", title: "SELECT with an unknown P1 answers 6A86", source: ISO, start: Fresh,
        lines: "00A40800 (2F02) 00 > 6A86" },
    Script { id: "forms.select.one_byte_is_6700", title: "SELECT of a file by one byte answers 6700", source: ISO, start: Fresh,
        lines: "00A40000 (2F) 00 > 6700" },
    Script { id: "forms.select.absent_file_keeps_login_and_file", title: "SELECT of an absent file answers 6A82 and keeps login and current file", source: "recorded: 6A82 for an absent EF", start: Fresh,
        lines: "LOGIN
                00A40000 (2F02) 00 > * 9000
                00A40000 (CFEE) 00 > 6A82
                00B10000 (54(0000)) 04 > * 9000
                00200081 > 9000" },
    Script { id: "forms.enumerate.data_is_6700", title: "ENUMERATE OBJECTS with data answers 6700", source: ISO, start: Fresh,
        lines: "80580000 (00) 00 > 6700" },
    Script { id: "forms.enumerate.other_p1_is_6a86", title: "ENUMERATE OBJECTS with another P1 answers 6A86", source: ISO, start: Fresh,
        lines: "80580100 000000 > 6A86" },
    Script { id: "forms.enumerate.le_of_the_list_is_enough", title: "ENUMERATE OBJECTS with an Le of just the list answers the list", source: "(inferred)", start: Fresh,
        lines: "80580000 04 > 2F02CC00 9000" },
    Script { id: "forms.enumerate.small_le_is_6700", title: "ENUMERATE OBJECTS with an Le below the list answers 6700", source: "(inferred)", start: Fresh,
        lines: "80580000 01 > 6700" },
];

#[rustfmt::skip]
const EXTENDED: &[Script] = &[
    Script { id: "forms.length.cut_extended_lc_is_6700", title: "An extended length that is cut off answers 6700", source: APDU, start: Fresh,
        lines: "00840000 00 00 > 6700" },
    Script { id: "forms.length.extended_verify_logs_in", title: "VERIFY with an extended Lc logs in", source: "OpenSC and sc-hsm-embedded send such", start: Fresh,
        lines: "00200081 000006 PIN > 9000" },
    Script { id: "forms.length.extended_le_is_a_maximum", title: "An extended Le above what there is answers what there is", source: "OpenSC: 4096 for every description", start: Fresh,
        lines: "00A40000 000002 2F02 1000 > * 9000" },
];

pub(super) fn add(list: &mut List) {
    script::add(list, EXTENDED, &["extended-length"]);
    script::add(list, SCRIPTS, &[]);
}
