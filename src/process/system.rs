//! Checks for features of the operating system that this program requires.

/// `/proc` is missing or not readable.
#[derive(Debug, thiserror::Error)]
#[error("/proc is not mounted or not readable; it is needed to start supervisors and to find the processes of agents")]
pub struct ProcUnavailable;

impl ProcUnavailable {
    /// The next step for the user.
    pub fn next(&self) -> &'static str {
        "mount it (`mount -t proc proc /proc`), and make sure that no container or sandbox hides it from this program"
    }
}

/// Fails on Linux if `/proc` is not readable. Other systems do not need it.
pub fn check_proc() -> Result<(), ProcUnavailable> {
    if cfg!(target_os = "linux") && std::fs::read_link("/proc/self/exe").is_err() {
        Err(ProcUnavailable)
    } else {
        Ok(())
    }
}
