//! A page on its way to a scraper, chunk by chunk, with an end to waiting.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Instant,
};

use axum::body::Body;
use bytes::Bytes;
use flate2::write::GzEncoder;
use futures_util::stream;
use ruzstd::encoding::CompressionLevel;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout_at,
};
use tracing::{debug, warn};

use crate::{
    exposition::{Compression, Encoder, Escaping, Families, Format, Page, Refusals},
    telemetry::Telemetry,
};

/// Chunks which may wait for the reader beside the one being written.
const CHUNKS_WAITING: usize = 1;

/// All that rendering needs, so that it can go on in a thread of its own.
pub(super) struct Rendering {
    pub(super) page: Page,
    pub(super) sources: Vec<Arc<dyn Families>>,
    pub(super) names: Vec<String>,
    pub(super) format: Format,
    pub(super) escaping: Escaping,
    pub(super) compression: Compression,
    /// A reader which has not taken everything by then is cut off.
    pub(super) deadline: Instant,
    /// Given back when the page has been written.
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) telemetry: Telemetry,
}

/// Renders in a blocking thread, at the pace of the reader.
pub(super) fn stream(rendering: Rendering) -> Body {
    let (chunks, received) = mpsc::channel(CHUNKS_WAITING);
    tokio::task::spawn_blocking(move || {
        let sink = Chunks {
            sender: chunks.clone(),
            runtime: Handle::current(),
            deadline: rendering.deadline,
        };
        match render(&rendering, sink) {
            Ok(refusals) => rendering.telemetry.count_refusals(&refusals),
            Err(error) => {
                debug!(%error, "a scraper went away");
                // An error ends the response without its last chunk, so that nobody takes it for whole.
                if chunks.blocking_send(Err(error)).is_err() {
                    debug!("nobody reads the page any more");
                }
            }
        }
        drop(rendering.permit);
    });
    Body::from_stream(stream::unfold(received, |mut received| async {
        received.recv().await.map(|chunk| (chunk, received))
    }))
}

fn render(rendering: &Rendering, mut sink: Chunks) -> io::Result<Refusals> {
    match rendering.compression {
        Compression::Identity => write(rendering, &mut sink),
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
struct Frames(Chunks);

impl Write for Frames {
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
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let send = self.sender.send(Ok(Bytes::copy_from_slice(bytes)));
        let sent = self.runtime.block_on(timeout_at(self.deadline.into(), send));
        match sent {
            Ok(Ok(())) => Ok(bytes.len()),
            Ok(Err(_closed)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_elapsed) => {
                warn!("cut off a reader which was too slow");
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
