//! What people write into files: scripts for a hostile card, reports, profiles, traces, key files.

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::hostile::{Hostile, PowerSwitch, Script, Switched};
use hsm2_emulator::snapshot::Snapshot;
use hsm2_emulator::transport::VirtualCard;
use hsm2_harness::expect::{Mistake, Profile};
use hsm2_harness::key::Key;
use hsm2_harness::key::file::KeyFile;
use hsm2_harness::report::{Report, diff, junit, markdown, page, text};
use hsm2_harness::scenario::{Scenario, Start};
use hsm2_harness::scenarios;
use hsm2_harness::secret::Secret;
use hsm2_harness::suite::stock::Stock;
use hsm2_harness::trace;

use crate::apdu::{SELECT, extended, log_in, read};
use crate::fixture;
use crate::session::Stage;
use crate::store::WatchedStore;

/// Script of a hostile card. One that is taken is played twice over the same commands, and spoils
/// them in the same way again.
pub fn script(input: &[u8]) {
    script_by(input, spoiled);
}

/// [`script`] with this player.
pub fn script_by(input: &[u8], play: impl Fn(&Snapshot, Script) -> Vec<Vec<u8>>) {
    let Ok(script) = Script::parse(input) else {
        return;
    };
    // A script may wait for weeks, and may write so with escapes.
    if input.windows(5).any(|five| five == b"delay") || input.contains(&b'\\') {
        return;
    }
    let snapshot = Stage::get().snapshot(0);
    let first = play(snapshot, script.clone());
    assert!(
        first == play(snapshot, script),
        "script: the same script spoils the same commands in another way"
    );
}

/// What a host hears of the card in this snapshot, spoiled by a script.
#[must_use]
pub fn spoiled(snapshot: &Snapshot, script: Script) -> Vec<Vec<u8>> {
    let power = PowerSwitch::new();
    let store = Switched::new(Box::new(WatchedStore::default()), power.clone());
    let rng = Box::new(CardRng::from_seed([0x44; 32]));
    let card = Card::from_snapshot(snapshot, Box::new(store), rng).unwrap();
    let mut hostile = Hostile::new(card, script, None, power);
    let commands = [
        SELECT,
        &log_in(),
        &fixture::sign(fixture::EC_KEY),
        &read(fixture::FILE),
        &extended(0x00, 0x84, 0, 0, &[]),
        &fixture::sign(fixture::COUNTED_KEY),
        &[0x80, 0x58, 0, 0, 0, 0, 0],
        &log_in(),
    ];
    let mut heard = Vec::new();
    for command in commands {
        heard.push(hostile.transmit(command));
        if hostile.take_interruption().is_some() {
            hostile.power_on();
            heard.push(hostile.transmit(SELECT));
        }
    }
    heard
}

/// What the harness reads from files, by the first byte: a report in JSON (0), the profile of a
/// generation in TOML (1), a trace (2). Everything that is made of what was read can be made.
pub fn report(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    match (first % 3, std::str::from_utf8(rest)) {
        (0, _) => json(rest),
        (1, Ok(text)) => toml(text),
        (2, Ok(text)) => lines(text),
        _ => {}
    }
}

fn json(input: &[u8]) {
    let Ok(mut report) = serde_json::from_slice::<Report>(input) else {
        return;
    };
    let _ = junit::junit(&report);
    // The last digit of a fraction may change on its way through text.
    report.millis = 0.0;
    for entry in &mut report.results {
        entry.millis = 0.0;
    }
    let written = serde_json::to_vec(&report).unwrap();
    let again: Report = serde_json::from_slice(&written).unwrap();
    assert!(diff::diff(&report, &again).is_empty());
    let written_again = serde_json::to_vec(&again).unwrap();
    assert!(written == written_again, "a report that changes when read");
    assert!(markdown::markdown(&report).len() > 1);
    assert!(page::page(&[&report, &again]).starts_with("<!"));
    let words = text::Style { colour: false };
    assert!(!words.whole(&report).is_empty());
    let trace = trace::write(&report);
    assert_eq!(trace.is_empty(), !report.results.iter().any(said));
}

fn said(entry: &hsm2_harness::report::Entry) -> bool {
    !entry.exchanges.is_empty()
}

fn toml(text: &str) {
    thread_local! {
        static SCENARIOS: Vec<Scenario> = scenarios::all();
    }
    SCENARIOS.with(|scenarios| match Profile::parse("file", text, scenarios) {
        Ok(profile) => {
            for scenario in scenarios {
                let _ = profile.lacks(scenario);
                let _ = profile.departure(&scenario.id, None);
            }
        }
        Err(mistake) => stands_in(text, &mistake),
    });
}

/// The place of a mistake is one that the file has, or the one behind its end.
fn stands_in(text: &str, mistake: &Mistake) {
    let lines = text.split('\n').count();
    assert!(
        (1..=lines).contains(&mistake.line) && mistake.column >= 1,
        "{mistake}, of {lines} lines"
    );
    assert!(!mistake.what.is_empty());
}

/// Most lines of a trace that are replayed.
const REPLAYED: usize = 16;

fn lines(text: &str) {
    let mut lines = match trace::parse("file", text) {
        Ok(lines) => lines,
        Err(mistake) => return stands_in(text, &mistake),
    };
    for line in &lines {
        let written = serde_json::to_string(line).unwrap();
        assert!(trace::parse("file", &written).is_ok(), "{written}");
    }
    lines.truncate(REPLAYED);
    lines.retain(|line| {
        let command = line.command.as_deref().unwrap_or_default();
        // Making keys takes long, and so do the starts of scenarios.
        line.scenario.is_none() && line.start.is_none() && command.get(2..4) != Some("46")
    });
    let Some(card) = lines.first().map(|line| line.card.clone()) else {
        return;
    };
    let hand = Stock::default().honest_card('A', Start::Keys).unwrap();
    if let Ok(outcome) = trace::replay::replay_session(&lines, &card, hand) {
        assert!(outcome.sent + outcome.not_sent() <= lines.len());
    }
}

/// Password of the seeds, and most rounds of hashing that a file may ask for: those of OpenSSL.
const PASSWORD: &[u8] = b"fixture password";
const ROUNDS: u64 = 2048;

/// Key files as `hsm2-harness blob` reads them: a key that was read can be written and read again.
pub fn key_file(input: &[u8]) {
    key_file_by(input, |key| hsm2_harness::key::file::write(key).unwrap());
}

/// [`key_file`] with this writer.
pub fn key_file_by(input: &[u8], write: impl Fn(&Key) -> Secret) {
    let opened = KeyFile::parse(&Secret::from(input)).and_then(|file| match file {
        KeyFile::Open(key) => Ok(key),
        KeyFile::Locked(locked) => locked.unlock_within(&Secret::from(PASSWORD), ROUNDS),
    });
    match opened {
        Ok(key) => {
            let again = KeyFile::parse(&write(&key));
            assert!(
                matches!(again, Ok(KeyFile::Open(_))),
                "key_file: a key that was read cannot be read again"
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
