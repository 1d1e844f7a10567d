//! Where to listen: TCP addresses, Unix sockets, sockets from systemd.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener, lookup_host};

use super::Listener;

/// The path in `unix:///run/x.sock` or `unix:/run/x.sock`.
pub(crate) fn unix_path(address: &str) -> Option<&Path> {
    let path = address.strip_prefix("unix:")?;
    Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
}

/// Opens one listening address.
pub(super) async fn bind(address: &str) -> io::Result<Listener> {
    match unix_path(address) {
        Some(path) => bind_unix(path).map(|(listener, file)| Listener::Unix(listener, Some(file))),
        None => bind_tcp(address).await.map(Listener::Tcp),
    }
}

async fn bind_tcp(address: &str) -> io::Result<TcpListener> {
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

/// The file of a Unix socket, which goes when its listener does.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and number of the file, so that a successor's is left alone.
    identity: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A socket which nobody listens on any more is taken over.
fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path)? => {
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        outcome => outcome?,
    };
    let file = SocketFile { path: path.to_owned(), identity: identity(path)? };
    Ok((listener, file))
}

fn is_stale(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) => Ok(error.kind() == io::ErrorKind::ConnectionRefused),
        Ok(_somebody) => Ok(false),
    }
}

/// The sockets which systemd opened: those of `LISTEN_FDS`, if `LISTEN_PID` is this process.
pub(super) fn systemd() -> io::Result<Vec<Listener>> {
    let context = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot use the sockets of systemd: {error}"))
    };
    take(&mut ListenFd::from_env()).map_err(context)
}

fn take(sockets: &mut ListenFd) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for index in 0..sockets.len() {
        match sockets.take_tcp_listener(index) {
            Ok(Some(listener)) => {
                listener.set_nonblocking(true)?;
                listeners.push(Listener::Tcp(TcpListener::from_std(listener)?));
            }
            Ok(None) => {}
            Err(error) => match sockets.take_unix_listener(index) {
                Ok(Some(listener)) => {
                    listener.set_nonblocking(true)?;
                    listeners.push(Listener::Unix(UnixListener::from_std(listener)?, None));
                }
                Ok(None) | Err(_) => return Err(error),
            },
        }
    }
    if listeners.is_empty() {
        let reason = "none was passed, LISTEN_FDS and LISTEN_PID say";
        return Err(io::Error::new(io::ErrorKind::NotFound, reason));
    }
    Ok(listeners)
}
