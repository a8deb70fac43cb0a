//! Completions for bash, which, unlike zsh and fish, has no descriptions of candidates.
//!
//! If there are several candidates and bash lists them, each is printed with its description behind it. Bash inserts
//! only what all candidates have in common, so no part of a description gets into the command line. A single candidate
//! is printed alone.
//!
//! The lines are read with `mapfile`: descriptions contain characters such as `[` and `*`, which an unquoted `$(…)` would
//! expand to names of files, or to nothing with `nullglob`.

use std::{env, ffi::OsString, io, io::Write, path::Path};

use clap::Command;
use clap_complete::{CompletionCandidate, engine::complete, env::EnvCompleter};
use unicode_width::UnicodeWidthStr;

use crate::present::terminal::described;

/// Width of the terminal if bash does not know it.
const DEFAULT_WIDTH: usize = 80;

/// The variables that the script sets: the index of the word at the cursor, the kind of completion, and the width.
const INDEX: &str = "_CODEX_CONNECTOR_INDEX";
const KIND: &str = "_CODEX_CONNECTOR_KIND";
const WIDTH: &str = "_CODEX_CONNECTOR_WIDTH";

/// The kinds of completion for which bash lists candidates instead of inserting them: TAB, `?` after it, and `!`.
const LISTING: [&str; 3] = ["9", "63", "33"];

const SCRIPT: &str = r#"
_clap_complete_NAME() {
    local words=("${COMP_WORDS[@]}")
    words[COMP_CWORD]="$2"
    local found
    COMPREPLY=()
    found=$( \
        _CODEX_CONNECTOR_INDEX="${COMP_CWORD}" \
        _CODEX_CONNECTOR_KIND="${COMP_TYPE}" \
        _CODEX_CONNECTOR_WIDTH="${COLUMNS}" \
        VAR="bash" \
        COMPLETER -- "${words[@]}" 2>/dev/null \
    ) || return 0
    [[ -z "$found" ]] || mapfile -t COMPREPLY <<< "$found"
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" != *[=/:] ]]; then
        compopt +o nospace 2>/dev/null
    fi
}
if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _clap_complete_NAME BIN
else
    complete -o nospace -o bashdefault -F _clap_complete_NAME BIN
fi
"#;

/// The adapter for bash.
#[derive(Debug)]
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        let completer = shlex::try_quote(completer).map_err(io::Error::other)?;
        let script = SCRIPT.replace("NAME", &name.replace('-', "_")).replace("BIN", bin);
        let script = script.replace("COMPLETER", &completer).replace("VAR=", &format!("{var}="));
        buf.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        cmd: &mut Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        let number = |name| env::var(name).ok().and_then(|text: String| text.parse::<usize>().ok());
        let index = number(INDEX).unwrap_or(args.len().saturating_sub(1));
        let candidates = complete(cmd, args, index, current_dir)?;
        let is_listing = env::var(KIND).is_ok_and(|kind| LISTING.contains(&kind.as_str()));
        let lines = lines(&candidates, is_listing, number(WIDTH).unwrap_or(DEFAULT_WIDTH));
        buf.write_all(lines.join("\n").as_bytes())
    }
}

/// The candidates as bash gets them.
fn lines(candidates: &[CompletionCandidate], is_listing: bool, width: usize) -> Vec<String> {
    let values: Vec<_> = candidates.iter().map(|candidate| candidate.get_value().to_string_lossy()).collect();
    let longest = values.iter().map(|value| value.width()).max().unwrap_or(0);
    let with_help = candidates.iter().zip(&values).map(|(candidate, value)| {
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        match is_listing && candidates.len() > 1 {
            true => described(value, longest, help.lines().next().unwrap_or_default(), width),
            false => value.to_string(),
        }
    });
    with_help.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_has_descriptions() {
        let of = |value: &str| CompletionCandidate::new(value).help(Some(format!("about {value}").into()));
        let both = [of("1a2b3c4d"), of("ls")];
        assert_eq!(lines(&both, true, 80), ["1a2b3c4d  (about 1a2b3c4d)", "ls        (about ls)"]);
        assert_eq!(lines(&both, true, 17), ["1a2b3c4d  (about…", "ls        (about…"]);
        assert_eq!(lines(&both, false, 80), ["1a2b3c4d", "ls"]);
        assert_eq!(lines(&both[..1], true, 80), ["1a2b3c4d"]);
    }

    /// Runs the script in bash with a completer that prints these lines, and returns what bash would offer.
    fn offered(option: &str, lines: &str) -> Option<String> {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let completer = dir.path().join("completer");
        let content = format!("#!/bin/sh\ncat <<'EOF'\n{lines}\nEOF\n");
        std::fs::write(&completer, content).expect("it is writable");
        let mut script = Vec::new();
        let run = format!("sh {}", completer.display());
        Bash.write_registration("VARIABLE", "a-name", "a-name", "COMMAND", &mut script).expect("memory is writable");
        let script = String::from_utf8(script).expect("it is text").replace("COMMAND", &run);
        let test = format!(
            "shopt -s {option}\n{script}\nCOMP_WORDS=(a-name rm ''); COMP_CWORD=2; COMP_TYPE=63\n\
             _clap_complete_a_name a-name '' rm\nprintf '<%s>' \"${{COMPREPLY[@]}}\""
        );
        let output = std::process::Command::new("bash").args(["--norc", "-c", &test]).current_dir(dir.path()).output();
        Some(String::from_utf8_lossy(&output.ok()?.stdout).into_owned())
    }

    #[test]
    fn descriptions_are_not_expanded_to_names_of_files() {
        for option in ["failglob", "nullglob", "extglob"] {
            let Some(offered) = offered(option, "1a2b3c4d  (fix [a] * ?)\n5e6f7a8b  (all *)") else { return };
            assert_eq!(offered, "<1a2b3c4d  (fix [a] * ?)><5e6f7a8b  (all *)>", "{option}");
        }
    }
}
