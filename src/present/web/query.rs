//! The part of an address after the question mark.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::task::{GitPath, StateFilter};

/// The characters that are encoded: all but letters, digits and four that have no special meaning in an address.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which tasks the page Tasks shows. In an address, an empty parameter is the same as a missing one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskListQuery {
    /// Only tasks in this state, or with this outcome.
    pub(crate) state: Option<StateFilter>,
    /// Only tasks of this repository: its path.
    pub(crate) repository: Option<String>,
    /// Only tasks of this backend.
    pub(crate) backend: Option<String>,
    /// Only tasks since this time, as a person typed it: a period such as `2d`, or a time.
    pub(crate) since: Option<String>,
    /// The number of the page, starting at 1.
    pub(crate) page: usize,
}

impl Default for TaskListQuery {
    fn default() -> Self {
        Self { state: None, repository: None, backend: None, since: None, page: 1 }
    }
}

impl TaskListQuery {
    /// The parameters as `state=failed&page=2`, without those that have their default; empty if all have.
    pub(crate) fn to_query_string(&self) -> String {
        let page = (self.page > 1).then(|| self.page.to_string());
        query_string([
            ("state", self.state.map(StateFilter::as_str).map(str::as_bytes)),
            ("repo", self.repository.as_deref().map(str::as_bytes)),
            ("backend", self.backend.as_deref().map(str::as_bytes)),
            ("since", self.since.as_deref().map(str::as_bytes)),
            ("page", page.as_deref().map(str::as_bytes)),
        ])
    }

    /// Whether it leaves out any task, apart from those on other pages.
    pub(crate) fn has_filter(&self) -> bool {
        let Self { state, repository, backend, since, page: _ } = self;
        state.is_some() || repository.is_some() || backend.is_some() || since.is_some()
    }
}

/// The part of a tab of the page Task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TabQuery {
    /// Of the changes, only those of this file.
    pub(crate) file: Option<GitPath>,
    /// Of the activity, only the entries before the one with this number; of the log, only the lines before this byte.
    pub(crate) before: Option<u64>,
}

impl TabQuery {
    /// The parameters as `before=7`; empty if there are none.
    pub(crate) fn to_query_string(&self) -> String {
        let before = self.before.map(|before| before.to_string());
        query_string([
            ("file", self.file.as_ref().map(GitPath::as_bytes)),
            ("before", before.as_deref().map(str::as_bytes)),
        ])
    }
}

/// Parameters as the part of an address after the question mark. Parameters without a value, or with an empty one, are
/// left out.
pub(super) fn query_string<'a>(parameters: impl IntoIterator<Item = (&'static str, Option<&'a [u8]>)>) -> String {
    let given =
        parameters.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    given.map(|(name, value)| format!("{name}={}", percent_encode(value, ENCODED))).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;

    use super::*;
    use crate::present::hostile_tests::HOSTILE;

    #[test]
    fn every_value_survives_an_address() {
        let texts = HOSTILE.into_iter().chain(["a&b=c#d?e+f%20g", "ä/ö", "'\"<>"]);
        for text in texts {
            let owned = || Some(text.to_owned());
            let query =
                TaskListQuery { repository: owned(), backend: owned(), since: owned(), ..TaskListQuery::default() };
            let address = query.to_query_string();
            assert!(
                address.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%&=".contains(&byte)),
                "{address}"
            );
            let pairs: Vec<_> = address.split('&').filter_map(|pair| pair.split_once('=')).collect();
            let read: Vec<_> =
                pairs.iter().map(|(name, value)| (*name, percent_decode_str(value).decode_utf8_lossy())).collect();
            assert_eq!(read, ["repo", "backend", "since"].map(|name| (name, text.into())));
        }
        let file = Some(GitPath::from_bytes(*b"a\xff &b"));
        assert_eq!(TabQuery { file, before: Some(7) }.to_query_string(), "file=a%FF%20%26b&before=7");
    }

    #[test]
    fn defaults_are_left_out() {
        assert_eq!(TaskListQuery::default().to_query_string(), "");
        assert_eq!(TabQuery::default().to_query_string(), "");
        let query = TaskListQuery { state: StateFilter::parse("timed_out"), page: 3, ..TaskListQuery::default() };
        assert_eq!(query.to_query_string(), "state=timed_out&page=3");
    }
}
