use super::*;
use crate::http::ListenOptions;

const TOKEN: &str = "token-of-the-test-0123";

fn access() -> Access {
    let options = ListenOptions {
        address: "127.0.0.1:80".parse().expect("a valid address"),
        token: TOKEN.to_owned(),
        hosts: vec!["build.example".to_owned()],
        origins: vec!["https://app.example".to_owned()],
    };
    Access::new(Arc::new(RequestGuard::new(&options)))
}

fn request(method: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri("/tasks");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a valid request")
}

const LOCAL: Channel = Channel { port: 8182, is_local: true };

fn with_cookie(access: &Access, cookie: &str, channel: Channel) -> bool {
    let visitor = access.visitor(&request("GET", &[("cookie", cookie)]), channel, Instant::now());
    matches!(visitor, Visitor::Session(_))
}

#[test]
fn only_the_cookie_of_this_server_and_port_is_accepted() {
    let (access, now) = (access(), Instant::now());
    let path = access.one_time_path(now);
    let key = path.strip_prefix("/login?key=").expect("the path of a key");
    let session = access.exchange(key, now).expect("the key is new");
    let id = session.id();
    let set = LOCAL.cookie_of(&session).to_str().expect("ASCII").to_owned();
    assert!(set.starts_with(&format!("codex-connector-8182={id}; ")), "{set}");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(with_cookie(&access, &format!("codex-connector-8182={id}"), LOCAL));
    assert!(with_cookie(&access, &format!("a=b; codex-connector-8182={id};c=d"), LOCAL));
    let shadowed = format!("codex-connector-8182=made-up; codex-connector-8182={id}");
    assert!(with_cookie(&access, &shadowed, LOCAL), "another server set a cookie of the same name");
    let many = format!("{}codex-connector-8182={id}", "codex-connector-8182=made-up; ".repeat(100));
    assert!(with_cookie(&access, &many, LOCAL), "another server set many of them");
    let other_encoding = [b"lang=\xe9; codex-connector-8182=".as_slice(), id.as_bytes()].concat();
    let mut request = request("GET", &[]);
    request.headers_mut().insert(COOKIE, HeaderValue::from_bytes(&other_encoding).expect("browsers send such values"));
    let visitor = access.visitor(&request, LOCAL, now);
    assert!(matches!(visitor, Visitor::Session(_)), "another server set a cookie that is not ASCII");
    for wrong in [
        "".to_owned(),
        "codex-connector-8182=".to_owned(),
        format!("codex-connector-8182={}", &id[1..]),
        format!("codex-connector-8182={id}x"),
        format!("codex-connector-8183={id}"),
        format!("session={id}"),
        format!("codex-connector-8182={}", session.csrf()),
        format!("codex-connector-8182={}", "0".repeat(id.len())),
    ] {
        assert!(!with_cookie(&access, &wrong, LOCAL), "{wrong}");
    }
    let other = self::access();
    assert!(!with_cookie(&other, &format!("codex-connector-8182={id}"), LOCAL), "the cookie of another server");
    access.log_out(&session);
    assert!(!with_cookie(&access, &format!("codex-connector-8182={id}"), LOCAL));
}

#[test]
fn cookies_are_not_accepted_over_a_connection_that_others_can_read() {
    let (access, now) = (access(), Instant::now());
    let session = match access.log_in(TOKEN, now) {
        TokenLogin::Opened(session) => session,
        refused => panic!("{refused:?}"),
    };
    let cookie = format!("codex-connector-8182={}", session.id());
    assert!(with_cookie(&access, &cookie, LOCAL));
    assert!(!with_cookie(&access, &cookie, Channel { is_local: false, ..LOCAL }));
    let is_local = |host: &str, is_loopback| Channel::of(&request("GET", &[("host", host)]), 1, is_loopback).is_local;
    for host in ["localhost:8182", "127.0.0.1", "[::1]:99", "LOCALHOST"] {
        assert!(is_local(host, true) && !is_local(host, false), "{host}");
    }
    for host in ["build.example", "192.0.2.7:80", "localhost.evil.example", ""] {
        assert!(!is_local(host, true), "{host}");
    }
}

#[test]
fn the_bearer_token_reads_but_does_not_act() {
    let access = access();
    let visitor = |method: &str, token: &str| {
        let request = request(method, &[("authorization", &format!("Bearer {token}"))]);
        access.visitor(&request, Channel { is_local: false, ..LOCAL }, Instant::now())
    };
    assert!(matches!(visitor("GET", TOKEN), Visitor::Bearer) && matches!(visitor("HEAD", TOKEN), Visitor::Bearer));
    assert!(matches!(visitor("POST", TOKEN), Visitor::Nobody));
    assert!(matches!(visitor("GET", "token-of-the-test-0124"), Visitor::Nobody));
}

#[test]
fn wrong_tokens_are_limited() {
    let (access, now) = (access(), Instant::now());
    for _ in 0..10 {
        assert!(matches!(access.log_in("wrong", now), TokenLogin::Wrong));
    }
    assert!(matches!(access.log_in(TOKEN, now), TokenLogin::TooMany));
}

#[test]
fn a_form_must_come_from_the_address_of_the_request() {
    let own = |headers: &[(&str, &str)]| is_own_page(&request("POST", headers));
    let host = ("host", "127.0.0.1:8182");
    assert!(own(&[host, ("origin", "http://127.0.0.1:8182")]));
    assert!(own(&[host, ("origin", "http://127.0.0.1:8182"), ("sec-fetch-site", "same-origin")]));
    assert!(own(&[("host", "localhost"), ("origin", "http://localhost")]));
    for origin in [
        "null",
        "",
        "http://127.0.0.1:8183",
        "http://127.0.0.1",
        "http://localhost:8182",
        "https://127.0.0.1:8182",
        "http://127.0.0.1:8182.evil.example",
        "http://evil.example",
        "https://app.example",
        "127.0.0.1:8182",
    ] {
        assert!(!own(&[host, ("origin", origin)]), "{origin}");
    }
    assert!(!own(&[host]), "no origin");
    assert!(!own(&[host, ("origin", "http://127.0.0.1:8182"), ("sec-fetch-site", "same-site")]));
    assert!(!own(&[host, ("origin", "http://127.0.0.1:8182"), ("sec-fetch-site", "cross-site")]));
}

#[test]
fn pages_of_other_origins_may_link_but_not_embed_or_fetch() {
    let isolated = |headers: &[(&str, &str)]| is_isolated(&request("GET", headers));
    assert!(isolated(&[]), "not a browser, or an old one");
    for site in ["none", "same-origin"] {
        assert!(isolated(&[("sec-fetch-site", site), ("sec-fetch-mode", "cors")]), "{site}");
    }
    for site in ["same-site", "cross-site"] {
        let link = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(isolated(&link), "{site}");
        for mode in ["no-cors", "cors", "websocket"] {
            assert!(!isolated(&[("sec-fetch-site", site), ("sec-fetch-mode", mode)]), "{site} {mode}");
        }
        let frame = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        assert!(!isolated(&frame), "{site}");
    }
}
