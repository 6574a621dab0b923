use std::collections::BTreeSet;

use openssl::bn::{BigNum, BigNumContext};
use serde::Serialize;

use super::inventory::Inventory;
use super::work::Work;
use crate::apdu::apdu;
use crate::blob::seal::seal;
use crate::card::command::StatusWord;
use crate::card::cvc::Kind;
use crate::der::Reader;
use crate::dkek::Dkek;
use crate::judge;
use crate::key::curves::Curve;
use crate::key::{EcKey, Key};
use crate::report::survey::CardMap;
use crate::suite::bench::Stop;
use crate::suite::hand::Hand;

/// A smoke test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was tested.
    pub name: String,
    /// Nothing: it was left out.
    pub good: Option<bool>,
    /// What it showed, or why it was left out.
    pub what: String,
}

impl Check {
    pub(super) fn new(name: &str, good: bool, what: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            good: Some(good),
            what: what.into(),
        }
    }

    pub(super) fn left_out(name: &str, why: &str) -> Self {
        Self {
            name: name.into(),
            good: None,
            what: why.into(),
        }
    }
}

/// Random bytes that are looked at.
const SAMPLE: usize = 16 * 1024;

pub(super) fn randomness(hand: &mut Hand) -> Result<Check, Stop> {
    let mut sample = Vec::with_capacity(SAMPLE);
    while sample.len() < SAMPLE {
        let bytes = hand.ok(apdu(0x0084_0000).le(256))?;
        if bytes.is_empty() {
            return Ok(Check::new("randomness", false, "no random bytes came"));
        }
        sample.extend(bytes);
    }
    Ok(judge_randomness(&sample))
}

/// Bits, bytes and repeated blocks. The bounds are five standard deviations wide: a good source
/// fails less than once in a million reports.
pub(super) fn judge_randomness(sample: &[u8]) -> Check {
    let name = "randomness";
    let bits = sample.len() as f64 * 8.0;
    let ones: u32 = sample.iter().map(|byte| byte.count_ones()).sum();
    let bias = (f64::from(ones) - bits / 2.0) / (bits / 4.0).sqrt();
    let mut counts = [0_u32; 256];
    for byte in sample {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let mean = sample.len() as f64 / 256.0;
    let chi = counts
        .iter()
        .map(|count| (f64::from(*count) - mean).powi(2) / mean)
        .sum::<f64>();
    // Chi-square with 255 degrees of freedom: mean 255, deviation 22.6.
    let spread = (chi - 255.0) / 22.6;
    let blocks = sample.chunks_exact(16);
    let all = blocks.len();
    let different = blocks.collect::<BTreeSet<_>>().len();
    let good = bias.abs() < 5.0 && spread.abs() < 5.0 && all == different;
    let what = format!(
        "{} bytes: bits {bias:+.1} and bytes {spread:+.1} deviations off, {} blocks of 16 repeat",
        sample.len(),
        all - different
    );
    Check::new(name, good, what)
}

/// Looks for the pattern of keys that factor easily (CVE-2017-15361) in all RSA keys that can be read.
pub(super) fn rsa_keys(hand: &mut Hand, inventory: &Inventory) -> Result<Vec<Check>, Stop> {
    let mut checks = Vec::new();
    for item in &inventory.items {
        let Some(file) = u16::from_str_radix(&item.file, 16)
            .ok()
            .filter(|file| file >> 8 == 0xce)
        else {
            continue;
        };
        let read = apdu(0x00b1_0000 | u32::from(file)).data([0x54, 2, 0, 0]);
        let answer = hand.send(read.all())?;
        if !matches!(answer.status, 0x9000 | 0x6282) {
            let what = format!("{} cannot be read, status {:04X}", item.file, answer.status);
            checks.push(Check::new("certificate", false, what));
            continue;
        }
        let content = answer.data;
        let Some(modulus) = modulus(&content) else {
            continue;
        };
        checks.push(roca(&modulus, &item.file));
    }
    if !checks.iter().any(|check| check.name == RSA_MODULUS) {
        let why = "no public RSA key can be read";
        checks.push(Check::left_out(RSA_MODULUS, why));
    }
    Ok(checks)
}

const RSA_MODULUS: &str = "RSA modulus";

fn roca(modulus: &[u8], whose: &str) -> Check {
    let bits = modulus.len() * 8;
    let weak = has_roca_pattern(modulus);
    let what = if weak {
        format!("RSA-{bits} of {whose} has the pattern of keys that factor easily (ROCA)")
    } else {
        format!("RSA-{bits} of {whose} has not the pattern of ROCA")
    };
    Check::new(RSA_MODULUS, !weak, what)
}

/// Looks for the same pattern in the answer to a key generation, when it is of an RSA key.
pub(super) fn new_rsa_key(answer: &[u8]) -> Option<Check> {
    modulus(answer).map(|modulus| roca(&modulus, "a test key"))
}

/// Modulus of an X.509 certificate or of a card-verifiable request.
fn modulus(content: &[u8]) -> Option<Vec<u8>> {
    if let Ok(certificate) = openssl::x509::X509::from_der(content) {
        let key = certificate.public_key().ok()?;
        return Some(key.rsa().ok()?.n().to_vec());
    }
    let mut frame = Reader::new(content).element().ok()?;
    while frame.tag != 0x7f4e {
        frame = frame.reader().element().ok()?;
    }
    let mut fields = frame.reader();
    while !fields.is_empty() {
        let field = fields.element().ok()?;
        if field.tag == 0x7f49 {
            let mut parts = field.reader();
            parts.element().ok()?;
            let first = parts.expect(0x81, "the modulus").ok()?.content.to_vec();
            let second = parts.expect(0x82, "the exponent").ok()?;
            // An EC key has its prime in 81 and more behind 82.
            return (parts.is_empty() && second.content.len() < first.len()).then_some(first);
        }
    }
    None
}

/// Primes of the fingerprint that Nemec and others published.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// True when the modulus is a power of 65537 modulo each of the primes.
pub(super) fn has_roca_pattern(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| {
        let rest = modulus
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            power = power * (65_537 % prime) % prime;
            power == rest
        })
    })
}

/// Signatures that are looked at.
const SIGNATURES: usize = 64;

/// Signs with a test key and counts the nonces that are there twice.
pub(super) fn nonces(work: &mut Work<'_>) -> Result<Check, Stop> {
    work.with_test_key(|work, key| {
        let answer = work.generate(key, Kind::P256)?;
        if answer.status != 0x9000 {
            let word = StatusWord(answer.status);
            let why = format!("no test key on secp256r1: {word}");
            return Ok(Check::left_out(REPEATED, &why));
        }
        Ok(repeated("of a test key", &signatures(work.hand, key)?))
    })
}

const REPEATED: &str = "repeated ECDSA nonces";
/// Name of the check of nonces whose private key is known.
pub(super) const TOP_BITS: &str = "top bits of ECDSA nonces";

/// Finds out the nonces of a key that is known here: draws it, brings it in under a DKEK that is drawn
/// as well and stands in a slot that was empty, and deletes both.
///
/// Whoever has such a key may have it: nothing but test messages is ever signed with it.
pub(super) fn known_nonces(work: &mut Work<'_>, map: &CardMap) -> Result<Check, Stop> {
    let left_out = |why: &str| Ok(Check::left_out(TOP_BITS, why));
    if map.domains.is_empty() {
        return left_out(
            "a key that is known here needs a key domain, and this device is set up without; only \
             erasing it would change that",
        );
    }
    let Some(empty) = map.domains.iter().find(|domain| domain.kind == "empty") else {
        return left_out(
            "a key that is known here needs a slot for a key domain, and none is empty",
        );
    };
    let slot = empty.slot;
    let curve = Curve::by_name("secp256r1")
        .ok_or_else(|| Stop::Harness("the curve secp256r1 is not known".into()))?;
    let key = Key::Ec(EcKey::random(curve)?);
    let dkek = Dkek::random()
        .map_err(|error| Stop::Harness(format!("the system gives no randomness: {error}")))?;
    let blob = seal(&key, &dkek, &[])?;
    let Key::Ec(key) = &key else {
        return left_out("the key is none");
    };
    let outcome = work.with_key_domain(slot, |work| {
        let status = work.hand.card().import_share(slot, &dkek)?;
        if status.check_value != Some(dkek.check_value()) {
            return Ok(Check::new(
                TOP_BITS,
                false,
                "the device shows another check value than that of the DKEK that it was given",
            ));
        }
        work.with_test_key(|work, number| {
            work.hand.card().unwrap_key(number, &blob)?;
            let signed = signatures(work.hand, number)?;
            for (hash, der) in &signed {
                if !judge::ecdsa(key, hash, der)? {
                    let what = "a signature with the imported key does not verify";
                    return Ok(Check::new(TOP_BITS, false, what));
                }
            }
            top_bits(key.private().expose(), &signed)
        })
    });
    match outcome {
        // The rest of the report is worth having.
        Err(Stop::Fail(finding)) => left_out(&format!(
            "no key could be brought in: expected {}, found {}",
            finding.expected, finding.found
        )),
        other => other,
    }
}

/// Hash and signature.
pub(super) type Signed = (Vec<u8>, Vec<u8>);

fn signatures(hand: &mut Hand, key: u8) -> Result<Vec<Signed>, Stop> {
    (0..SIGNATURES)
        .map(|number| {
            let hash = judge::Hash::Sha256.of(&number.to_be_bytes())?;
            let signature = hand.ok(apdu(0x8068_0070).p1(key).data(&hash).le(512))?;
            Ok((hash, signature))
        })
        .collect()
}

pub(super) fn repeated(whose: &str, signatures: &[Signed]) -> Check {
    let mut seen = BTreeSet::new();
    for (_, der) in signatures {
        if let Ok((r, _)) = judge::ecdsa_numbers(der) {
            seen.insert(r);
        }
    }
    let all = signatures.len();
    let what = format!(
        "{} different nonces in {all} signatures {whose}",
        seen.len()
    );
    Check::new(REPEATED, seen.len() == all, what)
}

/// The nonces k = (z + r d) / s, and how many have their top bit set.
pub(super) fn top_bits(private: &[u8], signatures: &[Signed]) -> Result<Check, Stop> {
    let order = Curve::by_name("secp256r1")
        .map(Curve::parameters)
        .map(|[_, _, _, n, _]| n)
        .unwrap_or_default();
    let n = BigNum::from_slice(&order)?;
    let d = BigNum::from_slice(private)?;
    let mut context = BigNumContext::new()?;
    let (mut set, mut small) = (0_usize, 0_usize);
    for (hash, der) in signatures {
        let (r, s) = judge::ecdsa_numbers(der)?;
        let (r, s) = (BigNum::from_slice(&r)?, BigNum::from_slice(&s)?);
        let z = BigNum::from_slice(hash)?;
        let (mut product, mut sum) = (BigNum::new()?, BigNum::new()?);
        product.mod_mul(&r, &d, &n, &mut context)?;
        sum.mod_add(&product, &z, &n, &mut context)?;
        let (mut inverse, mut nonce) = (BigNum::new()?, BigNum::new()?);
        inverse.mod_inverse(&s, &n, &mut context)?;
        nonce.mod_mul(&sum, &inverse, &n, &mut context)?;
        set += usize::from(nonce.is_bit_set(255));
        small += usize::from(nonce.num_bits() <= 248);
    }
    let all = signatures.len();
    // Half of them, with five standard deviations to either side; a short nonce is one in 256.
    let good = (all / 2).abs_diff(set) <= 20 && small <= 4;
    let what = format!("the top bit is set in {set} of {all} nonces, {small} are a byte short");
    Ok(Check::new(TOP_BITS, good, what))
}
