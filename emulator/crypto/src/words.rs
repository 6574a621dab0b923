//! Arithmetic on words of 64 bits, of which larger numbers are made: inlined everywhere, in constant
//! time.

/// a + b + carry: low word and carry.
#[inline(always)]
pub(crate) const fn add(a: u64, b: u64, carry: u64) -> (u64, u64) {
    split(a as u128 + b as u128 + carry as u128)
}

/// a - b - borrow: low word and borrow.
#[inline(always)]
pub(crate) const fn sub(a: u64, b: u64, borrow: u64) -> (u64, u64) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(borrow);
    (difference, (first | second) as u64)
}

/// a + b·c + carry: low and high word.
#[inline(always)]
pub(crate) const fn mac(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    split(a as u128 + b as u128 * c as u128 + carry as u128)
}

/// Low and high word.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the parts are what is wanted"
)]
pub(crate) const fn split(number: u128) -> (u64, u64) {
    (number as u64, (number >> 64) as u64)
}
