//! Authenticated certificate requests, the answer to GENERATE ASYMMETRIC KEY PAIR.

use super::{Hash, ecdsa_plain, rsa_pkcs1};
use crate::card::cvc::Certificate;
use crate::der::Reader;
use crate::key::curves::Curve;
use crate::suite::bench::Stop;

/// A public key of any kind that the card makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Public {
    /// A point `04 || x || y` on a curve.
    Ec(&'static str, Vec<u8>),
    /// Modulus and public exponent.
    Rsa(Vec<u8>, Vec<u8>),
}

impl Public {
    /// Judges a signature as certificates have it, over SHA-256 of the message: `r || s`, or
    /// PKCS#1 v1.5.
    ///
    /// # Errors
    /// [`Stop::Harness`] when OpenSSL cannot.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<bool, Stop> {
        let digest = Hash::Sha256.of(message)?;
        match self {
            Self::Ec(curve, point) => ecdsa_plain(curve, point, &digest, signature),
            Self::Rsa(n, e) => rsa_pkcs1(n, e, Hash::Sha256, &digest, signature),
        }
    }
}

/// A key that a device says it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The key.
    pub public: Public,
    /// Its name, CHR.
    pub holder: Vec<u8>,
    /// Name of the key that the request names as authority, when it names one.
    pub authority: Option<Vec<u8>>,
    /// Name of the device key that signed, the outer CAR.
    pub device: Vec<u8>,
}

/// Reads an authenticated request `67 { 7F21, 42, 5F37 }` and makes sure that the new key signed its
/// request and the device both.
///
/// # Errors
/// [`Stop::Fail`] for anything that is not so.
pub fn request(bytes: &[u8], device: &Certificate) -> Result<Attested, Stop> {
    let mut outer = Reader::new(bytes);
    let frame = outer.expect(0x67, "the authenticated request")?;
    outer.finish("the authenticated request")?;
    let mut parts = frame.reader();
    let inner = parts.expect(0x7f21, "the request")?;
    let device_name = parts.expect(0x42, "the device's name")?;
    let device_signature = parts.expect(0x5f37, "the device's signature")?;
    parts.finish("the device's signature")?;

    let mut fields = inner.reader();
    let body = fields.expect(0x7f4e, "the body")?;
    let signature = fields.expect(0x5f37, "the signature")?;
    fields.finish("the signature")?;
    let attested = read_body(body.reader(), device_name.content)?;
    if !attested.public.verify(body.raw, signature.content)? {
        return Err(Stop::fail(
            "a request that its own key signed",
            "a signature that does not verify",
        ));
    }
    let signed = [inner.raw, device_name.raw].concat();
    if !Public::from(&device.key).verify(&signed, device_signature.content)? {
        return Err(Stop::fail(
            "a request that the device signed",
            "a signature that does not verify",
        ));
    }
    Ok(attested)
}

fn read_body(mut fields: Reader<'_>, device: &[u8]) -> Result<Attested, Stop> {
    fields.expect(0x5f29, "the profile")?;
    let mut authority = None;
    let mut next = fields.element()?;
    if next.tag == 0x42 {
        authority = Some(next.content.to_vec());
        next = fields.element()?;
    }
    if next.tag != 0x7f49 {
        return Err(Stop::fail("tag 7F49", format!("tag {:04X}", next.tag)));
    }
    let public = read_key(next.reader())?;
    let holder = fields.expect(0x5f20, "the holder's name")?;
    Ok(Attested {
        public,
        holder: holder.content.to_vec(),
        authority,
        device: device.to_vec(),
    })
}

/// id-TA-RSA-v1-5-SHA-256.
const RSA: [u8; 10] = [4, 0, 0x7f, 0, 7, 2, 2, 2, 1, 2];

/// Hosts read these fields by their place: all of them, in this order.
fn read_key(mut fields: Reader<'_>) -> Result<Public, Stop> {
    let oid = fields.expect(0x06, "the algorithm")?;
    if oid.content == RSA {
        let n = fields.expect(0x81, "the modulus")?.content.to_vec();
        let e = fields.expect(0x82, "the exponent")?.content.to_vec();
        fields.finish("the exponent")?;
        return Ok(Public::Rsa(n, e));
    }
    let p = fields.expect(0x81, "the prime")?.content;
    let a = fields.expect(0x82, "coefficient a")?.content;
    let b = fields.expect(0x83, "coefficient b")?.content;
    fields.expect(0x84, "the generator")?;
    fields.expect(0x85, "the order")?;
    let point = fields.expect(0x86, "the point")?.content.to_vec();
    fields.expect(0x87, "the cofactor")?;
    fields.finish("the cofactor")?;
    let curve = Curve::by_equation(p, a, b)
        .ok_or_else(|| Stop::fail("one of the thirteen curves", "another equation"))?;
    Ok(Public::Ec(curve.name, point))
}
