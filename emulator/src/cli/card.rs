//! `card create` and `card copy`.

use std::path::Path;

use hsm2_emulator::card::{Card, CardError};
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::{PROFILES, Profile};
use hsm2_emulator::store::FileStore;

use super::Failure;
use super::guide;
use super::plan::{Purpose, Seed, randomness};

/// The profile of cards for which none was chosen.
pub(super) fn profile_or_default(
    chosen: Option<&'static Profile>,
) -> Result<&'static Profile, Failure> {
    chosen
        .or_else(|| PROFILES.first().copied())
        .ok_or_else(|| Failure::Internal("this program has no profiles".into()))
}

pub(super) fn create(
    path: &Path,
    profile: Option<&'static Profile>,
    serial: Option<Serial>,
) -> Result<(), Failure> {
    let name = make(path, profile, serial, None)?;
    guide::say(format_args!("{}: new card {name}", path.display()));
    Ok(())
}

/// Makes a card file; the answer is the card's serial.
pub(super) fn make(
    path: &Path,
    profile: Option<&'static Profile>,
    serial: Option<Serial>,
    seed: Option<&Seed>,
) -> Result<String, Failure> {
    let profile = profile_or_default(profile)?;
    let mut rng = randomness(seed, 1, Purpose::Making)?;
    let serial = serial.unwrap_or_else(|| Serial::random(&mut rng));
    let mut name = String::new();
    FileStore::create::<CardError>(path, |store| {
        let card = Card::personalise(profile, &serial, Box::new(store), Box::new(rng))?;
        name = card
            .memory()
            .device()
            .map(|device| device.serial())
            .unwrap_or_default();
        Ok(())
    })
    .map_err(|cause| Failure::of_card(path, cause))?;
    Ok(name)
}

pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    FileStore::copy(from, to)?;
    guide::say(format_args!(
        "{}: copy of {}, with all its keys",
        to.display(),
        from.display()
    ));
    Ok(())
}
