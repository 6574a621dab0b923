//! What a drill says: the same entries for a terminal, a page and a program.

use serde::Serialize;

/// One piece of the account of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "entry")]
pub enum Entry {
    /// A step begins: what is done and why.
    Step {
        /// From 1.
        number: usize,
        /// What is done.
        title: String,
        /// Why.
        why: String,
    },
    /// A command was sent, or several alike in a row.
    Sent(Sent),
    /// What the step showed; it was checked.
    Shown {
        /// A sentence.
        text: String,
    },
    /// Something that no genuine card has confirmed, or a shortcut of the drill.
    Caution {
        /// A sentence.
        text: String,
    },
    /// What the cards hold now.
    Holds {
        /// One for each card.
        cards: Vec<Holding>,
        /// Which slots share a KEK.
        exchange: Vec<String>,
    },
    /// What the steps showed, side by side.
    Comparison(Comparison),
    /// What it all means for a real ceremony.
    Meaning {
        /// Sentences.
        texts: Vec<String>,
    },
}

/// Commands in a row that differ in their data only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Name of the card.
    pub card: char,
    /// Name of the command.
    pub command: String,
    /// CLA, INS, P1, P2 in hexadecimal.
    pub header: String,
    /// Bytes of data in all.
    pub bytes: usize,
    /// How many commands.
    pub times: usize,
    /// Status word in hexadecimal.
    pub status: String,
}

/// A table: each way and how it compares with the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What is compared.
    pub title: String,
    /// Heads of the columns; the first names the row.
    pub columns: Vec<String>,
    /// As many cells in each as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// What one card holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// Name of the card.
    pub card: char,
    /// A sentence for each slot; none for a card without slots.
    pub slots: Vec<String>,
    /// A few words for each key.
    pub keys: Vec<String>,
}
