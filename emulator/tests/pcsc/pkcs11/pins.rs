//! PINs, as PKCS#11 sees them.

use super::Module;
use crate::rig::{Rig, SO_PIN, USER_PIN};
use crate::{Body, add};

pub(super) fn tests(all: &mut Vec<(String, Body)>) {
    add(all, "pkcs11::changes_the_user_pin", changes_the_user_pin);
    add(
        all,
        "pkcs11::wrong_pins_block_and_the_so_pin_unblocks",
        wrong_pins_block,
    );
    add(
        all,
        "pkcs11::wrong_so_pin_does_not_unblock",
        wrong_so_pin_does_not_unblock,
    );
    add(all, "pkcs11::init_token_erases_and_labels", init_token);
}

const OTHER_PIN: &str = "27182818284590";

fn changes_the_user_pin() {
    let _rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate("EC:secp256r1", 1);
    module
        .login()
        .words(&format!("--change-pin --new-pin {OTHER_PIN}"))
        .ok()
        .has("PIN successfully changed");
    module
        .login()
        .arg("--list-objects")
        .fails()
        .has("CKR_PIN_INCORRECT");
    module
        .tool()
        .words(&format!("--login --pin {OTHER_PIN} --list-objects"))
        .ok()
        .has("Private Key Object");
}

fn wrong_pins_block() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    let wrong = || module.tool().words("--login --pin 999999 --list-objects");
    wrong().fails().has("CKR_PIN_INCORRECT");
    rig.sc_hsm_tool(0).ok().has("User PIN tries left  : 2");
    wrong().fails().has("CKR_PIN_INCORRECT");
    rig.sc_hsm_tool(0).ok().has("User PIN tries left  : 1");
    // The right PIN gives all tries back.
    module.login().arg("--list-objects").ok();
    rig.sc_hsm_tool(0).ok().has("User PIN tries left  : 3");
    wrong().fails().has("CKR_PIN_INCORRECT");
    wrong().fails().has("CKR_PIN_INCORRECT");
    wrong().fails().has("CKR_PIN_LOCKED");
    rig.sc_hsm_tool(0).ok().has("User PIN locked");
    module
        .login()
        .arg("--list-objects")
        .fails()
        .has("CKR_PIN_LOCKED");

    unblock(module, SO_PIN).ok();
    rig.sc_hsm_tool(0).ok().has("User PIN tries left  : 3");
    module
        .login()
        .arg("--list-objects")
        .fails()
        .has("CKR_PIN_INCORRECT");
    module
        .tool()
        .words(&format!("--login --pin {OTHER_PIN} --list-objects"))
        .ok();
}

fn wrong_so_pin_does_not_unblock() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    unblock(module, "0102030405060708").fails();
    rig.sc_hsm_tool(0).ok().has("SO-PIN tries left    : 14");
    module.login().arg("--list-objects").ok();
}

/// Sets a new user PIN with the SO-PIN.
fn unblock(module: Module, so_pin: &str) -> crate::tool::Tool {
    module
        .tool()
        .words(&format!("--login --login-type so --so-pin {so_pin}"))
        .words(&format!("--init-pin --new-pin {OTHER_PIN}"))
}

fn init_token() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate("EC:secp256r1", 1);
    module
        .tool()
        .args(["--init-token", "--label", "Second life", "--so-pin", SO_PIN])
        .ok()
        .has("Token successfully initialized");
    module
        .tool()
        .arg("--list-token-slots")
        .ok()
        .has("Second life");
    unblock(module, SO_PIN).ok();
    module
        .tool()
        .words(&format!("--login --pin {OTHER_PIN} --list-objects"))
        .ok()
        .lacks("Private Key Object");
    rig.sc_hsm_tool(0)
        .ok()
        .has("User PIN reset with SO-PIN enabled");
    // The PIN of the first life is gone.
    module
        .tool()
        .words(&format!("--login --pin {USER_PIN} --list-objects"))
        .fails();
}
