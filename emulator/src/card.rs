//! The card: bytes in, bytes out.

use rand_core::CryptoRng;

use crate::apdu::{CommandApdu, Response};
use crate::command;
use crate::crypto;
use crate::cvc::Role;
use crate::identity::{self, Device, Serial};
use crate::memory::{Memory, OpenError};
use crate::profile::Profile;
use crate::secure_messaging::{self, Reply, Unprotected};
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::status::StatusWord;
use crate::store::{Store, StoreError};
use crate::trust::{Anchor, NameTaken, TrustedKey};

/// A card in a reader: profile, memory, session and a source of randomness.
///
/// It knows no socket, no clock and no global state.
///
/// ```
/// use hsm2_emulator::{card::Card, crypto::CardRng, identity::Serial, profile, store};
///
/// let mut card = Card::personalise(
///     &profile::NITROKEY_HSM2,
///     &Serial::new("VT0000001")?,
///     Box::new(store::EphemeralStore::default()),
///     Box::new(CardRng::from_seed([7; 32])),
/// )?;
/// card.power_on();
/// // No applet is selected yet.
/// assert_eq!(card.transmit(&[0x00, 0x20, 0x00, 0x81]), [0x6D, 0x00]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Card {
    profile: &'static Profile,
    memory: Memory,
    session: Option<Session>,
    anchors: Vec<TrustedKey>,
    rng: Box<dyn CryptoRng + Send>,
}

/// Why a card could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// Its memory could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its memory could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its device key could not be made.
    #[error("the device identity could not be made: {0}")]
    Identity(#[from] crypto::Error),
    /// It was made with a profile that this program does not have.
    #[error("the card was made with profile {0:?}, which this version does not have")]
    UnknownProfile(String),
}

impl Card {
    /// Makes a new, uninitialised card in an empty store.
    ///
    /// # Errors
    ///
    /// [`CardError`] when the identity cannot be made or stored.
    pub fn personalise(
        profile: &'static Profile,
        serial: &Serial,
        store: Box<dyn Store>,
        mut rng: Box<dyn CryptoRng + Send>,
    ) -> Result<Self, CardError> {
        let device = Device::personalise(profile, serial, &mut *rng)?;
        Self::with_profile(profile, device, store, rng)
    }

    /// Makes a new, uninitialised card with an identity that was made elsewhere, in an empty
    /// store. The device names its profile.
    ///
    /// # Errors
    ///
    /// [`CardError`] when the identity names no profile that this program has, or cannot be
    /// stored.
    pub fn with_identity(
        device: Device,
        store: Box<dyn Store>,
        rng: Box<dyn CryptoRng + Send>,
    ) -> Result<Self, CardError> {
        Self::with_profile(profile_of(&device)?, device, store, rng)
    }

    fn with_profile(
        profile: &'static Profile,
        device: Device,
        store: Box<dyn Store>,
        rng: Box<dyn CryptoRng + Send>,
    ) -> Result<Self, CardError> {
        let memory = Memory::personalise(store, device)?;
        Ok(Self {
            profile,
            memory,
            session: None,
            anchors: vec![virtual_root()],
            rng,
        })
    }

    /// Opens the card that a store keeps.
    ///
    /// # Errors
    ///
    /// [`CardError`] when the store holds no card that this version can read.
    pub fn open(store: Box<dyn Store>, rng: Box<dyn CryptoRng + Send>) -> Result<Self, CardError> {
        let memory = Memory::open(store)?;
        let device = memory
            .device()
            .map_err(|_| CardError::Open(OpenError::NotPersonalised))?;
        let profile = profile_of(device)?;
        Ok(Self {
            profile,
            memory,
            session: None,
            anchors: vec![virtual_root()],
            rng,
        })
    }

    /// Trusts one more root, as if the card had its key from production on.
    ///
    /// Anchors are not kept in the card's memory: they are given again to a card that is opened
    /// again. One that the card has already changes nothing.
    ///
    /// # Errors
    ///
    /// [`NameTaken`] when the card trusts another key of this name.
    pub fn trust(&mut self, root: &Anchor) -> Result<(), NameTaken> {
        let Anchor(key) = root;
        match self.anchors.iter().find(|known| known.name == key.name) {
            None => self.anchors.push(key.clone()),
            Some(known) if known.key == key.key => {}
            Some(_) => return Err(NameTaken(root.name())),
        }
        Ok(())
    }

    /// The card as it is: memory and session, but not its source of randomness.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            profile: self.profile,
            memory: self.memory.contents(),
            session: self.session.clone(),
            anchors: self.anchors.clone(),
        }
    }

    /// A card that is as one was, over a store that holds nothing yet.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn from_snapshot(
        snapshot: &Snapshot,
        store: Box<dyn Store>,
        rng: Box<dyn CryptoRng + Send>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            profile: snapshot.profile,
            memory: Memory::with_contents(store, &snapshot.memory)?,
            session: snapshot.session.clone(),
            anchors: snapshot.anchors.clone(),
            rng,
        })
    }

    /// Brings this card back to what it, or another one, was; randomness goes on where it is.
    ///
    /// # Errors
    ///
    /// When the store fails; the card is then as it was.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.memory.replace(&snapshot.memory)?;
        self.profile = snapshot.profile;
        self.session.clone_from(&snapshot.session);
        self.anchors.clone_from(&snapshot.anchors);
        Ok(())
    }

    /// Replaces the source of randomness.
    pub fn set_randomness(&mut self, rng: Box<dyn CryptoRng + Send>) {
        self.rng = rng;
    }

    /// Answer to reset.
    #[must_use]
    pub fn atr(&self) -> &'static [u8] {
        self.profile.atr
    }

    /// The generation of device that this card is.
    #[must_use]
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// The non-volatile memory, to look at.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Why a command answered 6581, once; for the log of whoever runs the card.
    pub fn take_fault(&mut self) -> Option<StoreError> {
        self.memory.take_fault()
    }

    /// Applies power: the session is new and no applet is selected.
    pub fn power_on(&mut self) {
        self.session = None;
    }

    /// Removes power: the session is gone.
    pub fn power_off(&mut self) {
        self.session = None;
    }

    /// Resets the card: as power off and on.
    pub fn reset(&mut self) {
        self.session = None;
    }

    /// Processes one command APDU and returns the response: data ‖ SW1 ‖ SW2.
    ///
    /// All changes of a command are durable before this returns; a command that ends with an
    /// error, and so one whose response does not fit Le, has changed nothing but PINs' tries and who
    /// is authenticated by them, and has used up the challenge that it answered. When its
    /// changes could not be made durable, the answer is 6581 and the session starts anew.
    ///
    /// A command under secure messaging is unprotected first, and its response, an error as well,
    /// is protected. What goes wrong before that is answered plainly and closes the channel, as
    /// does a command without protection; who authenticated through it leaves with it, where the
    /// generation binds them to it.
    pub fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let response = self.receive(command).and_then(|received| match received {
            Received::Plain(apdu) => Ok(self.answer(&apdu)),
            Received::Protected(command, reply) => reply.protect(self.answer(&command.apdu())),
        });
        response.unwrap_or_else(Response::from).into_bytes()
    }

    /// Parses a command and takes its protection off.
    ///
    /// # Errors
    ///
    /// | word | when |
    /// |---|---|
    /// | 6700 | longer than the card's buffer, or malformed |
    /// | 6882 | protected, and no channel is open (inferred) |
    /// | 6987, 6988 | see [`crate::secure_messaging::Channel::unprotect`] |
    fn receive<'a>(&mut self, command: &'a [u8]) -> Result<Received<'a>, StatusWord> {
        // Every way out but the last leaves the channel closed.
        let session = self.session.as_mut();
        let open = session.and_then(Session::take_channel);
        let buffer = self.profile.apdu_buffer;
        if command.len() > buffer {
            return Err(StatusWord::WrongLength);
        }
        let apdu = CommandApdu::parse(command)?;
        if !secure_messaging::is_protected(apdu.cla) {
            return Ok(Received::Plain(apdu));
        }
        let mut open = open.ok_or(StatusWord::SecureMessagingNotSupported)?;
        let (command, reply) = open.channel.unprotect(&apdu, buffer)?;
        if let Some(session) = &mut self.session {
            session.keep_channel(open);
        }
        Ok(Received::Protected(command, reply))
    }

    fn answer(&mut self, apdu: &CommandApdu<'_>) -> Response {
        let outcome = self.process(apdu);
        if let Err(status) = &outcome {
            self.memory.rollback();
            // What the session learned from a command that is not durable did not happen.
            if let (StatusWord::MemoryFailure, Some(session)) = (status, &mut self.session) {
                *session = Session::default();
            }
        }
        outcome.unwrap_or_else(Response::from)
    }

    fn process(&mut self, apdu: &CommandApdu<'_>) -> Result<Response, StatusWord> {
        // Whether the response fits shows only when there is one.
        let before = apdu.ne.map(|_| self.session.clone());
        let mut response = command::execute(apdu, self)?;
        if let Err(too_long) = apdu.expect_room_for(&response) {
            self.session = before.flatten();
            return Err(too_long);
        }
        if apdu.ne.is_none() {
            response.data.clear();
        }
        self.memory.commit()?;
        Ok(response)
    }

    pub(crate) fn start_session(&mut self) {
        self.session = Some(Session::after_selection(self.session.take()));
    }

    pub(crate) fn is_selected(&self) -> bool {
        self.session.is_some()
    }

    /// What a command works on.
    ///
    /// # Errors
    ///
    /// [`StatusWord::InstructionNotSupported`] (6D00) when the applet is not selected. Source: a
    /// genuine token.
    pub(crate) fn context(&mut self) -> Result<Context<'_>, StatusWord> {
        let session = self
            .session
            .as_mut()
            .ok_or(StatusWord::InstructionNotSupported)?;
        Ok(Context {
            profile: self.profile,
            memory: &mut self.memory,
            session,
            anchors: &self.anchors,
            rng: &mut *self.rng,
        })
    }
}

fn profile_of(device: &Device) -> Result<&'static Profile, CardError> {
    let name = &device.profile;
    Profile::by_name(name).ok_or_else(|| CardError::UnknownProfile(name.clone()))
}

/// A command that is ready to run.
enum Received<'a> {
    Plain(CommandApdu<'a>),
    Protected(Unprotected, Reply),
}

/// The trust anchor of every virtual card.
fn virtual_root() -> TrustedKey {
    TrustedKey {
        name: identity::ROOT_NAME.to_vec(),
        key: identity::root_public_key(),
        role: Role::Root,
    }
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Card")
            .field("profile", &self.profile.name)
            .field("memory", &self.memory)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// What a command of the selected applet works on.
pub(crate) struct Context<'a> {
    pub(crate) profile: &'static Profile,
    pub(crate) memory: &'a mut Memory,
    pub(crate) session: &'a mut Session,
    /// Keys that the card trusts from production on.
    pub(crate) anchors: &'a [TrustedKey],
    pub(crate) rng: &'a mut (dyn CryptoRng + Send),
}

impl Context<'_> {
    /// Bytes of memory that are free.
    pub(crate) fn free_memory(&self) -> usize {
        self.profile.memory.saturating_sub(self.used())
    }

    fn used(&self) -> usize {
        self.memory.used(&self.profile.footprint)
    }

    /// Refuses work whose result cannot fit, before the work is done.
    ///
    /// # Errors
    ///
    /// [`StatusWord::NotEnoughMemory`] (6A84).
    pub(crate) fn require_memory(&self, bytes: usize) -> Result<(), StatusWord> {
        if bytes > self.free_memory() {
            return Err(StatusWord::NotEnoughMemory);
        }
        Ok(())
    }

    /// Refuses what has outgrown the card's memory; called after a change, before its commit.
    ///
    /// # Errors
    ///
    /// [`StatusWord::NotEnoughMemory`] (6A84).
    pub(crate) fn check_memory(&self) -> Result<(), StatusWord> {
        if self.used() > self.profile.memory {
            return Err(StatusWord::NotEnoughMemory);
        }
        Ok(())
    }
}
