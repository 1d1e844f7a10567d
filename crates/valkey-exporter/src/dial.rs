//! From an address to a stream of bytes: TCP, TLS over it, or a socket file. What replies may have is
//! bounded here, below everything that keeps it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

use crate::{
    access::Refusals,
    address::{Address, Place},
    framing::{Bounds, DEPTH_MAX, Excess, Framing, LINE_BYTES_MAX},
    tls::Tls,
};

/// Anything that bytes go through.
trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// What may still come until the next batch is sent.
#[derive(Debug)]
pub(crate) struct Allowance {
    framing: Mutex<Framing>,
    bounds: Bounds,
    /// What there was too much of: the connection is of no use any more.
    excess: OnceLock<Excess>,
    refused: Arc<Refusals>,
}

impl Allowance {
    pub(crate) fn new(bounds: Bounds, refused: Arc<Refusals>) -> Arc<Self> {
        let framing = Mutex::new(Framing::new(bounds));
        Arc::new(Self { framing, bounds, excess: OnceLock::new(), refused })
    }

    /// A batch is about to be sent.
    pub(crate) fn refill(&self) {
        self.framing().refill();
    }

    /// Why the server was hung up on, if it was.
    pub(crate) fn reason(&self) -> Option<String> {
        let Bounds { bytes_max, values_max } = self.bounds;
        Some(match self.excess.get()? {
            Excess::Bytes => {
                format!(
                    "the replies have more than {bytes_max} bytes: see --scrape.max-reply-bytes"
                )
            }
            Excess::Values => format!(
                "the replies have more than {values_max} values: see --scrape.max-reply-values"
            ),
            Excess::Line => format!("a line of a reply has more than {LINE_BYTES_MAX} bytes"),
            Excess::Depth => format!("a reply has more than {DEPTH_MAX} lists inside each other"),
        })
    }

    fn take(&self, bytes: &[u8]) -> io::Result<()> {
        let taken = self.framing().take(bytes);
        taken.map_err(|excess| {
            if self.excess.set(excess).is_ok() {
                self.refused.add(excess);
            }
            io::Error::other("the replies are too long")
        })
    }

    fn framing(&self) -> MutexGuard<'_, Framing> {
        self.framing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection to a server.
pub(crate) struct Stream {
    bytes: Box<dyn Bytes>,
    allowance: Arc<Allowance>,
}

/// Connects; who waits for it sets the time limit.
///
/// # Errors
///
/// In the words of the system or of TLS.
pub(crate) async fn dial(
    address: &Address,
    server_name: Option<&str>,
    tls: &Arc<Tls>,
    allowance: Arc<Allowance>,
) -> io::Result<Stream> {
    let bytes: Box<dyn Bytes> = match &address.place {
        Place::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Place::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            // A batch must not wait for the acknowledgement of the one before it.
            stream.set_nodelay(true)?;
            if address.tls {
                let (tls, host) = (Arc::clone(tls), host.clone());
                let server_name = server_name.map(str::to_owned);
                // Files may lie on a file system which hangs.
                let reading = tokio::task::spawn_blocking(move || {
                    tls.connector(&host, server_name.as_deref())
                });
                let (connector, name) =
                    reading.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
                Box::new(connector.connect(name, stream).await?)
            } else {
                Box::new(stream)
            }
        }
    };
    Ok(Stream { bytes, allowance })
}

fn is_hung_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.bytes).poll_read(context, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.allowance.take(buffer.filled().get(before..).unwrap_or_default())?;
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.bytes).poll_write(context, buffer);
        match polled {
            // A server that is full says so and hangs up: what it said is still to be read, and
            // the end behind it is told to whoever reads.
            Poll::Ready(Err(error)) if is_hung_up(&error) => Poll::Ready(Ok(buffer.len())),
            polled => polled,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(context)
    }
}
