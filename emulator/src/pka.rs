//! Public key authentication: custodians whose keys stand in for, or beside, the user PIN.

use serde::{Deserialize, Serialize};

use crate::card::Context;
use crate::crypto::Curve;
use crate::cvc::{AuthenticatedRequest, EcPublicKey};
use crate::memory::Options;
use crate::pin::PinReference;
use crate::status::StatusWord;

/// How many custodians there are and how many must authenticate, tag 93 of INITIALIZE DEVICE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// Keys to register.
    pub total: u8,
    /// Keys that must authenticate.
    pub required: u8,
}

/// Most custodians. Source: `sc-hsm-tool` sends no more.
const CUSTODIANS_MAX: u8 = 90;

impl Quorum {
    /// Decodes tag 93: total ‖ required; `None` unless 1 <= required <= total <= 90.
    #[must_use]
    pub fn from_bytes(value: &[u8]) -> Option<Self> {
        let [total, required] = *<&[u8; 2]>::try_from(value).ok()?;
        let possible = (1..=total).contains(&required) && total <= CUSTODIANS_MAX;
        possible.then_some(Self { total, required })
    }
}

/// A registered key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Custodian {
    /// CHR of the key's request.
    pub name: Vec<u8>,
    /// Its public key.
    pub key: EcPublicKey,
}

/// The only curve whose signatures authenticate. Source: a P-384 key could be registered with a
/// genuine token, and every signature it made answered 6300.
const AUTHENTICATION_CURVE: Curve = Curve::BrainpoolP256r1;

impl Context<'_> {
    /// What INITIALIZE DEVICE set up.
    ///
    /// # Errors
    ///
    /// [`StatusWord::InstructionNotSupported`] (6D00) when it set up no public key authentication.
    pub(crate) fn quorum(&self) -> Result<Quorum, StatusWord> {
        self.memory
            .setup()
            .and_then(|setup| setup.quorum)
            .ok_or(StatusWord::InstructionNotSupported)
    }

    /// Whether the user is authenticated by all that INITIALIZE DEVICE asks for.
    ///
    /// With custodians and a PIN either suffices; with option 0010 both are needed. Without a PIN
    /// the custodians decide alone.
    pub(crate) fn user_is_authenticated(&self) -> bool {
        let pin_verified = self.session.is_verified(PinReference::User);
        let Ok(quorum) = self.quorum() else {
            return pin_verified;
        };
        let met = self.session.custodian_count() >= usize::from(quorum.required);
        if self.session.is_after_initialize() {
            true
        } else if self.memory.pin(PinReference::User).is_err() {
            met
        } else if self.memory.options().has(Options::PIN_AND_KEYS) {
            pin_verified && met
        } else {
            pin_verified || met
        }
    }

    /// total ‖ still missing ‖ required ‖ authenticated in this session.
    pub(crate) fn quorum_status(&self) -> Result<Vec<u8>, StatusWord> {
        let Quorum { total, required } = self.quorum()?;
        let registered = (0..total)
            .filter(|index| self.memory.custodian(*index).is_ok())
            .count();
        let missing = total.saturating_sub(u8::try_from(registered).unwrap_or(total));
        let authenticated = u8::try_from(self.session.custodian_count()).unwrap_or(total);
        Ok(vec![total, missing, required, authenticated])
    }

    /// Checks a custodian's request; its device must be the selected verification key.
    ///
    /// # Errors
    ///
    /// | word | when |
    /// |---|---|
    /// | 6A80 | malformed, or no EC key |
    /// | 6985 | the chain was not verified, a signature is wrong, or the key or its name is registered |
    ///
    /// Source: 6985 for both is recorded.
    pub(crate) fn check_custodian(&self, request: &[u8]) -> Result<Custodian, StatusWord> {
        let request = AuthenticatedRequest::parse(request)?;
        if !request.rest.is_empty() {
            return Err(StatusWord::WrongData);
        }
        let key = self.attested_key(&request).map_err(|word| match word {
            StatusWord::ReferencedDataNotFound => StatusWord::ConditionsNotSatisfied,
            other => other,
        })?;
        let name = request.request.holder.to_vec();
        let known = (0..self.quorum()?.total)
            .filter_map(|index| self.memory.custodian(index).ok())
            .any(|other| other.name == name || other.key.point == key.point);
        if known {
            return Err(StatusWord::ConditionsNotSatisfied);
        }
        Ok(Custodian { name, key })
    }

    /// The number of the registered key of this name.
    ///
    /// # Errors
    ///
    /// [`StatusWord::ReferencedDataNotFound`] (6A88) when there is none.
    pub(crate) fn find_custodian(&self, name: &[u8]) -> Result<u8, StatusWord> {
        let total = self.quorum().map_or(0, |quorum| quorum.total);
        (0..total)
            .find(|index| {
                self.memory
                    .custodian(*index)
                    .is_ok_and(|known| known.name == name)
            })
            .ok_or(StatusWord::ReferencedDataNotFound)
    }

    /// Whether this is the custodian's signature over device name ‖ challenge.
    pub(crate) fn custodian_signed(
        &self,
        custodian: &Custodian,
        challenge: &[u8],
        signature: &[u8],
    ) -> Result<bool, StatusWord> {
        let message = [&self.memory.device()?.holder, challenge].concat();
        Ok(custodian.key.curve == AUTHENTICATION_CURVE
            && custodian.key.verify(&message, signature).is_ok())
    }
}
