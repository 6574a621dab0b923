//! The nineteen curves a key may lie on, and their domain parameters.
//!
//! Source: SEC 2 version 2.0 (secp*, of which 192-bit curves are from version 1.0) and RFC 5639
//! (brainpool*).

use std::fmt;

use serde::{Deserialize, Serialize};

mod parameters;

use parameters::*;

/// A named elliptic curve in short Weierstrass form over a prime field, of prime order.
///
/// As every order is prime and every cofactor 1, all points of a curve but the neutral one generate
/// all of it. A point of small order can only be one that is not on the curve, and those are refused
/// wherever a point comes in.
///
/// Stored in the card file as the position of the variant: the order is fixed, new curves go to
/// the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Curve {
    /// NIST P-192.
    Secp192r1,
    /// NIST P-224.
    Secp224r1,
    /// NIST P-256.
    Secp256r1,
    /// NIST P-384.
    Secp384r1,
    /// NIST P-521.
    Secp521r1,
    /// Koblitz curve over a 192-bit field.
    Secp192k1,
    /// Koblitz curve over a 256-bit field.
    Secp256k1,
    /// RFC 5639, section 3.2.
    BrainpoolP192r1,
    /// RFC 5639, section 3.3.
    BrainpoolP224r1,
    /// RFC 5639, section 3.4.
    BrainpoolP256r1,
    /// RFC 5639, section 3.5.
    BrainpoolP320r1,
    /// RFC 5639, section 3.6.
    BrainpoolP384r1,
    /// RFC 5639, section 3.7.
    BrainpoolP512r1,
    /// RFC 5639, section 3.2: the twisted curve of the same order, with a = -3.
    BrainpoolP192t1,
    /// RFC 5639, section 3.3: the twisted curve of the same order, with a = -3.
    BrainpoolP224t1,
    /// RFC 5639, section 3.4: the twisted curve of the same order, with a = -3.
    BrainpoolP256t1,
    /// RFC 5639, section 3.5: the twisted curve of the same order, with a = -3.
    BrainpoolP320t1,
    /// RFC 5639, section 3.6: the twisted curve of the same order, with a = -3.
    BrainpoolP384t1,
    /// RFC 5639, section 3.7: the twisted curve of the same order, with a = -3.
    BrainpoolP512t1,
}

/// Domain parameters as a public key template carries them: unsigned big endian, full width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainParameters {
    /// Prime of the field, tag 81.
    pub p: &'static [u8],
    /// Coefficient a, tag 82, as long as p.
    pub a: &'static [u8],
    /// Coefficient b, tag 83, as long as p.
    pub b: &'static [u8],
    /// Base point 04‖x‖y, tag 84.
    pub g: &'static [u8],
    /// Prime order of the base point, tag 85.
    pub n: &'static [u8],
    /// Cofactor, tag 87; 1 on all these curves.
    pub cofactor: u8,
}

impl Curve {
    /// All curves, in the order of the variants.
    pub const ALL: [Self; 19] = [
        Self::Secp192r1,
        Self::Secp224r1,
        Self::Secp256r1,
        Self::Secp384r1,
        Self::Secp521r1,
        Self::Secp192k1,
        Self::Secp256k1,
        Self::BrainpoolP192r1,
        Self::BrainpoolP224r1,
        Self::BrainpoolP256r1,
        Self::BrainpoolP320r1,
        Self::BrainpoolP384r1,
        Self::BrainpoolP512r1,
        Self::BrainpoolP192t1,
        Self::BrainpoolP224t1,
        Self::BrainpoolP256t1,
        Self::BrainpoolP320t1,
        Self::BrainpoolP384t1,
        Self::BrainpoolP512t1,
    ];

    /// The usual name, as OpenSSL and OpenSC spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secp192r1 => "secp192r1",
            Self::Secp224r1 => "secp224r1",
            Self::Secp256r1 => "secp256r1",
            Self::Secp384r1 => "secp384r1",
            Self::Secp521r1 => "secp521r1",
            Self::Secp192k1 => "secp192k1",
            Self::Secp256k1 => "secp256k1",
            Self::BrainpoolP192r1 => "brainpoolP192r1",
            Self::BrainpoolP224r1 => "brainpoolP224r1",
            Self::BrainpoolP256r1 => "brainpoolP256r1",
            Self::BrainpoolP320r1 => "brainpoolP320r1",
            Self::BrainpoolP384r1 => "brainpoolP384r1",
            Self::BrainpoolP512r1 => "brainpoolP512r1",
            Self::BrainpoolP192t1 => "brainpoolP192t1",
            Self::BrainpoolP224t1 => "brainpoolP224t1",
            Self::BrainpoolP256t1 => "brainpoolP256t1",
            Self::BrainpoolP320t1 => "brainpoolP320t1",
            Self::BrainpoolP384t1 => "brainpoolP384t1",
            Self::BrainpoolP512t1 => "brainpoolP512t1",
        }
    }

    /// The domain parameters.
    #[must_use]
    pub fn parameters(self) -> &'static DomainParameters {
        match self {
            Self::Secp192r1 => &SECP192R1,
            Self::Secp224r1 => &SECP224R1,
            Self::Secp256r1 => &SECP256R1,
            Self::Secp384r1 => &SECP384R1,
            Self::Secp521r1 => &SECP521R1,
            Self::Secp192k1 => &SECP192K1,
            Self::Secp256k1 => &SECP256K1,
            Self::BrainpoolP192r1 => &BRAINPOOLP192R1,
            Self::BrainpoolP224r1 => &BRAINPOOLP224R1,
            Self::BrainpoolP256r1 => &BRAINPOOLP256R1,
            Self::BrainpoolP320r1 => &BRAINPOOLP320R1,
            Self::BrainpoolP384r1 => &BRAINPOOLP384R1,
            Self::BrainpoolP512r1 => &BRAINPOOLP512R1,
            Self::BrainpoolP192t1 => &BRAINPOOLP192T1,
            Self::BrainpoolP224t1 => &BRAINPOOLP224T1,
            Self::BrainpoolP256t1 => &BRAINPOOLP256T1,
            Self::BrainpoolP320t1 => &BRAINPOOLP320T1,
            Self::BrainpoolP384t1 => &BRAINPOOLP384T1,
            Self::BrainpoolP512t1 => &BRAINPOOLP512T1,
        }
    }

    /// Length of a coordinate in bytes.
    #[must_use]
    pub fn field_len(self) -> usize {
        self.parameters().p.len()
    }

    /// Length of a private key, of r and of s in bytes; equal to [`Self::field_len`] on all curves.
    #[must_use]
    pub fn order_len(self) -> usize {
        self.parameters().n.len()
    }

    /// Length of the prime in bits; 521 is the only one that does not fill its bytes.
    #[must_use]
    pub fn field_bits(self) -> usize {
        bit_length(self.parameters().p)
    }

    /// Length of the order in bits.
    #[must_use]
    pub fn order_bits(self) -> usize {
        bit_length(self.parameters().n)
    }

    /// Length of a point 04‖x‖y in bytes.
    #[must_use]
    pub fn point_len(self) -> usize {
        1 + 2 * self.field_len()
    }

    /// The curve with exactly these parameters.
    ///
    /// All values at full width, with two tolerances: leading zero bytes of `a` and `b` may be
    /// missing, and the cofactor may be absent. A value that differs in any way, a base point in
    /// another form than 04‖x‖y, or a cofactor other than 1: `None`.
    #[must_use]
    pub fn from_parameters(
        p: &[u8],
        a: &[u8],
        b: &[u8],
        g: &[u8],
        n: &[u8],
        cofactor: Option<&[u8]>,
    ) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| {
            let known = curve.parameters();
            known.p == p
                && equal_but_for_leading_zeros(known.a, a)
                && equal_but_for_leading_zeros(known.b, b)
                && known.g == g
                && known.n == n
                && cofactor.is_none_or(|value| value == [known.cofactor])
        })
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// True when `value` is `full`, or `full` without some of its leading zero bytes.
fn equal_but_for_leading_zeros(full: &[u8], value: &[u8]) -> bool {
    full.strip_suffix(value)
        .is_some_and(|missing| missing.iter().all(|&byte| byte == 0))
}

/// Number of bits of a big endian number.
fn bit_length(number: &[u8]) -> usize {
    match number.iter().position(|&byte| byte != 0) {
        Some(zeros) => {
            let first = number.get(zeros).copied().unwrap_or(0);
            (number.len() - zeros) * 8 - first.leading_zeros() as usize
        }
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(known: &DomainParameters) -> Option<Curve> {
        Curve::from_parameters(known.p, known.a, known.b, known.g, known.n, Some(&[1]))
    }

    #[test]
    fn every_curve_is_found_by_its_own_parameters() {
        for curve in Curve::ALL {
            let known = curve.parameters();
            assert_eq!(find(known), Some(curve));
            let without = Curve::from_parameters(known.p, known.a, known.b, known.g, known.n, None);
            assert_eq!(without, Some(curve));
        }
    }

    #[test]
    fn one_wrong_bit_anywhere_finds_nothing() {
        fn flipped(value: &[u8]) -> &'static [u8] {
            let mut value = value.to_vec();
            *value.last_mut().unwrap() ^= 1;
            value.leak()
        }
        for curve in Curve::ALL {
            let known = *curve.parameters();
            for wrong in [
                DomainParameters {
                    p: flipped(known.p),
                    ..known
                },
                DomainParameters {
                    a: flipped(known.a),
                    ..known
                },
                DomainParameters {
                    b: flipped(known.b),
                    ..known
                },
                DomainParameters {
                    g: flipped(known.g),
                    ..known
                },
                DomainParameters {
                    n: flipped(known.n),
                    ..known
                },
            ] {
                assert_eq!(find(&wrong), None, "{curve}");
            }
            for cofactor in [&[][..], &[0], &[2], &[0, 1]] {
                let found = Curve::from_parameters(
                    known.p,
                    known.a,
                    known.b,
                    known.g,
                    known.n,
                    Some(cofactor),
                );
                assert_eq!(found, None);
            }
        }
    }

    #[test]
    fn only_a_and_b_may_lose_their_leading_zeros() {
        let k1 = Curve::Secp256k1.parameters();
        let find = |a: &[u8], b: &[u8]| Curve::from_parameters(k1.p, a, b, k1.g, k1.n, None);
        assert_eq!(find(&[], &[7]), Some(Curve::Secp256k1));
        assert_eq!(find(&[0], &[0, 7]), Some(Curve::Secp256k1));
        assert_eq!(find(&[0; 33], &[7]), None);
        assert_eq!(find(&[], &[]), None);

        let p521 = Curve::Secp521r1.parameters();
        let stripped = Curve::from_parameters(p521.p, p521.a, &p521.b[1..], p521.g, p521.n, None);
        assert_eq!(stripped, Some(Curve::Secp521r1));
        let point = [&[4], &p521.g[2..]].concat();
        assert_eq!(
            Curve::from_parameters(p521.p, p521.a, p521.b, &point, p521.n, None),
            None
        );
    }

    #[test]
    fn the_stored_form_is_the_position_in_the_list() {
        for (position, curve) in Curve::ALL.into_iter().enumerate() {
            let mut buffer = [0u8; 4];
            let stored = postcard::to_slice(&curve, &mut buffer).unwrap();
            assert_eq!(stored, [u8::try_from(position).unwrap()]);
        }
    }

    #[test]
    fn lengths_are_those_of_the_names() {
        for curve in Curve::ALL {
            let digits: String = curve.name().chars().filter(char::is_ascii_digit).collect();
            let bits: usize = digits[..3].parse().unwrap();
            assert_eq!((curve.field_bits(), curve.order_bits()), (bits, bits));
            assert_eq!(curve.field_len(), bits.div_ceil(8));
            assert_eq!(curve.order_len(), curve.field_len());
            assert_eq!(curve.parameters().g.len(), curve.point_len());
        }
    }
}
