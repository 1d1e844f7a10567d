//! Sockets, and who gets a connection.

use std::{io, net::SocketAddr, path::Path, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use futures_util::future::join_all;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tracing::{info, warn};

use self::{
    address::SocketFile,
    connection::{Connections, Stream},
    pace::Pace,
};
use super::config::{WebConfig, WebSettings};
use crate::{args::WebArgs, shutdown::Shutdown};

mod address;
mod connection;
mod pace;

pub use address::resolve;
pub(crate) use address::unix_path;

/// Time which open responses get when the process is asked to stop.
const DRAIN_LIMIT: Duration = Duration::from_millis(1_500);
/// Pause after `accept` failed, for example because descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What an answer may take beside its scrape and its sending.
const ANSWER_MARGIN: Duration = Duration::from_secs(1);

/// Sockets which are open and configuration which was read, so that what is wrong with them is an
/// error before anything else starts.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<Listener>,
    pub(super) config: Option<WebConfig>,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    /// The file is ours, unless systemd opened the socket.
    Unix(UnixListener, Option<SocketFile>),
}

impl Bound {
    /// The TCP addresses, with the ports the system chose for port 0.
    ///
    /// # Errors
    ///
    /// The system does not know the address of a socket.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let tcp = self.listeners.iter().filter_map(|listener| match listener {
            Listener::Tcp(listener) => Some(listener.local_addr()),
            Listener::Unix(..) => None,
        });
        tcp.collect()
    }
}

/// Reads `--web.config.file`, then opens a socket for each `--web.listen-address`: `:9102`,
/// `127.0.0.1:9102`, `[::1]:9102`, `localhost:0`, `unix:///run/x.sock`; or takes those of systemd.
///
/// # Errors
///
/// Names the file or the address which cannot be used, and why.
pub async fn bind(args: &WebArgs) -> io::Result<Bound> {
    let config = match args.config_file.as_str() {
        "" => None,
        path => Some(WebConfig::open(Path::new(path))?),
    };
    open(args, config).await
}

/// As [`bind`], with the settings of the exporter's own flags in place of `--web.config.file`.
///
/// # Errors
///
/// As [`bind`], and where both are there.
pub async fn bind_with(args: &WebArgs, settings: &WebSettings) -> io::Result<Bound> {
    if settings.is_empty() {
        return bind(args).await;
    }
    if !args.config_file.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "cannot use --web.config.file together with flags which say the same",
        ));
    }
    let config = WebConfig::of_settings(settings)?;
    open(args, Some(config)).await
}

async fn open(args: &WebArgs, config: Option<WebConfig>) -> io::Result<Bound> {
    if args.systemd_socket {
        info!("Listening on systemd activated listeners instead of port listeners.");
        return Ok(Bound { listeners: address::systemd()?, config });
    }
    let mut listeners = Vec::new();
    for address in &args.listen_address {
        listeners.push(address::bind(address).await.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?);
    }
    Ok(Bound { listeners, config })
}

pub(super) async fn serve(
    bound: Bound,
    router: Router,
    args: &WebArgs,
    shutdown: Shutdown,
) -> io::Result<()> {
    let Bound { listeners, config } = bound;
    let http2 = config.as_ref().and_then(WebConfig::http2);
    let connections = Connections {
        router,
        config,
        pace: Pace {
            head: args.read_header_timeout,
            idle: args.idle_timeout,
            answer: args.scrape_timeout + args.send_timeout + ANSWER_MARGIN,
        },
        head_bytes_max: args.max_header_bytes as usize,
        pressure: Arc::new(Notify::new()),
        shutdown,
    };
    let places = Arc::new(Semaphore::new(args.max_connections as usize));
    let accepting = listeners.into_iter().map(|listener| {
        let (connections, places) = (connections.clone(), Arc::clone(&places));
        async move {
            listener.announce(http2)?;
            accept(&listener, &connections, &places).await;
            io::Result::Ok(())
        }
    });
    for outcome in join_all(accepting).await {
        outcome?;
    }
    if timeout(DRAIN_LIMIT, places.acquire_many(args.max_connections)).await.is_err() {
        warn!("gave up on responses which were still open");
    }
    Ok(())
}

async fn accept(listener: &Listener, connections: &Connections, places: &Arc<Semaphore>) {
    let mut stop = pin!(connections.shutdown.requested());
    loop {
        let place = tokio::select! {
            () = &mut stop => break,
            place = place(places, &connections.pressure) => place,
        };
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                let connections = connections.clone();
                tokio::spawn(async move {
                    connections.serve(stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A place for one more connection; where there is none, that of an idle one.
async fn place(places: &Arc<Semaphore>, pressure: &Notify) -> OwnedSemaphorePermit {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return place;
    }
    pressure.notify_one();
    Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed")
}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener, _file) => Ok(Box::new(listener.accept().await?.0)),
        }
    }

    /// As the Go exporters log it. `http2` is `None` for plain HTTP.
    fn announce(&self, http2: Option<bool>) -> io::Result<()> {
        let address = match self {
            Self::Tcp(listener) => listener.local_addr()?.to_string(),
            Self::Unix(_, Some(file)) => file.path().display().to_string(),
            Self::Unix(listener, None) => {
                let address = listener.local_addr()?;
                address.as_pathname().map_or_else(String::new, |path| path.display().to_string())
            }
        };
        info!(address, "Listening on");
        if let Some(http2) = http2 {
            info!(http2, address, "TLS is enabled.");
        } else {
            info!(http2 = false, address, "TLS is disabled.");
        }
        Ok(())
    }
}
