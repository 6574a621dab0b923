//! Scenarios that are a list of commands and what each must answer, as text.
//!
//! A script has one command a line, in hexadecimal digits, `>` and the status word. `( .. )` writes
//! its content with a length byte before it, `PIN` and `SO` are the PINs of the card. The data of the
//! response stands before the status word, or `*` for any; without it there must be none. `SELECT`, `RESET` (which leaves
//! nothing selected) and `LOGIN` are lines of their own.

use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};

/// A script and what it is about.
pub(super) struct Script {
    /// `area.subject.expectation`.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) source: &'static str,
    pub(super) start: Start,
    pub(super) lines: &'static str,
}

/// Adds scripts that all need the same of a device; they wipe it, since their start does.
pub(super) fn add(list: &mut List, scripts: &'static [Script], needs: &[&str]) {
    for script in scripts {
        let mut draft = list
            .add(script.id, script.title)
            .source(script.source)
            .effect(Effect::Wipes)
            .start(script.start);
        for need in needs {
            draft = draft.needs(*need);
        }
        draft.run(|t| run(t, script.lines));
    }
}

fn run(t: &mut Bench, lines: &str) -> Result<(), Stop> {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line {
            "SELECT" => t.select().map(|_| ())?,
            "RESET" => t.reset()?,
            "LOGIN" => t.login()?,
            _ => exchange(t, line)?,
        }
    }
    Ok(())
}

fn exchange(t: &mut Bench, line: &str) -> Result<(), Stop> {
    let unreadable = || Stop::Harness(format!("a line that cannot be read: {line}"));
    let (command, answer) = line.split_once('>').ok_or_else(unreadable)?;
    let command = command
        .replace("PIN", &hex::encode(t.pin()?.expose()))
        .replace("SO", &hex::encode(t.so_pin()?));
    let command = bytes(&command).ok_or_else(unreadable)?;
    let (data, status) = answer
        .trim()
        .rsplit_once(' ')
        .unwrap_or(("", answer.trim()));
    let status = u16::from_str_radix(status, 16).map_err(|_| unreadable())?;
    let found = t.send(command)?.is(status)?;
    if data == "*" {
        return Ok(());
    }
    let data = hex::decode(data).map_err(|_| unreadable())?;
    t.same("the data of the response", data, found)
}

/// The bytes of a command, lengths filled in; `None` when it is not well formed.
fn bytes(text: &str) -> Option<Vec<u8>> {
    // The last one is what is open now; a closed bracket goes into the one around it.
    let mut open = vec![String::new()];
    for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
        match letter {
            '(' => open.push(String::new()),
            ')' => {
                let content = open.pop()?;
                let length = u8::try_from(content.len() / 2).ok()?;
                let around = open.last_mut()?;
                around.push_str(&format!("{length:02x}{content}"));
            }
            _ => open.last_mut()?.push(letter),
        }
    }
    let [text] = open.as_slice() else {
        return None;
    };
    hex::decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn brackets_count_what_they_hold() {
        assert_eq!(bytes("01 (02 (0304) ())"), Some(vec![1, 5, 2, 2, 3, 4, 0]));
        for wrong in ["(01", "01)", "0", "zz"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
