//! Fault injection: tests use it to simulate a power cut, a kill or a full disk between any two writes.
//!
//! Every operation of the store passes a named [`point`]. In test builds, the variable `CONNECTOR_FAULT` has the form
//! `ROLE:WHAT@WHERE`:
//!
//! - ROLE: `supervise`, or `serve` for every other role.
//! - WHAT: `kill`, or the name of an operating system error, such as `ENOSPC`.
//! - WHERE: the number of a point, counted from 1 in the order in which they are passed; `NUMBER-` for that point and
//!   all later ones; or a name, for all points with that name.
//!
//! For each point, a line `ROLE:NAME` is appended to the file named by `CONNECTOR_FAULT_POINTS`. Release builds contain
//! none of this.

use std::io;

#[cfg(not(feature = "test-fakes"))]
#[inline]
pub(super) fn point(_name: &'static str) -> io::Result<()> {
    Ok(())
}

#[cfg(feature = "test-fakes")]
pub(super) fn point(name: &'static str) -> io::Result<()> {
    faulty::point(name)
}

#[cfg(feature = "test-fakes")]
mod faulty {
    use std::{
        env,
        fs::OpenOptions,
        io::{self, Write},
        path::{Path, PathBuf},
        sync::{
            OnceLock,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use rustix::{
        io::Errno,
        process::{Signal, getpid, kill_process},
    };

    enum FaultKind {
        Kill,
        Fail(Errno),
    }

    enum FaultPoint {
        At(usize),
        From(usize),
        Named(String),
    }

    static REPORT_TO: OnceLock<Option<PathBuf>> = OnceLock::new();
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    static FAULT: OnceLock<Option<(FaultKind, FaultPoint)>> = OnceLock::new();

    pub(super) fn point(name: &'static str) -> io::Result<()> {
        if let Some(report) = REPORT_TO.get_or_init(|| env::var_os("CONNECTOR_FAULT_POINTS").map(PathBuf::from)) {
            append_to(report, name)?;
        }
        let Some((kind, target)) = FAULT.get_or_init(|| parse(&env::var("CONNECTOR_FAULT").ok()?)) else {
            return Ok(());
        };
        let number = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
        let is_here = match target {
            FaultPoint::At(at) => number == *at,
            FaultPoint::From(from) => number >= *from,
            FaultPoint::Named(wanted) => name == wanted,
        };
        match kind {
            _ if !is_here => Ok(()),
            FaultKind::Fail(errno) => Err((*errno).into()),
            FaultKind::Kill => {
                let _ = kill_process(getpid(), Signal::KILL);
                Ok(())
            }
        }
    }

    fn append_to(report: &Path, name: &str) -> io::Result<()> {
        let role = if is_supervisor() { "supervise" } else { "serve" };
        OpenOptions::new().create(true).append(true).open(report)?.write_all(format!("{role}:{name}\n").as_bytes())
    }

    fn is_supervisor() -> bool {
        env::args_os().nth(1).is_some_and(|verb| verb == "supervise")
    }

    /// Returns `None` if the fault is for another role or cannot be parsed.
    fn parse(fault: &str) -> Option<(FaultKind, FaultPoint)> {
        let (role, fault) = fault.split_once(':')?;
        if is_supervisor() != (role == "supervise") {
            return None;
        }
        let (kind, target) = fault.split_once('@')?;
        let kind = match kind {
            "kill" => FaultKind::Kill,
            "ENOSPC" => FaultKind::Fail(Errno::NOSPC),
            "EFBIG" => FaultKind::Fail(Errno::FBIG),
            "EROFS" => FaultKind::Fail(Errno::ROFS),
            "EMFILE" => FaultKind::Fail(Errno::MFILE),
            "EDQUOT" => FaultKind::Fail(Errno::DQUOT),
            "EIO" => FaultKind::Fail(Errno::IO),
            "ENOLCK" => FaultKind::Fail(Errno::NOLCK),
            _ => return None,
        };
        let target = match (target.parse(), target.strip_suffix('-').map(str::parse)) {
            (Ok(number), _) => FaultPoint::At(number),
            (_, Some(Ok(number))) => FaultPoint::From(number),
            _ => FaultPoint::Named(target.to_owned()),
        };
        Some((kind, target))
    }
}
