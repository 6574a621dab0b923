//! Recorded sessions: one line of JSON for each exchange, in the form of the emulator's traces.
//!
//! ```text
//! {"time":"2026-01-31T12:00:00.123456Z","card":"A","scenario":"verify.user_pin.right_pin_logs_in",
//!  "start":"as-found"}
//! {"time":"2026-01-31T12:00:00.123460Z","card":"A","event":"reset"}
//! {"time":"2026-01-31T12:00:00.123470Z","card":"A","command":"0020008106************",
//!  "response":"9000","name":"VERIFY","about":"user PIN","status":"9000 done","micros":41,
//!  "blanked":true}
//! ```
//!
//! A line with `scenario` and `start` says what the exchanges after it began with. Lines of the
//! emulator have none, and their `event` may be `power on` and `power off`, too. Secrets are stars.

pub mod replay;

use hsm2_emulator::trace::decode::decode;
use serde::{Deserialize, Serialize};

use crate::expect::Mistake;
use crate::report::Report;
use crate::scenario::Start;

/// One line.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Line {
    /// When: UTC, RFC 3339.
    pub time: String,
    /// Which card: its serial, or A or B.
    pub card: String,
    /// The scenario that begins here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// What it begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// Something else than a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The command; stars stand for secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The response; stars stand for secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// Name of the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<u8>,
    /// Label of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The algorithm in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// What else the header says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The status word, and its meaning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How long the card took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
    /// What the guard decided, on a device that somebody uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
    /// Whether stars stand for some bytes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub blanked: bool,
}

/// Writes all that was said in a run.
#[must_use]
pub fn write(report: &Report) -> String {
    let mut out = String::new();
    let mut put = |line: &Line| {
        out += &serde_json::to_string(line).unwrap_or_default();
        out.push('\n');
    };
    for entry in &report.results {
        let start = serde_json::from_value(entry.start.clone().into()).ok();
        let Some(first) = entry.exchanges.first() else {
            continue;
        };
        put(&Line {
            time: first.time.clone(),
            card: first.card.clone(),
            scenario: Some(entry.id.clone()),
            start,
            ..Line::default()
        });
        for exchange in &entry.exchanges {
            let plain = exchange.command.split('*').next().unwrap_or_default();
            let plain = plain.get(..plain.len() & !1).unwrap_or_default();
            let decoded = decode(&hex::decode(plain).unwrap_or_default());
            let is_command = exchange.event.is_none();
            let when = |text: String| is_command.then_some(text);
            put(&Line {
                time: exchange.time.clone(),
                card: exchange.card.clone(),
                event: exchange.event.clone(),
                command: when(exchange.command.clone()),
                response: when(exchange.response.clone()),
                name: when(exchange.name.clone()),
                key: decoded.key.filter(|_| is_command),
                algorithm: decoded.algorithm.filter(|_| is_command),
                about: decoded.about.filter(|_| is_command),
                status: when(format!("{} {}", exchange.status, exchange.meaning)),
                micros: is_command.then_some(exchange.micros),
                guard: exchange.guard.clone(),
                blanked: exchange.command.contains('*') || exchange.response.contains('*'),
                ..Line::default()
            });
        }
    }
    out
}

/// Reads a trace.
///
/// # Errors
/// [`Mistake`] with line and column.
pub fn parse(file: &str, text: &str) -> Result<Vec<Line>, Mistake> {
    let mut lines = Vec::new();
    for (number, row) in (1..).zip(text.lines()) {
        if row.trim().is_empty() {
            continue;
        }
        let mistake = |column: usize, what: String| Mistake {
            file: file.into(),
            line: number,
            column,
            what,
        };
        let line: Line = serde_json::from_str(row).map_err(|error| {
            let what = error.to_string();
            // The place is said already.
            let what = what.split(" at line ").next().unwrap_or_default();
            mistake(error.column().max(1), what.into())
        })?;
        for (name, digits) in [("command", &line.command), ("response", &line.response)] {
            let digits = digits.as_deref().unwrap_or_default();
            let wrong = |c: char| !(c.is_ascii_hexdigit() || c == '*');
            if digits.contains(wrong) || digits.len() % 2 != 0 {
                let quoted = format!("\"{digits}\"");
                let column = row.find(&quoted).map_or(1, |at| at + 2);
                let what = format!("{name} is not made of bytes in hexadecimal digits or stars");
                return Err(mistake(column, what));
            }
        }
        if line.command.is_none() && line.event.is_none() && line.scenario.is_none() {
            let what = "a line has a command, an event or a scenario";
            return Err(mistake(1, what.into()));
        }
        lines.push(line);
    }
    if lines.is_empty() {
        return Err(Mistake {
            file: file.into(),
            line: 1,
            column: 1,
            what: "there is nothing in this trace".into(),
        });
    }
    Ok(lines)
}
