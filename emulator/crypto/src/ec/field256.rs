//! Fields of 256 bits, for the multiplication of points.
//!
//! The crates of these curves keep everything else. Their fields multiply in one and a half to two
//! times the time of these, which set the pace of the most used curves: P-256, and brainpoolP256r1,
//! on which devices certify.

#[cfg(not(target_pointer_width = "64"))]
mod narrow {
    use elliptic_curve::hazmat::FieldArithmetic;

    pub type Secp256r1 = <p256::NistP256 as FieldArithmetic>::FieldElement;
    pub type BrainpoolP256 = <bp256::BrainpoolP256r1 as FieldArithmetic>::FieldElement;
}

#[cfg(not(target_pointer_width = "64"))]
pub(super) use narrow::{BrainpoolP256, Secp256r1};

#[cfg(target_pointer_width = "64")]
pub(super) use wide::{BrainpoolP256, Secp256r1};

/// Elements in Montgomery form, as four words of 64 bits, least significant first.
#[cfg(target_pointer_width = "64")]
mod wide {
    #![expect(
        deprecated,
        reason = "the macros of `primefield` use the old name of a method"
    )]

    use elliptic_curve::bigint::U256;
    use elliptic_curve::bigint::modular::ConstMontyParams as _;
    use elliptic_curve::ff::PrimeField;
    use elliptic_curve::subtle::{Choice, ConstantTimeEq, CtOption};

    pub(in super::super) use brainpool::BrainpoolP256;
    pub(in super::super) use secp::Secp256r1;

    use crate::words::{add, mac, sub};

    /// Defines a field in a module of its own.
    ///
    /// `clear` adds to a number of five words such a multiple of p that the lowest word becomes
    /// zero, and returns the four above it and a carry.
    macro_rules! field {
        (
            $module:ident, $name:ident, $doc:expr,
            modulus: $modulus:expr, generator: $generator:expr,
            clear: $clear:expr $(,)?
        ) => {
            mod $module {
                use super::*;

                primefield::monty_field_params! {
                    name: FieldParams,
                    modulus: $modulus,
                    uint: U256,
                    byte_order: primefield::ByteOrder::BigEndian,
                    multiplicative_generator: $generator,
                    doc: "Montgomery parameters of the field."
                }
                primefield::monty_field_element! {
                    name: $name,
                    params: FieldParams,
                    uint: U256,
                    doc: $doc
                }

                pub(super) const P: [u64; 4] = FieldParams::PARAMS.modulus().as_ref().to_words();

                impl $name {
                    #[inline(always)]
                    const fn words(&self) -> [u64; 4] {
                        self.0.as_montgomery().to_words()
                    }

                    #[inline(always)]
                    const fn from_words(words: [u64; 4]) -> Self {
                        Self(primefield::MontyFieldElement::from_montgomery(
                            U256::from_words(words),
                        ))
                    }

                    fn from_uint_unchecked(number: U256) -> Self {
                        Self(primefield::MontyFieldElement::from_uint_reduced(&number))
                    }

                    const fn to_canonical(self) -> U256 {
                        self.0.to_canonical()
                    }

                    #[inline(always)]
                    const fn add(&self, other: &Self) -> Self {
                        Self::from_words(sum(self.words(), other.words(), P))
                    }

                    #[inline(always)]
                    const fn double(&self) -> Self {
                        self.add(self)
                    }

                    #[inline(always)]
                    const fn sub(&self, other: &Self) -> Self {
                        Self::from_words(difference(self.words(), other.words(), P))
                    }

                    #[inline(always)]
                    const fn neg(&self) -> Self {
                        Self::ZERO.sub(self)
                    }

                    #[inline(always)]
                    const fn multiply(&self, other: &Self) -> Self {
                        Self::from_words(montgomery(product(self.words(), other.words())))
                    }

                    #[inline(always)]
                    const fn square(&self) -> Self {
                        Self::from_words(montgomery(square(self.words())))
                    }

                    fn invert(&self) -> CtOption<Self> {
                        self.0.invert().map(Self)
                    }
                }

                /// number / 2^256 mod p.
                #[inline(always)]
                const fn montgomery(number: [u64; 8]) -> [u64; 4] {
                    let [t0, t1, t2, t3, t4, t5, t6, t7] = number;
                    let ([t1, t2, t3, t4], c4) = $clear(t0, [t1, t2, t3, t4]);
                    let ([t2, t3, t4, t5], c5) = $clear(t1, [t2, t3, t4, t5]);
                    let ([t3, t4, t5, t6], c6) = $clear(t2, [t3, t4, t5, t6]);
                    let ([t4, t5, t6, t7], c7) = $clear(t3, [t4, t5, t6, t7]);
                    // Each carry belongs to the word above those it came from.
                    let (t5, carry) = add(t5, c4, 0);
                    let (t6, carry) = add(t6, c5, carry);
                    let (t7, carry) = add(t7, c6, carry);
                    reduce_once([t4, t5, t6, t7], c7 + carry, P)
                }
            }
        };
    }

    field! {
        secp, Secp256r1, "Element of the field of P-256.",
        modulus: "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        generator: 6,
        clear: clear_secp,
    }
    field! {
        brainpool, BrainpoolP256, "Element of the field of brainpoolP256r1 and brainpoolP256t1.",
        modulus: "a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
        generator: 11,
        clear: clear_brainpool,
    }

    /// Since p is -1 modulo 2^64, lowest·p clears the word, at the price of one multiplication:
    /// p - 2^96 + 1 has the topmost word only.
    #[inline(always)]
    const fn clear_secp(lowest: u64, above: [u64; 4]) -> ([u64; 4], u64) {
        let [t1, t2, t3, t4] = above;
        let (t1, carry) = add(t1, lowest << 32, 0);
        let (t2, carry) = add(t2, lowest >> 32, carry);
        let (t3, carry) = mac(t3, lowest, 0xFFFF_FFFF_0000_0001, carry);
        let (t4, carry) = add(t4, carry, 0);
        ([t1, t2, t3, t4], carry)
    }

    #[inline(always)]
    const fn clear_brainpool(lowest: u64, above: [u64; 4]) -> ([u64; 4], u64) {
        const NEGATED_INVERSE: u64 = brainpool::FieldParams::PARAMS.mod_neg_inv().0;
        let ([t1, t2, t3, t4], [p0, p1, p2, p3]) = (above, brainpool::P);
        let factor = lowest.wrapping_mul(NEGATED_INVERSE);
        let (_, carry) = mac(lowest, factor, p0, 0);
        let (t1, carry) = mac(t1, factor, p1, carry);
        let (t2, carry) = mac(t2, factor, p2, carry);
        let (t3, carry) = mac(t3, factor, p3, carry);
        let (t4, carry) = add(t4, carry, 0);
        ([t1, t2, t3, t4], carry)
    }

    /// a + b mod p.
    #[inline(always)]
    const fn sum(a: [u64; 4], b: [u64; 4], p: [u64; 4]) -> [u64; 4] {
        let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (a, b);
        let (s0, carry) = add(a0, b0, 0);
        let (s1, carry) = add(a1, b1, carry);
        let (s2, carry) = add(a2, b2, carry);
        let (s3, carry) = add(a3, b3, carry);
        reduce_once([s0, s1, s2, s3], carry, p)
    }

    /// a - b mod p.
    #[inline(always)]
    const fn difference(a: [u64; 4], b: [u64; 4], p: [u64; 4]) -> [u64; 4] {
        let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (a, b);
        let (d0, borrow) = sub(a0, b0, 0);
        let (d1, borrow) = sub(a1, b1, borrow);
        let (d2, borrow) = sub(a2, b2, borrow);
        let (d3, borrow) = sub(a3, b3, borrow);
        // Below zero: add p back.
        let mask = 0u64.wrapping_sub(borrow);
        let [p0, p1, p2, p3] = p;
        let (d0, carry) = add(d0, p0 & mask, 0);
        let (d1, carry) = add(d1, p1 & mask, carry);
        let (d2, carry) = add(d2, p2 & mask, carry);
        let (d3, _) = add(d3, p3 & mask, carry);
        [d0, d1, d2, d3]
    }

    /// a·b.
    #[inline(always)]
    const fn product(a: [u64; 4], b: [u64; 4]) -> [u64; 8] {
        let [b0, b1, b2, b3] = b;
        let (t0, [t1, t2, t3, t4]) = row([0; 4], a, b0);
        let (t1, [t2, t3, t4, t5]) = row([t1, t2, t3, t4], a, b1);
        let (t2, [t3, t4, t5, t6]) = row([t2, t3, t4, t5], a, b2);
        let (t3, [t4, t5, t6, t7]) = row([t3, t4, t5, t6], a, b3);
        [t0, t1, t2, t3, t4, t5, t6, t7]
    }

    /// a².
    #[inline(always)]
    const fn square(a: [u64; 4]) -> [u64; 8] {
        let [a0, a1, a2, a3] = a;
        // The products of different words, once.
        let (t1, c) = mac(0, a0, a1, 0);
        let (t2, c) = mac(0, a0, a2, c);
        let (t3, t4) = mac(0, a0, a3, c);
        let (t3, c) = mac(t3, a1, a2, 0);
        let (t4, t5) = mac(t4, a1, a3, c);
        let (t5, t6) = mac(t5, a2, a3, 0);
        // Twice, and the squares.
        let t7 = t6 >> 63;
        let t6 = t6 << 1 | t5 >> 63;
        let t5 = t5 << 1 | t4 >> 63;
        let t4 = t4 << 1 | t3 >> 63;
        let t3 = t3 << 1 | t2 >> 63;
        let t2 = t2 << 1 | t1 >> 63;
        let t1 = t1 << 1;
        let (t0, c) = mac(0, a0, a0, 0);
        let (t1, c) = add(t1, c, 0);
        let (t2, c) = mac(t2, a1, a1, c);
        let (t3, c) = add(t3, c, 0);
        let (t4, c) = mac(t4, a2, a2, c);
        let (t5, c) = add(t5, c, 0);
        let (t6, c) = mac(t6, a3, a3, c);
        let (t7, _) = add(t7, c, 0);
        [t0, t1, t2, t3, t4, t5, t6, t7]
    }

    /// t + a·b: the lowest word and the others.
    #[inline(always)]
    const fn row(t: [u64; 4], a: [u64; 4], b: u64) -> (u64, [u64; 4]) {
        let ([t0, t1, t2, t3], [a0, a1, a2, a3]) = (t, a);
        let (r0, carry) = mac(t0, a0, b, 0);
        let (r1, carry) = mac(t1, a1, b, carry);
        let (r2, carry) = mac(t2, a2, b, carry);
        let (r3, r4) = mac(t3, a3, b, carry);
        (r0, [r1, r2, r3, r4])
    }

    /// number - p if that is not negative, for a number of 257 bits below 2p.
    #[inline(always)]
    const fn reduce_once(number: [u64; 4], top: u64, p: [u64; 4]) -> [u64; 4] {
        let ([t0, t1, t2, t3], [p0, p1, p2, p3]) = (number, p);
        let (d0, borrow) = sub(t0, p0, 0);
        let (d1, borrow) = sub(t1, p1, borrow);
        let (d2, borrow) = sub(t2, p2, borrow);
        let (d3, borrow) = sub(t3, p3, borrow);
        let (_, borrow) = sub(top, 0, borrow);
        let keep = 0u64.wrapping_sub(borrow);
        [
            t0 & keep | d0 & !keep,
            t1 & keep | d1 & !keep,
            t2 & keep | d2 & !keep,
            t3 & keep | d3 & !keep,
        ]
    }
}

#[cfg(test)]
mod tests;
