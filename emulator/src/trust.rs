//! Public keys that the card has reason to trust, and the signatures it checks with them.

mod anchor;

pub use anchor::{Anchor, AnchorError, NameTaken};

use crate::card::Context;
use crate::cvc::{AuthenticatedRequest, EcPublicKey, Role, SignedBody};
use crate::status::StatusWord;

/// A public key under its name.
#[derive(Clone, Debug)]
pub(crate) struct TrustedKey {
    /// CHR of its certificate.
    pub(crate) name: Vec<u8>,
    pub(crate) key: EcPublicKey,
    pub(crate) role: Role,
}

/// Most certificates that one session remembers; the oldest gives way. (inferred)
const LEARNED_MAX: usize = 16;

/// Keys verified in this session and the one selected for the next verification.
///
/// Verified certificates are forgotten at re-selection. (inferred)
#[derive(Clone, Debug, Default)]
pub(crate) struct Verified {
    learned: Vec<TrustedKey>,
    selected: Option<TrustedKey>,
}

impl Context<'_> {
    /// Selects the key of this name for verification.
    ///
    /// # Errors
    ///
    /// [`StatusWord::ReferencedDataNotFound`] (6A88) when no trusted key has this name.
    pub(crate) fn select_verification_key(&mut self, name: &[u8]) -> Result<(), StatusWord> {
        // An anchor comes first: no certificate puts another key under its name.
        let mut known = self.anchors.iter().chain(&self.session.verified.learned);
        let found = known.find(|trusted| trusted.name == name).cloned();
        self.session.verified.selected = Some(found.ok_or(StatusWord::ReferencedDataNotFound)?);
        Ok(())
    }

    /// The selected key, which must have this name.
    ///
    /// # Errors
    ///
    /// [`StatusWord::ReferencedDataNotFound`] (6A88) when none or another is selected.
    fn verification_key(&self, name: Option<&[u8]>) -> Result<&TrustedKey, StatusWord> {
        self.session
            .verified
            .selected
            .as_ref()
            .filter(|selected| Some(selected.name.as_slice()) == name)
            .ok_or(StatusWord::ReferencedDataNotFound)
    }

    /// Verifies a certificate with the selected key and remembers its key.
    ///
    /// Dates are not checked: a card has no clock. The root certifies issuers and devices, an issuer
    /// certifies devices, and a device nobody. (inferred)
    ///
    /// # Errors
    ///
    /// | word | when |
    /// |---|---|
    /// | 6A88 | the issuer it names is not the selected key |
    /// | 6985 | the issuer must not certify this role, or the signature does not verify |
    /// | 6A80 | it is a request, or its key is not one that the card verifies with |
    pub(crate) fn learn(&mut self, certificate: &SignedBody<'_>) -> Result<(), StatusWord> {
        let issuer = self.verification_key(certificate.authority)?;
        let role = certificate.role.ok_or(StatusWord::WrongData)?;
        let key = certificate.ec_public_key(Some(issuer.key.curve))?;
        if !issuer.role.may_certify(role) {
            return Err(StatusWord::ConditionsNotSatisfied);
        }
        issuer
            .key
            .verify(certificate.body, certificate.signature)
            .map_err(|_| StatusWord::ConditionsNotSatisfied)?;
        let name = certificate.holder.to_vec();
        let learned = &mut self.session.verified.learned;
        learned.retain(|known| known.name != name);
        if learned.len() == LEARNED_MAX {
            learned.remove(0);
        }
        learned.push(TrustedKey { name, key, role });
        Ok(())
    }

    /// Checks that a request was made by its own key and on the device whose key is selected,
    /// and returns its public key.
    ///
    /// # Errors
    ///
    /// | word | when |
    /// |---|---|
    /// | 6A88 | the device that it names is not the selected key |
    /// | 6985 | the selected key is no device's, or a signature does not verify |
    /// | 6A80 | the key is no EC key with domain parameters that the card has |
    pub(crate) fn attested_key(
        &self,
        request: &AuthenticatedRequest<'_>,
    ) -> Result<EcPublicKey, StatusWord> {
        let device = self.verification_key(Some(request.outer_authority))?;
        let key = request.request.ec_public_key(None)?;
        let authentic = device.role == Role::Device
            && device
                .key
                .verify(request.covered, request.outer_signature)
                .is_ok()
            && key
                .verify(request.request.body, request.request.signature)
                .is_ok();
        if authentic {
            Ok(key)
        } else {
            Err(StatusWord::ConditionsNotSatisfied)
        }
    }
}
