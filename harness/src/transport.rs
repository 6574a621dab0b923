//! Where a card is: in this process, behind a vpcd connection, or in a reader.

pub mod embedded;
#[cfg(feature = "pcsc")]
pub mod pcsc;
pub mod place;
pub mod vpcd;

/// A card that takes command APDUs, wherever it is.
pub trait Target {
    /// Says in a few words where the card is, for people.
    fn describe(&self) -> String;

    /// Answer to reset.
    fn atr(&self) -> Vec<u8>;

    /// Sends one command APDU and returns the response: data, SW1, SW2.
    ///
    /// # Errors
    /// [`TransportError`] when no answer came; a status word other than 9000 is an answer.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError>;

    /// Resets the card without taking its power: nothing is selected and nobody is authenticated
    /// any more.
    ///
    /// # Errors
    /// [`TransportError`] when the card does not come back.
    fn reset(&mut self) -> Result<(), TransportError>;

    /// Takes the card's power and gives it back.
    ///
    /// # Errors
    /// [`TransportError`] when the card does not come back.
    fn power_cycle(&mut self) -> Result<(), TransportError>;
}

/// Why a card gave no answer. Each is one sentence that says what to do, where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// What came is no response of a card, or nothing that can be sent to one.
    #[error("{0}")]
    Protocol(String),
    /// This program cannot reach such places.
    #[error(
        "this program was built without PC/SC; with libpcsclite-dev and pkg-config installed, run in its \
         sources:\n  {}",
        with_pcsc(std::env::args().skip(1))
    )]
    NotBuilt,
    /// Nobody who knows readers runs on this machine.
    #[error("the PC/SC service does not answer ({0}); is pcscd running?")]
    NoService(String),
    /// There is no such reader.
    #[error("there is no reader {wanted:?}; {}", readers(found))]
    NoReader {
        /// The reader that was asked for.
        wanted: String,
        /// The readers there are.
        found: Vec<String>,
    },
    /// The reader is empty.
    #[error("there is no card in reader {0:?}")]
    NoCard(String),
    /// Another program has the card.
    #[error("another program uses the card in reader {0:?}; end that one first")]
    InUse(String),
    /// The card went away.
    #[error("the card was removed from {0}")]
    Removed(String),
    /// Another card is where the one was that a run began with.
    #[error("another card is at the place of {before}, {place}: {now}; nothing was sent to it")]
    Exchanged {
        /// Where.
        place: String,
        /// Serial of the card that was there.
        before: String,
        /// What is there.
        now: String,
    },
    /// The guard did not send it: more has to be allowed.
    #[error("the guard did not send this command: {0}")]
    Guard(String),
    /// The guard never sends it to a device that somebody uses, whatever is allowed.
    #[error("the guard never sends this to a device: {0}")]
    Never(String),
    /// Somebody stopped this program.
    #[error("interrupted by a signal")]
    Interrupted,
    /// Nothing came in time.
    #[error("{0}")]
    Timeout(String),
}

/// The command that does the same in a program with PC/SC, for a shell.
fn with_pcsc(arguments: impl Iterator<Item = String>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    let words = arguments.map(|word| match !word.is_empty() && word.chars().all(plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    });
    let command = "cargo run --release -p hsm2-harness --features pcsc --";
    std::iter::once(command.to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

fn readers(found: &[String]) -> String {
    if found.is_empty() {
        return "no reader is connected".into();
    }
    let quoted: Vec<String> = found.iter().map(|name| format!("{name:?}")).collect();
    format!("connected: {}", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_with_pcsc_can_be_pasted_into_a_shell() {
        let words = ["drill", "xkek", "--cards", "pcsc:Virtual PCD 00 00", "it's"];
        assert_eq!(
            with_pcsc(words.map(str::to_owned).into_iter()),
            "cargo run --release -p hsm2-harness --features pcsc -- drill xkek --cards \
             'pcsc:Virtual PCD 00 00' 'it'\\''s'"
        );
    }
}
