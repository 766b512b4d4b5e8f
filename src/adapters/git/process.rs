//! libgit2's process-wide options, set once. The one file of the crate with unsafe code: libgit2 offers these no other way.

use std::ffi::CString;
use std::path::Path;
use std::sync::OnceLock;

use git2::{ConfigLevel, Error, opts};

/// How long one connection may take to come about.
const CONNECT_TIMEOUT_MS: i32 = 30_000;
/// How long a server may be silent. Not a deadline, as each byte starts it anew: that is the parent's, which kills the
/// whole process. Servers that are busy say so every few seconds.
const SILENCE_TIMEOUT_MS: i32 = 60_000;
/// Objects kept in memory: trees and commits of one walk. libgit2's own default is 256 MiB.
const CACHE_BYTES: isize = 16 * 1024 * 1024;
/// Largest object that a pack may unfold to. No large host takes a file over 100 MiB in a push, so this refuses
/// only packs that are made to fill the memory.
const MAX_OBJECT_BYTES: usize = 128 * 1024 * 1024;

/// Most of a pack that is mapped at once, and of all packs together: a part of the address space that a child has.
const MAPPED_AT_ONCE_BYTES: usize = 32 * 1024 * 1024;
const MAPPED_BYTES: usize = 1024 * 1024 * 1024;

/// Sets all options, the first time that it is called; afterwards returns what came of it.
///
/// `ca_file` is trusted beside the system's authorities. `home` is where libgit2 looks for `.ssh/known_hosts`.
///
/// # Errors
///
/// The file with the authorities cannot be read, which is the only one that the configuration can cause.
pub(super) fn prepare(ca_file: Option<&Path>, home: Option<&Path>) -> Result<(), String> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    DONE.get_or_init(|| set(ca_file, home)).clone()
}

#[expect(
    unsafe_code,
    reason = "process-wide options of libgit2; OnceLock lets one thread in, before any other has used libgit2"
)]
fn set(ca_file: Option<&Path>, home: Option<&Path>) -> Result<(), String> {
    let text = |error: Error| error.message().to_owned();
    // Nobody's global configuration may redirect a URL, name a proxy or run a helper.
    for level in [
        ConfigLevel::System,
        ConfigLevel::Global,
        ConfigLevel::XDG,
        ConfigLevel::ProgramData,
    ] {
        // SAFETY: see the reason above.
        unsafe { opts::set_search_path(level, "") }.map_err(text)?;
    }
    // SAFETY: see the reason above.
    unsafe {
        opts::set_server_connect_timeout_in_milliseconds(CONNECT_TIMEOUT_MS).map_err(text)?;
        opts::set_server_timeout_in_milliseconds(SILENCE_TIMEOUT_MS).map_err(text)?;
        opts::set_cache_max_size(CACHE_BYTES).map_err(text)?;
        opts::set_mwindow_size(MAPPED_AT_ONCE_BYTES).map_err(text)?;
        opts::set_mwindow_mapped_limit(MAPPED_BYTES).map_err(text)?;
        // The check keeps others from running their hooks and filters as us; nothing here runs either, and a
        // mounted repository often has another owner.
        opts::set_verify_owner_validation(false).map_err(text)?;
    }
    if let Some(file) = ca_file {
        // SAFETY: see the reason above.
        unsafe { opts::set_ssl_cert_file(file) }.map_err(|error| {
            let file = file.display();
            format!(
                "cannot read {file}: {}: give a PEM file in repository.caFile",
                error.message()
            )
        })?;
    }
    // SAFETY: the option takes one size_t, and returns no error.
    unsafe {
        let option = libgit2_sys::GIT_OPT_SET_PACK_MAX_OBJECT_SIZE.cast_signed();
        libgit2_sys::git_libgit2_opts(option, MAX_OBJECT_BYTES);
    }
    if let Some(home) = home.and_then(Path::to_str).and_then(|home| CString::new(home).ok()) {
        // SAFETY: the option takes one C string and copies it.
        unsafe {
            let option = libgit2_sys::GIT_OPT_SET_HOMEDIR.cast_signed();
            libgit2_sys::git_libgit2_opts(option, home.as_ptr());
        }
    }
    Ok(())
}
