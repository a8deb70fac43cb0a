//! A terminal for a program that is measured.

use std::{
    fs::File,
    io::{self, Read},
    process::{Child, Command},
    thread,
};

use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// Starts a program whose input and output are a new terminal of 80×24 characters. A thread reads what it prints until it ends.
pub(crate) fn spawn_on_terminal(command: &mut Command) -> io::Result<Child> {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&terminal)?;
    unlockpt(&terminal)?;
    let name = ptsname(&terminal, Vec::new())?;
    let theirs = File::from(open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?);
    tcsetwinsize(&theirs, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })?;
    command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
    let child = command.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs).spawn()?;
    // Closed with the command, so that the reader sees the end of the program.
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut output = File::from(terminal);
    thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while output.read(&mut bytes).is_ok_and(|count| count > 0) {}
    });
    Ok(child)
}
