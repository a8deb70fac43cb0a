//! Processes that fork faster than they can be killed: many instances of this program.
//!
//! In a *chain*, each member starts its successor and exits, so that a list of processes is always out of date. In a
//! *storm*, each member starts others, which start others in turn, as fast as they can, and all of them sleep.
//!
//! ```text
//! chain:  1 ─▶ 2 ─▶ 3 ─▶ …              one process at a time
//! storm:  1 ─▶ 2, 3, 4;  2 ─▶ 5, 6; …   all of them at the same time
//! ```
//!
//! Both are limited in number and lifetime, whatever happens to them. Members are found by their mark, which is one of
//! their arguments and the path of a file. Each member of a chain writes its PID to that file, and the chain ends if
//! it cannot.

use std::{
    fs, io,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::setsid;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{FakeAgentError, interrupt};

/// The first argument of the role. The others are the shape, the ways of hiding, the mark, the end (in milliseconds
/// since 1970), and the maximum number of further members.
pub(crate) const ROLE: &str = "__swarm";

/// Limits on the lifetime and the size of a swarm.
const MAX_LIFETIME: Duration = Duration::from_secs(60);
const MAX_CHAIN_LENGTH: u64 = 100_000;
const MAX_STORM_MEMBERS: u64 = 200;

/// How the members start each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SwarmShape {
    Chain,
    Storm,
}

/// How each member hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hiding {
    /// It runs in its own session.
    pub(crate) setsid: bool,
    /// It ignores SIGTERM.
    pub(crate) ignore_term: bool,
    /// It ignores SIGINT.
    pub(crate) ignore_int: bool,
}

/// The rest of a swarm: one member and those after it.
#[derive(Debug, Clone)]
pub(crate) struct Swarm {
    shape: SwarmShape,
    hiding: Hiding,
    mark: String,
    end: u128,
    left: u64,
}

impl Swarm {
    /// A swarm of `count` members, or of the maximum number.
    pub(crate) fn new(shape: SwarmShape, hiding: Hiding, mark: &str, lifetime: Duration, count: Option<u64>) -> Swarm {
        let max = match shape {
            SwarmShape::Chain => MAX_CHAIN_LENGTH,
            SwarmShape::Storm => MAX_STORM_MEMBERS,
        };
        let end = now() + lifetime.min(MAX_LIFETIME).as_millis();
        Swarm { shape, hiding, mark: mark.to_owned(), end, left: count.unwrap_or(max).min(max) }
    }

    /// Starts the members that are children of this process.
    pub(crate) fn begin(mut self) -> io::Result<Vec<Child>> {
        let mut children = Vec::new();
        while self.left > 0 {
            let share = match self.shape {
                SwarmShape::Chain => self.left,
                SwarmShape::Storm => self.left.div_ceil(2),
            };
            self.left -= share;
            children.push(self.member(share - 1).spawn()?);
        }
        Ok(children)
    }

    /// The command line of a member that may start `left` more.
    fn member(&self, left: u64) -> Command {
        let shape = match self.shape {
            SwarmShape::Chain => "chain",
            SwarmShape::Storm => "storm",
        };
        let hiding = [(self.hiding.setsid, 's'), (self.hiding.ignore_term, 't'), (self.hiding.ignore_int, 'i')];
        let hiding: String = hiding.into_iter().filter_map(|(is_used, letter)| is_used.then_some(letter)).collect();
        let mut command = Command::new(program());
        command.args([ROLE, shape, &hiding, &self.mark, &self.end.to_string(), &left.to_string()]).stdin(Stdio::null());
        command
    }

    /// Parses a member's arguments; `None` if they are invalid.
    fn from_args(args: &[&str]) -> Option<Swarm> {
        let [shape, hiding, mark, end, left] = args else { return None };
        let shape = match *shape {
            "chain" => SwarmShape::Chain,
            "storm" => SwarmShape::Storm,
            _ => return None,
        };
        let hiding = Hiding {
            setsid: hiding.contains('s'),
            ignore_term: hiding.contains('t'),
            ignore_int: hiding.contains('i'),
        };
        Some(Swarm { shape, hiding, mark: (*mark).to_owned(), end: end.parse().ok()?, left: left.parse().ok()? })
    }
}

/// Runs this program in this role.
pub(crate) fn run_role(args: &[&str]) -> Result<ExitCode, FakeAgentError> {
    let swarm = Swarm::from_args(args)
        .ok_or_else(|| FakeAgentError::Script(format!("{args:?} are not the arguments of a swarm member")))?;
    if swarm.hiding.setsid {
        setsid()?;
    }
    if swarm.hiding.ignore_term {
        interrupt::ignore(SIGTERM)?;
    }
    if swarm.hiding.ignore_int {
        interrupt::ignore(SIGINT)?;
    }
    let left = swarm.end.saturating_sub(now());
    if left == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let shape = swarm.shape;
    if shape == SwarmShape::Chain {
        fs::write(&swarm.mark, std::process::id().to_string())?;
    }
    let _members = swarm.begin()?;
    if shape == SwarmShape::Storm {
        thread::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(MAX_LIFETIME));
    }
    Ok(ExitCode::SUCCESS)
}

/// This program. Where possible, its path is not looked up, because every member would have to do so.
fn program() -> std::path::PathBuf {
    if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe().unwrap_or_default() }
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAYS: Hiding = Hiding { setsid: true, ignore_term: false, ignore_int: true };

    #[test]
    fn a_member_parses_its_arguments() {
        let swarm = Swarm::new(SwarmShape::Storm, WAYS, "/marks/a", Duration::from_secs(5), Some(7));
        let command = swarm.member(3);
        let args: Vec<&str> = command.get_args().filter_map(|arg| arg.to_str()).collect();
        let member = Swarm::from_args(&args[1..]).expect("a member can parse its own arguments");
        assert_eq!((args[0], member.shape, member.hiding, member.left), (ROLE, SwarmShape::Storm, WAYS, 3));
        assert_eq!((member.mark, member.end), (swarm.mark, swarm.end));
    }

    #[test]
    fn swarms_are_limited_in_size_and_lifetime() {
        let swarm = Swarm::new(SwarmShape::Storm, WAYS, "x", Duration::from_secs(1_000_000), Some(1_000_000));
        assert_eq!(swarm.left, MAX_STORM_MEMBERS);
        assert!(swarm.end <= now() + MAX_LIFETIME.as_millis());
    }
}
