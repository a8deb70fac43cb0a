//! Opens an address in a person's browser.

use std::{
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    thread,
};

/// The program that knows the person's browser.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Opens an address in the browser, without a shell and without waiting. Calls `failed` on another thread if there is no
/// program for it, or if it reports a failure.
///
/// On most systems, other users can see the arguments of programs for as long as they run. So the address must not be a
/// lasting secret.
pub fn open_in_browser(address: &str, failed: impl FnOnce() + Send + 'static) {
    let mut opener = Command::new(OPENER);
    opener.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C is for this program, not for a browser that it started.
    opener.process_group(0);
    match opener.spawn() {
        Ok(mut child) => drop(thread::spawn(move || {
            if !child.wait().is_ok_and(|status| status.success()) {
                failed();
            }
        })),
        Err(_) => failed(),
    }
}
