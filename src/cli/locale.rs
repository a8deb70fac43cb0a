//! The characters that the user's locale can show.

use std::{borrow::Cow, env, ffi::OsString};

use crate::present::terminal::Symbols;

/// The symbols that this process's locale can show.
pub(super) fn symbols() -> Symbols {
    symbols_of(|name| env::var_os(name))
}

/// One of our sentences for this locale: without ellipses where only ASCII can be shown.
pub(super) fn displayable(sentence: &str, symbols: Symbols) -> Cow<'_, str> {
    match symbols {
        Symbols::Ascii if sentence.contains('…') => sentence.replace('…', "...").into(),
        Symbols::Ascii | Symbols::Unicode => sentence.into(),
    }
}

/// The symbols that the locale can show.
fn symbols_of(variable: impl Fn(&str) -> Option<OsString>) -> Symbols {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let locale = set.map(|value| value.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if locale.contains("utf-8") || locale.contains("utf8") { Symbols::Unicode } else { Symbols::Ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_depend_on_the_first_locale_variable_that_is_set() {
        let with = |set: &[(&str, &str)]| {
            let set: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            symbols_of(move |name| {
                set.iter().find(|(set, _)| set == name).map(|(_, value): &(_, OsString)| value.clone())
            })
        };
        assert_eq!(with(&[("LANG", "en_US.UTF-8")]), Symbols::Unicode);
        assert_eq!(with(&[("LC_ALL", "C.utf8"), ("LANG", "C")]), Symbols::Unicode);
        assert_eq!(with(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]), Symbols::Ascii);
        assert_eq!(with(&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")]), Symbols::Unicode);
        assert_eq!(with(&[]), Symbols::Ascii);
    }

    #[test]
    fn an_ellipsis_is_written_as_dots_where_only_ascii_can_be_shown() {
        assert_eq!(displayable("no task `ä…`", Symbols::Ascii), "no task `ä...`");
        assert_eq!(displayable("no task `ä…`", Symbols::Unicode), "no task `ä…`");
    }
}
