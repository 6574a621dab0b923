//! Scenarios: what a card is asked and what it must answer, each with enough about itself to be
//! chosen, guarded and reported.

use crate::suite::bench::{Bench, Stop};

/// What a scenario does to a device that has it for good. Each includes those before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing stays.
    ReadOnly,
    /// A try of a PIN, or a use of a counter, may be gone.
    SpendsRetry,
    /// Keys and files are made and deleted again; nothing else is touched.
    Creates,
    /// What was on the device is gone, or a PIN may be blocked.
    Wipes,
}

impl Effect {
    /// The word for it on the command line and in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::SpendsRetry => "spends-retry",
            Self::Creates => "creates",
            Self::Wipes => "wipes",
        }
    }
}

/// What a scenario finds when it begins. The applet is selected in each.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Any card as it is; nobody is logged in.
    AsFound,
    /// Any card as it is; the user is logged in.
    LoggedIn,
    /// A card that was just initialised, empty, without key domains; nobody is logged in.
    Fresh,
    /// An initialised card with four key-domain slots, the fixture's DKEK in slot 0; the user is
    /// logged in.
    Domains,
    /// As [`Start::Domains`], with all keys of [`crate::suite::fixture`]; the user is logged in.
    Keys,
    /// A card that was never initialised.
    Virgin,
}

impl Start {
    /// The word for it in reports and traces.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AsFound => "as-found",
            Self::LoggedIn => "logged-in",
            Self::Fresh => "fresh",
            Self::Domains => "domains",
            Self::Keys => "keys",
            Self::Virgin => "virgin",
        }
    }

    /// What it costs to bring a device there that somebody uses.
    #[must_use]
    pub fn effect(self) -> Effect {
        match self {
            Self::AsFound | Self::LoggedIn => Effect::ReadOnly,
            Self::Fresh | Self::Domains | Self::Keys | Self::Virgin => Effect::Wipes,
        }
    }
}

type Body = Box<dyn Fn(&mut Bench) -> Result<(), Stop> + Send + Sync>;

/// One scenario.
pub struct Scenario {
    /// `area.subject.expectation`, unique.
    pub id: String,
    /// One sentence: what must hold.
    pub title: String,
    /// Where the expectation comes from.
    pub source: String,
    /// Capabilities that the device must have.
    pub needs: Vec<String>,
    /// What its own commands do to a device.
    pub own_effect: Effect,
    /// What it finds when it begins.
    pub start: Start,
    /// How many cards it talks to.
    pub cards: usize,
    body: Body,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scenario")
            .field("id", &self.id)
            .field("effect", &self.effect())
            .finish_non_exhaustive()
    }
}

impl Scenario {
    /// The part of the id before the first dot.
    #[must_use]
    pub fn area(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// What it does to a device that somebody uses, its preparation included.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.own_effect.max(self.start.effect())
    }

    /// Does it.
    ///
    /// # Errors
    /// [`Stop`] when something is not as it must be.
    pub fn run(&self, bench: &mut Bench) -> Result<(), Stop> {
        (self.body)(bench)
    }
}

/// Scenarios while they are written down; see [`crate::scenarios`] for how.
#[derive(Debug, Default)]
pub struct List(Vec<Scenario>);

/// A scenario without a body yet.
#[must_use = "a scenario without a body is none: end with `run`"]
#[derive(Debug)]
pub struct Draft<'l> {
    list: &'l mut List,
    id: String,
    title: String,
    source: String,
    needs: Vec<String>,
    effect: Effect,
    start: Start,
    cards: usize,
}

impl List {
    /// Begins a scenario: [`Start::AsFound`], [`Effect::ReadOnly`], one card, no needs.
    pub fn add(&mut self, id: impl Into<String>, title: impl Into<String>) -> Draft<'_> {
        Draft {
            list: self,
            id: id.into(),
            title: title.into(),
            source: String::new(),
            needs: Vec::new(),
            effect: Effect::ReadOnly,
            start: Start::AsFound,
            cards: 1,
        }
    }

    /// All of them.
    #[must_use]
    pub fn finish(self) -> Vec<Scenario> {
        self.0
    }
}

impl Draft<'_> {
    /// Where the expectation comes from: a public document, a record of a genuine token, a host's
    /// source. "(inferred)" where nothing states it.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// A capability that profiles name, such as `xkek`, `rsa-4096` or `curve-secp521r1`.
    pub fn needs(mut self, capability: impl Into<String>) -> Self {
        self.needs.push(capability.into());
        self
    }

    /// What its own commands do to a device.
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// What it finds when it begins.
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Talks to a second card that begins in the same way, see [`Bench::other`].
    pub fn two_cards(mut self) -> Self {
        self.cards = 2;
        self
    }

    /// What it does.
    pub fn run(self, body: impl Fn(&mut Bench) -> Result<(), Stop> + Send + Sync + 'static) {
        self.list.0.push(Scenario {
            id: self.id,
            title: self.title,
            source: self.source,
            needs: self.needs,
            own_effect: self.effect,
            start: self.start,
            cards: self.cards,
            body: Box::new(body),
        });
    }
}
