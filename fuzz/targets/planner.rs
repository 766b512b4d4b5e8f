//! Hands libFuzzer's bytes to `pinfold_fuzz::planner`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pinfold_fuzz::planner(data));
