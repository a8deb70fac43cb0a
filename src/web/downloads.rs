//! Texts of a task, to download. They are read and sent in parts, because a log can have any size.

use std::io::{self, Write};

use bytes::Bytes;
use hyper::header::{CONTENT_DISPOSITION, HeaderValue};
use tokio::{runtime::Handle, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::events::{Gone, Sender, StreamSlot};
use crate::{
    broker::{Broker, DiffContent, PathSelection, Refusal, TaskLog, TaskPatch},
    follower::LogEnd,
    http::HttpResponse,
    present::web::Download,
    store::{ByteRange, FileChunk, LogStart, TaskFile},
    task::{TaskId, TaskRecord},
};

/// How much is read at once, in bytes.
const CHUNK_BYTES: u64 = 256 << 10;

/// How much of a patch is sent at once, in bytes.
const PATCH_PART_BYTES: usize = 64 << 10;

/// The beginning of a download, and where the rest comes from.
pub(super) enum Text {
    Log(Box<TaskLog>),
    Patch(TaskPatch),
    Result { record: Box<TaskRecord>, first: FileChunk },
}

/// Opens a text; `None` if the task has none.
pub(super) async fn open(broker: &Broker, id: &TaskId, download: Download) -> Result<Option<Text>, Refusal> {
    Ok(match download {
        Download::Log => Some(Text::Log(Box::new(broker.log(id, LogStart::Beginning).await?))),
        Download::Patch => {
            let (_, patch) = broker.diff(id, PathSelection::default(), DiffContent::ExactPatch).await?;
            patch.map(Text::Patch)
        }
        Download::Result => {
            let record = Box::new(broker.summary(id).await?.record);
            let first = chunk(broker, &record, 0).await?;
            first.map(|first| Text::Result { record, first })
        }
    })
}

/// The response that sends a text.
pub(super) fn send(
    broker: &Broker,
    (id, download): (&TaskId, Download),
    text: Text,
    slot: StreamSlot,
    closing: CancellationToken,
) -> HttpResponse {
    let (mut response, sender) = slot.open("text/plain; charset=utf-8", closing);
    let name = format!("attachment; filename=\"{id}-{}\"", download.as_str());
    let name = HeaderValue::from_str(&name).expect("an ID and our own names are ASCII");
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    let broker = broker.clone();
    // A text that cannot be read to its end is cut; its beginning was sent already.
    match text {
        Text::Log(log) => drop(tokio::spawn(send_log(log, sender))),
        Text::Patch(patch) => drop(spawn_blocking(move || send_patch(patch, sender))),
        Text::Result { record, first } => drop(tokio::spawn(send_result(broker, record, first, sender))),
    }
    response
}

async fn send_log(mut log: Box<TaskLog>, sender: Sender) -> Result<(), Gone> {
    loop {
        let Ok(read) = log.read(LogEnd::Closed).await else { return Ok(()) };
        let mut text = Vec::new();
        for line in read.lines {
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
        if !text.is_empty() {
            sender.send(text.into()).await?;
        }
        if !read.has_more {
            return Ok(());
        }
    }
}

async fn send_result(broker: Broker, record: Box<TaskRecord>, first: FileChunk, sender: Sender) -> Result<(), Gone> {
    let mut part = first;
    loop {
        sender.send(Bytes::from(part.text.into_raw())).await?;
        let Some(next) = part.next else { return Ok(()) };
        let Ok(Some(read)) = chunk(&broker, &record, next).await else { return Ok(()) };
        part = read;
    }
}

async fn chunk(broker: &Broker, record: &TaskRecord, offset: u64) -> Result<Option<FileChunk>, Refusal> {
    broker.read_chunk(record, TaskFile::Result, ByteRange { offset, length: CHUNK_BYTES }).await
}

/// On a thread that may block, because a patch is in a temporary file.
fn send_patch(mut patch: TaskPatch, sender: Sender) -> io::Result<()> {
    let mut writer = io::BufWriter::with_capacity(PATCH_PART_BYTES, PartWriter { sender, runtime: Handle::current() });
    patch.copy_to(&mut writer)
}

/// Sends what is written.
struct PartWriter {
    sender: Sender,
    runtime: Handle,
}

impl Write for PartWriter {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let sent = self.runtime.block_on(self.sender.send(Bytes::copy_from_slice(part)));
        sent.map(|()| part.len()).map_err(|Gone| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
