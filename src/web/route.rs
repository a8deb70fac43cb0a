//! Parses addresses. Only those of [`links`](crate::present::web::links) are known.

use super::parameters::{InvalidParameters, Parameters};
use crate::{
    present::web::{Action, Download, Tab, TabQuery, TaskListQuery, assets::Asset},
    task::{GitPath, StateFilter, TaskId},
};

/// The number of the last page of a list that can be asked for.
const MAX_PAGE: u64 = 1_000_000;

/// A page, a stream, a file or an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// The start, which leads to the list of tasks.
    Home,
    /// The page Tasks.
    Tasks(TaskListQuery),
    /// Its stream.
    TasksLive(TaskListQuery),
    /// A tab of the page Task.
    Task {
        /// The task.
        id: TaskId,
        /// The tab.
        tab: Tab,
        /// The part that the tab shows.
        query: TabQuery,
    },
    /// The stream of the page Task.
    TaskLive {
        /// The task.
        id: TaskId,
        /// The last entry of its timeline that the page has.
        after: Option<u64>,
    },
    /// A text of a task, to download.
    Download {
        /// The task.
        id: TaskId,
        /// The text.
        download: Download,
    },
    /// An action: GET says what would happen, POST does it.
    Action {
        /// The task.
        id: TaskId,
        /// The action.
        action: Action,
    },
    /// The page Usage.
    Usage {
        /// Since when, as a person typed it.
        since: Option<String>,
    },
    /// The page Check.
    Check,
    /// Signing in: with a one-time key, or, with POST, with the token.
    Login {
        /// The key.
        key: Option<String>,
    },
    /// Signing out.
    Logout,
    /// A file that pages refer to.
    Asset {
        /// The file.
        asset: &'static Asset,
        /// The version in the address.
        version: Option<String>,
    },
}

/// An unknown address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// There is no such page.
    Unknown,
    /// Its parameters are invalid.
    Invalid(InvalidParameters),
}

impl From<InvalidParameters> for NoRoute {
    fn from(problem: InvalidParameters) -> Self {
        Self::Invalid(problem)
    }
}

impl Route {
    /// Parses the path and the query of an address. The path is not decoded, because no address needs an encoded
    /// character in it.
    pub(super) fn parse(path: &str, query: Option<&str>) -> Result<Self, NoRoute> {
        let segments: Vec<&str> = path.strip_prefix('/').ok_or(NoRoute::Unknown)?.split('/').take(4).collect();
        // An unknown path is unknown with any parameters.
        let kind = Kind::of(&segments).ok_or(NoRoute::Unknown)?;
        let mut parameters = Parameters::of_query(query.unwrap_or_default())?;
        let route = kind.with(&mut parameters)?;
        parameters.finish()?;
        Ok(route)
    }

    /// The methods with which it can be requested.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::Action { .. } | Self::Login { .. } => "GET, HEAD, POST",
            Self::Logout => "POST",
            Self::Home
            | Self::Tasks(_)
            | Self::TasksLive(_)
            | Self::Task { .. }
            | Self::TaskLive { .. }
            | Self::Download { .. }
            | Self::Usage { .. }
            | Self::Check
            | Self::Asset { .. } => "GET, HEAD",
        }
    }

    /// Whether it is a whole page of HTML.
    pub(super) fn is_page(&self) -> bool {
        match self {
            Self::Tasks(_) | Self::Task { .. } | Self::Action { .. } | Self::Usage { .. } | Self::Check => true,
            Self::Home
            | Self::TasksLive(_)
            | Self::TaskLive { .. }
            | Self::Download { .. }
            | Self::Login { .. }
            | Self::Logout
            | Self::Asset { .. } => false,
        }
    }

    /// Whether everyone may request it, because it says nothing about tasks.
    pub(super) fn is_public(&self) -> bool {
        matches!(self, Self::Login { .. } | Self::Asset { .. })
    }
}

/// A route without its parameters.
enum Kind {
    Home,
    Tasks,
    TasksLive,
    Task(TaskId, Tab),
    TaskLive(TaskId),
    Download(TaskId, Download),
    Action(TaskId, Action),
    Usage,
    Check,
    Login,
    Logout,
    Asset(&'static Asset),
}

impl Kind {
    fn of(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            [""] => Self::Home,
            ["tasks"] => Self::Tasks,
            ["tasks", "live"] => Self::TasksLive,
            ["tasks", id] => Self::Task(TaskId::parse(id).ok()?, Tab::Activity),
            ["tasks", id, part] => Self::part(TaskId::parse(id).ok()?, part)?,
            ["usage"] => Self::Usage,
            ["check"] => Self::Check,
            ["login"] => Self::Login,
            ["logout"] => Self::Logout,
            ["assets", name] => Self::Asset(Asset::named(name)?),
            _ => return None,
        })
    }

    fn part(id: TaskId, part: &str) -> Option<Self> {
        if part == "live" {
            return Some(Self::TaskLive(id));
        }
        if let Some(tab) = Tab::ALL.into_iter().find(|tab| !part.is_empty() && tab.as_str() == part) {
            return Some(Self::Task(id, tab));
        }
        if let Some(download) = Download::ALL.into_iter().find(|download| download.as_str() == part) {
            return Some(Self::Download(id, download));
        }
        let action = Action::ALL.into_iter().find(|action| action.as_str() == part);
        action.map(|action| Self::Action(id, action))
    }

    fn with(self, parameters: &mut Parameters) -> Result<Route, InvalidParameters> {
        Ok(match self {
            Self::Home => Route::Home,
            Self::Tasks => Route::Tasks(list(parameters)?),
            Self::TasksLive => Route::TasksLive(list(parameters)?),
            Self::Task(id, tab) => {
                let file = parameters.bytes("file")?.filter(|_| tab == Tab::Changes);
                let before = parameters.number("before")?;
                Route::Task { id, tab, query: TabQuery { file: file.map(GitPath::from_bytes), before } }
            }
            Self::TaskLive(id) => Route::TaskLive { id, after: parameters.number("after")? },
            Self::Download(id, download) => Route::Download { id, download },
            Self::Action(id, action) => Route::Action { id, action },
            Self::Usage => Route::Usage { since: parameters.line("since")? },
            Self::Check => Route::Check,
            Self::Login => Route::Login { key: parameters.line("key")? },
            Self::Logout => Route::Logout,
            Self::Asset(asset) => Route::Asset { asset, version: parameters.line("v")? },
        })
    }
}

fn list(parameters: &mut Parameters) -> Result<TaskListQuery, InvalidParameters> {
    let state = parameters.line("state")?;
    let state = state.map(|word| StateFilter::parse(&word).ok_or(InvalidParameters::Value("state"))).transpose()?;
    let page = parameters.number("page")?.unwrap_or(1);
    if !(1..=MAX_PAGE).contains(&page) {
        return Err(InvalidParameters::Value("page"));
    }
    Ok(TaskListQuery {
        state,
        repository: parameters.line("repo")?,
        backend: parameters.line("backend")?,
        since: parameters.line("since")?,
        page: usize::try_from(page).map_err(|_| InvalidParameters::Value("page"))?,
    })
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
