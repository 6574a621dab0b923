//! The curves that have no crate of their own, built on the generic field and point arithmetic
//! of `primefield` and `primeorder`.

/// Defines one curve in a module of its own.
///
/// `uint` is an integer that holds the prime; p and n are written at its full width. The
/// multiplicative generators serve square roots only, which nothing here takes; a quadratic
/// non-residue is enough for them.
macro_rules! custom_curve {
    (
        $module:ident, $name:ident, $doc:expr,
        uint: $uint:ident, field_bytes: $size:ident, equation: $equation:ident,
        p: $p:expr, p_generator: $p_generator:expr,
        n: $n:expr, n_generator: $n_generator:expr,
        a: $a:expr, b: $b:expr, x: $x:expr, y: $y:expr $(,)?
    ) => {
        #[doc = $doc]
        pub(super) mod $module {
            use elliptic_curve::bigint::{Odd, $uint as Uint};
            use elliptic_curve::hazmat::FieldArithmetic;
            use elliptic_curve::{CurveArithmetic, PrimeCurveArithmetic};
            use primeorder::{PrimeCurveParams, mul_backend, point_arithmetic};

            use field::FieldElement;
            use scalar::Scalar;

            #[doc = $doc]
            #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd)]
            pub struct $name;

            /// The field the coordinates lie in.
            #[expect(
                deprecated,
                reason = "the macros of `primefield` use the old name of a method"
            )]
            mod field {
                use elliptic_curve::bigint::$uint as Uint;
                use elliptic_curve::ff::PrimeField;
                use elliptic_curve::ops::BatchInvert;
                use elliptic_curve::subtle::{Choice, ConstantTimeEq, CtOption};

                primefield::monty_field_params! {
                    name: FieldParams,
                    modulus: $p,
                    uint: Uint,
                    byte_order: primefield::ByteOrder::BigEndian,
                    multiplicative_generator: $p_generator,
                    doc: "Montgomery parameters of the field."
                }
                primefield::monty_field_element! {
                    name: FieldElement,
                    params: FieldParams,
                    uint: Uint,
                    doc: "Element of the field the coordinates lie in."
                }
                primefield::monty_field_arithmetic! {
                    name: FieldElement,
                    params: FieldParams,
                    uint: Uint
                }
                impl BatchInvert for FieldElement {}
            }

            /// The numbers modulo the order of the curve.
            #[expect(
                deprecated,
                reason = "the macros of `primefield` use the old name of a method"
            )]
            mod scalar {
                use super::$name;
                use elliptic_curve::FieldBytes;
                use elliptic_curve::bigint::{Odd, $uint as Uint};
                use elliptic_curve::ff::PrimeField;
                use elliptic_curve::ops::Reduce;
                use elliptic_curve::scalar::{FromUintUnchecked, IsHigh};
                use elliptic_curve::subtle::{
                    Choice, ConstantTimeEq, ConstantTimeGreater, CtOption,
                };
                use primeorder::wnaf;

                primefield::monty_field_params! {
                    name: ScalarParams,
                    modulus: $n,
                    uint: Uint,
                    byte_order: primefield::ByteOrder::BigEndian,
                    multiplicative_generator: $n_generator,
                    doc: "Montgomery parameters of the scalars."
                }
                primefield::monty_field_element! {
                    name: Scalar,
                    params: ScalarParams,
                    uint: Uint,
                    doc: "Number modulo the order of the curve."
                }
                primefield::monty_field_arithmetic! {
                    name: Scalar,
                    params: ScalarParams,
                    uint: Uint
                }
                elliptic_curve::scalar_impls!($name, Scalar);
                wnaf::impl_wnaf_size_for_scalar!(Scalar);

                impl AsRef<Scalar> for Scalar {
                    fn as_ref(&self) -> &Scalar {
                        self
                    }
                }

                impl FromUintUnchecked for Scalar {
                    type Uint = Uint;

                    fn from_uint_unchecked(uint: Uint) -> Self {
                        Self::from_uint_unchecked(uint)
                    }
                }

                impl IsHigh for Scalar {
                    fn is_high(&self) -> Choice {
                        const HALF: Uint = Odd::<Uint>::from_be_hex($n).as_ref().shr_vartime(1);
                        self.to_canonical().ct_gt(&HALF)
                    }
                }

                impl Reduce<Uint> for Scalar {
                    fn reduce(number: &Uint) -> Self {
                        Self(Reduce::reduce(number))
                    }
                }

                // By hand, because the macro of the crate serves only numbers that fill their
                // integer, and 224 and 320 bits do not.
                impl Reduce<FieldBytes<$name>> for Scalar {
                    fn reduce(bytes: &FieldBytes<$name>) -> Self {
                        Self::reduce(&elliptic_curve::field::bytes_to_uint::<$name>(bytes))
                    }
                }
            }

            impl elliptic_curve::Curve for $name {
                type FieldBytesSize = elliptic_curve::consts::$size;
                type Uint = Uint;
                const ORDER: Odd<Uint> = Odd::<Uint>::from_be_hex($n);
            }

            impl elliptic_curve::PrimeCurve for $name {}

            impl elliptic_curve::point::PointCompression for $name {
                const COMPRESS_POINTS: bool = false;
            }

            impl CurveArithmetic for $name {
                type AffinePoint = primeorder::AffinePoint<$name>;
                type ProjectivePoint = primeorder::ProjectivePoint<$name>;
                type Scalar = Scalar;
            }

            impl FieldArithmetic for $name {
                type FieldElement = FieldElement;
            }

            impl PrimeCurveArithmetic for $name {
                type CurveGroup = primeorder::ProjectivePoint<$name>;
            }

            impl PrimeCurveParams for $name {
                type PointArithmetic = point_arithmetic::$equation;
                type Backend = mul_backend::VariableOnly;

                const EQUATION_A: FieldElement = FieldElement::from_hex_vartime($a);
                const EQUATION_B: FieldElement = FieldElement::from_hex_vartime($b);
                const GENERATOR: (FieldElement, FieldElement) = (
                    FieldElement::from_hex_vartime($x),
                    FieldElement::from_hex_vartime($y),
                );
            }
        }
    };
}

custom_curve! {
    secp192k1, Secp192k1, "secp192k1.",
    uint: U192, field_bytes: U24, equation: EquationAIsZero,
    p: "fffffffffffffffffffffffffffffffffffffffeffffee37", p_generator: 3,
    n: "fffffffffffffffffffffffe26f2fc170f69466a74defd8d", n_generator: 2,
    a: "000000000000000000000000000000000000000000000000",
    b: "000000000000000000000000000000000000000000000003",
    x: "db4ff10ec057e9ae26b07d0280b7f4341da5d1b1eae06c7d",
    y: "9b2f2f6d9c5628a7844163d015be86344082aa88d95e2f9d",
}

custom_curve! {
    brainpoolp192r1, BrainpoolP192r1, "brainpoolP192r1.",
    uint: U192, field_bytes: U24, equation: EquationAIsGeneric,
    p: "c302f41d932a36cda7a3463093d18db78fce476de1a86297", p_generator: 3,
    n: "c302f41d932a36cda7a3462f9e9e916b5be8f1029ac4acc1", n_generator: 7,
    a: "6a91174076b1e0e19c39c031fe8685c1cae040e5c69a28ef",
    b: "469a28ef7c28cca3dc721d044f4496bcca7ef4146fbf25c9",
    x: "c0a0647eaab6a48753b033c56cb0f0900a2f5c4853375fd6",
    y: "14b690866abd5bb88b5f4828c1490002e6773fa2fa299b8f",
}

custom_curve! {
    brainpoolp224r1, BrainpoolP224r1, "brainpoolP224r1.",
    uint: U256, field_bytes: U28, equation: EquationAIsGeneric,
    p: "00000000d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff", p_generator: 3,
    n: "00000000d7c134aa264366862a18302575d0fb98d116bc4b6ddebca3a5a7939f", n_generator: 3,
    a: "68a5e62ca9ce6c1c299803a6c1530b514e182ad8b0042a59cad29f43",
    b: "2580f63ccfe44138870713b1a92369e33e2135d266dbb372386c400b",
    x: "0d9029ad2c7e5cf4340823b2a87dc68c9e4ce3174c1e6efdee12c07d",
    y: "58aa56f772c0726f24c6b89e4ecdac24354b9e99caa3f6d3761402cd",
}

custom_curve! {
    brainpoolp320r1, BrainpoolP320r1, "brainpoolP320r1.",
    uint: U384, field_bytes: U40, equation: EquationAIsGeneric,
    p: "0000000000000000d35e472036bc4fb7e13c785ed201e065f98fcfa6f6f40def4f92b9ec7893ec28fcd412b1f1b32e27", p_generator: 5,
    n: "0000000000000000d35e472036bc4fb7e13c785ed201e065f98fcfa5b68f12a32d482ec7ee8658e98691555b44c59311", n_generator: 3,
    a: "3ee30b568fbab0f883ccebd46d3f3bb8a2a73513f5eb79da66190eb085ffa9f492f375a97d860eb4",
    b: "520883949dfdbc42d3ad198640688a6fe13f41349554b49acc31dccd884539816f5eb4ac8fb1f1a6",
    x: "43bd7e9afb53d8b85289bcc48ee5bfe6f20137d10a087eb6e7871e2a10a599c710af8d0d39e20611",
    y: "14fdd05545ec1cc8ab4093247f77275e0743ffed117182eaa9c77877aaac6ac7d35245d1692e8ee1",
}

custom_curve! {
    brainpoolp512r1, BrainpoolP512r1, "brainpoolP512r1.",
    uint: U512, field_bytes: U64, equation: EquationAIsGeneric,
    p: concat!(
            "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330871",
            "7d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3"
        ), p_generator: 2,
    n: concat!(
            "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870",
            "553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069"
        ), n_generator: 7,
    a: concat!(
            "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc",
            "2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca"
        ),
    b: concat!(
            "3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a7",
            "2bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723"
        ),
    x: concat!(
            "81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098e",
            "ff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822"
        ),
    y: concat!(
            "7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111",
            "b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892"
        ),
}

custom_curve! {
    brainpoolp192t1, BrainpoolP192t1, "brainpoolP192t1.",
    uint: U192, field_bytes: U24, equation: EquationAIsMinusThree,
    p: "c302f41d932a36cda7a3463093d18db78fce476de1a86297", p_generator: 3,
    n: "c302f41d932a36cda7a3462f9e9e916b5be8f1029ac4acc1", n_generator: 7,
    a: "c302f41d932a36cda7a3463093d18db78fce476de1a86294",
    b: "13d56ffaec78681e68f9deb43b35bec2fb68542e27897b79",
    x: "3ae9e58c82f63c30282e1fe7bbf43fa72c446af6f4618129",
    y: "097e2c5667c2223a902ab5ca449d0084b7e5b3de7ccc01c9",
}

custom_curve! {
    brainpoolp224t1, BrainpoolP224t1, "brainpoolP224t1.",
    uint: U256, field_bytes: U28, equation: EquationAIsMinusThree,
    p: "00000000d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff", p_generator: 3,
    n: "00000000d7c134aa264366862a18302575d0fb98d116bc4b6ddebca3a5a7939f", n_generator: 3,
    a: "d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0fc",
    b: "4b337d934104cd7bef271bf60ced1ed20da14c08b3bb64f18a60888d",
    x: "6ab1e344ce25ff3896424e7ffe14762ecb49f8928ac0c76029b4d580",
    y: "0374e9f5143e568cd23f3f4d7c0d4b1e41c8cc0d1c6abd5f1a46db4c",
}

custom_curve! {
    brainpoolp320t1, BrainpoolP320t1, "brainpoolP320t1.",
    uint: U384, field_bytes: U40, equation: EquationAIsMinusThree,
    p: "0000000000000000d35e472036bc4fb7e13c785ed201e065f98fcfa6f6f40def4f92b9ec7893ec28fcd412b1f1b32e27", p_generator: 5,
    n: "0000000000000000d35e472036bc4fb7e13c785ed201e065f98fcfa5b68f12a32d482ec7ee8658e98691555b44c59311", n_generator: 3,
    a: "d35e472036bc4fb7e13c785ed201e065f98fcfa6f6f40def4f92b9ec7893ec28fcd412b1f1b32e24",
    b: "a7f561e038eb1ed560b3d147db782013064c19f27ed27c6780aaf77fb8a547ceb5b4fef422340353",
    x: "925be9fb01afc6fb4d3e7d4990010f813408ab106c4f09cb7ee07868cc136fff3357f624a21bed52",
    y: "63ba3a7a27483ebf6671dbef7abb30ebee084e58a0b077ad42a5a0989d1ee71b1b9bc0455fb0d2c3",
}

custom_curve! {
    brainpoolp512t1, BrainpoolP512t1, "brainpoolP512t1.",
    uint: U512, field_bytes: U64, equation: EquationAIsMinusThree,
    p: concat!(
            "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330871",
            "7d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3"
        ), p_generator: 2,
    n: concat!(
            "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870",
            "553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069"
        ), n_generator: 7,
    a: concat!(
            "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330871",
            "7d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f0"
        ),
    b: concat!(
            "7cbbbcf9441cfab76e1890e46884eae321f70c0bcb4981527897504bec3e36a6",
            "2bcdfa2304976540f6450085f2dae145c22553b465763689180ea2571867423e"
        ),
    x: concat!(
            "640ece5c12788717b9c1ba06cbc2a6feba85842458c56dde9db1758d39c0313d",
            "82ba51735cdb3ea499aa77a7d6943a64f7a3f25fe26f06b51baa2696fa9035da"
        ),
    y: concat!(
            "5b534bd595f5af0fa2c892376c84ace1bb4e3019b71634c01131159cae03cee9",
            "d9932184beef216bd71df2dadf86a627306ecff96dbb8bace198b61e00f8b332"
        ),
}
