//! A card in a reader of the PC/SC service.

use std::ffi::{CStr, CString};

use pcsc::{Context, Disposition, Error, Protocols, Scope, ShareMode};

use super::{Target, TransportError};

/// A card that no other program can use meanwhile.
pub struct Pcsc {
    reader: String,
    card: pcsc::Card,
    atr: Vec<u8>,
}

impl std::fmt::Debug for Pcsc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pcsc")
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}

impl Pcsc {
    /// Connects to the card in the reader with this name, or with this part of its name.
    ///
    /// # Errors
    /// [`TransportError`]: each of no service, no reader, no card and in use has its own.
    pub fn connect(wanted: &str) -> Result<Self, TransportError> {
        let context = Context::establish(Scope::User).map_err(|error| explain(error, wanted))?;
        let readers = match context.list_readers_owned() {
            Err(Error::NoReadersAvailable) => Ok(Vec::new()),
            other => other.map_err(|error| explain(error, wanted)),
        }?;
        let name = choose(&readers, wanted)?;
        let reader = name.to_string_lossy().into_owned();
        // The family speaks T=1; extended lengths mean something else under T=0.
        let card = context
            .connect(name, ShareMode::Exclusive, Protocols::T1)
            .map_err(|error| explain(error, &reader))?;
        let status = card
            .status2_owned()
            .map_err(|error| explain(error, &reader))?;
        let atr = status.atr().to_vec();
        Ok(Self { reader, card, atr })
    }

    fn come_back(&mut self, after: Disposition) -> Result<(), TransportError> {
        self.card
            .reconnect(ShareMode::Exclusive, Protocols::T1, after)
            .map_err(|error| self.why(error))?;
        // Another card may have come into the reader meanwhile.
        let status = self.card.status2_owned();
        let status = status.map_err(|error| lost(error, &self.reader))?;
        self.atr = status.atr().to_vec();
        Ok(())
    }
}

impl Pcsc {
    /// Why no answer came. A card that is pulled out in the middle of a command first shows as a
    /// fault of the line, in the middle of a reset as one that does not answer it; the service
    /// notices a little later that it is gone.
    fn why(&self, error: Error) -> TransportError {
        if matches!(error, Error::NotTransacted | Error::UnresponsiveCard) {
            for _ in 0..NOTICES {
                match self.card.status2_owned() {
                    // A reset that failed is told again, as a reset or as the card's silence.
                    Ok(_) | Err(Error::ResetCard | Error::UnresponsiveCard) => {}
                    Err(error) => return lost(error, &self.reader),
                }
                std::thread::sleep(NOTICE);
            }
        }
        lost(error, &self.reader)
    }
}

/// How often, and how long after each other, the service is asked whether a card is still there.
const NOTICES: u32 = 20;
const NOTICE: std::time::Duration = std::time::Duration::from_millis(100);

impl Target for Pcsc {
    fn describe(&self) -> String {
        format!("card in reader {:?}", self.reader)
    }

    fn atr(&self) -> Vec<u8> {
        self.atr.clone()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let mut buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
        match self.card.transmit(command, &mut buffer) {
            // A card pulled out in the middle of a command can leave an empty answer behind.
            Ok([] | [_]) => Err(self.why(Error::NotTransacted)),
            Ok(response) => Ok(response.to_vec()),
            Err(error) => Err(self.why(error)),
        }
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.come_back(Disposition::ResetCard)
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.come_back(Disposition::UnpowerCard)
    }
}

/// The reader of that name, or the only one with that part in its name.
fn choose<'r>(readers: &'r [CString], wanted: &str) -> Result<&'r CStr, TransportError> {
    let is_named = |reader: &&CString| reader.to_str() == Ok(wanted);
    if let Some(reader) = readers.iter().find(is_named) {
        return Ok(reader);
    }
    let mut fitting = readers
        .iter()
        .filter(|reader| reader.to_string_lossy().contains(wanted));
    match (fitting.next(), fitting.next()) {
        (Some(reader), None) => Ok(reader),
        _ => Err(TransportError::NoReader {
            wanted: wanted.into(),
            found: readers
                .iter()
                .map(|reader| reader.to_string_lossy().into_owned())
                .collect(),
        }),
    }
}

/// What an error means once a card was there: a reader without a card has lost it.
fn lost(error: Error, reader: &str) -> TransportError {
    match error {
        Error::NoSmartcard => explain(Error::RemovedCard, reader),
        // The service let this program in before, so that it is ending.
        Error::SecurityViolation => explain(Error::ServiceStopped, reader),
        other => explain(other, reader),
    }
}

fn explain(error: Error, reader: &str) -> TransportError {
    match error {
        Error::NoService | Error::ServiceStopped | Error::Shutdown | Error::CommError => {
            TransportError::NoService(error.to_string())
        }
        Error::UnknownReader => TransportError::NoReader {
            wanted: reader.into(),
            found: Vec::new(),
        },
        Error::NoSmartcard => TransportError::NoCard(reader.into()),
        Error::SharingViolation => TransportError::InUse(reader.into()),
        Error::RemovedCard | Error::ReaderUnavailable => {
            TransportError::Removed(format!("reader {reader:?}"))
        }
        Error::UnresponsiveCard => TransportError::Protocol(format!(
            "the card in reader {reader:?} does not answer a reset; take it out, see that it is the \
             right way round, and put it in again"
        )),
        other => TransportError::Protocol(format!("reader {reader:?}: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_chosen_by_its_name_or_by_a_part_that_no_other_has() {
        let readers: Vec<CString> = ["Reader 1", "Reader 10", "Other"]
            .map(|name| CString::new(name).unwrap())
            .to_vec();
        let chosen = |wanted| choose(&readers, wanted).map(|reader| reader.to_str().unwrap());
        assert_eq!(chosen("Reader 1").unwrap(), "Reader 1");
        assert_eq!(chosen("Oth").unwrap(), "Other");
        for wanted in ["Reader", "None"] {
            let error = chosen(wanted).unwrap_err().to_string();
            assert!(error.contains("\"Reader 10\""), "{error}");
        }
        assert!(
            choose(&[], "A")
                .unwrap_err()
                .to_string()
                .contains("no reader is connected")
        );
    }
}
