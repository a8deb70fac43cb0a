//! Pages that say why something cannot be shown, and the page on which a person signs in.

use maud::{Markup, html};

use super::{frame::Page, links, query::TaskListQuery, text, viewer::Viewer};
use crate::{
    present::{Refused, terminal_refusals::EXPECTED_SINCE},
    task::{MessagePart, message},
};

/// Why a person is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedOut {
    /// The browser sent no cookie of this server, or an old one.
    NoSession,
    /// The one-time address was used already, or is too old.
    UsedAddress,
    /// The token was wrong.
    WrongToken,
    /// Too many wrong tokens were sent.
    TooManyAttempts,
    /// The server does not set cookies for this connection, because it is not encrypted.
    NotEncrypted {
        /// The server's port.
        port: u16,
    },
}

/// The page on which a person signs in.
pub(crate) fn signed_out(why: SignedOut) -> Markup {
    let problem = match why {
        SignedOut::NoSession => "This browser is not signed in.",
        SignedOut::UsedAddress => {
            "This sign-in address was already used, or it is too old. Each one works once, for 10 minutes."
        }
        SignedOut::WrongToken => "This token is wrong.",
        SignedOut::TooManyAttempts => "Too many wrong tokens. Wait a minute, then try again.",
        SignedOut::NotEncrypted { .. } => {
            "This connection is not encrypted, so nobody can sign in over it: others could read along."
        }
    };
    let main = html! {
        h1 { "Sign in" }
        p role="alert" { (problem) }
        @if let SignedOut::NotEncrypted { port } = why {
            p { "Open a tunnel from your own machine, and use the address that the server prints there:" }
            pre tabindex="0" { "ssh -L " (port) ":127.0.0.1:" (port) " HOST" }
        } @else {
            p { "Run " code { "codex-connector web" } " in a terminal. It prints an address that signs you in." }
            p {
                "If the server already runs in the background, you can use its token instead. It is in the file "
                code { "http-token" } " in the data directory, which only you can read."
            }
            form.stacked method="post" action=(links::token_login()) {
                label for="token" { "Token" }
                input #token name="token" type="password" autocomplete="off" required;
                button type="submit" { "Sign in" }
            }
        }
    };
    Page { title: "Sign in", live: None, main }.render(None)
}

/// A page about a request that failed, with its HTTP status.
pub(crate) fn problem(status: u16, refused: &Refused, viewer: Option<&Viewer>) -> Markup {
    let title = match status {
        400 => "Invalid request",
        403 => "Not allowed",
        404 => "Not found",
        409 => "Not possible now",
        413 => "Too large",
        429 => "Too many requests",
        500.. => "Something went wrong",
        _ => "Not possible",
    };
    let main = html! {
        h1 { (title) }
        (explanation(refused))
        @if viewer.is_some() {
            p { a href=(links::tasks(&TaskListQuery::default())) { "All tasks" } }
        }
    };
    Page { title, live: None, main }.render(viewer)
}

/// A filter is neither a period nor a time, and was ignored.
pub(crate) fn invalid_since(text: &str) -> Refused {
    let problem =
        message!["the filter ", MessagePart::quoted(text), " is not a time, so it was ignored: ", EXPECTED_SINCE];
    Refused::without_advice(problem)
}

/// The problem and the next step.
pub(super) fn explanation(refused: &Refused) -> Markup {
    let refused = refused.clone().capitalized();
    html! {
        div.problem role="alert" {
            p { (text::message(&refused.problem)) "." }
            @if let Some(next) = &refused.next { p { strong { "Next: " } (text::message(next)) } }
        }
    }
}
