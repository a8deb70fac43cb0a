//! Replies that need nothing but the request.

use bytes::Bytes;
use hyper::{
    StatusCode,
    header::{CACHE_CONTROL, HeaderName, HeaderValue, SET_COOKIE},
};

use super::{
    access::Channel,
    pages,
    response::{content, page, redirect},
    route::Route,
    sessions::Session,
};
use crate::{
    http::HttpResponse,
    present::{
        Refused,
        web::{NavItem, TaskListQuery, Viewer, answers, assets::Asset, links},
    },
};

/// How long browsers may keep a file whose address contains its version.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// A response, or one that refuses the request.
pub(super) type Answer = Result<HttpResponse, Box<HttpResponse>>;

/// Refuses a request with a page.
pub(super) fn problem(status: StatusCode, refused: &Refused, viewer: Option<&Viewer>) -> Answer {
    Err(Box::new(html_problem(status, refused, viewer)))
}

/// The page about a refusal.
pub(super) fn html_problem(status: StatusCode, refused: &Refused, viewer: Option<&Viewer>) -> HttpResponse {
    page(status, pages::problem(status.as_u16(), refused, viewer))
}

/// Sets the cookie and leads to the pages. A browser that follows a redirect from another site does not send the cookie, so
/// there it opens them in a second step.
pub(super) fn signed_in(session: &Session, channel: Channel, is_cross_site: bool) -> HttpResponse {
    let start = links::tasks(&TaskListQuery::default());
    let mut response = match is_cross_site {
        false => redirect(&start),
        true => {
            let mut response =
                content(StatusCode::OK, "text/plain; charset=utf-8", Bytes::from_static(answers::SIGNED_IN.as_bytes()));
            let refresh = HeaderValue::from_str(&format!("0; url={start}")).expect("our addresses are ASCII");
            response.headers_mut().insert(HeaderName::from_static("refresh"), refresh);
            response
        }
    };
    response.headers_mut().insert(SET_COOKIE, channel.cookie_of(session));
    response
}

/// A file, which browsers may keep if its address names this version.
pub(super) fn file(asset: &'static Asset, version: Option<&str>) -> HttpResponse {
    let mut response = content(StatusCode::OK, asset.media_type, Bytes::from_static(asset.content));
    if version.is_some_and(|version| asset.link().ends_with(&format!("={version}"))) {
        response.headers_mut().insert(CACHE_CONTROL, IMMUTABLE);
    }
    response
}

/// The entry of the navigation to which a page belongs.
pub(super) fn nav_of(route: &Route) -> NavItem {
    match route {
        Route::Tasks(_)
        | Route::TasksLive(_)
        | Route::Task { .. }
        | Route::TaskLive { .. }
        | Route::Download { .. }
        | Route::Action { .. } => NavItem::Tasks,
        Route::Usage { .. } => NavItem::Usage,
        Route::Check => NavItem::Check,
        Route::Home | Route::Login { .. } | Route::Logout | Route::Asset { .. } => NavItem::None,
    }
}
