//! From an address to a stream of bytes: TCP, TLS over it, or a socket file. How many bytes a reply
//! may have is bounded here, below everything that keeps them.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

use crate::{
    address::{Address, Place},
    tls::Tls,
};

/// Anything that bytes go through.
trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// How many bytes may still come until the next batch is sent, and whether more came.
#[derive(Debug)]
pub(crate) struct Allowance {
    bytes_max: u64,
    left: AtomicU64,
    /// Batches whose replies were longer; all connections share it.
    refused: Arc<AtomicU64>,
}

impl Allowance {
    pub(crate) fn new(bytes_max: u64, refused: Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self { bytes_max, left: AtomicU64::new(bytes_max), refused })
    }

    /// A batch is about to be sent.
    pub(crate) fn refill(&self) {
        self.left.store(self.bytes_max, Ordering::Relaxed);
    }

    /// One task reads a connection: there is no race between looking and taking.
    fn take(&self, count: usize) -> io::Result<()> {
        let count = count as u64;
        let left = self.left.load(Ordering::Relaxed);
        let Some(rest) = left.checked_sub(count) else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let limit = self.bytes_max;
            let reason =
                format!("the replies have more than {limit} bytes: see --scrape.max-reply-bytes");
            return Err(io::Error::other(reason));
        };
        self.left.store(rest, Ordering::Relaxed);
        Ok(())
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
            self.allowance.take(buffer.filled().len().saturating_sub(before))?;
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
