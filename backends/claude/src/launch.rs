//! Turns a request into the command line of `claude -p`.

use connector_api::{
    AgentRequest, Installed, Launch, ProgramSettings, PromptDelivery, Sandbox, StopSignal, Unsupported, slash_command,
};

/// The tools that only read.
const READ_TOOLS: &str = "Read,Grep,Glob,LS,NotebookRead,TodoWrite";

/// The tools that read and edit files. Without a user to ask, they refuse files outside the working directory.
const EDIT_TOOLS: &str = "Read,Grep,Glob,LS,NotebookRead,TodoWrite,Edit,MultiEdit,Write,NotebookEdit";

/// The command line for `request`, with options that `installed` lists.
pub(crate) fn launch(
    settings: &ProgramSettings,
    request: &AgentRequest,
    installed: &Installed,
) -> Result<Launch, Unsupported> {
    let found = format!("Claude Code {}", installed.version);
    request.check_not_blank("Claude Code")?;
    let mut args: Vec<String> =
        ["-p", "--output-format", "stream-json", "--verbose"].into_iter().map(str::to_owned).collect();
    args.extend(settings.extra_args.iter().cloned());
    args.extend(sandbox_args(request.sandbox, installed)?);
    if let Some(model) = request.model_to_pass(settings.model.as_deref())? {
        args.push(format!("--model={model}"));
    }
    if let Some(session) = request.uuid_to_resume(&found)? {
        if !installed.features.contains("--resume") {
            return Err(Unsupported::resume(session, &found, "its help does not list `--resume`"));
        }
        args.push(format!("--resume={session}"));
    }
    let prompt = if as_text(&request.prompt).is_some() { PromptDelivery::Session } else { PromptDelivery::Stdin };
    Ok(Launch { args, prompt, stop_signal: StopSignal::Interrupt })
}

/// The text to send instead of `prompt` if Claude Code would read it as a slash command, either a built-in one such as
/// `/clear` or one that the user or the project defines. With a leading space, it is plain text for the model (2.1.197,
/// 2.1.332).
pub(crate) fn as_text(prompt: &str) -> Option<String> {
    slash_command(prompt).map(|_| format!(" {prompt}"))
}

/// The options that enforce a sandbox. `read-only` and `workspace-write` also exclude the project's and the user's own
/// settings, which could allow more or run commands.
fn sandbox_args(sandbox: Sandbox, installed: &Installed) -> Result<Vec<String>, Unsupported> {
    if !installed.sandboxes.contains(&sandbox) {
        return Err(Unsupported::Sandbox {
            sandbox,
            found: format!("Claude Code {}", installed.version),
            why: "its help does not list the options that limit its tools".into(),
        });
    }
    let limited = |tools: &str, mode: &str| {
        vec![
            format!("--tools={tools}"),
            format!("--permission-mode={mode}"),
            "--strict-mcp-config".to_owned(),
            "--setting-sources=".to_owned(),
        ]
    };
    Ok(match sandbox {
        Sandbox::ReadOnly => limited(READ_TOOLS, "default"),
        Sandbox::WorkspaceWrite => limited(EDIT_TOOLS, "acceptEdits"),
        Sandbox::DangerFullAccess => vec!["--permission-mode=bypassPermissions".to_owned()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_looks_like_a_command_gets_a_leading_space_and_every_other_task_is_unchanged() {
        for prompt in ["/clear the build", "/help", "/mine x", "/dir:mine", "/nosuch do it"] {
            assert_eq!(as_text(prompt), Some(format!(" {prompt}")));
        }
        for prompt in ["/home/me/x.py has a bug", "/src/x.rs", "!ls", "// TODO", "fix /help", " /clear"] {
            assert_eq!(as_text(prompt), None, "{prompt:?}");
        }
    }
}
