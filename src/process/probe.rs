//! Asking a program a short question.

use std::{collections::BTreeMap, ffi::OsString, io, path::Path, pin::pin, process::Stdio, time::Duration};

use connector_api::{ProbeAnswer, ProbeCommand};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    time::timeout,
};

use super::{agent::exit, tree};

/// The longest that a program may take to answer.
const PROBE_DEADLINE: Duration = Duration::from_secs(10);

/// As much as is read of an answer, from stdout and from stderr: 1 MiB each.
const MOST: u64 = 1 << 20;

/// How long output is read for after the program has ended: something that it started may hold its pipes.
const DRAIN: Duration = Duration::from_millis(500);

/// Runs `program` with the arguments of `question`, an empty stdin and this environment, and returns what it said.
///
/// Fails with [`ProbeError`] when it cannot be started or does not end in 10 s. It is killed then, and also when the
/// wait for it is dropped.
pub async fn probe(
    program: &Path,
    question: &ProbeCommand,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<ProbeAnswer, ProbeError> {
    let not_started = |error| ProbeError::NotStarted { program: program.display().to_string(), error };
    let mut child = Command::new(program)
        .args(&question.args)
        .env_clear()
        .envs(environment)
        .current_dir("/")
        .env("PWD", "/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(not_started)?;
    let group = Group(child.id());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let status = {
        let pipes = (child.stdout.take(), child.stderr.take());
        let mut reading = pin!(async { tokio::join!(read(pipes.0, &mut stdout), read(pipes.1, &mut stderr)) });
        let mut is_read = false;
        let ended = timeout(PROBE_DEADLINE, async {
            loop {
                tokio::select! {
                    _ = &mut reading, if !is_read => is_read = true,
                    status = child.wait() => return status,
                }
            }
        });
        let status = ended.await;
        if status.is_ok() && !is_read {
            let _ = timeout(DRAIN, reading).await;
        }
        status
    };
    match status {
        Ok(status) => {
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let exit = exit(status.map_err(not_started)?);
            group.let_go();
            Ok(ProbeAnswer { args: question.args.clone(), exit, stdout: text(stdout), stderr: text(stderr) })
        }
        Err(_) => {
            let words = std::iter::once(program.display().to_string()).chain(question.args.iter().cloned());
            Err(ProbeError::NoAnswer { question: words.collect::<Vec<_>>().join(" ") })
        }
    }
}

/// The process group of a probe, killed when this is dropped.
struct Group(Option<u32>);

impl Group {
    /// Its leader was waited for: what its pid means now is not known.
    fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            tree::kill_group(leader);
        }
    }
}

/// What was read before an error is all there is to understand.
async fn read(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    if let Some(stream) = stream {
        let _ = stream.take(MOST).read_to_end(into).await;
    }
}

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The operating system did not start it.
    #[error("cannot start {program}: {error}")]
    NotStarted {
        /// The program's path.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// It did not end in time.
    #[error("`{question}` did not end within 10 s")]
    NoAnswer {
        /// The command line.
        question: String,
    },
}
