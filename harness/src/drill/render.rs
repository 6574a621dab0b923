//! The account of a drill as text for a terminal and as a page.

use std::fmt::Write;

use super::entry::{Comparison, Entry, Holding, Sent};
use super::{Account, Drill};

/// Writes entries for a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Columns to fill.
    pub width: usize,
    /// Whether to use colours.
    pub colour: bool,
}

impl Terminal {
    fn styled(self, style: &str, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[{style}m{text}\x1b[0m"),
            false => text.into(),
        }
    }

    /// The head of a drill.
    #[must_use]
    pub fn head(self, drill: &Drill) -> String {
        let title = self.styled("1", drill.title);
        format!("{title}\n{}", wrapped(drill.question, self.width, "", ""))
    }

    /// One entry; ends with a line break.
    #[must_use]
    pub fn entry(self, entry: &Entry) -> String {
        match entry {
            Entry::Step { number, title, why } => {
                let title = self.styled("1", &format!("{number}. {title}"));
                format!("\n{title}\n{}", wrapped(why, self.width, "   ", "   "))
            }
            Entry::Sent(sent) => format!("   {}\n", self.styled("2", &row(sent))),
            Entry::Shown { text } => {
                let text = wrapped(text, self.width, "   * ", "     ");
                self.styled("32", text.trim_end()) + "\n"
            }
            Entry::Caution { text } => {
                let text = wrapped(text, self.width, "   ! ", "     ");
                self.styled("33", text.trim_end()) + "\n"
            }
            Entry::Holds { cards, exchange } => {
                let mut text = String::from("   Now:\n");
                for card in cards {
                    let mut prefix = format!("   {}  ", card.card);
                    for line in lines(card) {
                        text += &wrapped(&line, self.width, &prefix, "        ");
                        prefix = "      ".into();
                    }
                }
                let sentence = exchange_sentence(cards, exchange);
                text + &wrapped(&sentence, self.width, "   ", "   ")
            }
            Entry::Comparison(comparison) => self.comparison(comparison),
            Entry::Meaning { texts } => {
                let mut text = format!("\n{}\n", self.styled("1", MEANING));
                for sentence in texts {
                    text += &wrapped(sentence, self.width, "- ", "  ");
                }
                text
            }
        }
    }

    /// One paragraph for each row: cells of whole sentences do not fit side by side in a terminal.
    fn comparison(self, comparison: &Comparison) -> String {
        let mut text = format!("\n{}\n", self.styled("1", &comparison.title));
        let heads = comparison.columns.iter().map(|head| head.chars().count());
        let head_width = heads.max().unwrap_or_default();
        let indent = " ".repeat(head_width + 6);
        for row in &comparison.rows {
            for (number, (head, cell)) in comparison.columns.iter().zip(row).enumerate() {
                text += &match number {
                    0 => wrapped(cell, self.width, "- ", "  "),
                    _ => {
                        let first = format!("    {head:<head_width$}  ");
                        wrapped(cell, self.width, &first, &indent)
                    }
                };
            }
        }
        text
    }
}

const MEANING: &str = "For a real ceremony";

fn row(sent: &Sent) -> String {
    let what = match sent.times {
        1 => sent.command.clone(),
        times => format!("{} ({times} times)", sent.command),
    };
    let (card, header, bytes, status) = (sent.card, &sent.header, sent.bytes, &sent.status);
    let bytes = match bytes {
        0 => String::new(),
        1 => "1 byte".into(),
        bytes => format!("{bytes} bytes"),
    };
    format!("{card}  {header}  {bytes:>10}  {what:<28} {status}")
}

fn lines(card: &Holding) -> Vec<String> {
    let keys = match card.keys.is_empty() {
        true => vec!["no keys".into()],
        false => card.keys.clone(),
    };
    let slots = match card.slots.is_empty() {
        true => vec!["no key domains".into()],
        false => card.slots.clone(),
    };
    slots.into_iter().chain(keys).collect()
}

fn exchange_sentence(cards: &[Holding], exchange: &[String]) -> String {
    match exchange {
        [] if cards.iter().all(|card| card.slots.is_empty()) => {
            "No card has a key domain: no key can leave its card.".into()
        }
        [] => "No two slots share a KEK: no key can travel.".into(),
        pairs => format!(
            "Wrapped keys can travel between {}.",
            pairs.join("; between ")
        ),
    }
}

/// Breaks text into lines; the first begins with `first`, the others with `next`.
fn wrapped(text: &str, width: usize, first: &str, next: &str) -> String {
    let mut out = String::new();
    let mut line = String::from(first);
    let mut empty = true;
    for word in text.split_whitespace() {
        let needed = line.chars().count() + 1 + word.chars().count();
        if !empty && needed > width {
            out += line.trim_end();
            out.push('\n');
            line = String::from(next);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line += word;
        empty = false;
    }
    out + line.trim_end() + "\n"
}

/// Writes a page: the same for every run on virtual cards of this process.
///
/// Values that cards drew at random are replaced by their names; equal names are equal values.
#[must_use]
pub fn markdown(drill: &Drill, account: &Account) -> String {
    let name = drill.name;
    let mut page = format!("# {}\n\n", drill.title);
    let _ = writeln!(
        page,
        "<!-- Written by `hsm2-harness drill {name} --markdown docs/ceremonies/{name}.md`; do not edit. -->\n"
    );
    let _ = writeln!(page, "{}", wrapped(drill.question, PAGE_WIDTH, "", ""));
    for text in preface(name, account) {
        let _ = writeln!(page, "{}", wrapped(&text, PAGE_WIDTH, "", ""));
    }
    let mut rows = Vec::new();
    for entry in &account.entries {
        if let Entry::Sent(sent) = entry {
            rows.push(row(sent));
            continue;
        }
        if !rows.is_empty() {
            let _ = writeln!(page, "```text\n{}\n```\n", rows.join("\n"));
            rows.clear();
        }
        page += &paragraph(entry);
    }
    for (value, name) in &account.drawn {
        page = page.replace(value, name);
    }
    page.trim_end().to_owned() + "\n"
}

const PAGE_WIDTH: usize = 100;

/// What a stranger needs to know before the first step.
fn preface(name: &str, account: &Account) -> Vec<String> {
    let account_of = format!(
        "This is the account of a run of `hsm2-harness drill {name}`. Every command below was sent to a \
         card, every outcome was checked, and each refusal is one that the drill demands. A line such as \
         `A  80 72 01 92  WRAP KEY  9000` names the card, the head of the command, the command and the \
         card's answer: 9000 is success."
    );
    let has_slots = |entry: &Entry| match entry {
        Entry::Holds { cards, .. } => cards.iter().any(|card| !card.slots.is_empty()),
        _ => false,
    };
    if !account.entries.iter().any(has_slots) {
        return vec![account_of];
    }
    let words = "A key leaves a card only wrapped, that is, encrypted under a KEK. A DKEK is a KEK made \
                 of shares that custodians keep; an XKEK is one that two cards agree on. A KCV, key \
                 check value, tells KEKs apart and betrays nothing. A key domain is a KEK and the keys \
                 bound to it; each stands in a numbered slot of the card. DKEK shares in drills are made of \
                 sentences that everybody can read; values that the cards draw themselves stand here under \
                 a name.";
    vec![account_of, words.into()]
}

fn paragraph(entry: &Entry) -> String {
    match entry {
        Entry::Step { number, title, why } => {
            let why = wrapped(why, PAGE_WIDTH, "", "");
            format!("## {number}. {title}\n\n{why}\n")
        }
        Entry::Sent(_) => String::new(),
        Entry::Shown { text } => wrapped(text, PAGE_WIDTH, "- ", "  ") + "\n",
        Entry::Caution { text } => wrapped(text, PAGE_WIDTH, "> **Note.** ", "> ") + "\n",
        Entry::Holds { cards, exchange } => {
            let mut text = String::from("| card | key domains | keys |\n|---|---|---|\n");
            for card in cards {
                let cell = |words: &[String]| match words.is_empty() {
                    true => "none".into(),
                    false => words.join("<br>"),
                };
                let (slots, keys) = (cell(&card.slots), cell(&card.keys));
                let _ = writeln!(text, "| {} | {slots} | {keys} |", card.card);
            }
            let sentence = exchange_sentence(cards, exchange);
            text + "\n" + &wrapped(&sentence, PAGE_WIDTH, "", "") + "\n"
        }
        Entry::Comparison(comparison) => {
            let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
            let rule = "|---".repeat(comparison.columns.len());
            let rows: String = comparison.rows.iter().map(|cells| row(cells)).collect();
            let (title, head) = (&comparison.title, row(&comparison.columns));
            format!("## {title}\n\n{head}{rule}|\n{rows}\n")
        }
        Entry::Meaning { texts } => {
            let items = texts
                .iter()
                .map(|text| wrapped(text, PAGE_WIDTH, "- ", "  "));
            format!("## {MEANING}\n\n{}", items.collect::<String>())
        }
    }
}
