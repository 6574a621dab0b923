//! Which card goes where, and where its random numbers come from.

use std::path::PathBuf;

use clap::ArgMatches;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::transport::address::Address;
use hsm2_emulator::transport::vpcd::DEFAULT_PORT;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Failure, ServeArgs};

/// Where one card goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Connect there.
    Vpcd(Address),
    /// Wait there.
    Listen(Address),
}

/// All `--vpcd` and `--listen` in the order of the command line.
pub(super) fn endpoints(matches: &ArgMatches, args: &ServeArgs) -> Vec<Place> {
    let positions = |name| matches.indices_of(name).into_iter().flatten();
    let vpcd = positions("vpcd").zip(args.vpcd.iter().cloned().map(Place::Vpcd));
    let listen = positions("listen").zip(args.listen.iter().cloned().map(Place::Listen));
    let mut places: Vec<_> = vpcd.chain(listen).collect();
    places.sort_by_key(|(position, _)| *position);
    places.into_iter().map(|(_, place)| place).collect()
}

/// Gives each of `cards` cards a place: those given, then vpcd's default ports.
pub(super) fn assign(cards: usize, given: Vec<Place>) -> Result<Vec<Place>, Failure> {
    if given.len() > cards {
        return Err(Failure::Usage(format!(
            "{} addresses for {}: give a --card for each, or --ephemeral",
            given.len(),
            if cards == 1 {
                "one card".into()
            } else {
                format!("{cards} cards")
            },
        )));
    }
    let mut places = given;
    for number in places.len()..cards {
        let port = u16::try_from(number)
            .ok()
            .and_then(|number| DEFAULT_PORT.checked_add(number));
        let port = port.ok_or_else(|| Failure::Usage(format!("{cards} cards are too many")))?;
        places.push(Place::Vpcd(Address::local(port)));
    }
    for (number, place) in places.iter().enumerate() {
        let free_port =
            matches!(place, Place::Listen(address) if address.to_string().ends_with(":0"));
        if !free_port && places.iter().skip(number + 1).any(|other| other == place) {
            return Err(Failure::Usage(format!(
                "two cards cannot both be at {place}"
            )));
        }
    }
    Ok(places)
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Vpcd(address) | Self::Listen(address) => address.fmt(f),
        }
    }
}

/// What all random numbers of a run are drawn from.
#[derive(Clone)]
pub(super) struct Seed(Zeroizing<Vec<u8>>);

/// Reads 1 to 32 bytes in hexadecimal.
pub(super) fn seed(text: &str) -> Result<Seed, String> {
    let bytes = Zeroizing::new(hex::decode(text).map_err(|error| error.to_string())?);
    if (1..=32).contains(&bytes.len()) {
        Ok(Seed(bytes))
    } else {
        Err("write 1 to 32 bytes as hexadecimal digits".into())
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seed({} bytes)", self.0.len())
    }
}

/// What random numbers are needed for; each purpose has its own sequence.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Making the card's identity.
    Making,
    /// Everything that hosts ask for.
    Using,
    /// Changing responses at random.
    Spoiling,
}

/// The source of randomness of one card, numbered from 1.
pub(super) fn randomness(
    seed: Option<&Seed>,
    card: usize,
    purpose: Purpose,
) -> Result<CardRng, Failure> {
    let Some(seed) = seed else {
        return CardRng::from_system().map_err(|error| Failure::Internal(error.to_string()));
    };
    let label = match purpose {
        Purpose::Making => "make",
        Purpose::Using => "use",
        Purpose::Spoiling => "spoil",
    };
    let digest = Sha256::new()
        .chain_update(format!("hsm2-emulator {label} card {card} "))
        .chain_update(seed.0.as_slice())
        .finalize();
    Ok(CardRng::from_seed(digest.into()))
}

/// The card file of somebody who names none.
pub(super) fn default_card() -> Result<PathBuf, Failure> {
    let folder = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
    };
    folder("XDG_DATA_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/share")))
        .map(|data| data.join("hsm2-emulator").join("card.hsm2"))
        .ok_or_else(|| {
            Failure::Usage(
                "neither XDG_DATA_HOME nor HOME names a directory to keep a card in; \
                 use --card FILE or --ephemeral"
                    .into(),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn cards_without_an_address_get_the_port_of_their_number() {
        let given = vec![Place::Listen(address("127.0.0.1:0"))];
        let places = assign(3, given.clone()).unwrap();
        let expected = [
            given[0].clone(),
            Place::Vpcd(address("127.0.0.1:35964")),
            Place::Vpcd(address("127.0.0.1:35965")),
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn too_many_addresses_and_shared_ones_are_refused() {
        let first = Place::Vpcd(address("127.0.0.1:35963"));
        let second = Place::Vpcd(address("127.0.0.1:35964"));
        let refused = |cards, given| assign(cards, given).unwrap_err().to_string();
        assert!(
            refused(1, vec![first.clone(), second.clone()]).contains("2 addresses for one card")
        );
        assert!(refused(2, vec![first.clone(), first]).contains("127.0.0.1:35963"));
        assert!(refused(2, vec![second]).contains("127.0.0.1:35964"));
        let free = Place::Listen(address("127.0.0.1:0"));
        assert!(assign(2, vec![free.clone(), free]).is_ok());
    }

    #[test]
    fn a_seed_gives_each_card_and_purpose_its_own_numbers_again_and_again() {
        let draw = |text, card, purpose| {
            let seed = seed(text).unwrap();
            randomness(Some(&seed), card, purpose).unwrap().next_u64()
        };
        let first = draw("01", 1, Purpose::Using);
        assert_eq!(first, draw("01", 1, Purpose::Using));
        assert_ne!(first, draw("01", 2, Purpose::Using));
        assert_ne!(first, draw("01", 1, Purpose::Making));
        assert_ne!(first, draw("0100", 1, Purpose::Using));
        for text in ["", "0", "zz", &"00".repeat(33)] {
            assert!(seed(text).is_err(), "{text}");
        }
    }
}
