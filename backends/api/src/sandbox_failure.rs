//! Recognizes the output of a sandbox that failed to start.

use crate::Warning;

/// Parts of such output, in lower case, from bubblewrap, Codex's own helper (0.44 to 0.171), and `sandbox-exec` of
/// macOS.
const CANNOT_START: [&str; 8] = [
    "bwrap: ",
    "bubblewrap is unavailable",
    "failed rtm_newaddr",
    "failed rtm_newlink",
    "needs access to create user namespaces",
    "landlockrestrict",
    "error running landlock",
    "sandbox_apply: operation not permitted",
];

/// Maximum length of a text that is searched, in bytes. A sandbox that cannot start prints only a line or two.
const MAX_SEARCHED_BYTES: usize = 2_000;

/// A warning if `text` is the output of a sandbox that failed to start. It quotes the line that shows this.
///
/// Agents sandbox their commands with the same few programs. In a container without user namespaces, every command of
/// Codex fails in this way before it begins.
pub fn sandbox_failure(text: &str) -> Option<Warning> {
    if text.len() > MAX_SEARCHED_BYTES {
        return None;
    }
    let line = text.lines().find(|line| {
        let line = line.to_lowercase();
        CANNOT_START.iter().any(|words| line.contains(words))
    })?;
    Some(Warning {
        message: format!("the agent's sandbox could not start: {}", line.trim()),
        advice: Some(
            "install bubblewrap and allow user namespaces on this machine (for a container, run it without the seccomp \
             profile that forbids them), or ask for `danger-full-access` if the container is sandbox enough"
                .to_owned(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_real_sandboxes_is_recognized_and_other_failures_are_not() {
        for said in [
            "bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)\n",
            "bwrap: No permissions to create a new namespace, likely because the kernel does not allow non-privileged \
             user namespaces. On e.g. debian this can be enabled with 'sysctl kernel.unprivileged_userns_clone=1'.\n",
            "bwrap: setting up uid map: Permission denied",
            "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted",
            "bubblewrap is unavailable: no system bwrap was found on PATH and no bundled bwrap binary was found",
            "thread 'main' panicked at linux_run_main.rs:30:9:\nerror running landlock: Sandbox(LandlockRestrict)",
            "sandbox-exec: sandbox_apply: Operation not permitted",
        ] {
            let warning = sandbox_failure(said).unwrap_or_else(|| panic!("{said}"));
            assert!(warning.advice.is_some() && warning.message.starts_with("the agent's sandbox could not start: "));
        }
        for said in [
            "",
            "touch: cannot touch 'x': Read-only file system",
            "make: *** [all] Error 2",
            "WARNING: proceeding, even though we could not update PATH",
            &format!("{}bwrap: no", "x\n".repeat(MAX_SEARCHED_BYTES)),
        ] {
            assert_eq!(sandbox_failure(said), None, "{said}");
        }
    }
}
