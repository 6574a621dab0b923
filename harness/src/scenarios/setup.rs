//! INITIALIZE DEVICE: what it takes, what it refuses, and that its options hold.

use super::script::{self, Script};
use crate::scenario::{List, Start, Start::Fresh, Start::Virgin};

const HOSTS: &str = "OpenSC card-sc-hsm.c and sc-hsm-embedded's key generator";
const INFERRED: &str = "the form that hosts send, violated (inferred)";

#[rustfmt::skip]
const SCRIPTS: &[Script] = &[
    Script { id: "setup.first.leaves_the_user_logged_in_until_select", title: "INITIALIZE of a new card leaves the user logged in until the applet is selected", source: "recorded on firmware 4.1: EF 2F03 written without VERIFY", start: Virgin,
        lines: "80500000 (80(0001) 81(PIN) 82(SO) 91(03)) > 9000
                00200081 > 9000
                SELECT
                00200081 > 63C3" },
    Script { id: "setup.again.erases_files", title: "INITIALIZE with the right SO-PIN erases every file", source: HOSTS, start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000) 53(AA)) > 9000
                80500000 (80(0001) 81(PIN) 82(SO) 91(03)) > 9000
                00B1CF01 (54(0000)) 01 > 6A82" },
    Script { id: "setup.tries.are_those_of_tag_91", title: "Tag 91 sets the tries of the user PIN", source: HOSTS, start: Fresh,
        lines: "80500000 (80(0001) 81(PIN) 82(SO) 91(02)) > 9000
                SELECT
                00200081 > 63C2" },
    Script { id: "setup.pin.sixteen_digits_are_too_many", title: "A user PIN of seventeen bytes is refused with 6A80", source: "vendor: six to sixteen digits (inferred)", start: Fresh,
        lines: "80500000 (80(0001) 81(3131313131313131313131313131313131) 82(SO) 91(03)) > 6A80" },
    Script { id: "setup.pin.five_digits_are_too_few", title: "A user PIN of five bytes is refused with 6A80", source: "OpenSC: six digits at least", start: Fresh,
        lines: "80500000 (80(0001) 81(3131313131) 82(SO) 91(03)) > 6A80" },
    Script { id: "setup.so_pin.missing_is_6a80", title: "INITIALIZE without an SO-PIN answers 6A80", source: INFERRED, start: Fresh,
        lines: "80500000 (80(0001) 81(PIN) 91(03)) > 6A80" },
    Script { id: "setup.so_pin.seven_bytes_are_6a80", title: "An SO-PIN of seven bytes answers 6A80 and costs no try", source: INFERRED, start: Fresh,
        lines: "80500000 (80(0001) 81(PIN) 82(31323334353637) 91(03)) > 6A80
                00200088 > 63CF" },
    Script { id: "setup.pin.missing_without_custodians_is_6a80", title: "INITIALIZE with neither user PIN nor custodians answers 6A80", source: INFERRED, start: Fresh,
        lines: "80500000 (80(0001) 82(SO)) > 6A80" },
    Script { id: "setup.object.doubled_is_6a80", title: "An object that comes twice answers 6A80", source: INFERRED, start: Fresh,
        lines: "80500000 (80(0001) 80(0001) 81(PIN) 82(SO) 91(03)) > 6A80" },
    Script { id: "setup.object.unknown_is_6a80", title: "An unknown object answers 6A80", source: INFERRED, start: Fresh,
        lines: "80500000 (80(0001) 81(PIN) 82(SO) 91(03) 9F(00)) > 6A80" },
    Script { id: "setup.object.biometrics_are_6a81", title: "Biometrics, which the card lacks, answer 6A81", source: "a function that the card does not have (inferred)", start: Fresh,
        lines: "80500000 (80(0001) 81(PIN) 82(SO) 91(03) 95(00)) > 6A81" },
    Script { id: "setup.object.cut_off_is_6a80", title: "A data field that ends inside an object answers 6A80", source: INFERRED, start: Fresh,
        lines: "80500000 (80(0001) 81(PIN) 82(SO) 9101) > 6A80" },
    Script { id: "setup.header.other_p1_is_6a86", title: "INITIALIZE with another P1 answers 6A86", source: "ISO 7816-4, table 6", start: Fresh,
        lines: "80500100 (80(0001) 81(PIN) 82(SO) 91(03)) > 6A86" },
    Script { id: "setup.header.neither_data_nor_le_is_6700", title: "INITIALIZE with neither data nor Le answers 6700", source: "ISO 7816-4, table 6", start: Fresh,
        lines: "80500000 > 6700" },
    Script { id: "setup.refused.changes_nothing", title: "A refused INITIALIZE leaves files and PINs as they were", source: INFERRED, start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000) 53(AA)) > 9000
                80500000 (80(0001) 81(31) 82(SO) 91(03)) > 6A80
                SELECT
                00B1CF01 (54(0000)) 01 > AA 9000
                LOGIN" },
    Script { id: "setup.tries.more_than_the_length_allows_are_6a80", title: "Six digits have three tries at most, seven five, eight and more ten; none is no number", source: "sc-hsm-tool.c refuses more before it sends them (the word inferred)", start: Fresh,
        lines: "80500000 (80(0001) 81(313131313131) 82(SO) 91(04)) > 6A80
                80500000 (80(0001) 81(31313131313131) 82(SO) 91(06)) > 6A80
                80500000 (80(0001) 81(3131313131313131) 82(SO) 91(0B)) > 6A80
                80500000 (80(0001) 81(PIN) 82(SO) 91(00)) > 6A80
                80500000 (80(0001) 81(PIN) 82(SO) 91(0003)) > 6A80
                80500000 (80(0001) 81(3131313131313131) 82(SO) 91(0A)) > 9000
                SELECT
                00200081 > 63CA" },
    Script { id: "setup.options.unknown_are_6a80", title: "Options that no host names, or of another length than two bytes, answer 6A80", source: INFERRED, start: Fresh,
        lines: "80500000 (80(0041) 81(PIN) 82(SO) 91(03)) > 6A80
                80500000 (80(8001) 81(PIN) 82(SO) 91(03)) > 6A80
                80500000 (80(01) 81(PIN) 82(SO) 91(03)) > 6A80
                80500000 (80(000001) 81(PIN) 82(SO) 91(03)) > 6A80" },
    Script { id: "setup.again.erases_keys_and_domains", title: "INITIALIZE with the right SO-PIN erases every key and key domain", source: HOSTS, start: Start::Keys,
        lines: "80500000 (80(0001) 81(PIN) 82(SO) 91(03) 97(04)) > 9000
                80580000 000000 > 2F02CC00 9000
                80680170 (00000000000000000000000000000000) 00 > 6A88
                80520000 00 > 6A88" },
    Script { id: "setup.option_0001.absent_disables_reset", title: "Without option 0001 RESET RETRY COUNTER answers 6985, with the right SO-PIN too", source: "recorded on firmware 4.1: options 0000 refuse it", start: Fresh,
        lines: "80500000 (80(0000) 81(PIN) 82(SO) 91(03)) > 9000
                002C0081 (SO PIN) > 6985
                002C0181 (SO) > 6985" },
    Script { id: "setup.option_0002.makes_a_transport_pin", title: "Option 0002 makes the user PIN a transport PIN: 6984 until it is changed", source: "recorded: 6984 for a transport PIN", start: Fresh,
        lines: "80500000 (80(0003) 81(PIN) 82(SO) 91(03)) > 9000
                SELECT
                00200081 > 6984
                00200081 (PIN) > 6984
                00240081 (PIN 393837363534) > 9000
                SELECT
                00200081 (393837363534) > 9000" },
    Script { id: "setup.option_0020.reset_only_unblocks", title: "Option 0020 lets RESET RETRY COUNTER unblock, not set a new PIN", source: "vendor's key manager (inferred)", start: Fresh,
        lines: "80500000 (80(0021) 81(PIN) 82(SO) 91(03)) > 9000
                002C0081 (SO PIN) > 6985
                002C0181 (SO) > 9000" },
    Script { id: "setup.slots.as_many_as_tag_97_says", title: "Tag 97 allots key-domain slots; the one behind them answers 6A86", source: "vendor's key manager (inferred)", start: Fresh,
        lines: "80500000 (80(0001) 81(PIN) 82(SO) 91(03) 97(02)) > 9000
                80520001 00 > 6A88
                80520002 00 > 6A86" },
    Script { id: "setup.shares.tag_92_makes_domain_0", title: "Tag 92 makes key domain 0 with so many shares to come", source: HOSTS, start: Fresh,
        lines: "80500000 (80(0001) 81(PIN) 82(SO) 91(03) 92(02)) > 9000
                80520000 00 > * 9000" },
];

/// About the information query, which firmware before 2.4 does not have.
#[rustfmt::skip]
const QUERY: &[Script] = &[
    Script { id: "setup.query.tells_memory_and_version", title: "The query of INITIALIZE DEVICE answers and ends no login", source: "vendor Java card service, from firmware 2.4", start: Fresh,
        lines: "LOGIN
                80500000 00 > * 9000
                00200081 > 9000" },
];

pub(super) fn add(list: &mut List) {
    script::add(list, QUERY, &["information-query"]);
    script::add(list, SCRIPTS, &["expendable-pin"]);
}
