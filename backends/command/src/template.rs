//! Arguments with placeholders in braces.

use connector_api::nearest;

/// A word in braces that is replaced by a value. `{{` and `}}` are literal braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// The model's name.
    Model,
    /// The working directory.
    Workdir,
    /// The sandbox's name.
    Sandbox,
}

impl Placeholder {
    fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Workdir => "workdir",
            Self::Sandbox => "sandbox",
        }
    }
}

/// The values of the placeholders for one launch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) model: &'a str,
    pub(crate) workdir: &'a str,
    pub(crate) sandbox: &'a str,
}

impl<'a> Values<'a> {
    fn of(&self, placeholder: Placeholder) -> &'a str {
        match placeholder {
            Placeholder::Model => self.model,
            Placeholder::Workdir => self.workdir,
            Placeholder::Sandbox => self.sandbox,
        }
    }
}

/// One argument, split into text and placeholders.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template<'a> {
    parts: Vec<TemplatePart<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
enum TemplatePart<'a> {
    Text(&'a str),
    Placeholder(Placeholder),
}

impl<'a> Template<'a> {
    /// Reads `arg`, which may contain the `allowed` placeholders. Fails with the end of a sentence about the mistake.
    pub(crate) fn read(arg: &'a str, allowed: &[Placeholder]) -> Result<Self, String> {
        let mut parts = vec![];
        let mut rest = arg;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            parts.push(TemplatePart::Text(before));
            let doubled = ["{{", "}}"].into_iter().find(|braces| from.starts_with(braces));
            if let Some(braces) = doubled {
                parts.push(TemplatePart::Text(&braces[..1]));
                rest = &from[2..];
                continue;
            }
            let Some((word, after)) = from.strip_prefix('{').and_then(|inside| inside.split_once('}')) else {
                return Err(format!("has a lone brace in `{arg}`; double it to write a literal brace"));
            };
            let known = allowed.iter().find(|placeholder| placeholder.word() == word);
            parts.push(TemplatePart::Placeholder(*known.ok_or_else(|| unknown(word, allowed))?));
            rest = after;
        }
        parts.push(TemplatePart::Text(rest));
        Ok(Self { parts })
    }

    /// The argument with each placeholder replaced. Braces in a value are kept.
    pub(crate) fn fill(&self, values: Values<'_>) -> String {
        let text = |part: &TemplatePart<'_>| match part {
            TemplatePart::Text(text) => (*text).to_owned(),
            TemplatePart::Placeholder(placeholder) => values.of(*placeholder).to_owned(),
        };
        self.parts.iter().map(text).collect()
    }
}

fn unknown(word: &str, allowed: &[Placeholder]) -> String {
    let words: Vec<_> = allowed.iter().map(|placeholder| placeholder.word()).collect();
    let meant = nearest(word, &words).map(|near| format!(" (did you mean `{{{near}}}`?)")).unwrap_or_default();
    let listed: Vec<_> = words.iter().map(|word| format!("`{{{word}}}`")).collect();
    let listed = listed.join(", ");
    format!("has the unknown placeholder `{{{word}}}`{meant}; valid here: {listed}, and `{{{{` for a brace")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Placeholder; 3] = [Placeholder::Model, Placeholder::Workdir, Placeholder::Sandbox];

    fn filled(arg: &str) -> Result<String, String> {
        let values = Values { model: "{sandbox}", workdir: "/a b", sandbox: "read-only" };
        Template::read(arg, &ALL).map(|template| template.fill(values))
    }

    #[test]
    fn placeholders_are_replaced_once_and_anywhere() {
        assert_eq!(filled("--dir={workdir}:{sandbox}").as_deref(), Ok("--dir=/a b:read-only"));
        assert_eq!(filled("{model}").as_deref(), Ok("{sandbox}"), "a value is not a template");
        assert_eq!(filled("").as_deref(), Ok(""));
    }

    #[test]
    fn doubled_braces_are_literal() {
        assert_eq!(filled("{{\"a\": {{}}}}").as_deref(), Ok("{\"a\": {}}"));
        assert_eq!(filled("{{model}}").as_deref(), Ok("{model}"));
        for lone in ["{", "}", "a{b", "a}b", "{model"] {
            assert!(filled(lone).is_err_and(|why| why.contains("lone brace")), "{lone}");
        }
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_the_nearest() {
        let why = filled("--model={modle}").expect_err("no such placeholder");
        assert!(
            why.starts_with("has the unknown placeholder `{modle}` (did you mean `{model}`?); valid here: `{model}`, "),
            "{why}"
        );
        assert!(filled("{zzzzzz}").is_err_and(|why| !why.contains('?')));
    }
}
