use elliptic_curve::ff::{Field, PrimeField};
use elliptic_curve::hazmat::FieldArithmetic;
use proptest::prelude::*;

use super::FieldElement;

type Reference = <p256::NistP256 as FieldArithmetic>::FieldElement;

/// The edges: 0, 1, p - 1, p - 2, and words of ones and zeros.
fn numbers() -> impl Strategy<Value = [u8; 32]> {
    let word = prop_oneof![
        Just(0u64),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX - 1),
        any::<u64>()
    ];
    [word.clone(), word.clone(), word.clone(), word].prop_map(|words| {
        let bytes = words.map(u64::to_be_bytes).concat();
        bytes.try_into().unwrap()
    })
}

fn read<F: PrimeField>(bytes: [u8; 32]) -> Option<F>
where
    [u8; 32]: Into<F::Repr>,
{
    F::from_repr(bytes.into()).into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn agrees_with_the_field_of_the_crate(a in numbers(), b in numbers()) {
        let (ours, theirs) = (read::<FieldElement>(a), read::<Reference>(a));
        prop_assert_eq!(ours.is_some(), theirs.is_some());
        let other = (read::<FieldElement>(b), read::<Reference>(b));
        if let (Some(x), Some(y), (Some(u), Some(v))) = (ours, theirs, other) {
            prop_assert_eq!((x * u).to_repr(), (y * v).to_repr());
            prop_assert_eq!((x + u).to_repr(), (y + v).to_repr());
            prop_assert_eq!((x - u).to_repr(), (y - v).to_repr());
            prop_assert_eq!((-x).to_repr(), (-y).to_repr());
            prop_assert_eq!(x.square().to_repr(), y.square().to_repr());
            prop_assert_eq!(Field::double(&x).to_repr(), Field::double(&y).to_repr());
            // Both fields keep Montgomery form; long chains keep the words spread out.
            let (mut x, mut y) = (x, y);
            for _ in 0..20 {
                (x, y) = (x.square() * u - x, y.square() * v - y);
            }
            prop_assert_eq!(x.to_repr(), y.to_repr());
        }
    }

    #[test]
    fn inverses_multiply_to_one(a in numbers()) {
        if let Some(x) = read::<FieldElement>(a) {
            match Option::<FieldElement>::from(Field::invert(&x)) {
                Some(inverse) => prop_assert_eq!(inverse * x, FieldElement::ONE),
                None => prop_assert_eq!(x, FieldElement::ZERO),
            }
        }
    }
}
