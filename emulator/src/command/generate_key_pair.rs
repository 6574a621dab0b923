//! GENERATE ASYMMETRIC KEY PAIR, `00 46`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::crypto::{Curve, EcPrivateKey, RsaPrivateKey};
use crate::cvc::{self, RequestFields, RequestKey, Scheme, tag};
use crate::domain::KeyDomain;
use crate::id::{FileId, KeyId};
use crate::key::{Key, KeyAttributes, KeyMaterial};
use crate::key_attributes::parse_attributes;
use crate::profile::{Profile, UidExtension};
use crate::secret::Secret;
use crate::status::StatusWord;
use crate::tlv::Reader;
use crate::xkek;

/// Makes a key pair and a request for it, signed by the device key.
///
/// ```text
/// 00 46 key 00 Lc { 5F29 01 00, [42 CAR], 7F49 { 06 oid, parameters }, 5F20 CHR,
///                   [90 04 uses] [91 n algorithms] [92 01 domain] [93 01 wrapping key] } [Le]
///   RSA parameters   [82 exponent, 010001 if absent], 02 02 bits
///   EC parameters    81 p, 82 a, 83 b, 84 G (04‖x‖y), 85 n, [87 cofactor]
/// response           67 { 7F21 request, 42 CHR of the device, 5F37 }
/// ```
///
/// Key CC‖key and its request, EF CE‖key, are stored together. An outer CAR (45, or 42 behind the
/// CHR) is ignored: with P2 = 00 the device key signs. Source: requests of a genuine token.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P2 is not 00 |
/// | 6700 | no data field, or Le is too small for the request |
/// | 6A80 | malformed template, unknown algorithm, size or curve that the profile does not have |
/// | 6982 | the user PIN was not presented |
/// | 6A89 | the key exists |
/// | 6A88 | the key domain does not exist |
/// | 6A84 | the card's memory is full |
pub(super) struct GenerateKeyPair {
    key: KeyId,
    template: Template,
}

struct Template {
    fields: Fields,
    kind: Kind,
    attributes: KeyAttributes,
}

/// What the request repeats from the template.
struct Fields {
    authority: Option<Vec<u8>>,
    oid: Vec<u8>,
    holder: Vec<u8>,
}

enum Kind {
    Rsa { bits: u16, exponent: Vec<u8> },
    Ec(Curve),
}

/// Public exponent when the host names none.
const DEFAULT_EXPONENT: [u8; 3] = [0x01, 0x00, 0x01];

/// Longest names that hosts can read back.
const NAME_MAX: usize = 20;

impl Command for GenerateKeyPair {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        if apdu.p2 != 0x00 {
            return Err(StatusWord::IncorrectP1P2);
        }
        let template = Template::parse(apdu.expect_data()?)?;
        Ok(Self {
            key: KeyId(apdu.p1),
            template,
        })
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        let template = self.template;
        if template.fields.authority.is_none() && card.profile.wants_inner_authority {
            return Err(StatusWord::WrongData);
        }
        card.require_free(self.key)?;
        let attributes = card.bind(template.attributes)?;
        let fields = template.fields;
        let extension = exchange_extension(card, &attributes);
        let extension = extension.as_deref();
        let (material, request) = match template.kind {
            Kind::Rsa { bits, exponent } => {
                if !card.profile.rsa_bits.contains(&bits) {
                    return Err(StatusWord::WrongData);
                }
                let modulus = usize::from(bits / 8);
                // Primes take long to find. The request holds modulus and signature, and more.
                card.require_memory(card.profile.footprint.rsa.of(modulus) + 2 * modulus)?;
                let key = RsaPrivateKey::generate(usize::from(bits), &exponent, card.rng)?;
                let request = fields.request(&RequestKey::Rsa(&key), extension, card)?;
                (KeyMaterial::Rsa(key.into()), request)
            }
            Kind::Ec(curve) => {
                if !card.profile.curves.contains(&curve) {
                    return Err(StatusWord::WrongData);
                }
                let key = EcPrivateKey::generate(curve, card.rng);
                let request = fields.request(&RequestKey::Ec(&key), extension, card)?;
                (KeyMaterial::Ec(key.into()), request)
            }
        };
        card.memory.put_key(
            self.key,
            Key {
                material,
                attributes,
            },
        );
        let certificate = FileId::of_certificate(self.key);
        card.memory
            .put_file(certificate, Secret::from(request.as_slice()));
        card.check_memory()?;
        Ok(Response::data(request))
    }
}

impl Template {
    fn parse(data: &[u8]) -> Result<Self, StatusWord> {
        let mut objects = Reader::new(data);
        if objects.expect(tag::PROFILE)?.value != [0] {
            return Err(StatusWord::WrongData);
        }
        let authority = objects
            .optional(tag::AUTHORITY)?
            .map(|element| element.value.to_vec());
        let (oid, kind) = parse_public_key(objects.expect(tag::PUBLIC_KEY)?.value)?;
        let holder = objects.expect(tag::HOLDER)?.value.to_vec();
        let attributes = parse_attributes(objects.remaining())?;
        let names = authority.iter().chain(std::iter::once(&holder));
        if names
            .into_iter()
            .any(|name| !(1..=NAME_MAX).contains(&name.len()))
        {
            return Err(StatusWord::WrongData);
        }
        Ok(Self {
            fields: Fields {
                authority,
                oid,
                holder,
            },
            kind,
            attributes,
        })
    }
}

/// Reads the content of 7F49: the algorithm and what kind of key it asks for.
fn parse_public_key(content: &[u8]) -> Result<(Vec<u8>, Kind), StatusWord> {
    let mut reader = Reader::new(content);
    let oid = reader.expect(tag::OID)?.value;
    let kind = match Scheme::from_oid(oid).ok_or(StatusWord::WrongData)? {
        Scheme::RsaPkcs1(_) => {
            let exponent = reader
                .optional(0x82)?
                .map_or(&DEFAULT_EXPONENT[..], |e| e.value);
            let bits = reader.expect(0x02)?.value;
            let bits = <[u8; 2]>::try_from(bits).map_err(|_| StatusWord::WrongData)?;
            Kind::Rsa {
                bits: u16::from_be_bytes(bits),
                exponent: exponent.to_vec(),
            }
        }
        Scheme::Ecdsa(_) => {
            let p = reader.expect(0x81)?.value;
            let a = reader.expect(0x82)?.value;
            let b = reader.expect(0x83)?.value;
            let g = reader.expect(0x84)?.value;
            let n = reader.expect(0x85)?.value;
            let cofactor = reader.optional(0x87)?.map(|element| element.value);
            Kind::Ec(Curve::from_parameters(p, a, b, g, n, cofactor).ok_or(StatusWord::WrongData)?)
        }
    };
    reader.finish()?;
    Ok((oid.to_vec(), kind))
}

/// The extension that names the XKEK domain to which a key is bound, for the keys that carry it.
fn exchange_extension(card: &Context<'_>, attributes: &KeyAttributes) -> Option<Vec<u8>> {
    let carries_it = match card.profile.domains.uid_extension {
        UidExtension::ExchangeKeys => attributes.may_exchange(),
        UidExtension::AllKeys => true,
    };
    match card.memory.domain(attributes.domain?)?.as_ref() {
        KeyDomain::Xkek { uid, .. } if carries_it => Some(xkek::domain_extension(uid)),
        _ => None,
    }
}

impl Fields {
    /// The request for a new key, signed by itself and by the device key.
    fn request(
        &self,
        key: &RequestKey<'_>,
        extensions: Option<&[u8]>,
        card: &mut Context<'_>,
    ) -> Result<Vec<u8>, StatusWord> {
        let fields = RequestFields {
            authority: self.authority.as_deref(),
            holder: &self.holder,
            oid: &self.oid,
            extensions,
        };
        let request = cvc::request(&fields, key, card.rng)?;
        let device = card.memory.device()?;
        Ok(cvc::authenticate(
            &request,
            &device.holder,
            device.key()?,
            card.rng,
        )?)
    }
}
