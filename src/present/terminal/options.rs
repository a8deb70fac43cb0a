//! Parameters of tool calls as options of the command line.
//!
//! Many errors and much advice are written for a model, and name parameters of its call. At a terminal, the same values are
//! options.

use std::borrow::Cow;

/// The parameters of calls, and how the command line names them.
const NAMES: [(&str, &str); 5] = [
    ("`timeoutMs`", "`--timeout`"),
    ("`workingDirectory`", "`-C DIR`"),
    ("`sandbox`", "`--sandbox`"),
    ("`model`", "`--model`"),
    ("`task`", "the prompt"),
];

/// `text` with options in place of the parameters that it names.
pub(crate) fn with_options(text: &str) -> Cow<'_, str> {
    if !NAMES.iter().any(|(parameter, _)| text.contains(parameter)) {
        return text.into();
    }
    NAMES.iter().fold(text.to_owned(), |text, (parameter, option)| text.replace(parameter, option)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_become_options() {
        assert_eq!(
            with_options("split `task`, or name another `model`"),
            "split the prompt, or name another `--model`"
        );
        assert_eq!(with_options("the `tasks` of a model"), "the `tasks` of a model");
    }
}
