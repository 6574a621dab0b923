//! The card core behind a C interface: a fuzzer of host middleware links the card into its process
//! and has a counterpart that passes the log-in, keeps state and comes back to it in microseconds.
//!
//! No function unwinds into C: a panic inside becomes a failure, or nothing where there is no way to
//! tell. No function is safe to call on
//! one card from two threads at once; different cards are independent.

use std::ffi::CStr;
use std::os::raw::{c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;

use hsm2_emulator::card::Card as Core;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::{PROFILES, Profile};
use hsm2_emulator::snapshot::Snapshot as CoreSnapshot;
use hsm2_emulator::store::EphemeralStore;
use sha2::{Digest, Sha256};

/// Done.
pub const HSM2_OK: c_int = 0;
/// A pointer was null, or a text was not what it must be.
pub const HSM2_BAD_ARGUMENT: c_int = -1;
/// The response has no room; the length needed was written.
pub const HSM2_NO_ROOM: c_int = -2;
/// The card broke down inside. It may be freed and nothing else.
pub const HSM2_BROKEN: c_int = -3;

/// Length of a seed in bytes.
pub const HSM2_SEED_LENGTH: usize = 32;
/// No response is longer.
pub const HSM2_RESPONSE_MAX: usize = 65_538;

/// A card. Opaque to C.
pub struct Card {
    core: Core,
    seed: [u8; HSM2_SEED_LENGTH],
}

/// A card at one moment. Opaque to C.
pub struct Snapshot(CoreSnapshot);

/// Makes a card, as it leaves the factory; power is on and no applet is selected.
///
/// seed: 32 bytes from which the serial, every key and random number is drawn, so that cards of
/// different seeds are different devices; null for 32 zeros. profile: name
/// of a generation of device, such as "nitrokey-hsm2"; null for the default. Null when the profile
/// is not known.
///
/// # Safety
///
/// `seed` is null or points to 32 readable bytes; `profile` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hsm2_card_new(seed: *const u8, profile: *const c_char) -> *mut Card {
    // SAFETY: the caller promises both.
    let (seed, profile) = unsafe { (seed_at(seed), profile_at(profile)) };
    let made = catch_unwind(|| {
        let serial = Serial::random(&mut *drawing("serial", seed));
        let store = Box::new(EphemeralStore::default());
        let mut core = Core::personalise(profile?, &serial, store, drawing("make", seed)).ok()?;
        core.set_randomness(drawing("use", seed));
        core.power_on();
        Some(Card { core, seed })
    });
    match made {
        Ok(Some(card)) => Box::into_raw(Box::new(card)),
        _ => ptr::null_mut(),
    }
}

/// Sends a command APDU. `length` holds the room at `response` and then the length of the response,
/// which ends with the status word. With HSM2_NO_ROOM the response is lost; HSM2_RESPONSE_MAX bytes
/// always suffice.
///
/// # Safety
///
/// `card` is from this library and not freed; `command` points to `command_length` readable bytes
/// (or that is 0), `response` to `*length` writable ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hsm2_card_transmit(
    card: *mut Card,
    command: *const u8,
    command_length: usize,
    response: *mut u8,
    length: *mut usize,
) -> c_int {
    if card.is_null() || response.is_null() || length.is_null() {
        return HSM2_BAD_ARGUMENT;
    }
    let command = match (command.is_null(), command_length) {
        (_, 0) => &[],
        (true, _) => return HSM2_BAD_ARGUMENT,
        // SAFETY: the caller promises so many readable bytes.
        (false, _) => unsafe { slice::from_raw_parts(command, command_length) },
    };
    // SAFETY: the caller promises a card that nobody else uses now.
    let card = unsafe { &mut *card };
    let Ok(answer) = catch_unwind(AssertUnwindSafe(|| card.core.transmit(command))) else {
        return HSM2_BROKEN;
    };
    // SAFETY: `length` is not null and the caller promises that it may be read and written.
    let room = unsafe { ptr::replace(length, answer.len()) };
    if answer.len() > room {
        return HSM2_NO_ROOM;
    }
    // SAFETY: there is room for that many bytes, and the answer is memory of our own.
    unsafe { ptr::copy_nonoverlapping(answer.as_ptr(), response, answer.len()) };
    HSM2_OK
}

/// The answer to reset: its length, 0 on failure; the bytes at `*atr` live as long as the program.
///
/// # Safety
///
/// `card` is from this library and not freed; `atr` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hsm2_card_atr(card: *const Card, atr: *mut *const u8) -> usize {
    // SAFETY: the caller promises a live card; null becomes none.
    let Some(card) = (unsafe { card.as_ref() }) else {
        return 0;
    };
    let Ok(bytes) = catch_unwind(AssertUnwindSafe(|| card.core.atr())) else {
        return 0;
    };
    if !atr.is_null() {
        // SAFETY: it is not null and the caller promises that it may be written.
        unsafe { atr.write(bytes.as_ptr()) };
    }
    bytes.len()
}

/// Resets the card: the session is gone, and no applet is selected.
///
/// # Safety
///
/// `card` is from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hsm2_card_reset(card: *mut Card) -> c_int {
    // SAFETY: the caller promises a live card that nobody else uses now; null becomes none.
    let Some(card) = (unsafe { card.as_mut() }) else {
        return HSM2_BAD_ARGUMENT;
    };
    let done = catch_unwind(AssertUnwindSafe(|| card.core.reset()));
    done.map_or(HSM2_BROKEN, |()| HSM2_OK)
}

/// The card as it is, session and all; free it with `hsm2_snapshot_free`. Null on failure.
///
/// # Safety
///
/// `card` is from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hsm2_card_snapshot(card: *const Card) -> *mut Snapshot {
    // SAFETY: the caller promises a live card; null becomes none.
    let Some(card) = (unsafe { card.as_ref() }) else {
        return ptr::null_mut();
    };
    let taken = catch_unwind(AssertUnwindSafe(|| Snapshot(card.core.snapshot())));
    taken.map_or(ptr::null_mut(), |snapshot| {
        Box::into_raw(Box::new(snapshot))
    })
}

/// Brings a card back to a snapshot, of itself or of another card. What it draws starts over as
/// well: behind every restore the same commands get the same bytes.
///
/// # Safety
///
/// Both are from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hsm2_card_restore(card: *mut Card, snapshot: *const Snapshot) -> c_int {
    // SAFETY: the caller promises that both are live, and that nobody else uses the card now.
    let (Some(card), Some(Snapshot(snapshot))) = (unsafe { (card.as_mut(), snapshot.as_ref()) })
    else {
        return HSM2_BAD_ARGUMENT;
    };
    let restored = catch_unwind(AssertUnwindSafe(|| {
        card.core.set_randomness(drawing("restore", card.seed));
        card.core.restore(snapshot).is_ok()
    }));
    match restored {
        Ok(true) => HSM2_OK,
        _ => HSM2_BROKEN,
    }
}

/// Frees a card; null is allowed.
///
/// # Safety
///
/// `card` is null or from `hsm2_card_new`, and not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hsm2_card_free(card: *mut Card) {
    if !card.is_null() {
        // SAFETY: it came out of a box in `hsm2_card_new`, and the caller frees it once.
        let card = unsafe { Box::from_raw(card) };
        // Nobody could be told.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(card)));
    }
}

/// Frees a snapshot; null is allowed.
///
/// # Safety
///
/// `snapshot` is null or from `hsm2_card_snapshot`, and not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hsm2_snapshot_free(snapshot: *mut Snapshot) {
    if !snapshot.is_null() {
        // SAFETY: it came out of a box in `hsm2_card_snapshot`, and the caller frees it once.
        let snapshot = unsafe { Box::from_raw(snapshot) };
        // Nobody could be told.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(snapshot)));
    }
}

/// Randomness for one purpose, so that no purpose repeats the numbers of another.
fn drawing(purpose: &str, seed: [u8; HSM2_SEED_LENGTH]) -> Box<CardRng> {
    let digest = Sha256::new().chain_update(purpose).chain_update(seed);
    Box::new(CardRng::from_seed(digest.finalize().into()))
}

/// # Safety
///
/// `seed` is null or points to 32 readable bytes.
unsafe fn seed_at(seed: *const u8) -> [u8; HSM2_SEED_LENGTH] {
    if seed.is_null() {
        return [0; HSM2_SEED_LENGTH];
    }
    // SAFETY: the caller promises so many readable bytes; bytes need no alignment.
    unsafe { seed.cast::<[u8; HSM2_SEED_LENGTH]>().read() }
}

/// # Safety
///
/// `profile` is null or a C string.
unsafe fn profile_at(profile: *const c_char) -> Option<&'static Profile> {
    if profile.is_null() {
        return Profile::by_name("nitrokey-hsm2").or(PROFILES.first().copied());
    }
    // SAFETY: the caller promises a C string.
    let name = unsafe { CStr::from_ptr(profile) };
    Profile::by_name(name.to_str().ok()?)
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Card").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}
