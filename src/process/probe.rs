//! Asking a program a short question.

use std::{collections::BTreeMap, ffi::OsString, io, path::Path, process::Stdio, time::Duration};

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

/// Runs `program` with the arguments of `question`, an empty stdin and this environment, and returns what it said.
///
/// Fails with [`ProbeError`] when it cannot be started or does not end in 10 s; it is stopped then.
pub async fn probe(
    program: &Path,
    question: &ProbeCommand,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<ProbeAnswer, ProbeError> {
    let mut child = Command::new(program)
        .args(&question.args)
        .env_clear()
        .envs(environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| ProbeError::NotStarted { program: program.display().to_string(), error })?;
    let group = child.id().expect("a child that was not waited for has a pid");
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let answer = timeout(PROBE_DEADLINE, async {
        let (stdout, stderr) = tokio::join!(text(stdout), text(stderr));
        child.wait().await.map(|status| (status, stdout, stderr))
    })
    .await;
    match answer {
        Ok(Ok((status, stdout, stderr))) => {
            Ok(ProbeAnswer { args: question.args.clone(), exit: exit(status), stdout, stderr })
        }
        Ok(Err(error)) => Err(ProbeError::NotStarted { program: program.display().to_string(), error }),
        Err(_) => {
            tree::kill_group(group);
            let _ = child.wait().await;
            let question = std::iter::once(program.display().to_string()).chain(question.args.iter().cloned());
            Err(ProbeError::NoAnswer { question: question.collect::<Vec<_>>().join(" ") })
        }
    }
}

async fn text(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What was read before an error is all there is to understand.
        let _ = stream.take(MOST).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
