//! See `hsm2_attack::targets::records`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hsm2_attack::targets::records(input));
