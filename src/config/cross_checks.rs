//! Checks that compare settings with each other, or with the environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use connector_api::BackendName;

use super::{
    check::Checker, layers::Environment, problem::ConfigProblem, sections::Sections, serving::tool_of, setting::Setting,
};
use crate::task::FrozenBackend;

/// Checks of the whole configuration.
pub(super) struct CrossChecks<'a> {
    pub(super) checker: Checker,
    pub(super) settings: &'a [Setting],
    pub(super) sections: &'a Sections,
    pub(super) environment: &'a Environment,
}

impl CrossChecks<'_> {
    /// The value of the key as an absolute path. A leading `~/` means the home directory.
    pub(super) fn path(&self, key: &str, written: &str) -> Result<PathBuf, ConfigProblem> {
        let path = self.environment.expand(Path::new(written), &format!("`{key}`"))?;
        if path.is_absolute() {
            return Ok(path);
        }
        Err(self.invalid_value(key, "must be an absolute path or start with `~/`".to_owned()))
    }

    /// The fallbacks of a backend. Each must be another configured backend.
    pub(super) fn fallback(
        &self,
        name: &BackendName,
        backends: &BTreeMap<BackendName, FrozenBackend>,
        problems: &mut Vec<ConfigProblem>,
    ) -> Vec<BackendName> {
        let key = format!("backends.{name}.fallback");
        let written = self.sections.backends.get(name.as_str()).and_then(|section| section.get("fallback"));
        let words = written.and_then(|list| list.as_array()).map_or(&[][..], Vec::as_slice).iter();
        let mut fallback = vec![];
        for word in words.filter_map(|word| word.as_str()) {
            match backends.keys().find(|known| known.as_str() == word && *known != name) {
                Some(known) => fallback.push(known.clone()),
                None => {
                    let others: Vec<_> =
                        backends.keys().filter(|other| *other != name).map(BackendName::as_str).collect();
                    let suggestion = connector_api::nearest(word, &others);
                    let suggestion =
                        suggestion.map(|suggestion| format!("; did you mean `{suggestion}`?")).unwrap_or_default();
                    let problem = if word == name.as_str() {
                        format!("`{word}` cannot be its own fallback")
                    } else {
                        format!("unknown backend `{word}`{suggestion}")
                    };
                    let configured = match others.as_slice() {
                        [] => format!("`{name}` is the only backend"),
                        others => format!("other backends: `{}`", others.join("`, `")),
                    };
                    let reason = format!("{problem}; {configured}{}", self.how_to_add(name, word));
                    problems.push(self.invalid_value(&key, reason));
                }
            }
        }
        fallback
    }

    /// How to add the missing fallback `word` of the backend `name`, as the end of a sentence.
    fn how_to_add(&self, name: &BackendName, word: &str) -> String {
        match BackendName::new(word) {
            Ok(other) if other != *name && self.checker.is_kind(name, word) => {
                format!("; to add it, write a section [backends.{word}] with `kind = \"{word}\"`")
            }
            Ok(_) | Err(_) => String::new(),
        }
    }

    /// Checks that no two backends would get a tool with the same name.
    pub(super) fn tool_names<'b>(
        &self,
        names: impl Iterator<Item = &'b BackendName>,
        problems: &mut Vec<ConfigProblem>,
    ) {
        if !self.sections.tools.per_backend {
            return;
        }
        let mut tools = BTreeMap::new();
        for name in names {
            if let Some(other) = tools.insert(tool_of(name), name) {
                let tool = tool_of(name);
                let reason = format!("backends `{other}` and `{name}` would both get the tool `{tool}`; rename one");
                problems.push(self.invalid_value("tools.per_backend", reason));
            }
        }
    }

    /// Checks the host names and web origins of the HTTP server. A request must have exactly one of these texts.
    pub(super) fn http_names(&self, problems: &mut Vec<ConfigProblem>) {
        let http = &self.sections.server.http;
        let is_host = |host: &String| !host.is_empty() && !host.contains(['/', '@', '?', '#']) && is_visible(host);
        if let Some(host) = http.allowed_hosts.iter().find(|host| !is_host(host)) {
            let reason = format!("`{host}` is not a host name such as `build.example` or `build.example:8181`");
            problems.push(self.invalid_value("server.http.allowed_hosts", reason));
        }
        if let Some(origin) = http.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            let reason = format!(
                "`{origin}` is not a web origin as browsers send it: scheme, host and perhaps port in lower case, without \
                 a path, such as `https://app.example` or `http://app.example:8080`"
            );
            problems.push(self.invalid_value("server.http.allowed_origins", reason));
        }
    }

    /// The default backend. It may be one of the `faulty` backends, whose problems are reported already.
    pub(super) fn default_backend(&self, faulty: &BTreeSet<String>) -> Result<BackendName, ConfigProblem> {
        let name = &self.sections.tasks.default_backend;
        let names = self.sections.backends.keys().chain(faulty).collect::<BTreeSet<_>>();
        match BackendName::new(name.as_str()) {
            Ok(known) if names.contains(name) => Ok(known),
            Ok(_) | Err(_) => {
                let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
                Err(self.invalid_value(
                    "tasks.default_backend",
                    format!("expected the name of a backend: {}", names.join(", ")),
                ))
            }
        }
    }

    pub(super) fn invalid_value(&self, key: &str, reason: String) -> ConfigProblem {
        let written = self.settings.iter().rev().find(|setting| setting.key() == key);
        self.checker.invalid_value(written.expect("every key that is checked here has a value"), reason)
    }
}

/// Whether a browser could send this text in the header `Origin`. `null` is the origin of pages without one.
fn is_origin(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return origin == "null" };
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "+-.".contains(letter))
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        Some(_) | None => (host, None),
    };
    let is_default = matches!((scheme, port), ("http", Some("80")) | ("https", Some("443")));
    is_scheme(scheme)
        && !is_default
        && !name.is_empty()
        && !name.contains(['/', '@', '?', '#', '*'])
        && is_visible(name)
        && !name.contains(|letter: char| letter.is_ascii_uppercase())
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Whether the text consists of visible ASCII characters.
fn is_visible(text: &str) -> bool {
    text.chars().all(|letter| letter.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for origin in ["https://app.example", "http://app.example:8080", "http://[::1]:80x", "null"] {
            assert_eq!(is_origin(origin), origin != "http://[::1]:80x", "{origin}");
        }
        assert!(is_origin("http://[::1]") && is_origin("http://[::1]:8080") && is_origin("chrome-extension://abc"));
        for other in [
            "foo",
            "",
            "*",
            "app.example",
            "https://",
            "https://app.example/",
            "https://app.example/path",
            "HTTPS://app.example",
            "https://App.example",
            "https://app.example:443",
            "https://app.example:x",
            "https://*.example",
            "https://a b",
            "https://user@app.example",
        ] {
            assert!(!is_origin(other), "{other}");
        }
    }
}
