//! What a command demands of a device that somebody uses, judged by its bytes alone.
//!
//! Judged from the safe side: whatever is not plainly known to be harmless counts as wiping.

use zeroize::Zeroizing;

use crate::der::Reader;

/// What must be allowed, or hold, before a command may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Demand {
    /// It only looks, or touches the session alone.
    Nothing,
    /// It may cost a try or a use of something.
    Retry,
    /// It presents this user PIN.
    Pin(Zeroizing<Vec<u8>>),
    /// It changes the user PIN: the old one and behind it the new one.
    ChangePin(Zeroizing<Vec<u8>>),
    /// It presents this SO-PIN, when one can be made out.
    SoPin {
        /// The SO-PIN.
        pin: Option<[u8; 8]>,
        /// Whether it changes what is on the device, too.
        wipes: bool,
    },
    /// It makes this object, or replaces it.
    Create(u16),
    /// It makes the key of this number, and may write its certificate and its description.
    Key(u8),
    /// It uses or deletes this object.
    Ours(u16),
    /// What was there may be gone.
    Wipe,
    /// It cannot be checked and is never sent, for this reason.
    Never(&'static str),
}

/// Data fields that could be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data<'a> {
    None,
    Plain(&'a [u8]),
    /// Encrypted, chained, or of a wrong length: anything may be in it.
    Unclear,
}

/// The scratch file for what is too long for one command.
const SCRATCH: u16 = 0x2f10;

pub(super) fn of(command: &[u8]) -> Demand {
    let Some((&[class, instruction, p1, p2], body)) = command.split_first_chunk() else {
        // Too short for any card to take it for a command.
        return Demand::Nothing;
    };
    let data = match (class, fields(body)) {
        // Secure messaging hides the data, chaining spreads it, channels select other cards' state.
        (0x00 | 0x80, data) => data,
        _ => Data::Unclear,
    };
    let key = |number: u8| u16::from_be_bytes([0xcc, number]);
    match instruction {
        // SELECT, READ BINARY, ENUMERATE, GET CHALLENGE, GET RESPONSE, MSE, GENERAL AUTHENTICATE.
        0xa4 | 0xb0 | 0xb1 | 0x58 | 0x84 | 0xc0 | 0x22 | 0x86 => Demand::Nothing,
        0x20 => verify(p1, p2, data),
        0x24 => change(p2, data),
        0x2c => so_pin(data, true),
        0x50 => initialize(data),
        // Status of a key domain, of public key authentication.
        0x52 if p1 == 0 && data == Data::None => Demand::Nothing,
        0x54 if data == Data::None => Demand::Nothing,
        // EXTERNAL AUTHENTICATE, GENERATE SESSION PIN.
        0x82 | 0x5a => Demand::Retry,
        // DECIPHER but for an XKEK, SIGN, CIPHER, WRAP: they may count down the uses of a key.
        0x62 if p2 != 0x84 => Demand::Ours(key(p1)),
        0x68 | 0x78 | 0x72 => Demand::Ours(key(p1)),
        // GENERATE KEY PAIR, GENERATE KEY, UNWRAP.
        0x46 | 0x48 | 0x74 => Demand::Key(p1),
        0xd7 => match u16::from_be_bytes([p1, p2]) {
            // The selected file, a file of the device itself.
            0x0000 | 0x2f02 | 0x2f03 => Demand::Wipe,
            SCRATCH => Demand::Create(SCRATCH),
            file => Demand::Create(file),
        },
        0xe4 => match data {
            Data::Plain(&[high, low]) => Demand::Ours(u16::from_be_bytes([high, low])),
            _ => Demand::Wipe,
        },
        _ => Demand::Wipe,
    }
}

/// A PIN that cannot be told from its bytes, or that nobody knows how a card takes.
const UNCHECKED: Demand = Demand::Never("a PIN in a form that cannot be checked");

fn verify(p1: u8, p2: u8, data: Data<'_>) -> Demand {
    match (p2, p1, data) {
        (_, _, Data::None) => Demand::Nothing,
        (0x81, 0, Data::Plain(pin)) => Demand::Pin(Zeroizing::new(pin.to_vec())),
        (0x88, 0, data) => match so_pin(data, false) {
            Demand::SoPin { pin, .. } => Demand::SoPin { pin, wipes: false },
            other => other,
        },
        _ => UNCHECKED,
    }
}

/// CHANGE REFERENCE DATA. The SO-PIN may only be changed to itself: with another one that a broken
/// run leaves behind, its owner could never erase the device again.
fn change(p2: u8, data: Data<'_>) -> Demand {
    match (p2, data) {
        (_, Data::None) => Demand::Wipe,
        (0x81, Data::Plain(pins)) => Demand::ChangePin(Zeroizing::new(pins.to_vec())),
        (0x88, Data::Plain(pins)) => match pins.split_first_chunk() {
            Some((pin, new)) if pin == new => Demand::SoPin {
                pin: Some(*pin),
                wipes: true,
            },
            _ => Demand::Never("the SO-PIN would be another one afterwards"),
        },
        _ => UNCHECKED,
    }
}

/// A command whose data are the SO-PIN, or begin with it when there may be `more`.
fn so_pin(data: Data<'_>, more: bool) -> Demand {
    match data {
        Data::None => Demand::Wipe,
        Data::Plain(data) => Demand::SoPin {
            pin: data
                .split_first_chunk()
                .and_then(|(pin, rest)| (more || rest.is_empty()).then_some(*pin)),
            wipes: true,
        },
        Data::Unclear => UNCHECKED,
    }
}

fn initialize(data: Data<'_>) -> Demand {
    match data {
        Data::None => Demand::Nothing,
        Data::Plain(data) => Demand::SoPin {
            pin: only(data, 0x82).and_then(|code| code.try_into().ok()),
            wipes: true,
        },
        Data::Unclear => UNCHECKED,
    }
}

/// Value of the element with this tag, when there is exactly one and all of the data reads.
fn only(data: &[u8], tag: u16) -> Option<&[u8]> {
    let mut reader = Reader::new(data);
    let mut found = None;
    while !reader.is_empty() {
        let element = reader.element().ok()?;
        if element.tag == tag && found.replace(element.content).is_some() {
            return None;
        }
    }
    found
}

/// What INITIALIZE DEVICE makes of the user PIN: its value, and how many tries it has.
pub(super) fn initialized(command: &[u8]) -> Option<(Zeroizing<Vec<u8>>, Option<u8>)> {
    let (&[_, 0x50, _, _], body) = command.split_first_chunk()? else {
        return None;
    };
    let Data::Plain(data) = fields(body) else {
        return None;
    };
    let tries = match only(data, 0x91) {
        Some(&[tries]) => Some(tries),
        _ => None,
    };
    let pin = only(data, 0x81).unwrap_or_default();
    Some((Zeroizing::new(pin.to_vec()), tries))
}

/// Tells data from lengths, in the strict forms of ISO 7816-3 only.
fn fields(body: &[u8]) -> Data<'_> {
    match *body {
        // Case 1, and both forms of case 2.
        [] | [_] | [0, _, _] => Data::None,
        [length, ref rest @ ..] if length != 0 => match rest.get(..usize::from(length)) {
            Some(data) if rest.len() <= data.len() + 1 => Data::Plain(data),
            _ => Data::Unclear,
        },
        [0, high, low, ref rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([high, low]));
            match rest.get(..length) {
                Some(data) if length > 0 && [0, 2].contains(&(rest.len() - length)) => {
                    Data::Plain(data)
                }
                _ => Data::Unclear,
            }
        }
        _ => Data::Unclear,
    }
}
