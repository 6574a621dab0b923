//! The stage of a drill: its cards, what is known of them, and the account of what happens.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::entry::{Comparison, Entry, Holding, Sent};
use super::guard::{self, Consent, Denied};
use super::{Account, DrillError};
use crate::card::command::StatusWord;
use crate::card::cvc::{Chain, Kind, Request};
use crate::card::domain::{DomainKind, DomainStatus};
use crate::card::{Attributes, Card, CardError, Setup};
use crate::dkek::{CheckValue, Dkek};
use crate::transport::Target;
use crate::verify::PublicKey;

/// User PIN of cards in a drill.
const PIN: &[u8] = b"648219";

/// A card by its place in the drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Who(usize);

pub(super) const A: Who = Who(0);
pub(super) const B: Who = Who(1);
pub(super) const C: Who = Who(2);
pub(super) const D: Who = Who(3);

impl Who {
    pub(super) fn name(self) -> char {
        ['A', 'B', 'C', 'D'].get(self.0).copied().unwrap_or('?')
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name())
    }
}

/// A card and what the drill knows of it.
#[derive(Debug)]
struct Actor {
    card: Card,
    chain: Chain,
    so_pin: [u8; 8],
    /// Slots for key domains; none until the drill has set the card up.
    slots: Option<u8>,
    labels: BTreeMap<u8, String>,
}

/// Cards, knowledge and account.
pub struct Scene<'n> {
    actors: Vec<Actor>,
    account: Account,
    step: usize,
    comparison: Option<Comparison>,
    narrator: &'n mut dyn FnMut(&Entry),
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene")
            .field("actors", &self.actors)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

/// A DKEK and the shares it is made of, from sentences that everybody can read.
#[derive(Debug)]
pub(super) struct Custody {
    pub(super) name: &'static str,
    pub(super) shares: Vec<Dkek>,
}

impl Custody {
    /// `count` shares; share i is the SHA-256 of `hsm2 drill, DKEK NAME, share i`.
    pub(super) fn new(name: &'static str, count: u8) -> Self {
        let share = |i| {
            let sentence = format!("hsm2 drill, DKEK {name}, share {i}");
            Dkek::new(Sha256::digest(sentence).into())
        };
        Self {
            name,
            shares: (1..=count).map(share).collect(),
        }
    }

    pub(super) fn dkek(&self) -> Dkek {
        Dkek::assemble(&self.shares)
    }
}

/// The account.
impl<'n> Scene<'n> {
    /// Admits the cards; nothing is changed on them.
    pub(super) fn enter(
        targets: Vec<Box<dyn Target>>,
        needed: usize,
        consent: &Consent,
        narrator: &'n mut dyn FnMut(&Entry),
    ) -> Result<Self, Denied> {
        let mut actors: Vec<Actor> = Vec::new();
        for target in targets.into_iter().take(needed) {
            let mut card = Card::new(target);
            let (chain, so_pin) = guard::admit(&mut card, consent)?;
            if actors.iter().any(|other| other.chain == chain) {
                return Err(Denied::SameDevice(chain.serial()));
            }
            card.take_exchanges();
            actors.push(Actor {
                card,
                chain,
                so_pin,
                slots: None,
                labels: BTreeMap::new(),
            });
        }
        Ok(Self {
            actors,
            account: Account::default(),
            step: 0,
            comparison: None,
            narrator,
        })
    }

    fn say(&mut self, entry: Entry) {
        (self.narrator)(&entry);
        self.account.entries.push(entry);
    }

    /// Begins a step; the one before ends with what the cards hold after it.
    pub(super) fn step(&mut self, title: &str, why: &str) -> Result<(), DrillError> {
        self.end_step()?;
        self.step += 1;
        self.say(Entry::Step {
            number: self.step,
            title: title.into(),
            why: why.into(),
        });
        Ok(())
    }

    fn end_step(&mut self) -> Result<(), DrillError> {
        match self.step {
            0 => Ok(()),
            _ => self.holds(),
        }
    }

    /// Says what a check showed.
    pub(super) fn shown(&mut self, text: impl Into<String>) {
        self.say(Entry::Shown { text: text.into() });
    }

    /// Says what is not confirmed, or not as in a real ceremony.
    pub(super) fn caution(&mut self, text: impl Into<String>) {
        self.say(Entry::Caution { text: text.into() });
    }

    /// Names a value that differs from run to run.
    fn drawn(&mut self, value: CheckValue, name: &str) {
        let value = (value.to_string(), name.to_string());
        if !self.account.drawn.contains(&value) {
            self.account.drawn.push(value);
        }
    }

    /// Puts what the steps showed side by side, after the last of them.
    pub(super) fn compare(&mut self, comparison: Comparison) {
        self.comparison = Some(comparison);
    }

    /// Ends the last step, and the account with what it all means.
    pub(super) fn finish(mut self, meaning: &[&str]) -> Result<Account, DrillError> {
        self.end_step()?;
        if let Some(comparison) = self.comparison.take() {
            self.say(Entry::Comparison(comparison));
        }
        let texts = meaning.iter().map(|text| (*text).into()).collect();
        self.say(Entry::Meaning { texts });
        Ok(self.account)
    }

    /// Makes sure of something.
    pub(super) fn check(
        &self,
        holds: bool,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Result<(), DrillError> {
        if holds {
            return Ok(());
        }
        Err(DrillError::Unexpected {
            step: self.step,
            expected: expected.into(),
            found: found.into(),
        })
    }

    /// What must work on the host's side.
    pub(super) fn host<T, E: std::fmt::Display>(
        &self,
        expected: &str,
        outcome: Result<T, E>,
    ) -> Result<T, DrillError> {
        outcome.map_err(|error| DrillError::Unexpected {
            step: self.step,
            expected: expected.into(),
            found: error.to_string(),
        })
    }
}

/// Commands.
impl Scene<'_> {
    fn actor(&mut self, who: Who) -> Result<&mut Actor, DrillError> {
        let given = self.actors.len();
        let needed = who.0 + 1;
        let actor = self.actors.get_mut(who.0);
        actor.ok_or(Denied::TooFewCards { needed, given }.into())
    }

    pub(super) fn chain(&mut self, who: Who) -> Result<Chain, DrillError> {
        Ok(self.actor(who)?.chain.clone())
    }

    /// True when the certificates of two cards end at one root.
    pub(super) fn one_root(&mut self, one: Who, other: Who) -> Result<bool, DrillError> {
        let root = self.chain(one)?.issuer.authority;
        Ok(root == self.chain(other)?.issuer.authority)
    }

    /// Makes a card trust another, and says whether it does. Below different roots it does only where
    /// it was given the other's root; otherwise it must refuse the certificates.
    pub(super) fn introduce(&mut self, who: Who, other: Who) -> Result<bool, DrillError> {
        let chain = self.chain(other)?;
        if self.one_root(who, other)? {
            self.on(who, |card| card.trust(&chain))?;
            return Ok(true);
        }
        let root = String::from_utf8_lossy(&chain.issuer.authority).into_owned();
        let mut trusts = false;
        let outcome = self.attempt(who, |card| card.trust(&chain))?;
        match outcome {
            Ok(()) => trusts = true,
            Err(CardError::Refused { status, .. }) if status == StatusWord::NOT_FOUND => {
                self.shown(format!(
                    "Refused by {who} with {status}: it does not know {root}, where {other}'s certificates end."
                ));
            }
            Err(error) => {
                let expected = format!("card {who} to trust {root}, or not to know it");
                self.check(false, expected, error.to_string())?;
            }
        }
        Ok(trusts)
    }

    /// Puts something between the host and a card.
    pub(super) fn through(
        &mut self,
        who: Who,
        wrap: impl FnOnce(Box<dyn Target>) -> Box<dyn Target>,
    ) -> Result<(), DrillError> {
        self.actor(who)?;
        let actor = self.actors.remove(who.0);
        let card = actor.card.through(wrap);
        self.actors.insert(who.0, Actor { card, ..actor });
        Ok(())
    }

    fn attempt<T>(
        &mut self,
        who: Who,
        act: impl FnOnce(&mut Card) -> Result<T, CardError>,
    ) -> Result<Result<T, CardError>, DrillError> {
        let card = &mut self.actor(who)?.card;
        let outcome = act(card);
        let mut rows: Vec<Sent> = Vec::new();
        for exchange in card.take_exchanges() {
            let [cla, ins, p1, p2] = exchange.header;
            let header = format!("{cla:02X} {ins:02X} {p1:02X} {p2:02X}");
            let status = format!("{:?}", exchange.status);
            match rows.last_mut() {
                Some(last) if last.header == header && last.status == status => {
                    last.times += 1;
                    last.bytes += exchange.sent;
                }
                _ => rows.push(Sent {
                    card: who.name(),
                    command: exchange.name.into(),
                    header,
                    bytes: exchange.sent,
                    times: 1,
                    status,
                }),
            }
        }
        for row in rows {
            self.say(Entry::Sent(row));
        }
        Ok(outcome)
    }

    /// Does what must work.
    pub(super) fn on<T>(
        &mut self,
        who: Who,
        act: impl FnOnce(&mut Card) -> Result<T, CardError>,
    ) -> Result<T, DrillError> {
        let outcome = self.attempt(who, act)?;
        outcome.map_err(|source| DrillError::Card {
            step: self.step,
            card: who.name(),
            source,
        })
    }

    /// Does what must be refused with this status word.
    pub(super) fn refused<T>(
        &mut self,
        who: Who,
        status: StatusWord,
        what: &str,
        act: impl FnOnce(&mut Card) -> Result<T, CardError>,
    ) -> Result<(), DrillError> {
        let expected = format!("card {who} to refuse with {status}: {what}");
        match self.attempt(who, act)? {
            Err(CardError::Refused { status: found, .. }) if found == status => {
                self.shown(format!("Refused by {who} with {status}: {what}."));
                Ok(())
            }
            Err(CardError::Refused { status: found, .. }) => {
                self.check(false, expected, format!("it answered {found}"))
            }
            Err(other) => self.check(false, expected, other.to_string()),
            Ok(_) => self.check(false, expected, "it did it (9000)"),
        }
    }

    /// Erases a card and sets it up with slots for key domains.
    pub(super) fn initialise(&mut self, who: Who, slots: u8) -> Result<(), DrillError> {
        let actor = self.actor(who)?;
        actor.slots = Some(slots);
        actor.labels.clear();
        let so_pin = actor.so_pin;
        self.on(who, |card| {
            card.initialize(&Setup {
                pin: PIN,
                so_pin: &so_pin,
                slots,
            })
        })
    }

    /// Erases a card and sets it up for custodians in place of a PIN.
    pub(super) fn initialise_for_custodians(
        &mut self,
        who: Who,
        total: u8,
        required: u8,
    ) -> Result<(), DrillError> {
        let actor = self.actor(who)?;
        actor.slots = Some(0);
        actor.labels.clear();
        let so_pin = actor.so_pin;
        self.on(who, |card| {
            card.initialize_for_custodians(&so_pin, total, required)
        })
    }

    /// Imports all shares into a DKEK domain and compares the KCV with the host's own.
    pub(super) fn import(&mut self, who: Who, slot: u8, of: &Custody) -> Result<(), DrillError> {
        let mut shown = None;
        for share in &of.shares {
            let status = self.on(who, |card| card.import_share(slot, share))?;
            shown = status.check_value;
        }
        self.same_kcv(who, slot, shown, of)
    }

    /// Creates a DKEK domain and imports all shares.
    pub(super) fn dkek(&mut self, who: Who, slot: u8, of: &Custody) -> Result<(), DrillError> {
        let count = u8::try_from(of.shares.len()).unwrap_or(u8::MAX);
        self.on(who, |card| card.create_dkek(slot, count))?;
        self.import(who, slot, of)
    }

    fn same_kcv(
        &mut self,
        who: Who,
        slot: u8,
        shown: Option<CheckValue>,
        of: &Custody,
    ) -> Result<(), DrillError> {
        let kcv = of.dkek().check_value();
        let name = of.name;
        let found = shown.map_or("it shows no KEK".into(), |shown| {
            format!("it shows KCV {shown}")
        });
        let expected = format!("KCV {kcv} of DKEK {name} in slot {slot} of card {who}");
        self.check(shown == Some(kcv), expected, found)?;
        self.shown(format!(
            "{who}, slot {slot}: DKEK {name} is complete, KCV {kcv}, the value that the host computes from the shares."
        ));
        Ok(())
    }

    /// Makes a key pair and remembers its label.
    pub(super) fn generate(
        &mut self,
        who: Who,
        key: u8,
        kind: Kind,
        label: &str,
        attributes: &Attributes<'_>,
    ) -> Result<Request, DrillError> {
        let chain = self.chain(who)?;
        let request = self.on(who, |card| card.generate(key, kind, attributes, &chain))?;
        self.label(who, key, label)?;
        Ok(request)
    }

    /// Remembers what a key is.
    pub(super) fn label(&mut self, who: Who, key: u8, label: &str) -> Result<(), DrillError> {
        self.actor(who)?.labels.insert(key, label.into());
        Ok(())
    }

    /// Lets a key sign and verifies under a public key that was named before.
    pub(super) fn signs(
        &mut self,
        who: Who,
        key: u8,
        public: &PublicKey,
        whose: &str,
    ) -> Result<(), DrillError> {
        let message = format!("drill, step {}: signed by card {who}", self.step);
        let signature = self.on(who, |card| card.sign(key, public, message.as_bytes()))?;
        let verdict = public.verify(message.as_bytes(), &signature);
        let expected =
            format!("a signature of key {key} on card {who} that verifies under {whose}");
        self.host(&expected, verdict)?;
        self.shown(format!(
            "{who} signs with key {key}; the signature verifies under {whose}."
        ));
        Ok(())
    }
}

/// What the cards hold.
impl Scene<'_> {
    /// State of a slot, without a word in the account.
    pub(super) fn status(
        &mut self,
        who: Who,
        slot: u8,
    ) -> Result<Option<DomainStatus>, DrillError> {
        let step = self.step;
        let card = &mut self.actor(who)?.card;
        let outcome = card.domain(slot);
        card.take_exchanges();
        match outcome {
            Ok(status) => Ok(Some(status)),
            Err(error) if error.status() == Some(StatusWord::NOT_FOUND) => Ok(None),
            Err(source) => Err(DrillError::Card {
                step,
                card: who.name(),
                source,
            }),
        }
    }

    /// KCV of a slot; `None` without a KEK or a domain.
    pub(super) fn kcv(&mut self, who: Who, slot: u8) -> Result<Option<CheckValue>, DrillError> {
        Ok(self
            .status(who, slot)?
            .and_then(|status| status.check_value))
    }

    /// Makes sure that two slots hold the same KEK, and gives its KCV a name.
    pub(super) fn same_kek(
        &mut self,
        slots: [(Who, u8); 2],
        name: &str,
    ) -> Result<CheckValue, DrillError> {
        let [(one, first), (other, second)] = slots;
        let (left, right) = (self.kcv(one, first)?, self.kcv(other, second)?);
        let expected =
            format!("the same KCV in slot {first} of {one} and slot {second} of {other}");
        let show = |kcv: Option<CheckValue>| kcv.map_or("none".into(), |kcv| kcv.to_string());
        let found = format!("they show {} and {}", show(left), show(right));
        match left {
            Some(kcv) if left == right => {
                self.drawn(kcv, name);
                Ok(kcv)
            }
            _ => self
                .check(false, expected, found)
                .map(|()| CheckValue([0; 8])),
        }
    }

    /// Asks all cards that are set up what they hold and says it.
    fn holds(&mut self) -> Result<(), DrillError> {
        let mut cards = Vec::new();
        let mut keks: Vec<(String, CheckValue)> = Vec::new();
        for who in (0..self.actors.len()).map(Who) {
            let Some(count) = self.actor(who)?.slots else {
                continue;
            };
            let mut slots = Vec::new();
            for slot in 0..count {
                let status = self.status(who, slot)?;
                if let Some(kcv) = status.as_ref().and_then(|status| status.check_value) {
                    keks.push((format!("slot {slot} of {who}"), kcv));
                }
                slots.push(format!("slot {slot}: {}", in_words(status.as_ref())));
            }
            let step = self.step;
            let actor = self.actor(who)?;
            let keys = keys_in_words(actor);
            actor.card.take_exchanges();
            let keys = keys.map_err(|source| DrillError::Card {
                step,
                card: who.name(),
                source,
            })?;
            cards.push(Holding {
                card: who.name(),
                slots,
                keys,
            });
        }
        let exchange = pairs(&keks);
        self.say(Entry::Holds { cards, exchange });
        Ok(())
    }
}

fn in_words(status: Option<&DomainStatus>) -> String {
    let Some(status) = status else {
        return "empty".into();
    };
    match (&status.kind, status.check_value) {
        (DomainKind::Dkek { .. }, Some(kcv)) => format!("DKEK, KCV {kcv}"),
        (
            DomainKind::Dkek {
                shares,
                outstanding,
            },
            None,
        ) => format!("DKEK, no KEK: {outstanding} of {shares} shares to come"),
        (DomainKind::Xkek { .. }, Some(kcv)) => format!("XKEK, KCV {kcv}"),
        (DomainKind::Xkek { .. }, None) => "XKEK, member of the group, no KEK yet".into(),
    }
}

fn keys_in_words(actor: &mut Actor) -> Result<Vec<String>, CardError> {
    let mut words = Vec::new();
    for key in actor.card.keys()? {
        let domain = match actor.card.domain_of(key)? {
            Some(slot) => format!("slot {slot}"),
            None => "no domain".into(),
        };
        let label = actor.labels.get(&key).map_or("?", String::as_str);
        words.push(format!("key {key}: {label}, {domain}"));
    }
    Ok(words)
}

/// A sentence for each two slots that share a KEK.
fn pairs(keks: &[(String, CheckValue)]) -> Vec<String> {
    let mut sentences = Vec::new();
    for (i, (one, kcv)) in keks.iter().enumerate() {
        for (other, same) in keks.iter().skip(i + 1) {
            if kcv == same {
                sentences.push(format!("{one} and {other}"));
            }
        }
    }
    sentences
}
