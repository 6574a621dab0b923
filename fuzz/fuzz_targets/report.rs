//! See `hsm2_attack::targets::report`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hsm2_attack::targets::report(input));
