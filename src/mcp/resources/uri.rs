//! Parses and formats resource URIs: `task://ID`, `task://ID/log` and so on, with an optional range after `?`.
//!
//! | URI | content |
//! |---|---|
//! | `task://1a2b3c4d` | the record |
//! | `task://1a2b3c4d/result?offset=1000&length=500` | 500 bytes of the result, from byte 1000 |
//! | `task://1a2b3c4d/log?tail=20` | the last 20 lines of the log |

use std::fmt;

use crate::{
    present::refusals::invalid_task_id,
    store::TaskFile,
    task::{Message, MessagePart as Words, TaskId, message},
};

/// A resource, and the range to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TaskUri {
    pub(super) id: TaskId,
    pub(super) part: TaskResource,
    pub(super) range: ResourceRange,
}

/// The resources of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TaskResource {
    Record,
    Log,
    Result,
    Events,
    Diff,
    Diagnostics,
}

/// The range of a resource to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResourceRange {
    /// From the beginning, as much as fits into one answer.
    All,
    /// From byte `offset`, at most `length` bytes.
    From { offset: u64, length: Option<u64> },
    /// This number of lines from the end.
    Tail(usize),
}

/// The reason why a URI is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadUri(pub(super) Message);

impl TaskResource {
    pub(super) const ALL: [Self; 6] =
        [Self::Record, Self::Log, Self::Result, Self::Events, Self::Diff, Self::Diagnostics];

    /// The part of the URI after the task ID.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Record => "",
            Self::Log => "/log",
            Self::Result => "/result",
            Self::Events => "/events",
            Self::Diff => "/diff",
            Self::Diagnostics => "/diagnostics",
        }
    }

    /// The name in lists and errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Log => "log",
            Self::Result => "result",
            Self::Events => "events",
            Self::Diff => "diff",
            Self::Diagnostics => "diagnostics",
        }
    }

    pub(super) fn mime_type(self) -> &'static str {
        match self {
            Self::Record => "application/json",
            Self::Log => "text/plain",
            Self::Diff => "text/x-diff",
            Self::Result | Self::Diagnostics => "text/markdown",
            Self::Events => "application/jsonl",
        }
    }

    /// The file that the resource is read from, or that changes when the resource does.
    pub(super) fn file(self) -> TaskFile {
        match self {
            Self::Record | Self::Diagnostics => TaskFile::Record,
            Self::Log => TaskFile::Log,
            Self::Result => TaskFile::Result,
            Self::Events => TaskFile::Events,
            Self::Diff => TaskFile::Workspace,
        }
    }

    fn has_ranges(self) -> bool {
        match self {
            Self::Record | Self::Log | Self::Result | Self::Events | Self::Diff => true,
            Self::Diagnostics => false,
        }
    }
}

impl TaskUri {
    /// The URI of a complete resource.
    pub(super) fn without_range(id: &TaskId, part: TaskResource) -> Self {
        Self { id: id.clone(), part, range: ResourceRange::All }
    }

    /// Parses a URI. Accepts only a valid task ID and the known paths, so no URI can refer to another file.
    pub(super) fn parse(uri: &str) -> Result<Self, BadUri> {
        let bad = BadUri;
        let rest = uri.strip_prefix("task://").ok_or_else(|| bad("a resource URI begins with `task://`".into()))?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let (id, part) = path.split_at(path.find('/').unwrap_or(path.len()));
        let id = TaskId::parse(id).map_err(|problem| bad(invalid_task_id(&problem)))?;
        let part = TaskResource::ALL.into_iter().find(|known| known.path() == part);
        let part = part.ok_or_else(|| bad("a task has no such resource".into()))?;
        let range = query.map_or(Ok(ResourceRange::All), |query| range(query, part)).map_err(bad)?;
        Ok(Self { id, part, range })
    }
}

impl fmt::Display for TaskUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task://{}{}", self.id, self.part.path())?;
        match self.range {
            ResourceRange::All => Ok(()),
            ResourceRange::From { offset, length: None } => write!(f, "?offset={offset}"),
            ResourceRange::From { offset, length: Some(length) } => write!(f, "?offset={offset}&length={length}"),
            ResourceRange::Tail(lines) => write!(f, "?tail={lines}"),
        }
    }
}

fn range(query: &str, part: TaskResource) -> Result<ResourceRange, Message> {
    if !part.has_ranges() {
        return Err(message!["the ", part.name(), " cannot be read in ranges"]);
    }
    let (mut offset, mut length, mut tail) = (None, None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let number = value.parse::<u64>().map_err(|_| message![Words::quoted(name), " must be a whole number"])?;
        match name {
            "offset" => offset = Some(number),
            "length" if number > 0 => length = Some(number),
            "tail" if number > 0 && part == TaskResource::Log => tail = Some(number),
            "length" | "tail" if number == 0 => return Err(message![Words::quoted(name), " must not be 0"]),
            _ => return Err(message!["the ", part.name(), " does not accept ", Words::quoted(name)]),
        }
    }
    match (tail, offset, length) {
        (Some(lines), None, None) => Ok(ResourceRange::Tail(usize::try_from(lines).unwrap_or(usize::MAX))),
        (Some(_), _, _) => Err("`tail` cannot be combined with `offset` or `length`".into()),
        (None, None, None) => Ok(ResourceRange::All),
        (None, offset, length) => Ok(ResourceRange::From { offset: offset.unwrap_or(0), length }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_uri_round_trips() {
        let id = TaskId::parse("1a2b3c4d").expect("valid task ID");
        for part in TaskResource::ALL {
            let uri = TaskUri::without_range(&id, part);
            assert_eq!(TaskUri::parse(&uri.to_string()), Ok(uri));
        }
        for uri in [
            "task://1a2b3c4d/log?tail=20",
            "task://1a2b3c4d?offset=5&length=7",
            "task://1a2b3c4d/result?offset=5",
            "task://1a2b3c4d/events?offset=0&length=7",
            "task://1a2b3c4d/diff?offset=1",
        ] {
            assert_eq!(TaskUri::parse(uri).expect(uri).to_string(), uri);
        }
        assert_eq!(TaskUri::parse("task://1a2b3c4d/log?").expect("an empty range is valid").range, ResourceRange::All);
    }

    #[test]
    fn other_uris_are_refused() {
        for uri in [
            "",
            "task://",
            "task:///log",
            "task://1A2B3C4D",
            "task://1a2b3c4d/",
            "task://1a2b3c4d/log/",
            "task://1a2b3c4d/../1a2b3c4d/log",
            "task://1a2b3c4d/log%2f..",
            "task://1a2b3c4d/lease",
            "task://../../../etc/passwd",
            "file:///etc/passwd",
            "task://1a2b3c4d?tail=1",
            "task://1a2b3c4d/diagnostics?tail=1",
            "task://1a2b3c4d/diagnostics?offset=1",
            "task://1a2b3c4d/result?tail=1",
            "task://1a2b3c4d/diff?tail=1",
            "task://1a2b3c4d/log?tail=0",
            "task://1a2b3c4d/log?tail=-1",
            "task://1a2b3c4d/log?tail=1&offset=1",
            "task://1a2b3c4d/log?lines=1",
            "task://1a2b3c4d/log#x",
        ] {
            assert!(TaskUri::parse(uri).is_err(), "{uri:?} was accepted");
        }
    }
}
