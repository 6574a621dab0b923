//! PSO VERIFY CERTIFICATE, `00 2A 00 BE`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::cvc::{SignedBody, tag};
use crate::profile::Profile;
use crate::status::StatusWord;
use crate::tlv::Reader;

/// Verifies a certificate with the selected key; its holder's key can then be selected.
///
/// ```text
/// 00 2A 00 BE Lc 7F4E… 5F37…      content of a certificate; the frame 7F21 is accepted too
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1P2 is not 00BE |
/// | 6700 | no data field |
/// | 6A80 | malformed, a request, or a key that the card cannot verify with |
/// | 6A88 | no key is selected, or not the one that the certificate names as its issuer |
/// | 6985 | the signature does not verify, or the issuer is a device |
///
/// The words for a wrong signature and for a malformed certificate are decided, not recorded.
#[derive(Debug)]
pub(super) struct VerifyCertificate {
    content: Vec<u8>,
}

impl Command for VerifyCertificate {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        apdu.expect_p1p2(0x00, 0xBE)?;
        let data = apdu.expect_data()?;
        let mut frame = Reader::new(data);
        let content = match frame.optional(tag::CERTIFICATE)? {
            Some(framed) => {
                frame.finish()?;
                framed.value
            }
            None => data,
        };
        SignedBody::parse(content)?;
        Ok(Self {
            content: content.to_vec(),
        })
    }

    fn access(&self) -> Access {
        Access::Always
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        card.learn(&SignedBody::parse(&self.content)?)?;
        Ok(Response::done())
    }
}
