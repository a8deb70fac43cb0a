//! What the fake agent prints: events on stdout, remarks on stderr.

use std::{
    io::{self, Write},
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

/// Prints to stderr, where nobody may be listening any more.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The stream of events.
#[derive(Debug)]
pub(crate) struct Output {
    thread_id: String,
    items: u32,
}

impl Output {
    /// A stream of the thread that is resumed, or else of a new one.
    pub(crate) fn new(resumed: Option<&str>) -> Output {
        Output { thread_id: resumed.map_or_else(new_thread_id, str::to_owned), items: 0 }
    }

    /// The two events before everything else.
    pub(crate) fn begin(&self) -> io::Result<()> {
        self.event(&json!({"type": "thread.started", "thread_id": self.thread_id}))?;
        self.event(&json!({"type": "turn.started"}))
    }

    pub(crate) fn event(&self, event: &Value) -> io::Result<()> {
        self.bytes(format!("{event}\n").as_bytes())
    }

    /// Bytes that need not be an event.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// An item that is there at once, such as a message. `fields` has everything but the id.
    pub(crate) fn item(&mut self, fields: Value) -> io::Result<()> {
        let item = self.numbered(fields);
        self.event(&json!({"type": "item.completed", "item": item}))
    }

    /// An item that takes time: its fields at first, and what is different at the end.
    pub(crate) fn item_with_start(&mut self, fields: Value, end: Value) -> io::Result<()> {
        let mut item = self.numbered(fields);
        self.event(&json!({"type": "item.started", "item": item}))?;
        if let (Some(item), Value::Object(end)) = (item.as_object_mut(), end) {
            item.extend(end);
        }
        self.event(&json!({"type": "item.completed", "item": item}))
    }

    fn numbered(&mut self, fields: Value) -> Value {
        let mut item = json!({"id": format!("item_{}", self.items)});
        self.items += 1;
        if let (Some(item), Value::Object(fields)) = (item.as_object_mut(), fields) {
            item.extend(fields);
        }
        item
    }
}

/// In the form of a version 7 UUID, and unique on this machine.
fn new_thread_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (millis, nanos) = (now.as_millis(), now.subsec_nanos());
    format!(
        "{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
        (millis >> 16) & 0xffff_ffff,
        millis & 0xffff,
        nanos & 0xfff,
        (nanos >> 12) & 0xfff,
        process::id()
    )
}
