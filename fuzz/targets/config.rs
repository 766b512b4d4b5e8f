//! Hands libFuzzer's bytes to `pinfold_fuzz::config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pinfold_fuzz::config(data));
