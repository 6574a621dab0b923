//! `hsm2-harness replay` on what `hsm2-emulator serve --trace` wrote.

use crate::programs::run;

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

/// Lines of a trace that have this field.
fn lines_with(trace: &str, field: &str) -> usize {
    let text = std::fs::read_to_string(trace).unwrap();
    let field = format!("\"{field}\":");
    text.lines().filter(|line| line.contains(&field)).count()
}

/// A session on a new card, written down by the emulator with the secrets in it or without.
fn recorded(folder: &tempfile::TempDir, secrets: &str) -> String {
    let trace = path(folder, "card.jsonl");
    run(
        "run sign.ecdsa.secp256r1 verify.user_pin.*",
        &format!("--ephemeral --seed 01 --trace {trace} {secrets}"),
    )
    .is(0);
    trace
}

#[test]
fn what_serve_wrote_down_another_card_answers_alike() {
    let folder = tempfile::tempdir().unwrap();
    let trace = recorded(&folder, "--trace-secrets");
    let commands = lines_with(&trace, "command");
    assert!(commands > 50, "{commands} commands");
    assert_eq!(lines_with(&trace, "response"), commands);
    // The card is another one: other keys, another serial. What it draws is compared by length.
    run(&format!("replay {trace}"), "--ephemeral --seed 02")
        .is(0)
        .has(&format!("{commands} commands, all answered as recorded"))
        .has("fields compared by length only: ecdsa-signature");
}

/// A share of the DKEK is not in the trace: without it the keys that follow are none.
#[test]
fn what_is_blank_in_the_trace_is_counted_and_ends_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let trace = recorded(&folder, "");
    let commands = lines_with(&trace, "command");
    let said = run(&format!("replay {trace}"), "--ephemeral --seed 02");
    said.is(0)
        .has("commands not sent: their secrets are not in the trace")
        .has("commands not sent: what came before them could not be sent")
        .has(&format!(
            "of {commands} commands, all answered as recorded;"
        ))
        .has("the session: left at line ");
}

#[test]
fn the_first_command_that_another_generation_answers_otherwise_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let trace = recorded(&folder, "");
    run(
        &format!("replay {trace}"),
        "--ephemeral --seed 02 --profile nitrokey-hsm2-3.5",
    )
    .is(1)
    .has("SELECT")
    .has("\n  recorded  6F0A820178850500000003069000")
    .has("\n  found     6F0A820178850500000003059000");
}

/// A card that is pulled out leaves a command without an answer; nobody can tell what it did.
#[test]
fn a_command_without_an_answer_is_counted_and_ends_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, script) = (path(&folder, "pulled.jsonl"), path(&folder, "script.json"));
    std::fs::write(&script, r#"[{"on": {"name": "SIGN"}, "do": ["remove"]}]"#).unwrap();
    run(
        "run sign.ecdsa.secp256r1",
        &format!("--ephemeral --seed 01 --trace {trace} --trace-secrets --script {script}"),
    )
    .is(11);
    let (commands, responses) = (
        lines_with(&trace, "command"),
        lines_with(&trace, "response"),
    );
    assert_eq!(responses + 1, commands);
    let text = std::fs::read_to_string(&trace).unwrap();
    let unanswered = text
        .lines()
        .position(|line| line.contains("\"command\":") && !line.contains("\"response\":"));
    let line = unanswered.unwrap() + 1;
    let said = run(&format!("replay {trace}"), "--ephemeral --seed 02");
    said.is(0)
        .has("1 commands not sent: the trace holds no answer to them")
        .has(&format!(
            "the session: left at line {line}: the trace holds no answer to them"
        ))
        .has(&format!(
            "{responses} of {commands} commands, all answered as recorded; 1 not sent"
        ));

    // Where no command has an answer, nothing ran.
    let rows: Vec<_> = text
        .lines()
        .filter(|row| !row.contains("\"response\":"))
        .collect();
    std::fs::write(&trace, rows.join("\n")).unwrap();
    let said = run(&format!("replay {trace}"), "--ephemeral --seed 02");
    said.is(16);
    assert!(said.err.contains("nothing in"), "{}", said.err);
}
