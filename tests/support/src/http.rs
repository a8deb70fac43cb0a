//! An HTTP client that sends what a test specifies, valid or not.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// Time limit for a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// A request that is sent on a new connection.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// The response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, with the chunks joined.
    pub body: String,
}

impl HttpRequest {
    /// A request without headers and body.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: vec![], body: vec![] }
    }

    /// A JSON-RPC message to an MCP server.
    pub fn message(path: &str, message: &Value) -> Self {
        let request = Self::new("POST", path)
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream");
        Self { body: message.to_string().into_bytes(), ..request }
    }

    /// A form that a browser sends: `name=value` pairs, already encoded.
    pub fn form(path: &str, fields: &str) -> Self {
        let request = Self::new("POST", path).header("Content-Type", "application/x-www-form-urlencoded");
        Self { body: fields.as_bytes().to_vec(), ..request }
    }

    /// Replaces the first `from` in the body with `to`.
    ///
    /// # Panics
    ///
    /// Panics if the body does not contain them.
    #[must_use]
    pub fn replace(mut self, from: &str, to: &[u8]) -> Self {
        let found = self.body.windows(from.len()).position(|window| window == from.as_bytes());
        let at = found.unwrap_or_else(|| panic!("{from} is not in the body"));
        self.body.splice(at..at + from.len(), to.iter().copied());
        self
    }

    /// Sets a header, replacing any header of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends the request and returns the connection, from which the response can be read.
    ///
    /// # Errors
    ///
    /// Fails if the connection is refused or closed early.
    pub fn begin(&self, server: SocketAddr) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {server}\r\n"));
        }
        if !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        // A server that rejects the request after reading its headers may not read the body.
        let _ = stream.write_all(&self.body);
        Ok(stream)
    }

    /// Sends the request and reads the whole response.
    ///
    /// # Errors
    ///
    /// Fails if there is no response, or it is not HTTP.
    pub fn send(&self, server: SocketAddr) -> io::Result<HttpResponse> {
        let mut raw = Vec::new();
        let mut stream = self.begin(server)?;
        match stream.read_to_end(&mut raw) {
            // The server closed the connection without reading the rest of the body.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !raw.is_empty() => {}
            read => drop(read?),
        }
        HttpResponse::read(&raw).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP response"))
    }
}

impl HttpResponse {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The JSON-RPC messages in the body: one, or those of an event stream.
    pub fn messages(&self) -> Vec<Value> {
        if let Ok(message) = serde_json::from_str(&self.body) {
            return vec![message];
        }
        self.body.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?.trim()).ok()).collect()
    }

    fn read(raw: &[u8]) -> Option<Self> {
        let end = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&raw[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = &raw[end + 4..];
        let body = if is_chunked { dechunk(body) } else { body.to_vec() };
        Some(Self { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// The content of the chunks, as far as they arrived.
fn dechunk(mut chunks: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(end) = chunks.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&chunks[..end]).ok().and_then(|word| usize::from_str_radix(word, 16).ok());
        let Some(length @ 1..) = length else { break };
        let from = end + 2;
        content.extend_from_slice(&chunks[from..chunks.len().min(from + length)]);
        chunks = chunks.get(from + length + 2..).unwrap_or_default();
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stream_in_chunks_is_read_as_its_messages() {
        let raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n9\r\ndata: {\"a\r\n7\r\n\":1}\n\n\n\r\n0\r\n\r\n";
        let answer = HttpResponse::read(raw).expect("it is an answer");
        assert_eq!((answer.status, answer.header("x")), (200, Some("y")));
        assert_eq!(answer.messages(), [serde_json::json!({"a": 1})]);
    }
}
