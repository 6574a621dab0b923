//! In place of [`super::ifma`] on processors that are not x86-64.

use std::convert::Infallible;

use zeroize::Zeroizing;

use super::montgomery::{Modulus, Words};

/// There is none.
pub(super) struct Pair<const N: usize, const L: usize>(Infallible);

impl<const N: usize, const L: usize> Pair<N, L> {
    /// `None`.
    pub(super) fn new(_moduli: [&Modulus<N>; 2]) -> Option<Self> {
        None
    }

    /// Never called.
    pub(super) fn power(
        &self,
        _moduli: [&Modulus<N>; 2],
        _bases: [&Words<N>; 2],
        _exponents: [&Words<N>; 2],
    ) -> Zeroizing<[Words<N>; 2]> {
        match self.0 {}
    }
}
