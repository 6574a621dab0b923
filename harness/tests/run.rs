//! Runs as a person, a script and a build server see them: what is printed, and the exit code.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "shared/altered.rs"]
mod altered;
#[path = "shared/program.rs"]
mod program;

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::EphemeralStore;

use altered::{Altered, own_certificate_alone};
use program::{Disturber, Said, harness, run, run_on_card, said};

fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The whole suite shall take less than 20 seconds in a release build on two cores. This build is hardly
/// optimised and shares its cores with other tests, so it may take three times that; on quiet cores it
/// takes a tenth, and whoever makes the suite ten times slower is found out.
const WHOLE_SUITE: Duration = Duration::from_secs(60);

#[test]
fn without_any_words_the_whole_suite_runs() {
    let begun = Instant::now();
    let said = run("");
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("virtual device ZZSUITEA"), "{}", said.out);
    assert!(said.out.contains(" 0 fail"), "{}", said.out);
    // Somebody who knows nothing of it learns what the marks mean and what came out.
    assert!(said.out.contains(". as it must be"), "{}", said.out);
    let last = said.out.trim_end().lines().last().unwrap_or_default();
    assert!(
        last.starts_with("The virtual card ZZSUITEA (firmware 3.6) behaves as its generation must"),
        "{last}"
    );
    // The time that is told is all the time it took, but for starting and writing.
    let told = said.out.split(" s: ").next().unwrap_or_default();
    let told = told.rsplit(' ').next().unwrap_or_default();
    let told: f64 = told.parse().unwrap_or_else(|_| panic!("{}", said.out));
    assert!(
        told <= took + 0.1 && took - told < 5.0,
        "told {told}, took {took}"
    );
    assert!(told < WHOLE_SUITE.as_secs_f64(), "{told} seconds");
}

/// A person sees within a tenth of a second that something happens, in a release build. The bound leaves
/// room for this build, which is several times slower, for `script` and its shell, and for the tests
/// beside it.
const FIRST_SIGN: Duration = Duration::from_secs(1);

#[test]
fn progress_shows_at_once_on_a_terminal() {
    let line = format!(
        "exec '{}' run 'identify.*'",
        env!("CARGO_BIN_EXE_hsm2-harness")
    );
    // What else this machine does must not count: the best of a few.
    let runs: Vec<_> = (0..5).map(|_| first_progress(&line)).collect();
    let quick = runs.iter().any(|(first, _)| *first < FIRST_SIGN);
    assert!(quick, "{runs:?}");
    // However slow the machine is: cards are prepared behind the first line, not before it. That is
    // most of what so short a run has to do.
    let early = runs.iter().any(|(first, whole)| *first < *whole / 2);
    assert!(early, "{runs:?}");
}

/// How long it takes until a line of progress shows on a terminal, and until the end.
fn first_progress(line: &str) -> (Duration, Duration) {
    let begun = Instant::now();
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`script`, of util-linux (in Debian: bsdutils)");
    let mut screen = child.stdout.take().unwrap();
    let (mut shown, mut buffer) = (Vec::new(), [0; 4096]);
    let mut first = None;
    while let Ok(count @ 1..) = screen.read(&mut buffer) {
        shown.extend(buffer.iter().take(count));
        let text = String::from_utf8_lossy(&shown);
        if first.is_none() && text.contains("\r\x1b[K0/") {
            first = Some(begun.elapsed());
        }
    }
    assert!(child.wait().unwrap().success());
    let first =
        first.unwrap_or_else(|| panic!("no progress in {}", String::from_utf8_lossy(&shown)));
    (first, begun.elapsed())
}

/// The line that repeats a case holds all that the case depends on.
#[test]
fn the_line_that_repeats_a_case_is_exact() {
    let directory = tempfile::tempdir().unwrap();
    let poor = "name = \"it's\"\ntitle = \"t\"\n[applies]\nvirtual = true\nversions = []\n[has]\ncapabilities = []\n[[departure]]\nscenario = \"session.reset.*\"\nfound = \"*\"\nreason = \"r\"\nseen = \"s\"\n";
    let profile = write(directory.path(), "it's poor.toml", poor);
    let output = harness(
        "run session.reset.logs_out --target embedded:nitrokey-hsm2-3.1 --seed 7 --lose-keys 3",
    )
    .arg("--profile")
    .arg(&profile)
    .output()
    .unwrap();
    let said = said(&output);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let line = said
        .out
        .lines()
        .find_map(|line| line.split_once("again     "));
    let line = line.unwrap_or_else(|| panic!("{}", said.out)).1;
    let expected = format!(
        "hsm2-harness run --target embedded:nitrokey-hsm2-3.1 --lose-keys 3 --profile '{}' --only session.reset.logs_out --seed 7",
        profile.replace('\'', "'\\''")
    );
    assert_eq!(line, expected);
}

#[test]
fn reports_that_can_be_shown_and_compared() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let one = |name: &str| {
        let said = run(&format!(
            "run identify.* session.* -q --anonymous --stable --json {name} --trace {name}.t --html {name}.h --junit {name}.x --markdown {name}.m"
        ));
        assert_eq!(said.code, Some(0), "{}", said.err);
        std::fs::read_to_string(name).unwrap()
    };
    let (left, right) = (one(&path("left")), one(&path("right")));
    assert_eq!(left, right, "equal runs give equal files");
    for form in ["", ".t", ".h", ".x", ".m"] {
        let text = std::fs::read_to_string(path("left") + form).unwrap();
        for serial in ["SUITEA", "SUITEB", "5355495445"] {
            assert!(!text.contains(serial), "{serial} in form {form:?}");
        }
    }
    assert!(left.contains("ANON-"), "{left}");
}

#[test]
fn all_forms_of_a_report_and_a_trace_that_replays() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (json, junit, markdown, trace) = (path("j"), path("x"), path("m"), path("t"));
    let said = run(&format!(
        "run verify.* sign.ecdsa.* -q --json {json} --junit {junit} --markdown {markdown} --trace {trace}"
    ));
    assert_eq!(said.code, Some(0), "{}", said.err);
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert!(read(&json).contains("\"schema_version\": \"1."));
    assert!(read(&junit).contains("<testsuite name=\"verify\""));
    assert!(read(&markdown).contains("| verify |"));
    let replay = run(&format!("replay {trace}"));
    assert_eq!(replay.code, Some(0), "{}{}", replay.out, replay.err);
    assert!(replay.out.contains("ecdsa-signature"), "{}", replay.out);
    assert!(
        replay.out.contains("all answered as recorded"),
        "{}",
        replay.out
    );

    // The same run does not differ from itself, and a changed one does.
    let same = run(&format!("diff {json} {json}"));
    assert_eq!(same.code, Some(0), "{}", same.err);
    let other = write(
        directory.path(),
        "other",
        &read(&json).replacen("\"status\": \"9000\"", "\"status\": \"6F00\"", 1),
    );
    let differs = run(&format!("diff {json} {other}"));
    assert_eq!(differs.code, Some(1));
    assert!(differs.out.contains("6F00"), "{}", differs.out);

    // What is not chosen is left out of reports, too.
    let other = write(
        directory.path(),
        "elsewhere",
        &read(&json).replacen("\"id\": \"verify.", "\"id\": \"elsewhere.", 1),
    );
    assert_eq!(run(&format!("diff {json} {other}")).code, Some(1));
    let same = run(&format!("diff {json} {other} --area sign"));
    assert_eq!(same.code, Some(0), "{}{}", same.out, same.err);
    // A live side takes the options of a run.
    let live = run(&format!(
        "diff {json} embedded --only sign.ecdsa.secp256r1 --profile {json}"
    ));
    assert_eq!(live.code, Some(3), "{}", live.err);

    // The first answer that is not as recorded ends a replay.
    let text = read(&trace).replacen("\"response\":\"63CF\"", "\"response\":\"63CE\"", 1);
    let changed = write(directory.path(), "changed", &text);
    let replay = run(&format!("replay {changed}"));
    assert_eq!(replay.code, Some(1), "{}", replay.out);
    assert!(replay.out.contains("recorded  63CE"), "{}", replay.out);
    assert!(replay.out.contains("found     63CF"), "{}", replay.out);
}

#[test]
fn mistakes_have_a_place_and_an_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let profile = write(directory.path(), "p.toml", "name = \"x\"\ntitle = 1\n");
    let said = run(&format!("run --profile {profile}"));
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(
        said.err.contains("p.toml, line 2, column 9"),
        "{}",
        said.err
    );

    let trace = write(
        directory.path(),
        "t.jsonl",
        "{\"card\":\"A\",\"event\":\"reset\"}\n{\"card\":\"A\",\"command\":\"00XX\",\"response\":\"9000\"}\n",
    );
    let said = run(&format!("replay {trace}"));
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(
        said.err.contains("t.jsonl, line 2, column 24"),
        "{}",
        said.err
    );

    assert_eq!(run("run no.such.*").code, Some(2));
    assert_eq!(run("run --area nowhere").code, Some(2));
    assert_eq!(run("run --target nowhere").code, Some(2));
    assert_eq!(run("replay /no/such/file").code, Some(7));
}

#[test]
fn a_run_in_which_nothing_ran_is_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let poor = "name = \"poor\"\ntitle = \"t\"\n[applies]\nvirtual = true\nversions = []\n[has]\ncapabilities = []\n";
    let profile = write(directory.path(), "poor.toml", poor);
    let said = run(&format!(
        "run --only sign.ecdsa.secp256r1 --profile {profile}"
    ));
    assert_eq!(said.code, Some(16), "{}", said.err);
    assert!(
        said.out.contains("skipped 1: profile poor has no"),
        "{}",
        said.out
    );
}

/// Nothing that compares nothing is green.
#[test]
fn two_runs_of_which_nothing_is_known_do_not_agree() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let json = path("j");
    assert_eq!(
        run(&format!(
            "run --only session.reset.logs_out -q --json {json}"
        ))
        .code,
        Some(0)
    );
    let text = std::fs::read_to_string(&json).unwrap();
    let change = |name: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        write(directory.path(), name, &text.replace(from, to))
    };
    let skipped = change("skipped", "\"verdict\": \"pass\"", "\"verdict\": \"skip\"");
    let said = run(&format!("diff {skipped} {skipped}"));
    assert_eq!(said.code, Some(16), "{}", said.err);
    let aborted = change(
        "aborted",
        "\"counts\"",
        "\"aborted\": \"the card was removed\", \"abort\": \"removed\", \"counts\"",
    );
    let said = run(&format!("diff {aborted} {aborted}"));
    assert_eq!(said.code, Some(11), "{}", said.err);
    let later = change(
        "later",
        "\"schema_version\": \"1.",
        "\"schema_version\": \"2.",
    );
    let said = run(&format!("diff {json} {later}"));
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("schema version 2."), "{}", said.err);
    // What another version of this program knows besides is no matter.
    let newer = change(
        "newer",
        "\"schema_version\": \"1.",
        "\"more\": 1, \"schema_version\": \"1.9",
    );
    let said = run(&format!("diff {json} {newer}"));
    assert_eq!(said.code, Some(0), "{}", said.err);
}

#[cfg(not(feature = "pcsc"))]
#[test]
fn without_pcsc_a_reader_is_refused_with_the_way_to_build_it() {
    let said = run("run --target pcsc:Reader");
    assert_eq!(said.code, Some(10));
    assert!(said.err.contains("--features pcsc"), "{}", said.err);
}

/// Runs the suite behind vpcd's protocol on a card to which something is done after some commands.
fn disturbed(after: usize, disturb: impl Fn(&Disturber) + Send + 'static) -> Said {
    run_altered("", |disturber| {
        let mut commands = 0;
        move |card: &mut Card, command: &[u8]| {
            commands += 1;
            if commands == after {
                disturb(&disturber);
            }
            card.transmit(command)
        }
    })
}

/// Runs scenarios behind vpcd's protocol on a card whose commands go through this.
fn run_altered<F>(words: &str, transmit: impl FnOnce(Disturber) -> F) -> Said
where
    F: FnMut(&mut Card, &[u8]) -> Vec<u8> + Send + 'static,
{
    let command = harness(&format!("run --target vpcd:127.0.0.1:0 {words}"));
    run_on_card(command, |disturber| {
        let card = Card::personalise(
            &NITROKEY_HSM2,
            &Serial::new("ODD").unwrap(),
            Box::new(EphemeralStore::default()),
            Box::new(CardRng::from_seed([1; 32])),
        );
        Altered {
            card: card.unwrap(),
            transmit: transmit(disturber),
        }
    })
}

#[test]
fn a_card_that_is_pulled_out_ends_the_run_and_is_no_skip() {
    let said = disturbed(200, Disturber::pull);
    assert_eq!(said.code, Some(11), "{}{}", said.out, said.err);
    assert!(said.out.contains("ABORTED"), "{}", said.out);
    // The scenarios that it did not come to are there, as such.
    assert!(said.out.contains(" not run"), "{}", said.out);
    assert!(said.out.contains("- not reached"), "{}", said.out);
    assert!(said.err.contains("the card was removed"), "{}", said.err);
}

#[test]
fn a_signal_ends_the_run_after_its_scenario() {
    for name in ["INT", "TERM", "HUP"] {
        let said = disturbed(300, move |it| it.signal(name));
        assert_eq!(said.code, Some(18), "{name}: {}{}", said.out, said.err);
        assert!(
            said.err.contains("stopping after this scenario"),
            "{}",
            said.err
        );
        let aborted = "scenarios did not run: interrupted by a signal";
        assert!(said.out.contains(aborted), "{}", said.out);
        assert!(!said.out.contains("ERROR"), "{}", said.out);
    }
}

/// Whoever cannot wait for a scenario need not.
#[test]
fn a_second_signal_ends_the_run_at_once() {
    let said = disturbed(300, |it| {
        it.signal("INT");
        // Two signals that come before the first is looked at are one.
        std::thread::sleep(Duration::from_millis(300));
        it.signal("INT");
        std::thread::sleep(Duration::from_millis(300));
    });
    assert_eq!(said.code, Some(130), "{}{}", said.out, said.err);
}

/// What needs the issuer's certificate is left out with the reason; the rest goes as ever.
#[test]
fn an_old_device_holds_its_own_certificate_alone() {
    let run_one = |id: &str| {
        run_altered(&format!("--only {id}"), |_| {
            |card: &mut Card, command: &[u8]| {
                let mut response = card.transmit(command);
                own_certificate_alone(command, &mut response);
                response
            }
        })
    };
    let said = run_one("channel.agreement.card_proves_its_device_key");
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let said = run_one("identify.certificates.chain_verifies");
    assert_eq!(said.code, Some(16), "{}{}", said.out, said.err);
    let why = "skipped 1: the device holds its own certificate and not its issuer's";
    assert!(said.out.contains(why), "{}", said.out);
}

#[test]
fn a_card_of_another_kind_is_named() {
    let said = run_altered("", |_| |_: &mut Card, _: &[u8]| vec![0x6a, 0x82]);
    assert_eq!(said.code, Some(15), "{}{}", said.out, said.err);
    assert!(said.err.contains("holds no SmartCard-HSM"), "{}", said.err);
}
