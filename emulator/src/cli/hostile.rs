//! What the arguments make of a card that misbehaves.

use std::path::Path;

use hsm2_emulator::card::Card;
use hsm2_emulator::hostile::{Hostile, Mutator, PowerSwitch, Script, Switched};
use hsm2_emulator::store::Store;
use hsm2_emulator::transport::VirtualCard;

use super::plan::{Purpose, randomness};
use super::{Failure, ServeArgs};

/// How cards misbehave; nothing when no argument asks for it.
pub(super) struct Plan(Option<Script>);

impl Plan {
    /// Reads the script, if there is one.
    pub(super) fn read(args: &ServeArgs) -> Result<Self, Failure> {
        match &args.script {
            Some(path) => Ok(Self(Some(parse(path)?))),
            None if args.mutate.is_some() => Ok(Self(Some(Script::default()))),
            None => Ok(Self(None)),
        }
    }

    /// The store of a card, whose power the script may cut.
    pub(super) fn store(&self, store: Box<dyn Store>, power: &PowerSwitch) -> Box<dyn Store> {
        match self.0 {
            Some(_) => Box::new(Switched::new(store, power.clone())),
            None => store,
        }
    }

    /// The card as its reader meets it.
    pub(super) fn card(
        &self,
        card: Card,
        number: usize,
        args: &ServeArgs,
        power: PowerSwitch,
    ) -> Result<Box<dyn VirtualCard>, Failure> {
        let Some(script) = &self.0 else {
            return Ok(Box::new(card));
        };
        let mutator = match &args.mutate {
            Some(seed) => {
                let rng = randomness(Some(seed), number, Purpose::Spoiling)?;
                Some(Mutator::new(Box::new(rng), args.mutate_rate))
            }
            None => None,
        };
        Ok(Box::new(Hostile::new(card, script.clone(), mutator, power)))
    }
}

fn parse(path: &Path) -> Result<Script, Failure> {
    let text = std::fs::read(path).map_err(|cause| Failure::System {
        what: format!("{}: the script cannot be read", path.display()),
        cause,
    })?;
    Script::parse(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}
