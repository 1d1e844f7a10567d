//! One connection, from its first byte to its end.

use std::{convert::Infallible, io, sync::Arc};

use axum::{Router, body::Body};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::Notify,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt as _;
use tracing::debug;

use super::pace::{Answer, Clock, Pace, Watched};
use crate::{http::config::WebConfig, shutdown::Shutdown};

/// Requests of one HTTP/2 connection at a time; a browser asks for a handful.
const STREAMS_MAX: u32 = 32;
/// The first byte of a TLS connection.
const HANDSHAKE_RECORD: u8 = 0x16;
/// What somebody reads who speaks HTTP to a port for HTTPS, as Go's server says it.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// How much is read of such a request, so that closing does not look like an error.
const PLAIN_BYTES: u64 = 4_096;

/// Bytes from and to a peer.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What all connections share.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    pub(super) router: Router,
    /// `None` for plain HTTP without a password.
    pub(super) config: Option<WebConfig>,
    pub(super) pace: Pace,
    pub(super) head_bytes_max: usize,
    /// Somebody waits for a place: an idle connection is to make room.
    pub(super) pressure: Arc<Notify>,
    pub(super) shutdown: Shutdown,
}

impl Connections {
    /// Serves `stream` to its end.
    pub(super) async fn serve(&self, stream: Box<dyn Stream>) {
        let tls = match &self.config {
            Some(config) => config.current().await.tls.clone(),
            None => None,
        };
        let Some(tls) = tls else { return self.http(stream, false).await };
        match timeout(self.pace.head, handshake(stream, tls)).await {
            Ok(Ok(stream)) => {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.http(stream, http2).await;
            }
            Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
            Err(_elapsed) => debug!("TLS handshake took too long"),
        }
    }

    async fn http(&self, stream: impl Stream + 'static, http2: bool) {
        let clock = Clock::start(self.pace);
        let (router, answering) = (self.router.clone(), clock.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            answer(router.clone(), answering.clone(), request)
        });
        let builder = self.builder(http2);
        let connection = if http2 {
            // Frames come between requests as well, to keep a connection open.
            builder.serve_connection(TokioIo::new(Box::new(stream) as Box<dyn Stream>), service)
        } else {
            let stream = Watched { stream, clock: clock.clone() };
            builder.serve_connection(TokioIo::new(Box::new(stream) as Box<dyn Stream>), service)
        };
        tokio::pin!(connection);
        let mut closing = false;
        loop {
            tokio::select! {
                outcome = connection.as_mut() => {
                    if let Err(error) = outcome {
                        debug!(%error, "connection closed");
                    }
                    return;
                }
                reason = clock.over() => {
                    debug!(reason, "connection closed");
                    return;
                }
                () = self.shutdown.requested(), if !closing => {}
                () = self.room_wanted(&clock), if !closing => {}
            }
            if clock.awaits_head() {
                return;
            }
            closing = true;
            connection.as_mut().graceful_shutdown();
        }
    }

    /// Completes when the connection is idle and somebody else wants its place.
    async fn room_wanted(&self, clock: &Clock) {
        loop {
            clock.idle(true).await;
            tokio::select! {
                () = self.pressure.notified() => return,
                () = clock.idle(false) => {}
            }
        }
    }

    fn builder(&self, http2: bool) -> auto::Builder<TokioExecutor> {
        let builder = auto::Builder::new(TokioExecutor::new());
        let mut builder = if http2 { builder.http2_only() } else { builder.http1_only() };
        builder
            .http1()
            .timer(TokioTimer::new())
            // The clock has a limit for heads and another one for idle connections.
            .header_read_timeout(None)
            // As Go's server writes them, for clients which compare bytes.
            .title_case_headers(true)
            .max_buf_size(self.head_bytes_max);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(u32::try_from(self.head_bytes_max).unwrap_or(u32::MAX));
        builder
    }
}

async fn answer(
    router: Router,
    clock: Clock,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let answering = clock.begin();
    let response = router.oneshot(request.map(Body::new)).await?;
    Ok(response.map(|body| Answer::new(body, answering)))
}

/// TLS, with a word for those who speak plain HTTP.
async fn handshake(
    mut stream: Box<dyn Stream>,
    config: Arc<rustls::ServerConfig>,
) -> io::Result<TlsStream<impl Stream>> {
    let first = stream.read_u8().await?;
    if first != HANDSHAKE_RECORD {
        stream.write_all(PLAIN_HTTP).await?;
        stream.shutdown().await?;
        stream.take(PLAIN_BYTES).read_to_end(&mut Vec::new()).await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not TLS"));
    }
    let (reader, writer) = tokio::io::split(stream);
    let stream = tokio::io::join(io::Cursor::new([first]).chain(reader), writer);
    TlsAcceptor::from(config).accept(stream).await
}
