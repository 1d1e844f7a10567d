//! A page on its way to a scraper: a small one whole, others chunk by chunk, with an end to waiting.

use std::{
    convert::Infallible,
    io::{self, Write},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::body::Body;
use bytes::Bytes;
use flate2::write::GzEncoder;
use futures_util::stream;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use prometheus::IntGauge;
use ruzstd::encoding::CompressionLevel;
use tokio::{
    runtime::Handle,
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{self, error::TrySendError},
    },
    time::timeout_at,
};
use tracing::{debug, warn};

use crate::{
    exposition::{Compression, Encoder, Escaping, Families, Format, Page, Refusals},
    telemetry::Telemetry,
};

/// Chunks which may wait for the reader beside the one being written.
const CHUNKS_WAITING: usize = 1;

/// Lines of a page that is rendered where it is asked for: going to another thread and back takes longer.
const SMALL_PAGE_LINES: usize = 4_096;

/// All that rendering needs, so that it can go on in a thread of its own.
pub(super) struct Rendering {
    pub(super) page: Page,
    pub(super) sources: Vec<Arc<dyn Families>>,
    pub(super) names: Vec<String>,
    pub(super) format: Format,
    pub(super) escaping: Escaping,
    pub(super) compression: Compression,
    /// When the scraper asked.
    pub(super) started: Instant,
    /// A reader which has not taken everything by then is cut off.
    pub(super) deadline: Instant,
    /// Given back when the page has been taken.
    pub(super) request: InFlight,
    pub(super) telemetry: Telemetry,
}

/// One of the few pages which are rendered at once; given back while the reader is waited for.
pub(super) struct Turn {
    pub(super) renders: Arc<Semaphore>,
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// One of the requests which are served at once.
pub(super) struct InFlight {
    permit: Option<OwnedSemaphorePermit>,
    gauge: IntGauge,
}

impl InFlight {
    /// Counts a request; `permit` is its place among the allowed ones.
    pub(super) fn new(permit: Option<OwnedSemaphorePermit>, gauge: IntGauge) -> Self {
        gauge.inc();
        Self { permit, gauge }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.dec();
        drop(self.permit.take());
    }
}

impl Rendering {
    /// Whether [`whole`] is for it.
    pub(super) fn is_small(&self) -> bool {
        self.sources.is_empty() && self.page.lines_count() <= SMALL_PAGE_LINES
    }
}

/// Renders at once, for pages which are small.
pub(super) fn whole(rendering: Rendering) -> Body {
    let mut bytes = Vec::new();
    let refusals = render(&rendering, &mut bytes).expect("memory takes every byte");
    rendering.telemetry.count_refusals(&refusals);
    rendering.telemetry.observe_page(rendering.started.elapsed(), bytes.len() as u64);
    let length = bytes.len() as u64;
    Body::new(Whole { bytes: Some(bytes.into()), length, _request: rendering.request })
}

/// A page in memory. It ends only when it is asked for more, which is when it has been taken.
struct Whole {
    bytes: Option<Bytes>,
    length: u64,
    _request: InFlight,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.bytes.is_some() { self.length } else { 0 })
    }
}

/// Renders in a blocking thread, at the pace of the reader. `thread` is its place among the threads,
/// given back at the end.
pub(super) fn stream(rendering: Rendering, turn: Turn, thread: OwnedSemaphorePermit) -> Body {
    let (chunks, received) = mpsc::channel(CHUNKS_WAITING);
    tokio::task::spawn_blocking(move || {
        let mut sink = Chunks {
            sender: chunks.clone(),
            runtime: Handle::current(),
            deadline: rendering.deadline,
            turn,
            bytes: 0,
        };
        match render(&rendering, &mut sink) {
            Ok(refusals) => {
                rendering.telemetry.count_refusals(&refusals);
                rendering.telemetry.observe_page(rendering.started.elapsed(), sink.bytes);
            }
            Err(error) => {
                debug!(%error, "a scraper went away");
                // An error ends the response without its last chunk, so that nobody takes it for whole.
                if chunks.blocking_send(Err(error)).is_err() {
                    debug!("nobody reads the page any more");
                }
            }
        }
        drop(rendering.request);
        drop(thread);
    });
    Body::from_stream(stream::unfold(received, |mut received| async {
        received.recv().await.map(|chunk| (chunk, received))
    }))
}

fn render(rendering: &Rendering, sink: &mut dyn Write) -> io::Result<Refusals> {
    match rendering.compression {
        Compression::Identity => write(rendering, sink),
        Compression::Gzip => {
            let mut compressor = GzEncoder::new(sink, flate2::Compression::fast());
            let refusals = write(rendering, &mut compressor)?;
            compressor.finish()?;
            Ok(refusals)
        }
        Compression::Zstd => write(rendering, &mut Frames(sink)),
    }
}

fn write(rendering: &Rendering, sink: &mut dyn Write) -> io::Result<Refusals> {
    let Rendering { page, sources, names, format, escaping, .. } = rendering;
    Encoder::new(*format, sink).escaping(*escaping).write_page(page, sources, names)
}

/// Compresses each chunk into a zstd frame of its own; a reader takes frames in a row as one text.
struct Frames<'a>(&'a mut dyn Write);

impl Write for Frames<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let frame = ruzstd::encoding::compress_to_vec(bytes, CompressionLevel::Fastest);
        self.0.write_all(&frame)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Sends what is written to the response.
struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
    deadline: Instant,
    turn: Turn,
    bytes: u64,
}

impl Chunks {
    /// Waits for the reader, and lets others render meanwhile.
    fn wait(&mut self, chunk: io::Result<Bytes>) -> io::Result<()> {
        drop(self.turn.permit.take());
        #[expect(clippy::disallowed_methods, reason = "the reader is held to real time")]
        if Instant::now() >= self.deadline {
            return self.cut_off();
        }
        let sent = self.runtime.block_on(timeout_at(self.deadline.into(), self.sender.send(chunk)));
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(_closed)) => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(_elapsed) => return self.cut_off(),
        }
        let turn = Arc::clone(&self.turn.renders).acquire_owned();
        let turn = self.runtime.block_on(timeout_at(self.deadline.into(), turn));
        self.turn.permit = turn.ok().and_then(Result::ok);
        if self.turn.permit.is_none() { self.cut_off() } else { Ok(()) }
    }

    fn cut_off(&self) -> io::Result<()> {
        warn!(bytes = self.bytes, "cut off a reader which was too slow");
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        match self.sender.try_send(Ok(Bytes::copy_from_slice(bytes))) {
            Ok(()) => {}
            Err(TrySendError::Full(chunk)) => self.wait(chunk)?,
            Err(TrySendError::Closed(_chunk)) => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
