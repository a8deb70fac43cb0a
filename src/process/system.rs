//! The features of the operating system that this program cannot work without.

/// `/proc` is not there.
#[derive(Debug, thiserror::Error)]
#[error(
    "/proc is not mounted, or not readable: no supervisor can be started without it, and no process of an agent found"
)]
pub struct ProcUnavailable;

impl ProcUnavailable {
    /// What to do about it.
    pub fn next(&self) -> &'static str {
        "mount it (`mount -t proc proc /proc`); a container or sandbox around this program must not hide it"
    }
}

/// Fails on Linux when processes cannot be looked at. Elsewhere they are looked at in other ways.
pub fn check_proc() -> Result<(), ProcUnavailable> {
    if cfg!(target_os = "linux") && std::fs::read_link("/proc/self/exe").is_err() {
        Err(ProcUnavailable)
    } else {
        Ok(())
    }
}
