//! See `hsm2_attack::targets::trace`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hsm2_attack::targets::trace(input));
