//! Decides by the head of a request whether it is admitted.
//!
//! The guard checks, in this order, the path, the host name, the origin of the web page, whether the request is a
//! preflight request (see `cors`), and the token. Refusals are plain text that names the next step.

use std::net::IpAddr;

use hyper::{
    Request, StatusCode,
    header::{AUTHORIZATION, HOST, HeaderValue, ORIGIN, WWW_AUTHENTICATE},
};
use subtle::ConstantTimeEq;

use super::{
    cors,
    listen_options::{ENDPOINT_PATH, ListenOptions},
    refusal::{HttpResponse, refusal},
};

/// The host names of the local machine.
const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The token, host names and origins that requests are checked against.
#[derive(Debug)]
pub(crate) struct RequestGuard {
    token: String,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl RequestGuard {
    pub(crate) fn new(options: &ListenOptions) -> Self {
        let own = match options.address.ip() {
            ip if ip.is_unspecified() => None,
            IpAddr::V6(ip) => Some(format!("[{ip}]")),
            IpAddr::V4(ip) => Some(ip.to_string()),
        };
        let hosts =
            LOCAL_HOSTS.map(str::to_owned).into_iter().chain(own).chain(options.hosts.iter().cloned()).collect();
        Self { token: options.token.clone(), hosts, origins: options.origins.clone() }
    }

    /// Whether the request is for one of this server's host names. Fails with the refusal.
    pub(crate) fn check_host<B>(&self, request: &Request<B>) -> Result<(), Box<HttpResponse>> {
        if host_of(request).is_some_and(|host| self.is_known(host)) {
            return Ok(());
        }
        let why = "unknown host name; next: use a loopback address, or add the host name to \
                   server.http.allowed_hosts in config.toml";
        refuse(StatusCode::FORBIDDEN, why)
    }

    /// Whether the request has the bearer token.
    pub(crate) fn has_token<B>(&self, request: &Request<B>) -> bool {
        let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        self.is_token(authorization.and_then(bearer).unwrap_or_default())
    }

    /// Whether this is the token.
    pub(crate) fn is_token(&self, word: &str) -> bool {
        word.as_bytes().ct_eq(self.token.as_bytes()).into()
    }

    /// The host names of this server.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The origin of the web page that sent the request, if there is one and it is allowed.
    pub(super) fn allowed_origin<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        let origin = request.headers().get(ORIGIN)?;
        origin.to_str().is_ok_and(|name| self.is_allowed(name)).then(|| origin.clone())
    }

    /// Admits the request. Fails with the response to send instead: a refusal, or the answer to a preflight request.
    pub(super) fn admit<B>(&self, request: &Request<B>) -> Result<(), Box<HttpResponse>> {
        let header = |name| request.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
        if request.uri().path() != ENDPOINT_PATH {
            return refuse(StatusCode::NOT_FOUND, &format!("not found; next: use the endpoint {ENDPOINT_PATH}"));
        }
        self.check_host(request)?;
        if !header(ORIGIN.as_str()).is_none_or(|origin| self.is_allowed(origin)) {
            let why = "this web origin is not allowed; next: add it to server.http.allowed_origins in config.toml";
            return refuse(StatusCode::FORBIDDEN, why);
        }
        if let Some(answer) = cors::preflight(request) {
            return Err(Box::new(answer));
        }
        if !self.has_token(request) {
            let why = "the header `Authorization: Bearer TOKEN` is missing or wrong; next: send the token from the file \
                       http-token in the data directory";
            let mut refused = refusal(StatusCode::UNAUTHORIZED, why);
            refused
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"codex-connector\""));
            return Err(Box::new(refused));
        }
        Ok(())
    }

    /// Whether pages of `origin` may call: pages from this machine and from the configured origins.
    fn is_allowed(&self, origin: &str) -> bool {
        let local = origin.strip_prefix("http://").or(origin.strip_prefix("https://")).map(without_port);
        local.is_some_and(|name| LOCAL_HOSTS.contains(&name)) || self.origins.iter().any(|known| known == origin)
    }

    /// Whether a `Host`, with or without a port, is one of this server's names.
    fn is_known(&self, host: &str) -> bool {
        let name = without_port(host);
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name) || known.eq_ignore_ascii_case(host))
    }
}

/// The host name, with or without a port, that a request is for.
pub(crate) fn host_of<B>(request: &Request<B>) -> Option<&str> {
    match request.headers().get(HOST) {
        Some(host) => Some(host.to_str().unwrap_or("?")),
        None => request.uri().authority().map(|authority| authority.as_str()),
    }
}

/// Whether a host name, with or without a port, means the local machine.
pub(crate) fn is_local(host: &str) -> bool {
    LOCAL_HOSTS.iter().any(|known| known.eq_ignore_ascii_case(without_port(host)))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refuse(status: StatusCode, why: &str) -> Result<(), Box<HttpResponse>> {
    Err(Box::new(refusal(status, why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(address: &str, hosts: &[&str], origins: &[&str]) -> RequestGuard {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let options = ListenOptions {
            address: address.parse().expect("the address is valid"),
            token: "secret-of-the-test".into(),
            hosts: owned(hosts),
            origins: owned(origins),
        };
        RequestGuard::new(&options)
    }

    fn status(guard: &RequestGuard, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method("POST").uri(ENDPOINT_PATH);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        guard
            .admit(&request.body(()).expect("the request is valid"))
            .map_or_else(|refused| refused.status().as_u16(), |()| 200)
    }

    const TOKEN: (&str, &str) = ("authorization", "Bearer secret-of-the-test");

    #[test]
    fn requests_without_the_token_are_refused() {
        let guard = guard("127.0.0.1:80", &[], &[]);
        let host = ("host", "localhost:8181");
        for (token, expected) in [
            ("Bearer secret-of-the-test", 200),
            ("bearer  secret-of-the-test", 200),
            ("Bearer secret-of-the-tes", 401),
            ("Bearer secret-of-the-test2", 401),
            ("Bearer ", 401),
            ("Basic secret-of-the-test", 401),
            ("secret-of-the-test", 401),
        ] {
            assert_eq!(status(&guard, &[host, ("authorization", token)]), expected, "{token}");
        }
        assert_eq!(status(&guard, &[host]), 401);
    }

    #[test]
    fn unknown_host_names_are_refused() {
        let guard = guard("192.0.2.7:80", &["build.example", "other.example:99"], &[]);
        for (host, expected) in [
            ("localhost", 200),
            ("LOCALHOST:1", 200),
            ("127.0.0.1:8181", 200),
            ("[::1]:8181", 200),
            ("192.0.2.7:80", 200),
            ("build.example:5", 200),
            ("other.example:99", 200),
            ("other.example:98", 403),
            ("evil.example", 403),
            ("localhost.evil.example", 403),
            ("", 403),
        ] {
            assert_eq!(status(&guard, &[("host", host), TOKEN]), expected, "{host}");
        }
        assert_eq!(status(&guard, &[TOKEN]), 403, "no host name");
    }

    #[test]
    fn web_pages_are_admitted_only_from_allowed_origins() {
        let guard = guard("127.0.0.1:80", &[], &["https://app.example"]);
        let host = ("host", "localhost");
        let preflight = |origin: &'static str| {
            let headers = [("host", "localhost"), ("origin", origin), ("access-control-request-method", "POST")];
            let mut request = Request::builder().method("OPTIONS").uri(ENDPOINT_PATH);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request.body(()).expect("the request is valid")
        };
        for (origin, expected) in [("https://app.example", 204), ("https://evil.example", 403)] {
            let answer = guard.admit(&preflight(origin)).expect_err("a preflight request is not passed on");
            assert_eq!(answer.status().as_u16(), expected, "{origin}");
            assert_eq!(answer.headers().contains_key("access-control-allow-methods"), expected == 204, "{origin}");
        }
        for (origin, expected) in [
            ("https://app.example", 200),
            ("https://app.example:1", 403),
            ("http://localhost:3001", 200),
            ("http://[::1]", 200),
            ("http://localhost.evil.example", 403),
            ("null", 403),
            ("https://evil.example", 403),
        ] {
            assert_eq!(status(&guard, &[host, TOKEN, ("origin", origin)]), expected, "{origin}");
        }
    }
}
