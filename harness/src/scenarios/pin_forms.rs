//! PIN commands in every form that is refused, and what a refusal costs.

use super::script::{self, Script};
use crate::scenario::{List, Start::Fresh};

const FORM: &str = "the hosts' form violated (inferred)";
const ISO: &str = "ISO 7816-4, table 6";

#[rustfmt::skip]
const SCRIPTS: &[Script] = &[
    Script { id: "pin_forms.verify.other_p1_is_6a86", title: "VERIFY with P1 02 answers 6A86 and costs no try", source: ISO, start: Fresh,
        lines: "00200281 (303030303030) > 6A86
                00200081 > 63C3" },
    Script { id: "pin_forms.verify.unknown_reference_is_6a88", title: "VERIFY of a PIN that the card has not answers 6A88", source: "OpenSC pkcs15-sc-hsm.c probes 85 and 86", start: Fresh,
        lines: "00200082 > 6A88
                00200082 (303030303030) > 6A88" },
    Script { id: "pin_forms.verify.five_bytes_are_6a80", title: "VERIFY with a PIN too short answers 6A80 and costs no try", source: FORM, start: Fresh,
        lines: "00200081 (3030303030) > 6A80
                00200081 > 63C3" },
    Script { id: "pin_forms.verify.seventeen_bytes_are_6a80", title: "VERIFY with a PIN too long answers 6A80 and costs no try", source: FORM, start: Fresh,
        lines: "00200081 (3030303030303030303030303030303030) > 6A80
                00200081 > 63C3" },
    Script { id: "pin_forms.verify.prefix_is_wrong", title: "The PIN with a digit more is a wrong PIN", source: "(inferred)", start: Fresh,
        lines: "00200081 (PIN 30) > 63C2" },
    Script { id: "pin_forms.so_pin.right_one_is_verified", title: "The SO-PIN is verified and the query says so", source: "sc-hsm-embedded token-sc-hsm.c", start: Fresh,
        lines: "00200088 (SO) > 9000
                00200088 > 9000
                00200081 > 63C3" },
    Script { id: "pin_forms.so_pin.wrong_one_costs_a_try", title: "A wrong SO-PIN costs one of fifteen tries, the right one gives them back", source: "ISO 7816-4, 11.6.6", start: Fresh,
        lines: "00200088 (3030303030303030) > 63CE
                00200088 > 63CE
                00200088 (SO) > 9000
                SELECT
                00200088 > 63CF" },
    Script { id: "pin_forms.so_pin.does_not_log_the_user_in", title: "The SO-PIN does not stand for the user", source: "(inferred)", start: Fresh,
        lines: "00200088 (SO) > 9000
                00D7CF01 (54(0000) 53(AA)) > 6982" },
    Script { id: "pin_forms.change.without_old_pin_is_6a86", title: "CHANGE REFERENCE DATA without the old PIN answers 6A86", source: "no host sends P1 01 here (inferred)", start: Fresh,
        lines: "00240181 (393837363534) > 6A86" },
    Script { id: "pin_forms.change.unknown_reference_is_6a88", title: "CHANGE REFERENCE DATA of a PIN that the card has not answers 6A88", source: ISO, start: Fresh,
        lines: "00240082 (PIN PIN) > 6A88" },
    Script { id: "pin_forms.change.too_short_for_two_pins_is_6a80", title: "CHANGE REFERENCE DATA with too few bytes for two PINs answers 6A80, no try lost", source: FORM, start: Fresh,
        lines: "00240081 (3030303030) > 6A80
                00200081 > 63C3" },
    Script { id: "pin_forms.change.new_pin_too_short_is_6a80", title: "The right old PIN with a new one too short answers 6A80 and changes nothing", source: FORM, start: Fresh,
        lines: "00240081 (PIN 3030303030) > 6A80
                SELECT
                00200081 (PIN) > 9000" },
    Script { id: "pin_forms.change.wrong_so_pin_costs_a_try", title: "CHANGE REFERENCE DATA of the SO-PIN with a wrong one costs one of fifteen tries", source: ISO, start: Fresh,
        lines: "00240088 (3030303030303030 SO) > 63CE
                00200088 > 63CE
                00240088 (SO SO) > 9000
                SELECT
                00200088 > 63CF" },
    Script { id: "pin_forms.change.so_pin_of_another_length_is_6a80", title: "An SO-PIN has eight bytes: others answer 6A80 and cost no try", source: FORM, start: Fresh,
        lines: "00240088 (SO 31323334353637) > 6A80
                00240088 (SO 313233343536373839) > 6A80
                00200088 > 63CF" },
    Script { id: "pin_forms.reset.unknown_p1_is_6a86", title: "RESET RETRY COUNTER with P1 04 answers 6A86", source: ISO, start: Fresh,
        lines: "002C0481 (SO) > 6A86" },
    Script { id: "pin_forms.reset.so_pin_cannot_be_reset_is_6a88", title: "RESET RETRY COUNTER of the SO-PIN answers 6A88", source: "nobody stands above it (inferred)", start: Fresh,
        lines: "002C0188 (SO) > 6A88" },
    Script { id: "pin_forms.reset.short_so_pin_is_6a80", title: "RESET RETRY COUNTER with an SO-PIN too short answers 6A80, no try lost", source: FORM, start: Fresh,
        lines: "002C0181 (31323334353637) > 6A80
                00200088 > 63CF" },
    Script { id: "pin_forms.reset.new_pin_too_short_is_6a80", title: "RESET RETRY COUNTER with a new PIN too short answers 6A80 and changes nothing", source: FORM, start: Fresh,
        lines: "002C0081 (SO 3030303030) > 6A80
                00200081 (PIN) > 9000" },
    Script { id: "pin_forms.reset.without_so_pin_is_6982", title: "RESET RETRY COUNTER with P1 02 and 03 wants the SO-PIN verified before", source: "sc-hsm-embedded token-sc-hsm.c", start: Fresh,
        lines: "002C0281 (393837363534) > 6982
                002C0381 > 6982" },
    Script { id: "pin_forms.reset.after_so_pin_sets_a_new_pin", title: "After VERIFY of the SO-PIN P1 02 sets a new user PIN", source: "sc-hsm-embedded token-sc-hsm.c", start: Fresh,
        lines: "00200088 (SO) > 9000
                002C0281 (393837363534) > 9000
                SELECT
                00200081 (393837363534) > 9000" },
    Script { id: "pin_forms.reset.after_so_pin_unblocks", title: "After VERIFY of the SO-PIN P1 03 gives the tries back", source: "sc-hsm-embedded token-sc-hsm.c", start: Fresh,
        lines: "00200081 (303030303030) > 63C2
                00200088 (SO) > 9000
                002C0381 > 9000
                00200081 > 63C3" },
    Script { id: "pin_forms.reset.leaves_nobody_logged_in", title: "After RESET RETRY COUNTER the user is not logged in", source: "(inferred)", start: Fresh,
        lines: "LOGIN
                002C0181 (SO) > 9000
                00200081 > 63C3" },
    Script { id: "pin_forms.wrong.ends_a_login", title: "A wrong PIN ends a login that was there", source: "ISO 7816-4, 11.6.6 (inferred)", start: Fresh,
        lines: "LOGIN
                00200081 (303030303030) > 63C2
                00D7CF01 (54(0000) 53(AA)) > 6982" },
];

pub(super) fn add(list: &mut List) {
    script::add(list, SCRIPTS, &["expendable-pin"]);
}
