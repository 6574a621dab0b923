//! VERIFY: the user PIN and the SO-PIN.

use crate::apdu::apdu;
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::fixture;
use crate::suite::hand::verify;

/// The PIN's status with all its tries; nobody is logged in afterwards.
fn tries(t: &mut Bench) -> Result<u16, Stop> {
    t.login()?;
    t.select()?;
    let full = t.pin_status()?;
    if full & 0xfff0 != 0x63c0 {
        return Err(t.finding("the number of tries", format!("{full:04X}")));
    }
    // The right PIN follows the wrong one, and the guard never risks the last two tries.
    if full <= 0x63c3 && !t.is_virtual() {
        return t.skip("needs a PIN with more than three tries, as the last two are never risked");
    }
    Ok(full)
}

/// The PIN with its last digit changed.
fn almost(t: &Bench) -> Result<Vec<u8>, Stop> {
    let mut pin = t.pin()?.expose().to_vec();
    if let Some(last) = pin.last_mut() {
        *last ^= 1;
    }
    Ok(pin)
}

pub(super) fn add(list: &mut List) {
    list.add(
        "verify.user_pin.right_pin_logs_in",
        "The right user PIN logs in, and the status query says so",
    )
    .source("OpenSC card-sc-hsm.c; recorded on firmware 1.2")
    .start(Start::AsFound)
    .run(|t| {
        t.login()?;
        t.refused(apdu(0x0020_0081), 0x9000)
    });

    list.add(
        "verify.user_pin.wrong_pin_spends_one_try",
        "A wrong user PIN spends one try, the status query none",
    )
    .source("ISO 7816-4, 11.6.6; OpenSC card-sc-hsm.c")
    .effect(Effect::SpendsRetry)
    .run(|t| {
        let full = tries(t)?;
        let wrong = almost(t)?;
        t.refused(verify(&wrong), full - 1)?;
        t.refused(apdu(0x0020_0081), full - 1)?;
        t.refused(apdu(0x0020_0081), full - 1)?;
        t.login()?;
        t.select()?;
        t.refused(apdu(0x0020_0081), full)
    });

    list.add(
        "verify.user_pin.wrong_pin_ends_the_login",
        "A wrong user PIN ends a login that was there; the right one logs in again",
    )
    .source("ISO 7816-4, 11.6.6 (inferred)")
    .effect(Effect::SpendsRetry)
    .run(|t| {
        let full = tries(t)?;
        t.login()?;
        let wrong = almost(t)?;
        t.refused(verify(&wrong), full - 1)?;
        t.refused(apdu(0x0020_0081), full - 1)?;
        t.login()?;
        t.refused(apdu(0x0020_0081), 0x9000)
    });

    list.add(
        "verify.user_pin.near_misses_are_wrong",
        "The PIN with a digit more is a wrong PIN, and so is the PIN with its last digit changed",
    )
    .source("ISO 7816-4, 11.6.6 (inferred)")
    .effect(Effect::SpendsRetry)
    .run(|t| {
        let full = tries(t)?;
        let longer = [t.pin()?.expose(), b"0"].concat();
        if longer.len() > 16 {
            return t.skip("the PIN has the greatest length already");
        }
        for wrong in [longer, almost(t)?] {
            t.refused(verify(&wrong), full - 1)?;
            t.login()?;
        }
        t.select()?;
        t.refused(apdu(0x0020_0081), full)
    });

    list.add(
        "verify.user_pin.last_wrong_try_blocks",
        "The wrong PIN that uses up the last try answers 6983, and the right one no longer helps",
    )
    .source("vendor PKCS#11 regression test wants CKR_PIN_LOCKED on the third (inferred)")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        t.refused(verify(b"000000"), 0x63c2)?;
        t.refused(verify(b"000000"), 0x63c1)?;
        t.refused(verify(b"000000"), 0x6983)?;
        t.refused(verify(fixture::PIN), 0x6983)?;
        t.refused(apdu(0x0020_0081), 0x6983)
    });

    list.add(
        "verify.biometrics.absent_reference_is_6a88",
        "The status query of a biometric template that is not there answers 6A88",
    )
    .source("OpenSC pkcs15-sc-hsm.c takes anything else for a PIN pad")
    .run(|t| t.refused(apdu(0x0020_0085), 0x6a88));

    list.add(
        "verify.so_pin.untouched_shows_fifteen_tries",
        "The SO-PIN of a new card has fifteen tries",
    )
    .source("OpenSC pkcs15-sc-hsm.c; status output of genuine tokens")
    .start(Start::Fresh)
    .run(|t| t.refused(apdu(0x0020_0088), 0x63cf));

    list.add(
        "verify.virgin.both_references_are_absent",
        "A card that was never initialised answers 6A88 for both PINs",
    )
    .source("recorded on firmware 3.5")
    .start(Start::Virgin)
    .run(|t| {
        t.refused(apdu(0x0020_0081), 0x6a88)?;
        t.refused(apdu(0x0020_0088), 0x6a88)
    });
}
