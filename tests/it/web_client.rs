//! A server of the web UI, and a browser for it that does what a test says.

use std::{
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStderr, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use connector_testing::{
    eventually,
    http::{HttpRequest, HttpResponse},
};
use rustix::process::Pid;
use serde_json::Value;

use crate::world::{ANSWER_TIMEOUT, World};

/// A server, killed when dropped.
pub(crate) struct WebServer {
    pub(crate) process: Child,
    pub(crate) stderr: Option<ChildStderr>,
    pub(crate) address: SocketAddr,
    /// The path of the one-time address.
    pub(crate) sign_in: String,
}

/// A browser that is signed in.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) address: SocketAddr,
    pub(crate) cookie: String,
}

/// An open event stream, read in the background.
pub(crate) struct EventStream {
    connection: TcpStream,
    events: Arc<Mutex<(Vec<Event>, bool)>>,
}

/// An event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) id: Option<u64>,
    pub(crate) data: Value,
}

impl WebServer {
    pub(crate) fn start(world: &World, args: &[&str]) -> Self {
        Self::run(world.command(&[]).arg("web").args(args))
    }

    /// Runs a command that prints a one-time address in one of its lines.
    pub(crate) fn run(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
        let lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let line = lines.map_while(Result::ok).find(|line| line.contains("/login?key="));
        let line = line.unwrap_or_else(|| panic!("no address: {:?}", process.wait_with_output_of_stderr()));
        let (_, address) = line.split_once("http://").expect("an address");
        let (address, path) = address.split_once('/').expect("a path");
        let stderr = process.stderr.take();
        Self { process, stderr, address: address.parse().expect("an address"), sign_in: format!("/{path}") }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    pub(crate) fn send(&self, request: &HttpRequest) -> HttpResponse {
        request.send(self.address).expect("the server answers")
    }

    pub(crate) fn get(&self, path: &str) -> HttpResponse {
        self.send(&HttpRequest::new("GET", path))
    }

    /// Uses the one-time address.
    pub(crate) fn browser(&self) -> Browser {
        let signed_in = self.get(&self.sign_in);
        assert_eq!((signed_in.status, signed_in.header("location")), (303, Some("/tasks")), "{signed_in:?}");
        Browser { address: self.address, cookie: cookie(&signed_in) }
    }
}

/// The cookie that a response sets, as a browser sends it back.
pub(crate) fn cookie(response: &HttpResponse) -> String {
    let set = response.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {response:?}"));
    set.split(';').next().expect("there is a first part").to_owned()
}

impl Drop for WebServer {
    fn drop(&mut self) {
        // Both fail only if the child is already gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

trait WaitForStderr {
    fn wait_with_output_of_stderr(&mut self) -> String;
}

impl WaitForStderr for Child {
    fn wait_with_output_of_stderr(&mut self) -> String {
        let mut text = String::new();
        if let Some(stderr) = &mut self.stderr {
            let _ = stderr.read_to_string(&mut text);
        }
        text
    }
}

impl Browser {
    pub(crate) fn request(&self, method: &str, path: &str) -> HttpRequest {
        HttpRequest::new(method, path).header("Cookie", &self.cookie)
    }

    pub(crate) fn send(&self, request: &HttpRequest) -> HttpResponse {
        request.send(self.address).expect("the server answers")
    }

    pub(crate) fn get(&self, path: &str) -> HttpResponse {
        self.send(&self.request("GET", path))
    }

    /// A form as a browser sends it from a page of the server, with these fields, already encoded.
    pub(crate) fn form(&self, path: &str, fields: &str) -> HttpRequest {
        let origin = format!("http://{}", self.address);
        let form = HttpRequest::form(path, fields).header("Cookie", &self.cookie).header("Origin", &origin);
        form.header("Sec-Fetch-Site", "same-origin").header("Sec-Fetch-Mode", "navigate")
    }

    /// The token in the forms of the pages.
    pub(crate) fn csrf(&self) -> String {
        // The page of an unknown address has it too.
        let page = self.get("/nothing").body;
        let token = page.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        token.unwrap_or_else(|| panic!("no token in {page}")).0.to_owned()
    }

    /// Opens a stream, with more headers.
    pub(crate) fn stream(&self, path: &str, headers: &[(&str, &str)]) -> EventStream {
        let request =
            headers.iter().fold(self.request("GET", path), |request, (name, value)| request.header(name, value));
        let connection = request.begin(self.address).expect("the server listens");
        EventStream::read(connection)
    }
}

impl EventStream {
    /// Reads the response in the background.
    fn read(connection: TcpStream) -> Self {
        let events = Arc::<Mutex<(Vec<Event>, bool)>>::default();
        let (mut reader, shared) =
            (BufReader::new(connection.try_clone().expect("a socket can be cloned")), Arc::clone(&events));
        thread::spawn(move || {
            let (mut text, mut line, mut in_body) = (String::new(), String::new(), false);
            // Chunks are whole events here, so their sizes are lines of their own.
            while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                let content = line.trim_end_matches(['\r', '\n']).to_owned();
                line.clear();
                match (in_body, content.is_empty()) {
                    (false, is_end) => in_body = is_end,
                    (true, true) => {
                        let event = Event::parse(&text);
                        text.clear();
                        shared.lock().expect("no thread panics").0.extend(event);
                    }
                    (true, false) => text += &(content + "\n"),
                }
            }
            shared.lock().expect("no thread panics").1 = true;
        });
        Self { connection, events }
    }

    /// The events so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().expect("no thread panics").0.clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.events.lock().expect("no thread panics").1
    }

    /// Waits for an event that `wanted` accepts.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        eventually(what, ANSWER_TIMEOUT, || self.events().into_iter().find(&wanted))
    }

    /// Waits until the server closes the stream.
    pub(crate) fn wait_for_end(&self, within: Duration) {
        eventually("the end of the stream", within, || self.has_ended().then_some(()));
    }

    /// Closes the connection.
    pub(crate) fn cut(self) -> Vec<Event> {
        let events = self.events();
        // It may be closed already.
        let _ = self.connection.shutdown(std::net::Shutdown::Both);
        events
    }
}

impl Event {
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let data = serde_json::from_str(field("data")?).expect("the data is JSON");
        let id = field("id").map(|id| id.parse().expect("the ID is a number"));
        Some(Self { kind: field("event")?.to_owned(), id, data })
    }

    /// The fragment of HTML.
    pub(crate) fn html(&self) -> &str {
        self.data["html"].as_str().unwrap_or_default()
    }

    /// Whether it is of this kind, about this element.
    pub(crate) fn is(&self, kind: &str, element: &str) -> bool {
        self.kind == kind && self.data["id"] == element
    }
}
