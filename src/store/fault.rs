//! Faults on purpose: how tests find out what a power cut, a kill or a full disk does between any two writes.
//!
//! Every operation of the store passes a [`point`]. In a build for tests the variable `CONNECTOR_FAULT` says what happens
//! at which of them: `ROLE:WHAT@WHERE`, where ROLE is `supervise`, or `serve` for every other role; WHAT is `kill`, or the
//! name of an error of the operating system; and WHERE is the number of a point that was passed, `NUMBER-` for that one
//! and all that follow, or the name of a point for every one that is called so. The file
//! `CONNECTOR_FAULT_POINTS` gets a line `ROLE:NAME` for each point passed. In a release build none of this is there.

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
        if let Some(told) = REPORT_TO.get_or_init(|| env::var_os("CONNECTOR_FAULT_POINTS").map(PathBuf::from)) {
            tell(told, name)?;
        }
        let Some((what, place)) = FAULT.get_or_init(|| parse(&env::var("CONNECTOR_FAULT").ok()?)) else {
            return Ok(());
        };
        let number = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
        let is_here = match place {
            FaultPoint::At(at) => number == *at,
            FaultPoint::From(from) => number >= *from,
            FaultPoint::Named(wanted) => name == wanted,
        };
        match what {
            _ if !is_here => Ok(()),
            FaultKind::Fail(errno) => Err((*errno).into()),
            FaultKind::Kill => {
                let _ = kill_process(getpid(), Signal::KILL);
                Ok(())
            }
        }
    }

    fn tell(to: &Path, name: &str) -> io::Result<()> {
        let role = if is_supervisor() { "supervise" } else { "serve" };
        OpenOptions::new().create(true).append(true).open(to)?.write_all(format!("{role}:{name}\n").as_bytes())
    }

    fn is_supervisor() -> bool {
        env::args_os().nth(1).is_some_and(|verb| verb == "supervise")
    }

    /// `None`: it is not for this process.
    fn parse(fault: &str) -> Option<(FaultKind, FaultPoint)> {
        let (role, fault) = fault.split_once(':')?;
        if is_supervisor() != (role == "supervise") {
            return None;
        }
        let (what, place) = fault.split_once('@')?;
        let what = match what {
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
        let place = match (place.parse(), place.strip_suffix('-').map(str::parse)) {
            (Ok(number), _) => FaultPoint::At(number),
            (_, Some(Ok(number))) => FaultPoint::From(number),
            _ => FaultPoint::Named(place.to_owned()),
        };
        Some((what, place))
    }
}
