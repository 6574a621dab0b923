//! `attest`: which device a card is, and which keys it made.

use clap::Args;

use super::{Exit, Failure, print};
use crate::attest::{self, Date, Verdict};
use crate::card::Card;
use crate::transport::place::{Opener, Place};

const EXAMPLES: &str = "\
Examples:
  hsm2-harness attest --target pcsc:\"Virtual PCD 00 00\"
  hsm2-harness attest --target vpcd:127.0.0.1:35963 --key 1 --json

Nothing is changed on the card and no PIN is asked for. The chain of certificates is verified up to
the vendor's root, chip authentication proves that the device has its key, and both signatures of
each key's request are verified. An expired certificate is a finding, not a failure: devices go on
working after it.

Exit codes of its own: 0 genuine; 21 refuted: a signature, role, root or proof is wrong, or the key that
--key names is not attested; 22 not proven: the card has no chip authentication; 23 all holds together,
below a root that vouches for nothing: a test device or a virtual card; 24 a key is of a kind that is
not known here. 10 the card cannot be reached.";

/// Tell which device a card is, who vouches for it, and which keys it made itself
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Attest {
    /// Where the card is: embedded, vpcd, vpcd:HOST:PORT or pcsc:READER
    #[arg(long, default_value = "embedded", value_name = "PLACE")]
    target: Place,
    /// Number of one key; it must be attested
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u8).range(1..))]
    key: Option<u8>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Attest {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut tell = |what: &str| eprintln!("{what}");
        let target = Opener::default().open(&self.target, "ATTEST", &mut tell);
        let target = target.map_err(|error| Failure::new(Exit::Card, error.to_string()))?;
        let mut card = Card::new(target);
        let attestation = attest::attest(&mut card, self.key, Date::today())
            .map_err(|error| Failure::new(Exit::Card, error.to_string()))?;
        if self.json {
            print(&serde_json::to_string_pretty(&attestation).unwrap_or_default());
        } else {
            print(&attestation.in_words());
        }
        let (exit, message) = match attestation.verdict {
            Verdict::Genuine => return Ok(()),
            Verdict::Refuted => (Exit::Refuted, "the attestation does not hold"),
            Verdict::NotProven => (
                Exit::NotProven,
                "the device did not prove that it has its key",
            ),
            Verdict::NotJudged => (Exit::NotJudged, "a key or the issuer cannot be judged here"),
            Verdict::WithoutValue => (Exit::WithoutValue, "the root vouches for nothing"),
        };
        Err(Failure::new(exit, message))
    }
}
