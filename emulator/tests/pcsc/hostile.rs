//! The examples of docs/hostile.md, read from there and run as they stand.

use crate::pkcs11::Module;
use crate::rig::Rig;
use crate::tool::Tool;
use crate::{Body, add};

const PAGE: &str = include_str!("../../../docs/hostile.md");

pub(crate) fn tests(all: &mut Vec<(String, Body)>) {
    add(all, "hostile::a_signature_that_is_none", no_signature);
    add(
        all,
        "hostile::the_power_goes_while_a_pin_is_compared",
        power_goes,
    );
    add(all, "hostile::a_card_that_always_has_more", always_has_more);
    add(
        all,
        "hostile::a_success_without_its_data",
        success_without_data,
    );
}

/// A command of an example, and the lines that it prints.
struct Step {
    command: String,
    words: Vec<String>,
    lines: Vec<String>,
}

impl Step {
    fn word(&self, number: usize) -> &str {
        self.words.get(number).expect("so many words")
    }
}

/// The commands below a headline, in their order.
fn example(headline: &str) -> Vec<Step> {
    let section = PAGE
        .split("\n### ")
        .find(|section| section.starts_with(headline))
        .unwrap_or_else(|| panic!("no example {headline:?}"));
    let (_, block) = section.split_once("```console\n").expect("a console");
    let (block, _) = block.split_once("```").expect("its end");
    let mut steps: Vec<Step> = Vec::new();
    for line in block.replace("\\\n", " ").lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step {
                command: command.into(),
                words: command.split_whitespace().map(str::to_owned).collect(),
                lines: Vec::new(),
            }),
            (None, Some(step)) => step.lines.push(line.into()),
            (None, None) => panic!("{line:?} is before the first command"),
        }
    }
    steps
}

/// The step that runs this program.
fn step<'a>(steps: &'a [Step], program: &str) -> &'a Step {
    let mut steps = steps.iter();
    let found = steps.find(|step| step.words.first().is_some_and(|word| word == program));
    found.unwrap_or_else(|| panic!("no {program} in the example"))
}

/// Readers with the card that the examples speak of, which misbehaves as an example says.
fn misbehaving(steps: &[Step]) -> Rig {
    let mut rig = Rig::with_initialized_card();
    Module::reader(0).generate("EC:prime256v1", 1);
    rig.remove_cards();
    let cat = step(steps, "cat");
    rig.file(cat.word(1), cat.lines.join("\n"));
    let serve = step(steps, "hsm2-emulator");
    let (start, rest) = serve.words.split_at(4);
    assert_eq!(start, ["hsm2-emulator", "serve", "--card", "card.hsm2"]);
    let mut options = rest.to_vec();
    assert_eq!(options.pop().as_deref(), Some("&"));
    for file in options.iter_mut().filter(|word| !word.starts_with("--")) {
        *file = rig.path(file).display().to_string();
    }
    rig.insert_cards_with(&options);
    rig
}

/// Runs the example's tool as a shell does, which must say what the example says, exit code and all.
fn run(rig: &Rig, steps: &[Step]) {
    let mut steps = steps.iter();
    let step = steps.find(|step| step.command.ends_with("; echo $?"));
    let step = step.expect("a tool whose exit code is shown");
    let outcome = Tool::new("sh")
        .args(["-c", &format!("exec 2>&1; {}", step.command)])
        .directory(rig.path(""))
        .ok();
    // Whether a crash leaves a core file is up to the machine.
    let text = outcome.text.replace(" (core dumped)", "");
    let found: Vec<_> = text.lines().collect();
    assert_eq!(found, step.lines, "{outcome}");
}

fn no_signature() {
    let steps = example("A signature that is none");
    let rig = misbehaving(&steps);
    rig.file("hash", [0x5A; 32]);
    run(&rig, &steps);
    let signature = rig.read("sig");
    assert!(!signature.is_empty() && signature.iter().all(|byte| *byte == 0));
    let xxd = step(&steps, "xxd");
    assert_eq!(xxd.word(1), "sig");
    let shown = xxd.lines.iter().flat_map(|line| {
        let digits = line.split_once(": ").expect("an offset").1;
        let digits = digits.split_once("  ").expect("characters").0;
        digits.split(' ').collect::<String>().into_bytes()
    });
    assert_eq!(
        shown.collect::<Vec<u8>>(),
        hex::encode(&signature).into_bytes()
    );
}

fn power_goes() {
    let steps = example("The power goes while a PIN is compared");
    let rig = misbehaving(&steps);
    run(&rig, &steps);
    let log = String::from_utf8(rig.read("cards.log")).expect("text");
    for line in &step(&steps, "hsm2-emulator").lines {
        assert!(log.lines().any(|said| said == line), "{line:?} in\n{log}");
    }
    // The card is back by now, or will be in a moment.
    let mut left = String::new();
    crate::pcscd::await_condition("the card to come back", || {
        let status = rig.sc_hsm_tool(0).run();
        let known = status.text.contains("User PIN tries left");
        if known {
            left = status.field("User PIN tries left");
        }
        known
    });
    assert_eq!(left.trim_start_matches([' ', ':']), "2");
}

fn always_has_more() {
    let steps = example("A card that always has more");
    let rig = misbehaving(&steps);
    run(&rig, &steps);
    let trace = String::from_utf8(rig.read("run.jsonl")).expect("text");
    let more = trace
        .lines()
        .filter(|line| line.contains(r#""response":"61FF""#))
        .count();
    assert!((1..1000).contains(&more), "the host asked {more} times");
}

fn success_without_data() {
    let steps = example("A success without its data");
    let rig = misbehaving(&steps);
    run(&rig, &steps);
}
