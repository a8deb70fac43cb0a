//! The frame of every page: head, navigation, main part and footer.

use maud::{DOCTYPE, Markup, html};

use super::{
    assets::{ICON, SCRIPT, STYLE},
    links,
    query::TaskListQuery,
    text::message,
    viewer::{ElementId, NavItem, Viewer},
};

/// A page without its frame.
pub(super) struct Page<'a> {
    /// The title in the browser, without the name of the program.
    pub(super) title: &'a str,
    /// The address of the stream by which it updates itself; `None` if it does not.
    pub(super) live: Option<&'a str>,
    /// The content of the main part, which begins with the only heading of the first level.
    pub(super) main: Markup,
}

impl Page<'_> {
    /// The whole page. Without a viewer, it has no navigation.
    pub(super) fn render(self, viewer: Option<&Viewer>) -> Markup {
        let Self { title, live, main } = self;
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (full_title(title)) }
                    link rel="icon" type="image/svg+xml" href=(ICON.link());
                    link rel="stylesheet" href=(STYLE.link());
                    script defer src=(SCRIPT.link()) {}
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header.site {
                        a.brand href=(links::tasks(&TaskListQuery::default())) { "codex-connector" }
                        @if let Some(viewer) = viewer { (navigation(viewer)) }
                        p.connection id=(ElementId::Connection.as_str()) role="status" {}
                    }
                    main id="main" tabindex="-1" data-live=[live] {
                        @if let Some(viewer) = viewer.filter(|viewer| !viewer.notices.is_empty()) {
                            div.notice role="status" {
                                @for sentence in &viewer.notices { p { (message(sentence)) } }
                            }
                        }
                        (main)
                    }
                    footer.site {
                        p { "codex-connector " (env!("CARGO_PKG_VERSION")) }
                        @if let Some(viewer) = viewer { (footer(viewer)) }
                    }
                }
            }
        }
    }
}

/// The title of a page as browsers show it.
pub(crate) fn full_title(title: &str) -> String {
    format!("{title} · codex-connector")
}

fn navigation(viewer: &Viewer) -> Markup {
    let entries = [
        (NavItem::Tasks, links::tasks(&TaskListQuery::default()), "Tasks"),
        (NavItem::Usage, links::usage(None), "Usage"),
        (NavItem::Check, links::check(), "Check"),
    ];
    html! {
        nav aria-label="Main" {
            ul {
                @for (entry, link, name) in entries {
                    li { a href=(link) aria-current=[(viewer.nav == entry).then_some("page")] { (name) } }
                }
            }
        }
    }
}

fn footer(viewer: &Viewer) -> Markup {
    html! {
        p {
            @if viewer.can_act { "Actions are allowed." }
            @else { "Read-only. Start " code { "codex-connector web --actions" } " to allow actions." }
        }
        @if !viewer.csrf.is_empty() {
            form method="post" action=(links::logout()) {
                (csrf_field(viewer))
                button type="submit" { "Sign out" }
            }
        }
    }
}

/// The field with which a form proves that it is from one of our pages.
pub(super) fn csrf_field(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name="csrf" value=(viewer.csrf); }
}
