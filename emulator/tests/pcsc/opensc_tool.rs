//! Card recognition: what a host sees before any PIN.

use crate::rig::Rig;
use crate::tool::Tool;
use crate::{Body, add};

pub(crate) fn tests(all: &mut Vec<(String, Body)>) {
    add(
        all,
        "opensc_tool::both_slots_show_their_card",
        both_slots_show_their_card,
    );
    add(
        all,
        "opensc_tool::knows_the_card_by_atr_and_version",
        knows_the_card,
    );
    add(
        all,
        "opensc_tool::card_leaves_and_comes_back",
        card_leaves_and_comes_back,
    );
    add(
        all,
        "opensc_tool::raw_apdus_reach_the_card",
        raw_apdus_reach_the_card,
    );
}

fn opensc_tool() -> Tool {
    Tool::new("opensc-tool")
}

fn both_slots_show_their_card() {
    let _rig = Rig::with_cards(2);
    let listing = opensc_tool().arg("--list-readers").ok();
    for expected in [
        "0    Yes             Virtual PCD 00 00",
        "1    Yes             Virtual PCD 00 01",
    ] {
        assert!(listing.text.contains(expected), "{listing}");
    }
}

fn knows_the_card() {
    let _rig = Rig::with_cards(1);
    opensc_tool()
        .words("--atr --name")
        .ok()
        .has("3b:de:96:ff:81:91:fe:1f:c3:80:31:81:54:48:53:4d:31:73:80:21:40:81:07:92")
        .has("SmartCard-HSM Applet for JCOP version 3.6");
    opensc_tool().arg("--serial").ok();
}

fn card_leaves_and_comes_back() {
    let mut rig = Rig::with_initialized_card();
    rig.remove_cards();
    opensc_tool().arg("--name").fails();
    rig.insert_cards();
    opensc_tool().arg("--name").ok().has("SmartCard-HSM");
    rig.sc_hsm_tool(0)
        .ok()
        .has("User PIN tries left")
        .lacks("never been initialized");
}

fn raw_apdus_reach_the_card() {
    let _rig = Rig::with_cards(1);
    // SELECT, then GET CHALLENGE with a short and with an extended Le, then an unknown instruction.
    let sent = opensc_tool()
        .words("--send-apdu 00:A4:04:00:0B:E8:2B:06:01:04:01:81:C3:1F:02:01:00")
        .words("--send-apdu 00:84:00:00:08")
        .words("--send-apdu 00:84:00:00:00:04:00")
        .words("--send-apdu 00:FE:00:00")
        .ok();
    let answered = sent.text.matches("Received (SW1=0x90, SW2=0x00)").count();
    assert_eq!(answered, 3, "{sent}");
    sent.has("Received (SW1=0x6D, SW2=0x00)");
}
