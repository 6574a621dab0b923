//! INITIALIZE DEVICE, `80 50`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::domain::{DomainLayout, KEK_LENGTH, Kek, KeyDomain};
use crate::id::DomainId;
use crate::memory::{Options, Setup};
use crate::pin::{Pin, PinReference, SO_PIN_LENGTH, SO_PIN_TRIES};
use crate::pka::Quorum;
use crate::profile::Profile;
use crate::status::StatusWord;
use crate::tlv::Reader;
use zeroize::Zeroizing;

/// Tries of the user PIN when tag 91 is absent.
const DEFAULT_USER_TRIES: u8 = 3;

/// Erases the card and sets it up, or asks for its memory and version.
///
/// ```text
/// 80 50 00 00 Lc { 80 02 options, 81 n user PIN, 82 08 SO-PIN, [91 01 tries],
///                  [92 01 DKEK shares], [93 02 custodians required],
///                  [97 01 key-domain slots] }     in any order
/// 80 50 00 00 Le      response: free memory(4) ‖ 00 ‖ version major ‖ minor
/// ```
///
/// The first run sets the SO-PIN, later runs present it. Everything but the device identity is
/// erased. The user is authenticated afterwards until re-selection; the applet stays selected.
/// With 92 = 00 the card draws the DKEK itself; with 92 and 97, 97 wins. (inferred)
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1P2 is not 0000 |
/// | 6700 | neither a data field nor Le, or a query that this generation does not know |
/// | 6A80 | unknown, doubled or malformed object; 82 missing, or 81 without 93; PIN or tries out of range; unknown option; more slots than the card has; an object or option that this generation does not know |
/// | 6A81 | an object of a function that this card does not have: biometrics (95, 96) |
/// | 63Cx | wrong SO-PIN, x tries are left; nothing was erased |
/// | 6983 | no try of the SO-PIN is left: this card cannot be initialised any more |
///
/// Source: the hosts' own encoders; a genuine token for authentication after it and for the cost
/// of a wrong SO-PIN. The form of the information answer is that of a compatible card, which the
/// vendor's host reads.
pub(super) struct InitializeDevice(Option<Parameters>);

/// What the data field says.
struct Parameters {
    options: Options,
    user_pin: Option<Pin>,
    quorum: Option<Quorum>,
    so_pin: Zeroizing<[u8; SO_PIN_LENGTH]>,
    dkek_shares: Option<u8>,
    slots: Option<u8>,
}

impl Command for InitializeDevice {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        apdu.expect_p1p2(0, 0)?;
        match (apdu.data, apdu.ne) {
            ([], Some(_)) => Ok(Self(None)),
            ([], None) => Err(StatusWord::WrongLength),
            (data, _) => Ok(Self(Some(Parameters::parse(data)?))),
        }
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        match self.0 {
            None if !card.profile.information_query => Err(StatusWord::WrongLength),
            None => Ok(Response::data(information(card))),
            Some(parameters) => initialize(card, parameters),
        }
    }
}

impl Parameters {
    fn parse(data: &[u8]) -> Result<Self, StatusWord> {
        let objects = Objects::parse(data)?;
        let options = match objects.options {
            None => Options::default(),
            Some(value) => Options::from_bytes(value).ok_or(StatusWord::WrongData)?,
        };
        let so_pin = objects.so_pin.ok_or(StatusWord::WrongData)?;
        let so_pin = <[u8; SO_PIN_LENGTH]>::try_from(so_pin).map_err(|_| StatusWord::WrongData)?;
        let tries = one_byte(objects.tries)?.unwrap_or(DEFAULT_USER_TRIES);
        let quorum = match objects.quorum {
            None => None,
            Some(value) => Some(Quorum::from_bytes(value).ok_or(StatusWord::WrongData)?),
        };
        let user_pin = match objects.user_pin {
            None | Some([]) if quorum.is_some() => None,
            pin => Some(user_pin(pin.ok_or(StatusWord::WrongData)?, tries, options)?),
        };
        Ok(Self {
            options,
            user_pin,
            quorum,
            so_pin: Zeroizing::new(so_pin),
            dkek_shares: one_byte(objects.dkek_shares)?,
            slots: one_byte(objects.slots)?,
        })
    }

    /// Whether this generation has all that is asked for.
    fn is_known_to(&self, profile: &Profile) -> bool {
        let lacks = |tag| profile.absent_objects.contains(&tag);
        Options::all_of(profile.options).has(self.options)
            && !(self.quorum.is_some() && lacks(0x93))
            && !(self.slots.is_some() && lacks(0x97))
            && self.slots.unwrap_or(0) <= profile.domain_slots_max
    }

    fn layout(&self) -> DomainLayout {
        match (self.slots, self.dkek_shares) {
            (Some(0), _) | (None, None) => DomainLayout::None,
            (Some(slots), _) => DomainLayout::Slots(slots),
            (None, Some(_)) => DomainLayout::SingleDkek,
        }
    }
}

/// The objects of the data field as they came.
#[derive(Default)]
struct Objects<'a> {
    options: Option<&'a [u8]>,
    user_pin: Option<&'a [u8]>,
    so_pin: Option<&'a [u8]>,
    tries: Option<&'a [u8]>,
    dkek_shares: Option<&'a [u8]>,
    quorum: Option<&'a [u8]>,
    slots: Option<&'a [u8]>,
}

impl<'a> Objects<'a> {
    fn parse(data: &'a [u8]) -> Result<Self, StatusWord> {
        let mut objects = Self::default();
        let mut reader = Reader::new(data);
        while !reader.is_empty() {
            let object = reader.next_element()?;
            let place = match object.tag {
                0x80 => &mut objects.options,
                0x81 => &mut objects.user_pin,
                0x82 => &mut objects.so_pin,
                0x91 => &mut objects.tries,
                0x92 => &mut objects.dkek_shares,
                0x93 => &mut objects.quorum,
                0x97 => &mut objects.slots,
                0x95 | 0x96 => return Err(StatusWord::FunctionNotSupported),
                _ => return Err(StatusWord::WrongData),
            };
            if place.replace(object.value).is_some() {
                return Err(StatusWord::WrongData);
            }
        }
        Ok(objects)
    }
}

fn user_pin(value: &[u8], tries: u8, options: Options) -> Result<Pin, StatusWord> {
    if !PinReference::User.accepts_length(value.len())
        || !(1..=PinReference::User.most_tries(value.len())).contains(&tries)
    {
        return Err(StatusWord::WrongData);
    }
    let pin = Pin::new(value, tries);
    Ok(match options.has(Options::TRANSPORT_PIN) {
        true => pin.in_transport(),
        false => pin,
    })
}

fn one_byte(value: Option<&[u8]>) -> Result<Option<u8>, StatusWord> {
    match value {
        None => Ok(None),
        Some([byte]) => Ok(Some(*byte)),
        Some(_) => Err(StatusWord::WrongData),
    }
}

/// Free memory(4) ‖ 00 ‖ version major ‖ minor.
fn information(card: &Context<'_>) -> Vec<u8> {
    let free = u32::try_from(card.free_memory()).unwrap_or(u32::MAX);
    let (major, minor) = card.profile.version;
    [&free.to_be_bytes()[..], &[0x00, major, minor]].concat()
}

fn initialize(card: &mut Context<'_>, parameters: Parameters) -> Result<Response, StatusWord> {
    if !parameters.is_known_to(card.profile) {
        return Err(StatusWord::WrongData);
    }
    let layout = parameters.layout();
    if card.memory.setup().is_some() {
        card.present_pin(PinReference::SecurityOfficer, |pin| {
            pin.matches(&parameters.so_pin[..])
        })?;
    }
    card.memory.wipe();
    card.memory.set_setup(Setup {
        options: parameters.options,
        domains: layout,
        quorum: parameters.quorum,
    });
    card.memory.set_pin(PinReference::User, parameters.user_pin);
    card.memory.set_pin(
        PinReference::SecurityOfficer,
        Some(Pin::new(&parameters.so_pin[..], SO_PIN_TRIES)),
    );
    if let (DomainLayout::SingleDkek, Some(shares)) = (layout, parameters.dkek_shares) {
        let domain = KeyDomain::dkek(shares, || random_kek(card));
        card.memory.set_domain(DomainId(0), Some(domain));
    }
    card.session.begin_initialised();
    Ok(Response::done())
}

/// Draws a KEK that nothing outside the card knows.
pub(super) fn random_kek(card: &mut Context<'_>) -> Kek {
    let mut bytes = Zeroizing::new([0; KEK_LENGTH]);
    card.rng.fill_bytes(&mut bytes[..]);
    Kek::new(&bytes)
}
