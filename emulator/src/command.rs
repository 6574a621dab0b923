//! The commands of the applet and the one place that tells them apart.

use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::{Card, Context};
use crate::profile::Profile;
use crate::status::StatusWord;

mod change_reference_data;
mod cipher;
mod decipher;
mod delete_file;
mod derive_ec_key;
mod enumerate_objects;
mod external_authenticate;
mod general_authenticate;
mod generate_key_pair;
mod generate_session_pin;
mod generate_symmetric_key;
mod get_challenge;
mod initialize_device;
mod manage_key_domain;
mod manage_public_key_authentication;
mod manage_security_environment;
mod read_binary;
mod reset_retry_counter;
mod select;
mod sign;
mod unwrap_key;
mod update_binary;
mod verify;
mod verify_certificate;
mod wrap_key;

/// One command of the applet: parsed from an APDU, authorised, then run.
///
/// The order is the same for all commands and observable: a malformed command is refused as
/// such whoever sends it, and who may not do a thing does not learn whether its object exists.
trait Command: Sized {
    /// Reads P1, P2, the data field and Le, as the generation has them; knows nothing of the card's
    /// state.
    fn parse(apdu: &CommandApdu<'_>, profile: &Profile) -> Result<Self, StatusWord>;

    /// What the sender must be.
    fn access(&self) -> Access;

    /// Does the work and makes the response.
    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord>;
}

/// Class byte of the commands of ISO/IEC 7816-4.
const ISO: u8 = 0x00;
/// Class byte of the vendor's own commands.
const PROPRIETARY: u8 = 0x80;

/// A row of the table of commands.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Class byte.
    pub cla: u8,
    /// Instruction byte.
    pub ins: u8,
    /// The vendor's name of the command.
    pub name: &'static str,
    run: fn(&CommandApdu<'_>, &mut Context<'_>) -> Result<Response, StatusWord>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02X} {:02X} {}", self.cla, self.ins, self.name)
    }
}

const fn entry<C: Command>(cla: u8, ins: u8, name: &'static str) -> Entry {
    Entry {
        cla,
        ins,
        name,
        run: run::<C>,
    }
}

/// Every command of the selected applet. SELECT stands apart: it also works before selection.
pub static COMMANDS: &[Entry] = &[
    entry::<verify::Verify>(ISO, 0x20, "VERIFY"),
    entry::<verify::VerifyTemplate>(PROPRIETARY, 0x20, "VERIFY of a template"),
    entry::<manage_security_environment::ManageSecurityEnvironment>(
        ISO,
        0x22,
        "MANAGE SECURITY ENVIRONMENT",
    ),
    entry::<change_reference_data::ChangeReferenceData>(ISO, 0x24, "CHANGE REFERENCE DATA"),
    entry::<verify_certificate::VerifyCertificate>(ISO, 0x2A, "PSO VERIFY CERTIFICATE"),
    entry::<reset_retry_counter::ResetRetryCounter>(ISO, 0x2C, "RESET RETRY COUNTER"),
    entry::<generate_key_pair::GenerateKeyPair>(ISO, 0x46, "GENERATE ASYMMETRIC KEY PAIR"),
    entry::<generate_symmetric_key::GenerateSymmetricKey>(ISO, 0x48, "GENERATE SYMMETRIC KEY"),
    entry::<initialize_device::InitializeDevice>(PROPRIETARY, 0x50, "INITIALIZE DEVICE"),
    entry::<manage_key_domain::ManageKeyDomain>(PROPRIETARY, 0x52, "MANAGE KEY DOMAIN"),
    entry::<manage_public_key_authentication::ManagePublicKeyAuthentication>(
        PROPRIETARY,
        0x54,
        "MANAGE PUBLIC KEY AUTHENTICATION",
    ),
    entry::<enumerate_objects::EnumerateObjects>(PROPRIETARY, 0x58, "ENUMERATE OBJECTS"),
    entry::<generate_session_pin::GenerateSessionPin>(PROPRIETARY, 0x5A, "GENERATE SESSION PIN"),
    entry::<decipher::Decipher>(PROPRIETARY, 0x62, "DECIPHER"),
    entry::<sign::Sign>(PROPRIETARY, 0x68, "SIGN"),
    entry::<wrap_key::WrapKey>(PROPRIETARY, 0x72, "WRAP KEY"),
    entry::<unwrap_key::UnwrapKey>(PROPRIETARY, 0x74, "UNWRAP KEY"),
    entry::<derive_ec_key::DeriveEcKey>(PROPRIETARY, 0x76, "DERIVE EC KEY"),
    entry::<cipher::Cipher>(PROPRIETARY, 0x78, "ENCIPHER, DECIPHER, MAC"),
    entry::<external_authenticate::ExternalAuthenticate>(ISO, 0x82, "EXTERNAL AUTHENTICATE"),
    entry::<get_challenge::GetChallenge>(ISO, 0x84, "GET CHALLENGE"),
    entry::<general_authenticate::GeneralAuthenticate>(ISO, 0x86, "GENERAL AUTHENTICATE"),
    entry::<read_binary::ReadBinary>(ISO, 0xB0, "READ BINARY"),
    entry::<read_binary::ReadBinaryOdd>(ISO, 0xB1, "READ BINARY"),
    entry::<update_binary::UpdateBinary>(ISO, 0xD6, "UPDATE BINARY"),
    entry::<update_binary::UpdateBinaryOdd>(ISO, 0xD7, "UPDATE BINARY"),
    entry::<delete_file::DeleteFile>(ISO, 0xE4, "DELETE FILE"),
];

/// Instruction byte of SELECT.
const SELECT: u8 = 0xA4;

/// Finds the command, checks its class and runs it.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6881 | CLA names a logical channel |
/// | 6882 | CLA asks for secure messaging, and there is no channel or its form is another |
/// | 6884 | CLA announces command chaining |
/// | 6D00 | no applet is selected, or no command of this generation has this instruction |
/// | 6E00 | CLA is none of the above and not 00 or 80, or does not go with the instruction |
pub(crate) fn execute(apdu: &CommandApdu<'_>, card: &mut Card) -> Result<Response, StatusWord> {
    check_class(apdu.cla)?;
    if (apdu.cla, apdu.ins) == (ISO, SELECT) {
        return select::select(apdu, card);
    }
    let mut context = card.context()?;
    let entry = find(apdu.cla, apdu.ins, context.profile)?;
    (entry.run)(apdu, &mut context)
}

fn find(cla: u8, ins: u8, profile: &Profile) -> Result<&'static Entry, StatusWord> {
    let mut known = COMMANDS
        .iter()
        .filter(|entry| entry.ins == ins && profile.has_command(ins))
        .peekable();
    if known.peek().is_none() && ins != SELECT {
        return Err(StatusWord::InstructionNotSupported);
    }
    known
        .find(|entry| entry.cla == cla)
        .ok_or(StatusWord::ClassNotSupported)
}

/// Bits of CLA (ISO/IEC 7816-4 section 5.4.1): 03 channel, 0C secure messaging, 10 chaining.
fn check_class(cla: u8) -> Result<(), StatusWord> {
    match cla {
        ISO | PROPRIETARY => Ok(()),
        _ if cla & 0x60 != 0 => Err(StatusWord::ClassNotSupported),
        _ if cla & 0x0C != 0 => Err(StatusWord::SecureMessagingNotSupported),
        _ if cla & 0x10 != 0 => Err(StatusWord::ChainingNotSupported),
        _ => Err(StatusWord::LogicalChannelNotSupported),
    }
}

fn run<C: Command>(apdu: &CommandApdu<'_>, card: &mut Context<'_>) -> Result<Response, StatusWord> {
    let command = C::parse(apdu, card.profile)?;
    card.require(command.access())?;
    command.act(card)
}

/// Checks of the APDU that several commands share.
impl CommandApdu<'_> {
    /// P1 and P2 must be these.
    fn expect_p1p2(&self, p1: u8, p2: u8) -> Result<(), StatusWord> {
        if (self.p1, self.p2) == (p1, p2) {
            Ok(())
        } else {
            Err(StatusWord::IncorrectP1P2)
        }
    }

    /// There must be no data field.
    fn expect_no_data(&self) -> Result<(), StatusWord> {
        if self.data.is_empty() {
            Ok(())
        } else {
            Err(StatusWord::WrongLength)
        }
    }

    /// There must be a data field.
    fn expect_data(&self) -> Result<&[u8], StatusWord> {
        if self.data.is_empty() {
            Err(StatusWord::WrongLength)
        } else {
            Ok(self.data)
        }
    }
}
