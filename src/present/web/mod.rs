//! The pages of the web UI as HTML. Pure templates: data in, markup out.
//!
//! `maud` escapes all text, so none of it can become an element or an attribute. Outside text is put into pages by
//! `text`, which also shows control and invisible characters as escapes. There are no scripts and no styles inside a
//! page; the widths of bars are attributes of SVG elements.
//!
//! Every page works without the script. With it, the elements that [`ElementId`] names change while the page is open.

pub(crate) mod answers;
pub(crate) mod assets;
mod check;
mod frame;
pub(crate) mod links;
mod problem;
mod query;
mod text;
mod viewer;

pub(crate) use check::check;
pub(crate) use links::{Action, Download, Tab};
pub(crate) use problem::{SignedOut, problem, signed_out};
pub(crate) use query::{TabQuery, TaskListQuery};
pub(crate) use viewer::{ElementId, NavItem, Viewer};
