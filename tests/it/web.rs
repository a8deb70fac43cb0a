//! The web UI: who may see it, and what every response has.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, UdpSocket},
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use connector_testing::{eventually, http::HttpRequest};
use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::{
    web_client::{WebServer, cookie},
    world::{ANSWER_TIMEOUT, World, task_id},
};

#[test]
fn the_one_time_address_signs_in_once() {
    let world = World::with_fake_agent();
    let server = WebServer::start(&world, &[]);
    let without = server.get("/tasks");
    assert!(without.status == 401 && without.body.contains("<form"), "{without:?}");
    assert_eq!(server.send(&HttpRequest::new("HEAD", &server.sign_in)).status, 401, "HEAD does not use it");

    let signed_in = server.get(&server.sign_in);
    let set = signed_in.header("set-cookie").expect("a cookie").to_owned();
    assert_eq!((signed_in.status, signed_in.header("location")), (303, Some("/tasks")));
    assert!(set.starts_with(&format!("codex-connector-{}=", server.address.port())), "{set}");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Path=/"), "{set}");
    let page = HttpRequest::new("GET", "/tasks").header("Cookie", &cookie(&signed_in));
    assert_eq!(server.send(&page).status, 200);

    let replayed = server.get(&server.sign_in);
    assert!(replayed.status == 403 && replayed.header("set-cookie").is_none(), "{replayed:?}");
    assert!(replayed.body.contains("codex-connector web"), "it says how to get a new one: {}", replayed.body);
    let made_up = server.get(&format!("/login?key={}", "0".repeat(96)));
    assert!(made_up.status == 403 && made_up.header("set-cookie").is_none(), "{made_up:?}");
}

#[test]
fn a_browser_that_comes_from_another_site_is_signed_in_without_a_redirect() {
    let world = World::with_fake_agent();
    let server = WebServer::start(&world, &[]);
    let link = HttpRequest::new("GET", &server.sign_in)
        .header("Sec-Fetch-Site", "cross-site")
        .header("Sec-Fetch-Mode", "navigate")
        .header("Sec-Fetch-Dest", "document");
    let signed_in = server.send(&link);
    assert_eq!((signed_in.status, signed_in.header("refresh")), (200, Some("0; url=/tasks")), "{signed_in:?}");
    assert!(!cookie(&signed_in).is_empty());
}

#[test]
fn the_cookie_of_another_server_is_not_accepted() {
    let world = World::with_fake_agent();
    let (server, other) = (WebServer::start(&world, &[]), WebServer::start(&world, &[]));
    let (browser, elsewhere) = (server.browser(), other.browser());
    let (_, foreign) = elsewhere.cookie.split_once('=').expect("a name and a value");
    let name = browser.cookie.split('=').next().expect("a name");
    for cookie in [elsewhere.cookie.clone(), format!("{name}={foreign}"), format!("{name}=x"), format!("{name}=")] {
        for path in ["/tasks", "/tasks/live", "/check", "/nothing"] {
            let refused = server.send(&HttpRequest::new("GET", path).header("Cookie", &cookie));
            assert!(refused.status == 401 && refused.body.contains("<form"), "{path} {cookie}: {refused:?}");
        }
    }
    assert_eq!(browser.get("/tasks").status, 200);
}

#[test]
fn the_token_signs_in_too_and_wrong_ones_are_limited() {
    let world = World::with_fake_agent();
    let server = WebServer::start(&world, &[]);
    let token = fs::read_to_string(world.data_dir().join("http-token")).expect("there is a token");
    let origin = format!("http://{}", server.address);
    let form = |token: &str| HttpRequest::form("/login", &format!("token={token}")).header("Origin", &origin);
    let signed_in = server.send(&form(token.trim()));
    assert_eq!(signed_in.status, 303, "{signed_in:?}");
    assert_eq!(server.send(&HttpRequest::new("GET", "/tasks").header("Cookie", &cookie(&signed_in))).status, 200);
    let forged = server.send(&form(token.trim()).header("Origin", "http://127.0.0.1:1"));
    assert!(forged.status == 403 && forged.header("set-cookie").is_none(), "{forged:?}");
    for _ in 0..10 {
        assert_eq!(server.send(&form("wrong")).status, 403);
    }
    let limited = server.send(&form(token.trim()));
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("60")), "{limited:?}");
    assert!(limited.header("set-cookie").is_none());

    let bearer = HttpRequest::new("GET", "/tasks").header("Authorization", &format!("Bearer {}", token.trim()));
    let page = server.send(&bearer);
    assert!(page.status == 200 && !page.body.contains("csrf"), "{page:?}");
    let post = HttpRequest::form("/logout", "csrf=").header("Authorization", &format!("Bearer {}", token.trim()));
    assert_eq!(server.send(&post.header("Origin", &origin)).status, 401, "the token only reads");
}

#[test]
fn a_forged_form_is_refused() {
    let world = World::with_fake_agent();
    let server = WebServer::start(&world, &["--actions"]);
    let browser = server.browser();
    let csrf = browser.csrf();
    let fields = format!("csrf={csrf}");
    let own = format!("http://{}", server.address);
    for path in ["/logout", "/tasks/1a2b3c4d/cancel"] {
        for origin in ["null", "http://evil.example", "http://127.0.0.1:1", &own.replace("http", "https")] {
            let refused = browser.send(&browser.form(path, &fields).header("Origin", origin));
            assert_eq!(refused.status, 403, "{path} from {origin}: {refused:?}");
        }
        let sites = browser.send(&browser.form(path, &fields).header("Sec-Fetch-Site", "same-site"));
        assert_eq!(sites.status, 403, "another port of this machine: {sites:?}");
        let without = HttpRequest::form(path, &fields).header("Cookie", &browser.cookie);
        assert_eq!(browser.send(&without).status, 403, "no origin");
        for wrong in ["", "csrf=", "csrf=x", &fields[..fields.len() - 1], &format!("{fields}&csrf={csrf}")] {
            let refused = browser.send(&browser.form(path, wrong));
            assert!([400, 403].contains(&refused.status), "{path} with {wrong}: {refused:?}");
        }
    }
    let large = format!("{fields}&text={}", "x".repeat(65 << 10));
    assert_eq!(browser.send(&browser.form("/tasks/1a2b3c4d/resume", &large)).status, 413);
    assert_eq!(browser.send(&browser.form("/tasks/1a2b3c4d/cancel", &fields)).status, 404, "it got past the guard");

    let signed_out = browser.send(&browser.form("/logout", &fields));
    assert!(signed_out.status == 303 && cookie(&signed_out).ends_with('='), "{signed_out:?}");
    assert_eq!(browser.get("/tasks").status, 401);
}

#[test]
fn every_response_has_the_headers_that_protect_it() {
    let world = World::with_fake_agent();
    let id = task_id(&world.server().call("codex_agent", world.fake(json!([{"say": "done"}])), |_| {}));
    let server = WebServer::start(&world, &[]);
    let browser = server.browser();
    let task = |part: &str| format!("/tasks/{id}{part}");
    let pages = ["", "/changes", "/log", "/result", "/details", "/log.txt", "/result.txt", "/undo", "/changes.patch"];
    let mut requests: Vec<_> = pages.iter().map(|part| browser.request("GET", &task(part))).collect();
    for path in ["/", "/tasks", "/usage", "/check", "/login", "/nothing", "/tasks?page=0", "/assets/app.js"] {
        requests.push(browser.request("GET", path));
        requests.push(HttpRequest::new("GET", path));
    }
    requests.push(browser.request("GET", "/tasks").header("Host", "evil.example"));
    requests.push(browser.request("GET", "/tasks").header("Sec-Fetch-Site", "cross-site"));
    requests.push(browser.request("PUT", "/tasks"));
    requests.push(browser.request("OPTIONS", "/tasks").header("Origin", "https://evil.example"));
    requests.push(browser.form("/tasks/1a2b3c4d/undo", ""));
    requests.push(browser.form("/logout", &"x".repeat(400 << 10)));
    for request in requests {
        let response = server.send(&request);
        let header = |name: &str| response.header(name).unwrap_or_default().to_owned();
        let policy = header("content-security-policy");
        for rule in ["default-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{request:?}: {response:?}");
        }
        assert_eq!(header("x-content-type-options"), "nosniff", "{request:?}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{request:?}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{request:?}");
        assert!(["same-origin", "no-referrer"].contains(&&*header("referrer-policy")), "{request:?}");
        assert_eq!(header("cache-control"), "no-store", "{request:?}");
        assert!(response.headers.iter().all(|(name, _)| !name.starts_with("access-control")), "{response:?}");
    }
    let page = browser.get("/nothing").body;
    let script = page.split('"').find(|word| word.starts_with("/assets/app.js?v=")).expect("the page has a script");
    let kept = server.get(script);
    assert!(kept.header("cache-control").is_some_and(|rule| rule.contains("immutable")), "{kept:?}");
    assert!(kept.header("content-type").is_some_and(|kind| kind.starts_with("text/javascript")), "{kept:?}");
}

#[test]
fn hostile_addresses_are_refused_and_head_has_no_body() {
    let world = World::with_fake_agent();
    let server = WebServer::start(&world, &[]);
    let browser = server.browser();
    let long = format!("/tasks/{}", "a".repeat(20_000));
    let many = format!("/tasks?{}", "state=failed&".repeat(100));
    for (path, status) in [
        ("/tasks/../../etc/passwd", 404),
        ("/tasks/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/tasks/1a2b3c4d", 404),
        ("/tasks/1a2b3c4d/live", 404),
        ("/tasks/1a2b3c4d/log.txt", 404),
        ("/tasks/1a2b3c4d%00", 404),
        ("/tasks/1A2B3C4D", 404),
        ("/assets/../http-token", 404),
        (&*long, 404),
        (&*many, 400),
        ("/tasks?state=%", 400),
        ("/tasks?state=x", 400),
        ("/tasks?page=99999999999999999999", 400),
        ("/tasks?page=1&page=1", 400),
        ("/tasks?repo=%00", 400),
        ("/tasks/1a2b3c4d?before=x", 400),
        ("/tasks?page=1000000", 200),
        ("/tasks?repo=%2f..%2f&backend=%3Cscript%3E&since=2d", 200),
    ] {
        let response = browser.get(path);
        assert_eq!(response.status, status, "{path}: {response:?}");
        assert!(response.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{path}");
        assert!(!response.body.contains("<script>"), "{path}: {}", response.body);
    }
    for path in ["/tasks", "/tasks/live", "/usage", "/nothing", "/assets/style.css"] {
        let (head, get) = (browser.send(&browser.request("HEAD", path)), browser.request("GET", path));
        assert!(head.body.is_empty(), "{path}: {head:?}");
        if path != "/tasks/live" {
            assert_eq!(head.status, browser.send(&get).status, "{path}");
        }
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "POST"] {
        let refused = browser.send(&browser.request(method, "/tasks"));
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{method}: {refused:?}");
    }
    assert_eq!(browser.get("/tasks").status, 200);
}

/// An address of this machine that is not a loopback address, if there is one. Nothing is sent.
fn outside_address() -> Option<std::net::IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[test]
fn no_cookie_is_set_over_a_connection_that_others_can_read() {
    let world = World::with_fake_agent()
        .configure("[server.http]\nweb = true\nallowed_hosts = [\"build.example\", \"192.0.2.7\"]\n");
    let server = WebServer::run(&mut world.command(&["serve", "--http", "0.0.0.0:0", "--allow-remote"]));
    let token = fs::read_to_string(world.data_dir().join("http-token")).expect("there is a token");
    let port = server.address.port();
    let connections = [Some(server.address), outside_address().map(|ip| SocketAddr::new(ip, port))];
    for address in connections.into_iter().flatten() {
        let send = |request: HttpRequest| request.header("Host", "build.example").send(address).expect("an answer");
        let refused = send(HttpRequest::new("GET", &server.sign_in));
        assert!(refused.header("set-cookie").is_none() && refused.body.contains("ssh -L"), "{refused:?}");
        let form = HttpRequest::form("/login", &format!("token={}", token.trim()));
        let refused = send(form.header("Origin", "http://build.example"));
        assert!(refused.header("set-cookie").is_none() && refused.body.contains("ssh -L"), "{refused:?}");
        let bearer = HttpRequest::new("GET", "/tasks").header("Authorization", &format!("Bearer {}", token.trim()));
        assert_eq!(send(bearer).status, 200);
    }
    let local = SocketAddr::from(([127, 0, 0, 1], port));
    let signed_in = HttpRequest::new("GET", &server.sign_in).send(local).expect("an answer");
    assert_eq!(signed_in.status, 303, "the key was not used up: {signed_in:?}");
    let cookie = cookie(&signed_in);
    let page = |host: &str| HttpRequest::new("GET", "/tasks").header("Cookie", &cookie).header("Host", host);
    assert_eq!(page("localhost").send(local).expect("an answer").status, 200);
    assert_eq!(page("build.example").send(local).expect("an answer").status, 401);
}

#[test]
fn mcp_and_the_web_ui_share_an_address_but_not_their_rules() {
    let world = World::with_fake_agent().configure("[server.http]\nweb = true\n");
    let server = WebServer::run(&mut world.command(&["serve", "--http", "127.0.0.1:0"]));
    let browser = server.browser();
    assert_eq!(browser.get("/tasks").status, 200);
    let cookie_only = HttpRequest::message("/mcp", &json!({})).header("Cookie", &browser.cookie);
    assert_eq!(server.send(&cookie_only).status, 401, "a cookie is not accepted as a token for MCP");
    let token = fs::read_to_string(world.data_dir().join("http-token")).expect("there is a token");
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let mcp = HttpRequest::message("/mcp", &initialize).header("Authorization", &format!("Bearer {}", token.trim()));
    assert_eq!(server.send(&mcp).status, 200);
    let preflight = HttpRequest::new("OPTIONS", "/tasks")
        .header("Origin", "http://localhost:3000")
        .header("Access-Control-Request-Method", "POST");
    let refused = server.send(&preflight);
    assert!(refused.status >= 400 && refused.header("access-control-allow-origin").is_none(), "{refused:?}");
    let csrf = browser.csrf();
    let read_only = browser.send(&browser.form("/tasks/1a2b3c4d/cancel", &format!("csrf={csrf}")));
    assert!(read_only.status == 403 && read_only.body.contains("codex-connector cancel 1a2b3c4d"), "{read_only:?}");
}

#[test]
fn ctrl_c_ends_the_server_at_once_even_with_open_streams() {
    let world = World::with_fake_agent();
    let mut server = WebServer::start(&world, &[]);
    let browser = server.browser();
    let streams: Vec<_> = (0..5).map(|_| browser.stream("/tasks/live", &[])).collect();
    streams.iter().for_each(|stream| drop(stream.wait_for("the list", |event| event.is("replace", "tasks"))));
    let begun = Instant::now();
    kill_process(server.pid(), Signal::INT).expect("it is our child");
    let status =
        eventually("the end of the server", Duration::from_secs(10), || server.process.try_wait().ok().flatten());
    assert_eq!(status.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(2), "it took {:?}", begun.elapsed());
    streams.iter().for_each(|stream| stream.wait_for_end(Duration::from_secs(2)));
    let mut said = String::new();
    server.stderr.take().expect("stderr is piped").read_to_string(&mut said).expect("it is text");
    assert!(said.contains("Press Ctrl-C to stop") && said.lines().count() == 1, "{said}");
}

#[test]
fn the_browser_is_opened_without_a_shell_and_its_absence_is_reported() {
    let world = World::with_fake_agent();
    let bin = world.home().join("bin");
    fs::create_dir(&bin).expect("the home is writable");
    let mut server = WebServer::run(world.command(&["web", "--open"]).env("PATH", &bin));
    let said = BufReader::new(server.stderr.take().expect("stderr is piped")).lines();
    let said = said.map_while(Result::ok).find(|line| line.contains("no browser could be opened"));
    assert!(said.is_some());
    drop(server);

    let (opener, opened) = (bin.join("xdg-open"), world.home().join("opened"));
    fs::write(&opener, format!("#!/bin/sh\nprintf '%s|' \"$#\" \"$@\" >{}\n", opened.display())).expect("writable");
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let server = WebServer::run(world.command(&["web", "--open"]).env("PATH", &bin));
    let expected = format!("1|http://{}{}|", server.address, server.sign_in);
    eventually("the opened address", ANSWER_TIMEOUT, || {
        fs::read_to_string(&opened).is_ok_and(|found| found == expected).then_some(())
    });
}
