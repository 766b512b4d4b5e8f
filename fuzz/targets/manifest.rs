//! Hands libFuzzer's bytes to `pinfold_fuzz::manifest`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pinfold_fuzz::manifest(data));
