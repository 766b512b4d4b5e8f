//! Pinfold keeps AWS Lambda functions and aliases at the versions that Git names.

pub mod sandbox;
