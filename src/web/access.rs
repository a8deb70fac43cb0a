//! Decides who may see the pages, and over which connections.
//!
//! ```text
//! one-time address ──┐
//!                    ├─▶ session ─▶ cookie ─▶ pages, and, with the token of the session in the form, actions
//! token in a form ───┘
//! bearer token ─────────────────────────────▶ pages
//! ```
//!
//! The cookie cannot be read by scripts and is not sent by pages of other sites. Pages of other servers on this machine are
//! of the same site, however: the browser ignores ports. So requests that change something must also have an `Origin` that is
//! the address of the request itself, and the session's own token in the form; and other pages may not embed anything.
//!
//! Cookies are set and accepted only if both ends of the connection are on this machine, because the traffic is not
//! encrypted. Over any other connection only the bearer token works, which browsers do not send by themselves.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use hyper::{
    HeaderMap, Method, Request,
    header::{COOKIE, HeaderValue, ORIGIN},
};

use super::sessions::{Session, Sessions, is_session_id};
use crate::{
    http::{HttpResponse, RequestGuard, host_of, is_local},
    present::web::links,
};

/// How long browsers keep the cookie, in seconds: 30 days.
const COOKIE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// Decides who may see the pages.
#[derive(Debug)]
pub(super) struct Access {
    guard: Arc<RequestGuard>,
    sessions: Mutex<Sessions>,
}

/// The sender of a request.
#[derive(Debug)]
pub(super) enum Visitor {
    /// A browser that is signed in.
    Session(Arc<Session>),
    /// A program with the token.
    Bearer,
    /// Anyone else.
    Nobody,
}

/// The way of a request: whether cookies may be used on it, and the name of the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Channel {
    /// The port of this server.
    pub(super) port: u16,
    /// Whether both ends of the connection are on this machine, and the address of the request means this machine.
    pub(super) is_local: bool,
}

/// The result of signing in with a token.
#[derive(Debug)]
pub(super) enum TokenLogin {
    /// It is right.
    Opened(Arc<Session>),
    /// It is wrong.
    Wrong,
    /// Too many wrong ones were tried, so it was not looked at.
    TooMany,
}

impl Access {
    pub(super) fn new(guard: Arc<RequestGuard>) -> Self {
        Self { guard, sessions: Mutex::default() }
    }

    /// A path that signs in one browser within ten minutes.
    pub(super) fn one_time_path(&self, now: Instant) -> String {
        links::login(&self.sessions().issue_key(now))
    }

    /// Fails with the refusal if the request is for a host name that is not ours.
    pub(super) fn check_host<B>(&self, request: &Request<B>) -> Result<(), Box<HttpResponse>> {
        self.guard.check_host(request)
    }

    /// The sender of a request.
    pub(super) fn visitor<B>(&self, request: &Request<B>, channel: Channel, now: Instant) -> Visitor {
        let ids = cookies(request.headers(), &channel.cookie_name());
        let mut sessions = self.sessions();
        let session = ids.iter().filter(|_| channel.is_local).find_map(|id| sessions.find(id, now));
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        match session {
            Some(session) => Visitor::Session(session),
            None if is_read && self.guard.has_token(request) => Visitor::Bearer,
            None => Visitor::Nobody,
        }
    }

    /// Opens a session for a one-time key; `None` if it was used before, is too old, or is unknown.
    pub(super) fn exchange(&self, key: &str, now: Instant) -> Option<Arc<Session>> {
        self.sessions().exchange(key, now)
    }

    /// Opens a session for the token that programs use.
    pub(super) fn log_in(&self, token: &str, now: Instant) -> TokenLogin {
        let mut sessions = self.sessions();
        if !sessions.may_attempt(now) {
            return TokenLogin::TooMany;
        }
        if self.guard.is_token(token.trim()) {
            return TokenLogin::Opened(sessions.open(now));
        }
        sessions.count_attempt(now);
        TokenLogin::Wrong
    }

    /// Ends a session.
    pub(super) fn log_out(&self, session: &Session) {
        self.sessions().close(session);
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    /// The way of a request to this port. `is_loopback` is whether both ends of the connection are on this machine.
    pub(super) fn of<B>(request: &Request<B>, port: u16, is_loopback: bool) -> Self {
        Self { port, is_local: is_loopback && host_of(request).is_some_and(is_local) }
    }

    /// The name of the cookie. It contains the port, because browsers send cookies to all ports of a host.
    fn cookie_name(self) -> String {
        format!("codex-connector-{}", self.port)
    }

    /// The header that sets the cookie of a session.
    pub(super) fn cookie_of(self, session: &Session) -> HeaderValue {
        self.cookie(session.id(), COOKIE_SECONDS)
    }

    /// The header that removes the cookie.
    pub(super) fn no_cookie(self) -> HeaderValue {
        self.cookie("", 0)
    }

    fn cookie(self, value: &str, seconds: u32) -> HeaderValue {
        let name = self.cookie_name();
        let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict");
        HeaderValue::from_str(&cookie).expect("the name and the value are ASCII words")
    }
}

/// The values of the cookies with this name that can be session IDs. Other servers on this machine can set cookies with any
/// name and value, also in other encodings, so nothing else about the header matters.
fn cookies(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers.get_all(COOKIE).iter().map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    let values = |line: String| -> Vec<String> {
        let pairs = line.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(found, id)| *found == name && is_session_id(id)).map(|(_, id)| id.to_owned()).collect()
    };
    lines.flat_map(values).collect()
}

/// Whether a page of this server sent a request that changes something.
pub(super) fn is_own_page<B>(request: &Request<B>) -> bool {
    let (Some(host), Some(Ok(origin))) = (host_of(request), request.headers().get(ORIGIN).map(HeaderValue::to_str))
    else {
        return false;
    };
    // Browsers send both in lower case, and omit port 80 in both.
    origin.strip_prefix("http://").is_some_and(|address| address.eq_ignore_ascii_case(host)) && is_same_origin(request)
}

/// Whether the browser does not say that the page of another origin embeds or fetches this. Following a link is allowed.
pub(super) fn is_isolated<B>(request: &Request<B>) -> bool {
    let is_link = request.headers().get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
        && request.headers().get("sec-fetch-dest").is_none_or(|target| target == "document");
    is_same_origin(request) || is_link
}

/// Whether the browser says that a page of another site sent the request, for example by a link.
pub(super) fn is_cross_site<B>(request: &Request<B>) -> bool {
    request.headers().get("sec-fetch-site").is_some_and(|site| site == "cross-site")
}

/// Whether the request is from a page of this server, from the address bar, or not from a browser that says so.
fn is_same_origin<B>(request: &Request<B>) -> bool {
    request.headers().get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
