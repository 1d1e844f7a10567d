//! Sockets and connections.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use futures_util::future::join_all;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream, lookup_host},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use crate::shutdown::Shutdown;

/// Longest request line and headers together.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Time for a request's head to arrive, and for a connection to stay idle: five scrapes of 15 s.
const HEAD_LIMIT: Duration = Duration::from_secs(75);
/// Time which open responses get when the process is asked to stop.
const DRAIN_LIMIT: Duration = Duration::from_millis(1_500);
/// Pause after `accept` failed, for example because descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Sockets which are open, so that a used port is an error before anything else starts.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<TcpListener>,
}

impl Bound {
    /// The addresses, with the ports the system chose for port 0.
    ///
    /// # Errors
    ///
    /// The system does not know the address of a socket.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }
}

/// Opens a socket for each address: `:9102`, `127.0.0.1:9102`, `[::1]:9102`, `localhost:0`.
///
/// # Errors
///
/// Names the address which cannot be used, and why.
pub async fn bind(addresses: &[String]) -> io::Result<Bound> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(bind_one(address).await.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?);
    }
    Ok(Bound { listeners })
}

async fn bind_one(address: &str) -> io::Result<TcpListener> {
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in resolve(address).await? {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The socket addresses an address may mean. `:9102` is every address of the machine, IPv6 first
/// since it takes IPv4 as well where both are there.
///
/// # Errors
///
/// It has no port, or the name cannot be resolved.
pub async fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    if let Some(port) = address.strip_prefix(':') {
        let port = port.parse().map_err(|_error| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("invalid port {port:?}"))
        })?;
        return Ok(vec![
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        ]);
    }
    Ok(lookup_host(address).await?.collect())
}

pub(super) async fn serve(
    bound: Bound,
    router: Router,
    connections_max: u32,
    shutdown: Shutdown,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(connections_max as usize));
    let accepting = bound
        .listeners
        .into_iter()
        .map(|listener| accept(listener, router.clone(), Arc::clone(&places), shutdown.clone()));
    for outcome in join_all(accepting).await {
        outcome?;
    }
    Ok(())
}

async fn accept(
    listener: TcpListener,
    router: Router,
    places: Arc<Semaphore>,
    shutdown: Shutdown,
) -> io::Result<()> {
    info!(address = %listener.local_addr()?, "Listening on");
    let open = GracefulShutdown::new();
    let mut stop = pin!(shutdown.requested());
    loop {
        let place = tokio::select! {
            () = &mut stop => break,
            place = Arc::clone(&places).acquire_owned() => place.map_err(io::Error::other)?,
        };
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = open.watch(connection(stream, router.clone()));
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        debug!(%peer, %error, "connection closed");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN_LIMIT, open.shutdown()).await.is_err() {
        warn!("gave up on responses which were still open");
    }
    Ok(())
}

type Connection = http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: Router) -> Connection {
    http1::Builder::new()
        .timer(TokioTimer::new())
        // As Go's server writes them, for clients which compare bytes.
        .title_case_headers(true)
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}
