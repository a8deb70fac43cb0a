//! Ceilings: limits set by the machine's administrator on what a call may ask for.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use connector_api::{AgentRequest, NamePattern, Sandbox};
use serde::{Deserialize, Serialize};

use super::{AboveCeiling, ChosenBy, RuleOrigin, SandboxChoice, optional_millis, span};

/// The limits on calls to one backend, frozen at submit. The default has no limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ceiling {
    /// The most permissive sandbox that is allowed.
    pub sandbox: Sandbox,
    /// The directories, as absolute paths, in which agents may work; empty means anywhere.
    pub roots: Vec<PathBuf>,
    /// The longest time limit that is allowed; `None` means that a task needs no time limit.
    #[serde(with = "optional_millis")]
    pub timeout: Option<Duration>,
    /// The models that a call may name; empty means any.
    pub models: Vec<NamePattern>,
    /// Where each rule was set, by its key in `[ceiling]`.
    pub origins: BTreeMap<String, RuleOrigin>,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self {
            sandbox: Sandbox::DangerFullAccess,
            roots: vec![],
            timeout: None,
            models: vec![],
            origins: BTreeMap::new(),
        }
    }
}

/// The parts of a request that a ceiling limits.
#[derive(Debug, Clone)]
pub struct TaskRequest<'a> {
    /// Directory, sandbox and model.
    pub request: &'a AgentRequest,
    /// The source of the sandbox.
    pub sandbox_by: SandboxChoice,
    /// The time limit; `None` means unlimited, which exceeds any ceiling.
    pub timeout: Option<Duration>,
    /// Whether the call or the default chose the time limit.
    pub timeout_by: ChosenBy,
}

impl Ceiling {
    /// Succeeds if the request is within the ceiling. `found` is the real path of the requested directory, taken from
    /// the descriptor that the agent gets.
    ///
    /// `real` resolves the symbolic links in a root. A root that cannot be resolved admits nothing.
    pub fn admit(
        &self,
        asked: TaskRequest<'_>,
        found: &Path,
        real: impl Fn(&Path) -> io::Result<PathBuf>,
    ) -> Result<(), AboveCeiling> {
        let request = asked.request;
        if request.sandbox > self.sandbox {
            return Err(AboveCeiling::Sandbox {
                asked: request.sandbox,
                by: asked.sandbox_by,
                max: self.sandbox,
                rule: self.rule("sandbox"),
            });
        }
        if let Some(max) = self.timeout
            && asked.timeout.is_none_or(|timeout| timeout > max)
        {
            let rule = self.rule("timeout");
            return Err(AboveCeiling::Timeout { asked: asked.timeout, by: asked.timeout_by, max, rule });
        }
        if let Some(model) = &request.model
            && !self.models.is_empty()
            && !self.models.iter().any(|allowed| allowed.matches(model))
        {
            let allowed = self.models.iter().map(|allowed| allowed.0.as_str()).collect::<Vec<_>>().join(", ");
            return Err(AboveCeiling::Model { asked: model.clone(), allowed, rule: self.rule("models") });
        }
        let is_inside = |root: &PathBuf| real(root).is_ok_and(|root| found.starts_with(root));
        if self.roots.is_empty() || self.roots.iter().any(is_inside) {
            return Ok(());
        }
        Err(AboveCeiling::Directory {
            asked: request.working_directory.clone(),
            real: found.to_owned(),
            roots: self.roots.iter().map(|root| root.display().to_string()).collect::<Vec<_>>().join(", "),
            rule: self.rule("roots"),
        })
    }

    fn rule(&self, key: &str) -> RuleOrigin {
        let from_spec = || RuleOrigin { key: format!("ceiling.{key}"), place: "the task's spec".to_owned() };
        self.origins.get(key).cloned().unwrap_or_else(from_spec)
    }

    /// Each rule that limits something, as text for people.
    pub fn describe(&self) -> Vec<String> {
        let list = |words: Vec<String>| words.join(", ");
        let roots = self.roots.iter().map(|root| root.display().to_string());
        let sandbox = (self.sandbox < Sandbox::DangerFullAccess).then(|| format!("sandbox {}", self.sandbox));
        let roots = (!self.roots.is_empty()).then(|| format!("working directories in {}", list(roots.collect())));
        let timeout = self.timeout.map(|max| format!("time limit {}", span(max)));
        let models = self.models.iter().map(|model| model.0.clone());
        let models = (!self.models.is_empty()).then(|| format!("models {}", list(models.collect())));
        [("sandbox", sandbox), ("roots", roots), ("timeout", timeout), ("models", models)]
            .into_iter()
            .filter_map(|(key, rule)| Some(format!("{} ({})", rule?, self.rule(key))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system in which `/link` leads to `/srv/project`, `/out` to `/etc`, and `/gone` nowhere. Working
    /// directories always exist here, because a missing one is refused before its ceiling is checked.
    fn real(path: &Path) -> io::Result<PathBuf> {
        match path.to_str() {
            Some("/link") => Ok("/srv/project".into()),
            Some("/out" | "/srv/out" | "/srv/../etc") => Ok("/etc".into()),
            Some("/gone") => Err(io::ErrorKind::NotFound.into()),
            _ => Ok(path.to_owned()),
        }
    }

    fn admit(
        ceiling: &Ceiling,
        directory: &str,
        sandbox: Sandbox,
        model: Option<&str>,
        timeout: Option<u64>,
    ) -> Result<(), String> {
        let model = model.map(str::to_owned);
        let request =
            AgentRequest { prompt: String::new(), working_directory: directory.into(), sandbox, model, resume: None };
        let timeout = timeout.map(Duration::from_secs);
        let by = ChosenBy::Call;
        let asked = TaskRequest { request: &request, sandbox_by: SandboxChoice::Call, timeout, timeout_by: by };
        let found = real(Path::new(directory)).unwrap_or_else(|_| directory.into());
        ceiling.admit(asked, &found, real).map_err(|above| format!("{above}\nnext: {}", above.next()))
    }

    fn in_roots(roots: &[&str], directory: &str) -> Result<(), String> {
        let ceiling = Ceiling { roots: roots.iter().map(PathBuf::from).collect(), ..Ceiling::default() };
        admit(&ceiling, directory, Sandbox::DangerFullAccess, None, None)
    }

    #[test]
    fn everything_is_allowed_without_rules() {
        for directory in ["/anywhere", "/out"] {
            assert_eq!(in_roots(&[], directory), Ok(()));
        }
    }

    #[test]
    fn a_directory_is_checked_by_its_real_path() {
        for (roots, directory) in [
            (&["/srv"][..], "/srv"),
            (&["/srv"], "/srv/project/src"),
            (&["/srv"], "/link"),
            (&["/link"], "/srv/project/src"),
            (&["/gone", "/srv/"], "/srv/project"),
            (&["/"], "/etc"),
        ] {
            assert_eq!(in_roots(roots, directory), Ok(()), "{directory} in {roots:?}");
        }
    }

    #[test]
    fn a_directory_outside_the_roots_is_refused_in_every_spelling() {
        for (roots, directory) in [
            (&["/srv"][..], "/srvother"),
            (&["/srv/project"], "/srv"),
            (&["/srv"], "/out"),
            (&["/srv"], "/srv/out"),
            (&["/srv"], "/srv/../etc"),
            (&["/gone"], "/srv"),
        ] {
            assert!(in_roots(roots, directory).is_err(), "{directory} in {roots:?}");
        }
        assert_eq!(
            in_roots(&["/srv", "/opt"], "/out"),
            Err("`workingDirectory` /out, which is /etc, is outside the allowed directories: /srv, /opt \
                 (`ceiling.roots`, from the task's spec)\nnext: pass a `workingDirectory` in one of these, or ask \
                 the user to change `ceiling.roots`"
                .to_owned())
        );
    }

    #[test]
    fn sandboxes_up_to_the_ceiling_are_allowed() {
        for (max, admitted) in [(Sandbox::ReadOnly, 1), (Sandbox::WorkspaceWrite, 2), (Sandbox::DangerFullAccess, 3)] {
            let ceiling = Ceiling { sandbox: max, ..Ceiling::default() };
            let found = Sandbox::ALL.map(|sandbox| admit(&ceiling, "/", sandbox, None, None).is_ok());
            assert_eq!(found.iter().filter(|admitted| **admitted).count(), admitted, "{max}");
        }
    }

    #[test]
    fn a_task_without_a_time_limit_exceeds_every_ceiling() {
        let ceiling = Ceiling { timeout: Some(Duration::from_secs(60)), ..Ceiling::default() };
        for (timeout, is_admitted) in [(Some(60), true), (Some(1), true), (Some(61), false), (None, false)] {
            let found = admit(&ceiling, "/", Sandbox::ReadOnly, None, timeout);
            assert_eq!(found.is_ok(), is_admitted, "{timeout:?}");
        }
    }

    #[test]
    fn only_an_explicit_model_is_checked() {
        let models = ["gpt-5*", "o3"].map(|model| NamePattern(model.to_owned())).to_vec();
        let ceiling = Ceiling { models, ..Ceiling::default() };
        for (model, is_admitted) in
            [(None, true), (Some("gpt-5.5"), true), (Some("o3"), true), (Some("o3-pro"), false), (Some(""), false)]
        {
            assert_eq!(admit(&ceiling, "/", Sandbox::ReadOnly, model, None).is_ok(), is_admitted, "{model:?}");
        }
    }

    #[test]
    fn a_ceiling_round_trips_and_defaults_to_no_limits() {
        let ceiling: Ceiling = serde_json::from_str("{}").expect("every rule has a default");
        assert_eq!(ceiling, Ceiling::default());
        let timeout = Some(Duration::from_millis(1_500));
        let ceiling = Ceiling { sandbox: Sandbox::ReadOnly, roots: vec!["/srv".into()], timeout, ..ceiling };
        let written = serde_json::to_string(&ceiling).expect("it has only string keys");
        assert_eq!(serde_json::from_str::<Ceiling>(&written).expect("it was just written"), ceiling);
    }
}
