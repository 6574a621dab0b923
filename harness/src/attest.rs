//! Attestation: which device a card is, who vouches for it, and which of its keys it made itself.
//!
//! Nothing on the card is changed and no PIN is presented. What an attestation shows is that the
//! device made a key pair of which the request tells; that the key of this number is still that one
//! shows only when it signs.

mod date;
mod possession;
mod roots;

pub use date::Date;
pub use possession::Possession;
pub use roots::{ROOTS, Root, Worth};

use serde::Serialize;

use crate::card::command::StatusWord;
use crate::card::cvc::{Certificate, Flaw, Request, Role};
use crate::card::{Card, CardError};

/// EF with the device's certificate and its issuer's.
const DEVICE_CERTIFICATES: u16 = 0x2f02;
/// High byte of the EF with the request of a key.
const REQUESTS: u16 = 0xce00;

/// What was found out about a card.
#[derive(Debug, Serialize)]
pub struct Attestation {
    /// Where the card is.
    pub place: String,
    /// Serial as people see it.
    pub serial: String,
    /// The certificates, the device's first.
    pub certificates: Vec<Certified>,
    /// Who vouches for the device, when the chain verifies up to a known root.
    pub root: Option<Worth>,
    /// Whether the device has the private key of its certificate.
    pub possession: Possession,
    /// The keys that were looked at.
    pub keys: Vec<Key>,
    /// What is wrong, in sentences.
    pub findings: Vec<String>,
    /// What all of this comes to.
    pub verdict: Verdict,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certified {
    /// Whose key it is.
    pub holder: String,
    /// Who signed it.
    pub authority: String,
    /// What the holder may do: root, issuer or device.
    pub role: Option<&'static str>,
    /// Whether that is what its place in the chain asks for.
    pub in_place: bool,
    /// Whether the signature verifies; nothing where the signer's key is not to be had.
    pub signature: Option<bool>,
    /// First day of validity.
    pub from: Option<String>,
    /// Last day of validity.
    pub to: Option<String>,
    /// Whether today is a day of validity.
    pub in_time: bool,
    /// Days until the last day of validity, negative after it.
    pub days_left: Option<i64>,
}

/// A key of the card.
#[derive(Debug, Serialize)]
pub struct Key {
    /// Its number.
    pub id: u8,
    /// Kind and size, when its request says so.
    pub kind: Option<String>,
    /// Name in its request.
    pub holder: Option<String>,
    /// What its request shows.
    pub origin: Origin,
}

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum Origin {
    /// Both signatures verify: the device made the key pair.
    MadeHere,
    /// There is nothing to tell from: no request, or a certificate in its place.
    NotAttested(String),
    /// The device vouches for a key of a kind that is not known here.
    NotJudged(String),
    /// What is there is not true.
    Wrong(String),
}

/// What an attestation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A genuine device with its own key; every request that is there verifies.
    Genuine,
    /// As genuine, but below a root that vouches for nothing: a test device or a virtual card.
    WithoutValue,
    /// As genuine, but the device did not prove that it has its key: the certificates and requests
    /// could be copies.
    NotProven,
    /// Nothing is wrong, but a key is of a kind that this program does not know, or the device does
    /// not hold its issuer's certificate.
    NotJudged,
    /// A signature, a role, a root or a proof is wrong, or the key that was asked for is not attested.
    Refuted,
}

/// Which keys an attestation looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    None,
    One(u8),
    All,
}

/// Looks at a card; `only` names one key. Dates are judged as of `today`.
///
/// # Errors
/// [`CardError`] when the card cannot be reached or is no such card.
pub fn attest(card: &mut Card, only: Option<u8>, today: Date) -> Result<Attestation, CardError> {
    look(card, only.map_or(Which::All, Which::One), today)
}

/// As [`attest`] for the device alone: its certificates and its proof, none of its keys.
///
/// # Errors
/// [`CardError`] when the card cannot be reached or is no such card.
pub fn attest_device(card: &mut Card, today: Date) -> Result<Attestation, CardError> {
    look(card, Which::None, today)
}

fn look(card: &mut Card, which: Which, today: Date) -> Result<Attestation, CardError> {
    let place = card.describe();
    card.select()?;
    let file = card.read(DEVICE_CERTIFICATES)?;
    let chain = Certificate::parse_all(&file).map_err(|what| CardError::Answer {
        command: "READ BINARY of EF 2F02",
        what: match what {
            Flaw::Unknown(what) => format!("it cannot be judged here: {what}"),
            Flaw::Malformed(what) => what.to_string(),
        },
    })?;
    let Some(device) = chain.first() else {
        return Err(CardError::Answer {
            command: "READ BINARY of EF 2F02",
            what: "it holds no certificate".into(),
        });
    };
    let mut findings = Vec::new();
    let (certificates, root) = judge_chain(&chain, today, &mut findings);
    let keys = match which {
        Which::None => Vec::new(),
        Which::One(key) => vec![judge_key(card, key, device)?],
        Which::All => {
            let ids = card.keys()?;
            let keys = ids.into_iter().map(|key| judge_key(card, key, device));
            keys.collect::<Result<_, _>>()?
        }
    };
    let asked = matches!(which, Which::One(_));
    for key in &keys {
        match &key.origin {
            Origin::Wrong(why) => findings.push(format!("key {}: {why}", key.id)),
            Origin::NotAttested(why) if asked => {
                findings.push(format!("key {} is not attested: {why}", key.id));
            }
            Origin::NotJudged(why) => {
                findings.push(format!("key {} cannot be judged here: {why}", key.id));
            }
            Origin::MadeHere | Origin::NotAttested(_) => {}
        }
    }
    let possession = possession::prove(card, &device.key)?;
    // Ends the channel that the proof has opened.
    card.select()?;
    match &possession {
        Possession::Proven => {}
        Possession::NotProven(why) => {
            findings.push(format!("possession of the device key is not proven: {why}"));
        }
        Possession::Disproved(why) => {
            findings.push(format!("the device does not have its key: {why}"));
        }
    }
    let verdict = verdict(root, &certificates, &possession, &keys, asked);
    Ok(Attestation {
        place,
        serial: device.serial(),
        certificates,
        root,
        possession,
        keys,
        findings,
        verdict,
    })
}

fn verdict(
    root: Option<Worth>,
    certificates: &[Certified],
    possession: &Possession,
    keys: &[Key],
    asked: bool,
) -> Verdict {
    let chain_holds = certificates
        .iter()
        .all(|certificate| certificate.signature != Some(false) && certificate.in_place);
    let issuer_is_absent = certificates
        .iter()
        .any(|certificate| certificate.signature.is_none());
    let keys_hold = keys.iter().all(|key| match key.origin {
        Origin::MadeHere | Origin::NotJudged(_) => true,
        Origin::NotAttested(_) => !asked,
        Origin::Wrong(_) => false,
    });
    let judged = !keys
        .iter()
        .any(|key| matches!(key.origin, Origin::NotJudged(_)));
    match (root, possession) {
        (_, Possession::Disproved(_)) => Verdict::Refuted,
        (None, _) if !issuer_is_absent => Verdict::Refuted,
        _ if !chain_holds || !keys_hold => Verdict::Refuted,
        _ if !judged => Verdict::NotJudged,
        (None, _) => Verdict::NotJudged,
        (_, Possession::NotProven(_)) => Verdict::NotProven,
        (Some(Worth::Production), _) => Verdict::Genuine,
        (Some(Worth::Test | Worth::Virtual), _) => Verdict::WithoutValue,
    }
}

/// Checks every certificate with the key of the next one, the last with a known root's.
fn judge_chain(
    chain: &[Certificate],
    today: Date,
    findings: &mut Vec<String>,
) -> (Vec<Certified>, Option<Worth>) {
    let mut certificates = Vec::new();
    let mut worth = None;
    for (number, certificate) in chain.iter().enumerate() {
        let issuer = chain.get(number + 1);
        let signature = match issuer {
            Some(issuer) => Some(
                certificate.authority == issuer.holder && certificate.is_signed_by(&issuer.key),
            ),
            None => match Root::by_name(&certificate.authority) {
                Some(root) if certificate.is_signed_by(&root.key()) => {
                    worth = Some(root.worth);
                    Some(true)
                }
                Some(_) => Some(false),
                None if number == 0 => {
                    findings.push(format!(
                        "{} signed the device's certificate and is not on the device, as on old ones: \
                         who vouches for it cannot be told here",
                        text(&certificate.authority)
                    ));
                    None
                }
                None => {
                    findings.push(format!(
                        "the chain ends at {}, a root that nobody knows here",
                        text(&certificate.authority)
                    ));
                    Some(false)
                }
            },
        };
        let (holder, authority) = (text(&certificate.holder), text(&certificate.authority));
        if signature == Some(false)
            && (issuer.is_some() || Root::by_name(&certificate.authority).is_some())
        {
            findings.push(format!(
                "{authority} did not sign the certificate of {holder}"
            ));
        }
        let in_place = certificate.role == Some(role_at(number, certificate));
        if !in_place {
            findings.push(match certificate.role {
                Some(role) => format!("{holder} is certified as {}", role.in_words()),
                None => format!("the certificate of {holder} states no role"),
            });
        }
        let [from, to] = certificate
            .validity
            .map_or([None, None], |dates| dates.map(Date::from_digits));
        if let Some(to) = to.filter(|to| *to < today) {
            findings.push(format!(
                "the certificate of {holder} expired on {to}; the device goes on working"
            ));
        }
        if let Some(from) = from.filter(|from| *from > today) {
            findings.push(format!(
                "the certificate of {holder} is valid from {from} on only"
            ));
        }
        if from.is_none() || to.is_none() {
            findings.push(format!("the certificate of {holder} has no dates"));
        }
        let in_time = from.is_some_and(|from| from <= today) && to.is_some_and(|to| to >= today);
        certificates.push(Certified {
            holder,
            authority,
            role: certificate.role.map(Role::in_words),
            in_place,
            signature,
            from: from.map(|date| date.to_string()),
            to: to.map(|date| date.to_string()),
            in_time,
            days_left: to.map(|to| to.days() - today.days()),
        });
    }
    // Below a broken link the root says nothing about the device.
    let whole = certificates
        .iter()
        .all(|certificate| certificate.signature == Some(true));
    (certificates, worth.filter(|_| whole))
}

/// The role that a certificate's place in the chain asks for: the device's comes first, whoever
/// stands above it is an issuer, and who certifies itself a root.
fn role_at(number: usize, certificate: &Certificate) -> Role {
    match number {
        0 => Role::Device,
        _ if certificate.authority == certificate.holder => Role::Root,
        _ => Role::Issuer,
    }
}

/// Finds out what the request of a key shows; `device` is the card's own certificate.
///
/// # Errors
/// [`CardError`] when the card cannot be reached.
pub fn judge_key(card: &mut Card, id: u8, device: &Certificate) -> Result<Key, CardError> {
    let unattested = |why: &str| Key {
        id,
        kind: None,
        holder: None,
        origin: Origin::NotAttested(why.into()),
    };
    let file = match card.read(REQUESTS | u16::from(id)) {
        Ok(file) => file,
        Err(CardError::Refused {
            status: StatusWord(0x6a82),
            ..
        }) => {
            return Ok(unattested(
                "there is no request; the key was imported, is an AES key, or does not exist",
            ));
        }
        Err(CardError::Refused { status, .. }) => {
            return Ok(unattested(&format!("its request cannot be read: {status}")));
        }
        Err(error) => return Err(error),
    };
    // 30: X.509, 7F21: a certificate that somebody issued for the key.
    if matches!(file.first(), Some(0x30 | 0x7f)) {
        return Ok(unattested("a certificate stands in place of its request"));
    }
    Ok(match Request::parse(&file, device) {
        Ok(request) if request.device != device.holder => Key {
            id,
            kind: Some(request.request.key.describe()),
            holder: Some(text(&request.request.holder)),
            origin: Origin::Wrong(format!("{} signed its request", text(&request.device))),
        },
        Ok(request) => Key {
            id,
            kind: Some(request.request.key.describe()),
            holder: Some(text(&request.request.holder)),
            origin: Origin::MadeHere,
        },
        Err(Flaw::Unknown(what)) => Key {
            id,
            kind: None,
            holder: None,
            origin: Origin::NotJudged(format!("the device vouches for {}", what.what)),
        },
        Err(Flaw::Malformed(what)) => Key {
            id,
            kind: None,
            holder: None,
            origin: Origin::Wrong(format!("its request is not the device's word: {what}")),
        },
    })
}

/// A name for people: control characters are shown, not sent to the terminal.
fn text(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}

impl Attestation {
    /// The attestation as text.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut lines = vec![format!("Device      {}, {}", self.serial, self.place)];
        let root = self.root.map_or("unknown", Worth::in_words);
        lines.push(format!("Root        {root}"));
        for (number, certificate) in self.certificates.iter().enumerate() {
            let title = if number == 0 { "Chain" } else { "" };
            let signature = certificate.signature_in_words();
            let role = match (certificate.in_place, certificate.role) {
                (true, _) => String::new(),
                (false, Some(role)) => format!("; ROLE {}", role.to_uppercase()),
                (false, None) => "; NO ROLE".into(),
            };
            let date = |date: &Option<String>| date.clone().unwrap_or_else(|| "?".into());
            let expired = if certificate.in_time {
                ""
            } else {
                ", not in time"
            };
            lines.push(format!(
                "{title:<11} {} by {}: {signature}; {} to {}{expired}{role}",
                certificate.holder,
                certificate.authority,
                date(&certificate.from),
                date(&certificate.to),
            ));
        }
        lines.push(format!("Device key  {}", self.possession.in_words()));
        lines.push(format!("Keys        {}", self.keys.len()));
        lines.extend(self.keys.iter().map(Key::in_words));
        lines.push(format!("Verdict     {}", self.verdict.in_words()));
        if !self.findings.is_empty() {
            lines.push("Findings".into());
            lines.extend(self.findings.iter().map(|finding| format!("  - {finding}")));
        }
        lines.join("\n")
    }
}

impl Certified {
    /// What its signature is worth, in words.
    #[must_use]
    pub fn signature_in_words(&self) -> &'static str {
        match self.signature {
            Some(true) => "verified",
            Some(false) => "DOES NOT VERIFY",
            None => "not verified, as its issuer's certificate is not there",
        }
    }
}

impl Key {
    fn in_words(&self) -> String {
        let origin = self.origin.in_words();
        match (&self.kind, &self.holder) {
            (Some(kind), Some(holder)) => format!("  {:<9} {kind}, {holder}: {origin}", self.id),
            _ => format!("  {:<9} {origin}", self.id),
        }
    }
}

impl Origin {
    /// In words.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::MadeHere => "made in this device".into(),
            Self::NotAttested(why) => format!("not attested: {why}"),
            Self::NotJudged(why) => format!("cannot be judged here: {why}"),
            Self::Wrong(why) => format!("WRONG: {why}"),
        }
    }
}

impl Possession {
    /// In words.
    #[must_use]
    pub fn in_words(&self) -> &'static str {
        match self {
            Self::Proven => "proven by chip authentication",
            Self::NotProven(_) => "not proven",
            Self::Disproved(_) => "THE DEVICE DOES NOT HAVE IT",
        }
    }
}

impl Verdict {
    /// In words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::WithoutValue => "holds together, below a root that vouches for nothing",
            Self::NotProven => "not proven: this could be a copy of a device's certificates",
            Self::NotJudged => "cannot be judged here, see the findings",
            Self::Refuted => "REFUTED",
        }
    }
}

#[cfg(test)]
mod tests;
