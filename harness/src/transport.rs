//! Where a card is: in this process, behind a vpcd connection, or in a reader.

pub mod embedded;
pub mod vpcd;

/// A card that takes command APDUs, wherever it is.
pub trait Target {
    /// Says in a few words where the card is, for people.
    fn describe(&self) -> String;

    /// Sends one command APDU and returns the response: data, SW1, SW2.
    ///
    /// # Errors
    /// [`TransportError`] when no answer came; a status word other than 9000 is an answer.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError>;

    /// Resets the card: nothing is selected and nobody is authenticated any more.
    ///
    /// # Errors
    /// [`TransportError`] when the card does not come back.
    fn reset(&mut self) -> Result<(), TransportError>;
}

/// Why a card gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The connection or the reader failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// What came is no response of a card, or nothing that can be sent to one.
    #[error("{0}")]
    Protocol(String),
}
