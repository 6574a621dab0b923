use elliptic_curve::ff::PrimeField;
use elliptic_curve::hazmat::FieldArithmetic;
use proptest::prelude::*;

use super::{BrainpoolP256, Secp256r1};

type FieldOf<C> = <C as FieldArithmetic>::FieldElement;

/// The edges: 0, 1, words of ones and zeros, and those around both primes.
fn numbers() -> impl Strategy<Value = [u8; 32]> {
    let word = prop_oneof![
        Just(0u64),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX - 1),
        any::<u64>()
    ];
    let words = [word.clone(), word.clone(), word.clone(), word];
    let random = words.prop_map(|words| words.map(u64::to_be_bytes).concat());
    let largest = prop_oneof![
        Just((-Secp256r1::ONE).to_repr()),
        Just((-BrainpoolP256::ONE).to_repr())
    ];
    let near = (largest, -3i8..3).prop_map(|(bytes, by)| {
        let mut bytes = bytes.to_vec();
        bytes[31] = bytes[31].wrapping_add_signed(by);
        bytes
    });
    prop_oneof![9 => random, 1 => near].prop_map(|bytes| bytes.try_into().unwrap())
}

fn read<F: PrimeField>(bytes: [u8; 32]) -> Option<F>
where
    [u8; 32]: Into<F::Repr>,
{
    F::from_repr(bytes.into()).into()
}

/// Every operation gives what the field of a crate gives.
fn agree<F, Reference>(a: [u8; 32], b: [u8; 32]) -> Result<(), TestCaseError>
where
    F: PrimeField,
    Reference: PrimeField<Repr = F::Repr>,
    F::Repr: PartialEq + std::fmt::Debug,
    [u8; 32]: Into<F::Repr>,
{
    let (ours, theirs) = (read::<F>(a), read::<Reference>(a));
    prop_assert_eq!(ours.is_some(), theirs.is_some());
    let other = (read::<F>(b), read::<Reference>(b));
    let (Some(x), Some(y), (Some(u), Some(v))) = (ours, theirs, other) else {
        return Ok(());
    };
    prop_assert_eq!((x * u).to_repr(), (y * v).to_repr());
    prop_assert_eq!((x + u).to_repr(), (y + v).to_repr());
    prop_assert_eq!((x - u).to_repr(), (y - v).to_repr());
    prop_assert_eq!((-x).to_repr(), (-y).to_repr());
    prop_assert_eq!(x.square().to_repr(), y.square().to_repr());
    prop_assert_eq!(x.double().to_repr(), y.double().to_repr());
    // Both fields keep Montgomery form; long chains keep the words spread out.
    let mut chains = (x, y);
    for _ in 0..20 {
        chains = (
            chains.0.square() * u - chains.0,
            chains.1.square() * v - chains.1,
        );
    }
    prop_assert_eq!(chains.0.to_repr(), chains.1.to_repr());
    match Option::<F>::from(x.invert()) {
        Some(inverse) => prop_assert_eq!(inverse * x, F::ONE),
        None => prop_assert_eq!(x, F::ZERO),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn secp256r1_agrees_with_the_field_of_its_crate(a in numbers(), b in numbers()) {
        agree::<Secp256r1, FieldOf<p256::NistP256>>(a, b)?;
    }

    #[test]
    fn brainpool_agrees_with_the_field_of_its_crate(a in numbers(), b in numbers()) {
        agree::<BrainpoolP256, FieldOf<bp256::BrainpoolP256r1>>(a, b)?;
    }
}
