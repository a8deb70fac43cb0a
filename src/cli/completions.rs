//! `completions`: prints a script for a shell. On TAB, the script asks this program what can be typed.
//!
//! The script runs `CODEX_CONNECTOR_COMPLETE=<shell> codex-connector -- <words>`. Such a call prints candidates and does
//! nothing else. On any error, it prints nothing, because its output appears in the line that a person is typing.

use std::{env, ffi::OsString, io::Write, path::PathBuf, process::ExitCode};

use clap::{Args, Command, ValueEnum};
use clap_complete::env::{EnvCompleter, Fish, Zsh};

use super::{
    bash::Bash,
    candidates::with_candidates,
    output::{fail, print_bytes},
};
use crate::{config::Overrides, registry::Registry};

/// The variable that asks for candidates.
const VARIABLE: &str = "CODEX_CONNECTOR_COMPLETE";

/// The name under which people run this program.
const PROGRAM: &str = "codex-connector";

const EXAMPLES: &str = "\
To use completions in every new shell:
  bash:  echo 'source <(codex-connector completions bash)' >> ~/.bashrc
  zsh:   echo 'source <(codex-connector completions zsh)' >> ~/.zshrc     (below `compinit`, if it is there)
  fish:  codex-connector completions fish > ~/.config/fish/completions/codex-connector.fish";

/// The arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// A shell with completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &Bash,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
        }
    }
}

/// Prints the script for a shell.
pub(super) fn run(arguments: &Arguments, args: &[OsString]) -> ExitCode {
    let mut script = Vec::new();
    // A path in the command line leads to a program that may not be on PATH.
    let named = args.first().map(PathBuf::from).filter(|program| program.components().count() > 1);
    let own = named.and_then(|_| env::current_exe().ok());
    let program = own.map_or_else(|| PROGRAM.to_owned(), |own| own.to_string_lossy().into_owned());
    let completer = arguments.shell.completer();
    match completer.write_registration(VARIABLE, PROGRAM, PROGRAM, &program, &mut script) {
        Ok(()) if arguments.shell == Shell::Zsh => print_bytes(with_compinit(&script).as_bytes()).into(),
        Ok(()) => print_bytes(&script).into(),
        Err(error) => fail(error.to_string()),
    }
}

/// The script for zsh, which starts zsh's completion system if the user's `.zshrc` has not. Without it, there is no
/// `compdef`. `-i` leaves out insecure directories instead of asking about them.
fn with_compinit(script: &[u8]) -> String {
    const START: &str = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }\n";
    let script = String::from_utf8_lossy(script);
    // The first line must stay the first one, for those who keep the script in a directory of `fpath`.
    match script.rfind("\ncompdef ") {
        Some(at) => format!("{}\n{START}{}", &script[..at], &script[at + 1..]),
        None => script.into_owned(),
    }
}

/// Prints candidates if a script asks for them; otherwise returns `None`.
pub(super) fn answer(registry: &Registry, command: fn() -> Command, args: &[OsString]) -> Option<ExitCode> {
    let name = env::var(VARIABLE).ok()?;
    let shell = Shell::from_str(&name, false).ok()?;
    let [_, separator, words @ ..] = args else { return None };
    if separator != "--" {
        return None;
    }
    let mut command = with_candidates(command(), registry, &overrides(words));
    command.build();
    let mut candidates = Vec::new();
    let here = env::current_dir().ok();
    if shell.completer().write_complete(&mut command, words.to_vec(), here.as_deref(), &mut candidates).is_ok() {
        let _ = std::io::stdout().write_all(&candidates);
    }
    Some(ExitCode::SUCCESS)
}

/// The flags among the words so far that say where tasks are.
fn overrides(words: &[OsString]) -> Overrides {
    let mut overrides = Overrides::default();
    let mut words = words.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word, None),
        };
        if !["--config", "--data-dir", "--set"].contains(&flag) {
            continue;
        }
        let Some(value) = value.or_else(|| words.next()) else { break };
        match flag {
            "--config" => overrides.config_file = Some(value.into()),
            "--data-dir" => overrides.data_dir = Some(value.into()),
            _ => overrides.set.push(value.to_owned()),
        }
    }
    overrides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_for_zsh_starts_the_completion_system_if_it_must() {
        let mut script = Vec::new();
        Zsh.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script).expect("memory can be written");
        let script = with_compinit(&script);
        assert!(script.starts_with("#compdef codex-connector\n"), "{script}");
        let start = "\n(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }\ncompdef _clap";
        assert!(script.contains(start), "{script}");
    }

    #[test]
    fn flags_before_the_cursor_say_where_tasks_are() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let found = overrides(&words("x show --data-dir=/a --set k=v --config /c --data-dir"));
        assert_eq!(found.data_dir, Some("/a".into()));
        assert_eq!((found.set, found.config_file), (vec!["k=v".to_owned()], Some("/c".into())));
    }
}
