//! See `hsm2_attack::targets::device`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hsm2_attack::targets::device(input));
