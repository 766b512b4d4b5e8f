//! The bytes are the daemon's configuration: it is sound, or every fault has its message and its place.

use std::path::Path;

use pinfold::config::{Config, ConfigError};

use super::text::{check_message, check_place};

/// Reads the bytes as a configuration.
///
/// # Panics
///
/// Something does not hold.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parse = || Config::parse(text, Path::new("/etc/pinfold"), "pinfold.yaml");
    let first = parse();
    assert_eq!(
        format!("{first:?}"),
        format!("{:?}", parse()),
        "the same text says the same"
    );
    match first {
        Ok(config) => check(&config),
        Err(ConfigError::Faults(faults)) => {
            assert!(!faults.is_empty(), "refused without a reason");
            for fault in faults {
                assert_eq!(fault.file, "pinfold.yaml");
                check_message(&fault.message);
                check_place(text, fault.line, fault.column);
            }
        }
        Err(ConfigError::Read { .. }) => panic!("nothing was read"),
    }
}

/// What the daemon relies on without looking again.
fn check(config: &Config) {
    assert!(!config.targets.is_empty());
    let limits = &config.limits;
    for rate in [limits.get_function_per_second, limits.control_plane_per_second] {
        assert!(rate.is_finite() && rate >= 0.1, "{rate}");
    }
    for (number, one) in config.targets.iter().enumerate() {
        assert!(one.target.region.is_some() && !one.target.functions.is_empty());
        let path = &one.target.path;
        assert!(
            !path.starts_with('/') && !path.ends_with('/') && !path.split('/').any(|part| part == ".."),
            "{path}"
        );
        let before = &config.targets[..number];
        assert!(
            before.iter().all(|other| other.target.name != one.target.name),
            "two of one name"
        );
    }
    if let Some(repository) = &config.repository {
        let seconds = repository.timeout.as_secs();
        assert!((1..=600).contains(&seconds), "{seconds}");
    }
}
