//! The worst day, systematically: processes that die at every call, two at once in every order, hands that interfere
//! between any two calls, storms of errors, and properties over arbitrary worlds. docs/reliability.md says what is promised.
//!
//! Nothing here waits, reads a clock or goes beyond the loopback; what is random is seeded.

#[cfg(test)]
mod crash;
#[cfg(test)]
mod direct;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod stage;
