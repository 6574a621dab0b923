//! Status words: the one error type of the applet.

use std::fmt;

use crate::crypto;

/// A status word, SW1‖SW2, as it ends every response.
///
/// Handlers return it as their error; [`StatusWord::Success`] and the warning
/// [`StatusWord::EndOfFile`] also end responses that carry data.
///
/// Source: ISO/IEC 7816-4 for the names; which command answers which word is stated by the
/// command's own documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusWord {
    /// 9000: done.
    Success,
    /// 9001: done; the key asked about has authenticated in this session.
    KeyAuthenticated,
    /// 6282: fewer bytes than asked for; the file ended.
    EndOfFile,
    /// 6300: public key authentication is required and not yet fulfilled, or failed.
    AuthenticationFailed,
    /// 63Cx: wrong PIN, `x` tries are left; as answer to a status query: not verified.
    TriesLeft(u8),
    /// 6581: the card file could not be written; nothing was changed.
    MemoryFailure,
    /// 6700: Lc, Le or the length of a fixed-size field is wrong.
    WrongLength,
    /// 6881: logical channels are not supported.
    LogicalChannelNotSupported,
    /// 6882: secure messaging in this form is not supported, or no channel is open.
    SecureMessagingNotSupported,
    /// 6884: command chaining is not supported.
    ChainingNotSupported,
    /// 6982: the user has not been authenticated.
    SecurityStatusNotSatisfied,
    /// 6983: no tries are left.
    AuthenticationBlocked,
    /// 6984: the reference data cannot be used: transport PIN to be changed, use counter expired.
    ReferenceDataNotUsable,
    /// 6985: the conditions of use are not satisfied.
    ConditionsNotSatisfied,
    /// 6986: no elementary file is selected.
    NoCurrentFile,
    /// 6987: an object of secure messaging is missing.
    SecureMessagingObjectMissing,
    /// 6988: an object of secure messaging is wrong.
    SecureMessagingObjectWrong,
    /// 6A80: the data field is wrong.
    WrongData,
    /// 6A81: the algorithm or function is not allowed for this key, or not supported.
    FunctionNotSupported,
    /// 6A82: no such file or application.
    FileNotFound,
    /// 6A84: the card's memory is full.
    NotEnoughMemory,
    /// 6A86: P1 or P2 is wrong.
    IncorrectP1P2,
    /// 6A88: the key, PIN or other reference data does not exist.
    ReferencedDataNotFound,
    /// 6A89: the object exists already.
    FileExists,
    /// 6B00: the offset is outside the file.
    WrongOffset,
    /// 6D00: unknown instruction, a function that was not configured, or no applet is selected.
    InstructionNotSupported,
    /// 6E00: the class byte does not go with the instruction.
    ClassNotSupported,
    /// 6F00: internal error.
    InternalError,
    /// A word that no command of this card answers; kept exactly for those who decode responses.
    Other(u16),
}

/// Every word but the two that carry a parameter, with its value and its name.
const NAMED: &[(StatusWord, u16, &str)] = {
    use StatusWord::*;
    &[
        (Success, 0x9000, "success"),
        (KeyAuthenticated, 0x9001, "success, key is authenticated"),
        (EndOfFile, 0x6282, "end of file reached"),
        (
            AuthenticationFailed,
            0x6300,
            "authentication failed or incomplete",
        ),
        (MemoryFailure, 0x6581, "memory failure"),
        (WrongLength, 0x6700, "wrong length"),
        (
            LogicalChannelNotSupported,
            0x6881,
            "logical channel not supported",
        ),
        (
            SecureMessagingNotSupported,
            0x6882,
            "secure messaging not supported",
        ),
        (
            ChainingNotSupported,
            0x6884,
            "command chaining not supported",
        ),
        (
            SecurityStatusNotSatisfied,
            0x6982,
            "security status not satisfied",
        ),
        (
            AuthenticationBlocked,
            0x6983,
            "authentication method blocked",
        ),
        (ReferenceDataNotUsable, 0x6984, "reference data not usable"),
        (
            ConditionsNotSatisfied,
            0x6985,
            "conditions of use not satisfied",
        ),
        (NoCurrentFile, 0x6986, "no current file"),
        (
            SecureMessagingObjectMissing,
            0x6987,
            "secure messaging object missing",
        ),
        (
            SecureMessagingObjectWrong,
            0x6988,
            "secure messaging object wrong",
        ),
        (WrongData, 0x6A80, "incorrect parameters in the data field"),
        (FunctionNotSupported, 0x6A81, "function not supported"),
        (FileNotFound, 0x6A82, "file or application not found"),
        (NotEnoughMemory, 0x6A84, "not enough memory"),
        (IncorrectP1P2, 0x6A86, "incorrect parameters P1-P2"),
        (ReferencedDataNotFound, 0x6A88, "referenced data not found"),
        (FileExists, 0x6A89, "file already exists"),
        (WrongOffset, 0x6B00, "wrong parameters P1-P2 or offset"),
        (InstructionNotSupported, 0x6D00, "instruction not supported"),
        (ClassNotSupported, 0x6E00, "class not supported"),
        (InternalError, 0x6F00, "internal error"),
    ]
};

/// First value of the range 63C0 to 63CF.
const TRIES_LEFT: u16 = 0x63C0;

impl StatusWord {
    /// The two bytes as they go over the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 2] {
        u16::from(self).to_be_bytes()
    }

    /// The name of the word, without its value.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TriesLeft(_) => "not verified, tries left",
            Self::Other(_) => "unknown status",
            named => NAMED
                .iter()
                .find(|(status, ..)| *status == named)
                .map_or("unknown status", |(_, _, name)| name),
        }
    }
}

impl From<StatusWord> for u16 {
    fn from(status: StatusWord) -> Self {
        match status {
            StatusWord::TriesLeft(left) => TRIES_LEFT | Self::from(left.min(0x0F)),
            StatusWord::Other(value) => value,
            named => NAMED
                .iter()
                .find(|(status, ..)| *status == named)
                .map_or(0x6F00, |(_, value, _)| *value),
        }
    }
}

impl From<u16> for StatusWord {
    fn from(value: u16) -> Self {
        if let Some((status, ..)) = NAMED.iter().find(|(_, named, _)| *named == value) {
            return *status;
        }
        match value.to_be_bytes() {
            [0x63, low] if low & 0xF0 == 0xC0 => Self::TriesLeft(low & 0x0F),
            _ => Self::Other(value),
        }
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X} {}", u16::from(*self), self.name())?;
        if let Self::TriesLeft(left) = self {
            write!(f, ": {left}")?;
        }
        Ok(())
    }
}

impl std::error::Error for StatusWord {}

/// All refusals of input answer 6A80, the word of genuine cards for "input wrong (length, not a
/// multiple of 16, number too big)". What is not the input's fault answers 6F00.
impl From<crypto::Error> for StatusWord {
    fn from(error: crypto::Error) -> Self {
        match error {
            crypto::Error::Fault | crypto::Error::Random => Self::InternalError,
            _ => Self::WrongData,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_value_survives_the_round_trip() {
        for value in 0..=u16::MAX {
            assert_eq!(u16::from(StatusWord::from(value)), value);
        }
    }

    #[test]
    fn no_two_words_share_a_value_or_a_name() {
        let values: HashSet<_> = NAMED.iter().map(|(_, value, _)| value).collect();
        let names: HashSet<_> = NAMED.iter().map(|(_, _, name)| name).collect();
        assert_eq!(values.len(), NAMED.len());
        assert_eq!(names.len(), NAMED.len());
    }

    #[test]
    fn named_words_are_found_by_their_value() {
        for (status, value, _) in NAMED {
            assert_eq!(StatusWord::from(*value), *status);
        }
        assert_eq!(StatusWord::from(0x63C3), StatusWord::TriesLeft(3));
        assert_eq!(StatusWord::from(0x6FFF), StatusWord::Other(0x6FFF));
    }

    #[test]
    fn display_shows_value_and_words() {
        assert_eq!(
            StatusWord::SecurityStatusNotSatisfied.to_string(),
            "6982 security status not satisfied"
        );
        assert_eq!(
            StatusWord::TriesLeft(2).to_string(),
            "63C2 not verified, tries left: 2"
        );
    }
}
