//! Answers requests: finds out what is requested and by whom, and calls the part that answers.

use std::{convert::identity, fmt, pin::Pin, sync::Arc, time::Instant};

use bytes::Bytes;
use hyper::{
    Method, Request, StatusCode,
    body::Incoming,
    header::{ALLOW, HeaderValue, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE},
};
use tokio::sync::Mutex;

use super::{
    access::{self, Access, Channel, TokenLogin, Visitor},
    actions::{self, Undone},
    downloads,
    events::{EVENT_STREAM, StreamSlot, Streams},
    list_stream::ListStreams,
    pages,
    parameters::{InvalidParameters, Parameters},
    refused::{invalid, status_of},
    replies::{Answer, file, html_problem, nav_of, problem, signed_in},
    response::{complete, content, page, redirect},
    route::{NoRoute, Route},
    sessions::Session,
    task_stream,
};
use crate::{
    broker::{Broker, Refusal},
    http::{Connection, HttpResponse, MAX_FORM_BYTES, RequestGuard, Site, receive},
    present::{
        check::CheckFinding,
        web::{Action, SignedOut, TaskListQuery, Viewer, answers, links},
    },
    task::TaskId,
};

/// The header with the number of the last entry that a page received before its stream was interrupted.
const LAST_EVENT_ID: &str = "last-event-id";

/// How long a page waits before it asks for a stream again, in seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// Checks the configuration and the backends, as the verb `check` does.
pub(crate) type Checker = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<CheckFinding>> + Send>> + Send + Sync>;

/// The web UI of one broker.
#[derive(Clone)]
pub(crate) struct Web(Arc<WebState>);

struct WebState {
    broker: Broker,
    access: Access,
    can_act: bool,
    streams: Streams,
    lists: ListStreams,
    /// One check at a time, because each starts programs.
    checker: Mutex<Checker>,
}

impl Web {
    /// The web UI of `broker`. Pages contain actions only if `can_act`.
    pub(crate) fn new(broker: Broker, guard: Arc<RequestGuard>, can_act: bool, checker: Checker) -> Self {
        let streams = Streams::new();
        let lists = ListStreams::new(broker.clone(), can_act, streams.stopped());
        let checker = Mutex::new(checker);
        Self(Arc::new(WebState { broker, access: Access::new(guard), can_act, streams, lists, checker }))
    }

    /// A path that signs in one browser within ten minutes.
    pub(crate) fn one_time_path(&self) -> String {
        self.0.access.one_time_path(Instant::now())
    }

    /// The broker.
    pub(super) fn broker(&self) -> &Broker {
        &self.0.broker
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("can_act", &self.0.can_act).finish_non_exhaustive()
    }
}

impl Site for Web {
    async fn respond(&self, request: Request<Incoming>, connection: &Connection) -> HttpResponse {
        let channel = Channel::of(&request, connection.port(), connection.is_loopback());
        let answer = self.0.answer(request, channel, connection).await;
        let mut response = answer.map_or_else(|refused| *refused, identity);
        complete(response.headers_mut());
        response
    }

    fn stop(&self) {
        self.0.streams.stop();
    }
}

impl WebState {
    async fn answer(&self, request: Request<Incoming>, channel: Channel, connection: &Connection) -> Answer {
        self.access.check_host(&request)?;
        if !access::is_isolated(&request) {
            return problem(StatusCode::FORBIDDEN, &answers::other_origin(), None);
        }
        let visitor = self.access.visitor(&request, channel, Instant::now());
        let route = match (Route::parse(request.uri().path(), request.uri().query()), &visitor) {
            (Ok(route), Visitor::Nobody) if route.is_public() => route,
            (Ok(_) | Err(_), Visitor::Nobody) => {
                return self.signed_out(StatusCode::UNAUTHORIZED, channel, SignedOut::NoSession);
            }
            (Ok(route), _) => route,
            (Err(NoRoute::Unknown), _) => {
                return problem(StatusCode::NOT_FOUND, &answers::no_page(), Some(&self.viewer(&visitor)));
            }
            (Err(NoRoute::Invalid(problem)), _) => return self.invalid(problem, &visitor),
        };
        if !matches!(visitor, Visitor::Nobody) {
            connection.mark_authenticated();
        }
        match *request.method() {
            Method::GET | Method::HEAD if route != Route::Logout => {
                self.get(route, &request, (visitor, channel), connection).await
            }
            Method::POST if route.methods().ends_with("POST") => {
                if !access::is_own_page(&request) {
                    return problem(StatusCode::FORBIDDEN, &answers::not_our_form(), None);
                }
                let form = receive(MAX_FORM_BYTES, request).await?;
                match visitor {
                    Visitor::Session(session) => self.post(route, form.body(), &session, channel).await,
                    Visitor::Bearer | Visitor::Nobody => self.log_in(form.body(), channel),
                }
            }
            _ => {
                let refused = answers::wrong_method(route.methods());
                let mut refused = html_problem(StatusCode::METHOD_NOT_ALLOWED, &refused, None);
                refused.headers_mut().insert(ALLOW, HeaderValue::from_static(route.methods()));
                Err(Box::new(refused))
            }
        }
    }

    async fn get(
        &self,
        route: Route,
        request: &Request<Incoming>,
        (visitor, channel): (Visitor, Channel),
        connection: &Connection,
    ) -> Answer {
        let is_head = *request.method() == Method::HEAD;
        let mut viewer = self.viewer(&visitor);
        viewer.nav = nav_of(&route);
        if let Visitor::Session(session) = &visitor
            && !is_head
            && route.is_page()
        {
            viewer.notices = session.take_notices();
        }
        let broker = &self.broker;
        let shown = match route {
            Route::Home | Route::Logout => return Ok(redirect(&links::tasks(&TaskListQuery::default()))),
            Route::Login { key } => {
                return self.exchange(key.filter(|_| !is_head), request, (&visitor, channel), connection);
            }
            Route::Asset { asset, version } => return Ok(file(asset, version.as_deref())),
            Route::TasksLive(_) | Route::TaskLive { .. } if is_head => {
                return Ok(content(StatusCode::OK, EVENT_STREAM, Bytes::new()));
            }
            Route::Download { .. } if is_head => {
                return Ok(content(StatusCode::OK, "text/plain; charset=utf-8", Bytes::new()));
            }
            Route::TasksLive(query) => {
                let (response, sender) = self.slot()?.open(EVENT_STREAM, connection.closing());
                tokio::spawn(self.lists.clone().show(query, sender));
                return Ok(response);
            }
            Route::TaskLive { id, after } => {
                self.checked(broker.check_exists(&id).await, &viewer)?;
                let last = request.headers().get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse().ok());
                let (response, sender) = self.slot()?.open(EVENT_STREAM, connection.closing());
                tokio::spawn(task_stream::show(broker.clone(), id, last.or(after).unwrap_or(0), viewer, sender));
                return Ok(response);
            }
            Route::Download { id, download } => {
                let slot = self.slot()?;
                let Some(text) = self.checked(downloads::open(broker, &id, download).await, &viewer)? else {
                    return problem(StatusCode::NOT_FOUND, &answers::nothing_to_download(&id), Some(&viewer));
                };
                return Ok(downloads::send(broker, (&id, download), text, slot, connection.closing()));
            }
            Route::Tasks(query) => pages::tasks(broker, &query, &viewer).await,
            Route::Task { id, tab, query } => pages::task(broker, &id, tab, &query, &viewer).await,
            Route::Action { id, action } if !self.can_act => {
                return problem(StatusCode::FORBIDDEN, &answers::actions_off(&id, action), Some(&viewer));
            }
            Route::Action { id, action } => pages::confirm(broker, &id, action, &viewer).await,
            Route::Usage { since } => pages::usage(broker, since.as_deref(), &viewer).await,
            Route::Check => Ok(pages::check(&self.findings().await, &viewer)),
        };
        Ok(page(StatusCode::OK, self.checked(shown, &viewer)?))
    }

    /// A form of one of our pages.
    async fn post(&self, route: Route, body: &Bytes, session: &Arc<Session>, channel: Channel) -> Answer {
        let viewer = self.viewer(&Visitor::Session(Arc::clone(session)));
        if let Route::Login { .. } = route {
            return self.log_in(body, channel);
        }
        if let (Route::Action { id, action }, false) = (&route, self.can_act) {
            return problem(StatusCode::FORBIDDEN, &answers::actions_off(id, *action), Some(&viewer));
        }
        let fields = Parameters::of_form(body).and_then(|mut form| {
            let (csrf, prompt) = (form.line("csrf")?.unwrap_or_default(), form.text("prompt")?);
            form.finish().map(|()| (csrf, prompt))
        });
        let (csrf, prompt) = match fields {
            Ok(fields) => fields,
            Err(problem) => return self.invalid(problem, &Visitor::Session(Arc::clone(session))),
        };
        if !session.is_csrf(&csrf) {
            return problem(StatusCode::FORBIDDEN, &answers::not_our_form(), Some(&viewer));
        }
        match route {
            Route::Action { id, action } => self.act(id, action, prompt, session, &viewer).await,
            _ => {
                self.access.log_out(session);
                let mut response = redirect(&links::token_login());
                response.headers_mut().insert(SET_COOKIE, channel.no_cookie());
                Ok(response)
            }
        }
    }

    async fn act(
        &self,
        id: TaskId,
        action: Action,
        prompt: Option<String>,
        session: &Session,
        viewer: &Viewer,
    ) -> Answer {
        // A client that disconnects does not interrupt the action.
        let broker = self.broker.clone();
        let acting = tokio::spawn(async move { actions::act(&broker, &id, action, prompt).await });
        match acting.await.expect("an action does not panic and is not aborted") {
            Ok(done) => {
                session.notify(done.notices);
                Ok(redirect(&links::task(&done.task, links::Tab::Activity)))
            }
            Err(Undone::Refused(refusal)) => self.checked(Err(refusal), viewer),
            Err(Undone::Invalid(refused)) => problem(StatusCode::BAD_REQUEST, &refused, Some(viewer)),
        }
    }

    /// Exchanges a one-time key for a cookie.
    fn exchange<B>(
        &self,
        key: Option<String>,
        request: &Request<B>,
        (visitor, channel): (&Visitor, Channel),
        connection: &Connection,
    ) -> Answer {
        let Some(key) = key.filter(|_| channel.is_local) else {
            return match visitor {
                Visitor::Session(_) => Ok(redirect(&links::tasks(&TaskListQuery::default()))),
                Visitor::Bearer | Visitor::Nobody => {
                    self.signed_out(StatusCode::UNAUTHORIZED, channel, SignedOut::NoSession)
                }
            };
        };
        // Other users can see the arguments of the program that opens the browser.
        if connection.is_of_other_user() {
            return problem(StatusCode::FORBIDDEN, &answers::other_user(), None);
        }
        let Some(session) = self.access.exchange(&key, Instant::now()) else {
            return self.signed_out(StatusCode::FORBIDDEN, channel, SignedOut::UsedAddress);
        };
        connection.mark_authenticated();
        Ok(signed_in(&session, channel, access::is_cross_site(request)))
    }

    /// Exchanges the token for a cookie.
    fn log_in(&self, body: &Bytes, channel: Channel) -> Answer {
        if !channel.is_local {
            return self.signed_out(StatusCode::FORBIDDEN, channel, SignedOut::NoSession);
        }
        let token = Parameters::of_form(body).and_then(|mut form| form.text("token")).ok().flatten();
        match self.access.log_in(&token.unwrap_or_default(), Instant::now()) {
            TokenLogin::Opened(session) => Ok(signed_in(&session, channel, false)),
            TokenLogin::Wrong => self.signed_out(StatusCode::FORBIDDEN, channel, SignedOut::WrongToken),
            TokenLogin::TooMany => {
                let refused = self.signed_out(StatusCode::TOO_MANY_REQUESTS, channel, SignedOut::TooManyAttempts);
                refused.map_err(|mut refused| {
                    refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
                    refused
                })
            }
        }
    }

    /// The page on which a person signs in.
    fn signed_out(&self, status: StatusCode, channel: Channel, why: SignedOut) -> Answer {
        let why = if channel.is_local { why } else { SignedOut::NotEncrypted { port: channel.port } };
        let mut refused = page(status, pages::signed_out(why));
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer realm=\"codex-connector\"");
            refused.headers_mut().insert(WWW_AUTHENTICATE, how);
        }
        Err(Box::new(refused))
    }

    fn viewer(&self, visitor: &Visitor) -> Viewer {
        match visitor {
            Visitor::Session(session) => {
                Viewer { csrf: session.csrf().to_owned(), can_act: self.can_act, ..Viewer::default() }
            }
            Visitor::Bearer | Visitor::Nobody => Viewer::default(),
        }
    }

    fn slot(&self) -> Result<StreamSlot, Box<HttpResponse>> {
        self.streams.slot().ok_or_else(|| {
            let mut refused = html_problem(StatusCode::SERVICE_UNAVAILABLE, &answers::too_many_streams(), None);
            refused.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
            Box::new(refused)
        })
    }

    async fn findings(&self) -> Vec<CheckFinding> {
        let checker = self.checker.lock().await;
        checker().await
    }

    /// Turns a refusal into the page that explains it.
    fn checked<T>(&self, read: Result<T, Refusal>, viewer: &Viewer) -> Result<T, Box<HttpResponse>> {
        read.map_err(|refusal| {
            let refused = pages::explain(&self.broker, &refusal);
            Box::new(html_problem(status_of(&refusal), &refused, Some(viewer)))
        })
    }

    fn invalid(&self, parameters: InvalidParameters, visitor: &Visitor) -> Answer {
        let refused = invalid(&parameters).redacted(self.broker.redactor());
        problem(StatusCode::BAD_REQUEST, &refused, Some(&self.viewer(visitor)))
    }
}
