//! Which scenarios stand for which command of the virtual card: neither side has what the other
//! lacks.

use std::collections::BTreeSet;
use std::path::Path;

use hsm2_emulator::command::COMMANDS;

/// A command and the scenarios that are about it.
pub(crate) struct Pair {
    /// File in `emulator/src/command/`.
    pub(crate) file: &'static str,
    /// Instruction byte.
    pub(crate) instruction: u8,
    /// True when a success carries data.
    pub(crate) answers: bool,
    /// File in `harness/src/scenarios/`.
    pub(crate) module: &'static str,
    /// Area of the scenarios in it that show a success and a refusal.
    pub(crate) area: &'static str,
}

const fn pair(
    file: &'static str,
    instruction: u8,
    answers: bool,
    module: &'static str,
    area: &'static str,
) -> Pair {
    Pair {
        file,
        instruction,
        answers,
        module,
        area,
    }
}

pub(crate) const PAIRS: [Pair; 27] = [
    pair("change_reference_data", 0x24, false, "pins", "pins"),
    pair("cipher", 0x78, true, "symmetric", "symmetric"),
    pair("decipher", 0x62, true, "decipher", "ecdh"),
    pair("delete_file", 0xe4, false, "access", "access"),
    pair("derive_ec_key", 0x76, false, "derive", "derive"),
    pair("enumerate_objects", 0x58, true, "forms", "forms"),
    pair("external_authenticate", 0x82, false, "pka", "pka"),
    pair("general_authenticate", 0x86, true, "channel", "channel"),
    pair("generate_key_pair", 0x46, true, "generate", "generate"),
    pair("generate_session_pin", 0x5a, true, "channel", "channel"),
    pair(
        "generate_symmetric_key",
        0x48,
        false,
        "symmetric",
        "generate_symmetric",
    ),
    pair("get_challenge", 0x84, true, "challenge", "challenge"),
    pair("initialize_device", 0x50, true, "setup", "setup"),
    pair("manage_key_domain", 0x52, true, "key_domain", "key_domain"),
    pair("manage_public_key_authentication", 0x54, true, "pka", "pka"),
    pair("manage_security_environment", 0x22, false, "trust", "trust"),
    pair("read_binary", 0xb0, true, "access", "access"),
    pair("read_binary", 0xb1, true, "access", "access"),
    pair("reset_retry_counter", 0x2c, false, "pins", "pins"),
    pair("select", 0xa4, true, "identify", "identify"),
    pair("sign", 0x68, true, "sign", "sign"),
    pair("unwrap_key", 0x74, false, "wrap", "wrap"),
    pair("update_binary", 0xd6, false, "access", "access"),
    pair("update_binary", 0xd7, false, "access", "access"),
    pair("verify", 0x20, false, "verify", "verify"),
    pair("verify_certificate", 0x2a, false, "trust", "trust"),
    pair("wrap_key", 0x72, true, "wrap", "wrap"),
];

/// Names of the Rust files in a directory of the workspace.
fn files(directory: &str) -> BTreeSet<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = std::fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| name.strip_suffix(".rs").map(String::from))
        .collect()
}

#[test]
fn each_command_file_has_a_scenario_file_and_no_row_is_left_over() {
    let paired: BTreeSet<String> = PAIRS.iter().map(|pair| pair.file.to_string()).collect();
    assert_eq!(files("../emulator/src/command"), paired);
    let modules = files("src/scenarios");
    for pair in &PAIRS {
        assert!(modules.contains(pair.module), "{}", pair.module);
    }
    // SELECT is no row of the card's table: it works before the applet is selected, too.
    let commands = COMMANDS.iter().map(|command| command.ins);
    let commands: BTreeSet<u8> = commands.chain([0xa4]).collect();
    let paired: BTreeSet<u8> = PAIRS.iter().map(|pair| pair.instruction).collect();
    assert_eq!(commands, paired);
    assert_eq!(paired.len(), PAIRS.len());
}
