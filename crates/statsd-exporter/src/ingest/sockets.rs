//! Opening the sockets, before anything is served.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, ToSocketAddrs as _, UdpSocket},
    os::{
        fd::{AsFd, BorrowedFd},
        linux::net::SocketAddrExt as _,
        unix::{
            fs::{FileTypeExt as _, PermissionsExt as _},
            net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use tracing::{info, warn};

use super::{WAKE_EVERY, streams::Limits};

/// What is asked of the kernel for the buffer of a datagram socket where nothing is said: a burst
/// of ten thousand small datagrams. The kernel may grant less.
const READ_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Where to listen; an empty address is no listener.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    /// UDP addresses, with commas between them.
    pub(crate) udp: String,
    /// Sockets, and threads, for each UDP address.
    pub(crate) udp_threads: u16,
    /// How long a UDP listener may let datagrams gather.
    pub(crate) pause_max: Duration,
    /// TCP addresses, with commas between them.
    pub(crate) tcp: String,
    /// Path of a Unix datagram socket, `@name` for an abstract one.
    pub(crate) unixgram: String,
    /// Path of a Unix stream socket, `@name` for an abstract one.
    pub(crate) unix: String,
    /// Permissions of these sockets, octal.
    pub(crate) unix_mode: String,
    /// Bytes of each datagram socket's buffer; 0 leaves it to the exporter.
    pub(crate) read_buffer_bytes: usize,
    /// Limits of streams.
    pub(crate) limits: Limits,
}

/// Sockets which are open.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(super) udp: Vec<UdpSocket>,
    pub(super) pause_max: Duration,
    pub(super) tcp: Vec<TcpListener>,
    pub(super) unixgram: Option<UnixSocket<UnixDatagram>>,
    pub(super) unix: Option<UnixSocket<UnixListener>>,
    pub(super) limits: Limits,
}

/// A Unix socket whose file goes when it does.
#[derive(Debug)]
pub(super) struct UnixSocket<S> {
    socket: S,
    path: Option<PathBuf>,
}

impl<S> UnixSocket<S> {
    pub(super) const fn socket(&self) -> &S {
        &self.socket
    }
}

impl<S: AsFd> AsFd for UnixSocket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<S> Drop for UnixSocket<S> {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = fs::remove_file(path)
        {
            warn!(path = %path.display(), %error, "cannot remove the socket's file");
        }
    }
}

impl Sockets {
    /// Opens all that `listen` names.
    ///
    /// # Errors
    ///
    /// Says which one cannot be opened, and why; also if there is none.
    pub(crate) fn bind(listen: &Listen) -> anyhow::Result<Self> {
        let all = [&listen.udp, &listen.tcp, &listen.unixgram, &listen.unix];
        if all.iter().all(|address| address.is_empty()) {
            bail!("at least one of UDP, TCP and unixgram listeners must be used");
        }
        let mut sockets = Self {
            udp: Vec::new(),
            pause_max: listen.pause_max,
            tcp: Vec::new(),
            unixgram: None,
            unix: None,
            limits: listen.limits.clone(),
        };
        for address in split(&listen.udp) {
            let bound = bind_udp(address, listen.udp_threads)
                .with_context(|| format!("cannot listen on UDP {address}"))?;
            for socket in &bound {
                socket.set_read_timeout(Some(WAKE_EVERY))?;
                set_read_buffer(socket, listen.read_buffer_bytes)?;
            }
            if let Some(socket) = bound.first() {
                info!(address = %socket.local_addr()?, "listening for StatsD over UDP");
            }
            sockets.udp.extend(bound);
        }
        for address in split(&listen.tcp) {
            let listener = bind(address, TcpListener::bind)
                .with_context(|| format!("cannot listen on TCP {address}"))?;
            info!(address = %listener.local_addr()?, "listening for StatsD over TCP");
            sockets.tcp.push(listener);
        }
        if !listen.unixgram.is_empty() {
            let socket = bind_unix(&listen.unixgram, UnixDatagram::bind_addr)
                .with_context(|| format!("cannot listen on unixgram {}", listen.unixgram))?;
            socket.socket.set_read_timeout(Some(WAKE_EVERY))?;
            set_read_buffer(&socket, listen.read_buffer_bytes)?;
            set_mode(socket.path.as_deref(), &listen.unix_mode);
            info!(path = listen.unixgram, "listening for StatsD over unixgram");
            sockets.unixgram = Some(socket);
        }
        if !listen.unix.is_empty() {
            let socket = bind_unix(&listen.unix, UnixListener::bind_addr)
                .with_context(|| format!("cannot listen on unix {}", listen.unix))?;
            set_mode(socket.path.as_deref(), &listen.unix_mode);
            info!(path = listen.unix, "listening for StatsD over a Unix stream");
            sockets.unix = Some(socket);
        }
        Ok(sockets)
    }
}

impl Sockets {
    /// Threads which will read them.
    pub(crate) fn listeners_count(&self) -> usize {
        let unix = usize::from(self.unixgram.is_some()) + usize::from(self.unix.is_some());
        self.udp.len() + self.tcp.len() + unix
    }
}

/// The addresses of a list.
fn split(addresses: &str) -> impl Iterator<Item = &str> {
    addresses.split(',').map(str::trim).filter(|address| !address.is_empty())
}

/// One socket, or several among which the kernel spreads the senders.
fn bind_udp(address: &str, threads: u16) -> io::Result<Vec<UdpSocket>> {
    if threads <= 1 {
        return Ok(vec![bind(address, UdpSocket::bind)?]);
    }
    let first = bind(address, bind_shared)?;
    // The port may have been the system's choice.
    let address = first.local_addr()?;
    let others = (1..threads).map(|_| bind_shared(address));
    std::iter::once(Ok(first)).chain(others).collect()
}

fn bind_shared(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    net::bind(&socket, &address)?;
    Ok(socket.into())
}

/// Opens the first of the addresses which `address` may mean.
fn bind<S>(address: &str, open: impl Fn(SocketAddr) -> io::Result<S>) -> io::Result<S> {
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in resolve(address)? {
        match open(address) {
            Ok(socket) => return Ok(socket),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The socket addresses an address may mean. `:9125` is every address of the machine, IPv6 first
/// since it takes IPv4 as well where both are there.
///
/// # Errors
///
/// It has no port, or the name cannot be resolved.
pub(crate) fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    let addresses = match address.strip_prefix(':') {
        Some(port) => {
            let port = port.parse().map_err(|_error| {
                io::Error::new(io::ErrorKind::InvalidInput, format!("invalid port {port:?}"))
            })?;
            vec![([0_u16; 8], port).into(), ([0_u8; 4], port).into()]
        }
        None => address.to_socket_addrs()?.collect(),
    };
    Ok(addresses)
}

/// Opens a Unix socket; the file of one which nobody listens on any more is taken over.
fn bind_unix<S>(
    name: &str,
    open: impl Fn(&UnixAddr) -> io::Result<S>,
) -> io::Result<UnixSocket<S>> {
    if let Some(name) = name.strip_prefix('@') {
        let address = UnixAddr::from_abstract_name(name)?;
        return Ok(UnixSocket { socket: open(&address)?, path: None });
    }
    let path = PathBuf::from(name);
    let address = UnixAddr::from_pathname(&path)?;
    let socket = match open(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(&path) => {
            info!(path = name, "taking over a socket which nobody listens on");
            fs::remove_file(&path)?;
            open(&address)?
        }
        opened => opened?,
    };
    Ok(UnixSocket { socket, path: Some(path) })
}

/// Whether a file is a socket of either kind that nobody has open.
fn is_stale(path: &Path) -> bool {
    let is_socket = fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    let datagram = || UnixDatagram::unbound()?.connect(path);
    is_socket && datagram().is_err_and(refused) && UnixStream::connect(path).is_err_and(refused)
}

/// As in `statsd_exporter`, a mode which cannot be used is only a warning.
fn set_mode(path: Option<&Path>, mode: &str) {
    let Some(path) = path else { return };
    let set = u32::from_str_radix(mode, 8)
        .map_err(io::Error::other)
        .and_then(|mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
    if let Err(error) = set {
        warn!(path = %path.display(), mode, %error, "cannot change the socket's permissions");
    }
}

/// What was asked for has to be taken by the system; our own wish need not be.
fn set_read_buffer(socket: &impl AsFd, bytes: usize) -> anyhow::Result<()> {
    if bytes == 0 {
        if let Err(error) = sockopt::set_socket_recv_buffer_size(socket, READ_BUFFER_BYTES) {
            warn!(%error, "cannot enlarge the socket's read buffer");
        }
        return Ok(());
    }
    sockopt::set_socket_recv_buffer_size(socket, bytes).context("cannot set the read buffer")
}
