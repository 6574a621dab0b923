//! `serve --replay`: the commands of a trace, once more to the same cards.

use std::path::Path;

use hsm2_emulator::transport::{Interruption, VirtualCard};
use serde::Deserialize;

use super::{Failure, guide};

/// What of a trace's line says what came to a card, and what came back.
#[derive(Deserialize)]
struct Line {
    card: String,
    event: Option<String>,
    command: Option<String>,
    response: Option<String>,
    #[serde(default)]
    blanked: bool,
}

/// A card and the serial by which the trace knows it.
pub(super) struct Known {
    pub(super) serial: String,
    pub(super) card: Box<dyn VirtualCard>,
}

/// What happened between reader and card, as a line of the trace has it.
enum Step {
    PowerOn,
    PowerOff,
    Reset,
    /// The command, and the response if the reader heard one.
    Command(Vec<u8>, Option<Vec<u8>>),
    Interrupted(Interruption),
}

/// Sends what a trace says to these cards, until one answers otherwise.
///
/// # Errors
///
/// [`Failure::Usage`] when the trace cannot be replayed, [`Failure::Replay`] with its line and both
/// answers when a card answers otherwise.
pub(super) fn run(path: &Path, cards: &mut [Known]) -> Result<(), Failure> {
    let text = std::fs::read_to_string(path).map_err(|cause| Failure::System {
        what: format!("{}: the trace cannot be read", path.display()),
        cause,
    })?;
    let mut interruption = None;
    let mut sent = 0_usize;
    for (number, line) in (1_usize..).zip(text.lines()) {
        let place = format!("{}, line {number}", path.display());
        let (serial, step) = parse(line).map_err(|what| refused(&place, what))?;
        let known = cards.iter_mut().find(|known| known.serial == serial);
        let Some(Known { card, .. }) = known else {
            return Err(refused(&place, format!("no card {serial} is served")));
        };
        let difference = match step {
            Step::PowerOn => {
                card.power_on();
                None
            }
            Step::PowerOff => {
                card.power_off();
                None
            }
            Step::Reset => {
                card.reset();
                None
            }
            Step::Command(command, recorded) => {
                sent += 1;
                let answer = card.transmit(&command);
                interruption = card.take_interruption();
                let found = interruption.is_none().then_some(answer);
                difference(recorded.as_deref(), found.as_deref())
            }
            Step::Interrupted(recorded) => {
                let found = interruption.take();
                (found != Some(recorded))
                    .then(|| format!("the trace has {recorded:?}, the card did {found:?}"))
            }
        };
        if let Some(difference) = difference {
            return Err(Failure::Replay(format!("{place}: {difference}")));
        }
    }
    guide::say(format_args!("{sent} commands, every answer the same"));
    Ok(())
}

fn refused(place: &str, what: String) -> Failure {
    Failure::Usage(format!("{place}: {what}"))
}

/// Where two responses differ, in words that hold none of their bytes but the status words: the rest
/// may be secret.
fn difference(recorded: Option<&[u8]>, found: Option<&[u8]>) -> Option<String> {
    if recorded == found {
        return None;
    }
    let mut text = format!(
        "the trace has {}, the card answered {}",
        described(recorded),
        described(found)
    );
    if let (Some(recorded), Some(found)) = (recorded, found) {
        let same = recorded.iter().zip(found).take_while(|(a, b)| a == b);
        text += &format!("; they differ from byte {} on", same.count() + 1);
    }
    Some(text)
}

fn described(response: Option<&[u8]>) -> String {
    match response.map(|response| (response.len(), response.last_chunk::<2>())) {
        None => "none".into(),
        Some((length, None)) => format!("{length} bytes"),
        Some((length, Some(status))) => {
            format!("{length} bytes, {}", hex::encode_upper(status))
        }
    }
}

fn parse(line: &str) -> Result<(String, Step), String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if line.blanked {
        return Err("secrets are blank here; record with --trace-secrets".into());
    }
    // The digits may be those of a secret.
    let bytes = |what: &str, digits: String| {
        hex::decode(&digits).map_err(|error| format!("the {what} is not hexadecimal: {error}"))
    };
    let step = match (line.command, line.event.as_deref()) {
        (Some(command), _) => {
            let response = line.response.map(|digits| bytes("response", digits));
            Step::Command(bytes("command", command)?, response.transpose()?)
        }
        (None, Some("power on")) => Step::PowerOn,
        (None, Some("power off")) => Step::PowerOff,
        (None, Some("reset")) => Step::Reset,
        (None, Some("silence")) => Step::Interrupted(Interruption::Silence),
        (None, Some("removal")) => Step::Interrupted(Interruption::Removal),
        (None, event) => return Err(format!("{event:?} is no event of a card that was served")),
    };
    Ok((line.card, step))
}
