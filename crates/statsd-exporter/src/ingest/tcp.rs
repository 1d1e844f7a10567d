//! Reading TCP: one thread polls the listener and all connections, so that a connection costs a
//! buffer for half a line and not a thread.

use std::{
    io::{self, Read as _},
    net::{TcpListener, TcpStream},
    os::fd::AsFd as _,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use tracing::debug;

use super::{Context, WAKE_EVERY};
use crate::{counts::Limit, pipeline::Worker, series::Tick};

/// Bytes taken from one connection before the next one has its turn.
const READ_BYTES: usize = 64 * 1024;

/// What strangers may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of one line; a longer one is skipped to its end.
    pub(crate) line_bytes_max: usize,
    /// Connections at once; further ones are closed as they come.
    pub(crate) connections_max: usize,
}

/// Reads all connections of `listener` until it is time to stop.
///
/// # Errors
///
/// The system cannot poll.
pub(super) fn read(listener: &TcpListener, limits: Limits, context: &Context) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut worker = context.worker();
    let mut connections: Vec<Connection> = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    let timeout = Timespec::try_from(WAKE_EVERY).map_err(io::Error::other)?;
    while !context.stop.is_requested() {
        let ready = ready(listener, &connections, &timeout)?;
        let Some((accept, readable)) = ready.split_first().filter(|_| ready.contains(&true)) else {
            continue;
        };
        let now = context.clock.tick();
        worker.begin(now);
        let mut readable = readable.iter();
        connections.retain_mut(|connection| {
            !readable.next().is_some_and(|readable| *readable)
                || connection.read(&mut buffer, limits, &mut worker, now)
        });
        if *accept {
            self::accept(listener, &mut connections, limits, &mut worker);
        }
        worker.finish();
    }
    Ok(())
}

/// Which have something to read: the listener, then each connection.
fn ready(
    listener: &TcpListener,
    connections: &[Connection],
    timeout: &Timespec,
) -> io::Result<Vec<bool>> {
    let listener = PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN);
    let streams = connections
        .iter()
        .map(|connection| PollFd::from_borrowed_fd(connection.stream.as_fd(), PollFlags::IN));
    let mut polled: Vec<PollFd<'_>> = std::iter::once(listener).chain(streams).collect();
    match poll(&mut polled, Some(timeout)) {
        Ok(_count) => Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect()),
        Err(Errno::INTR) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Takes every connection that waits; what is too many is closed at once.
fn accept(
    listener: &TcpListener,
    connections: &mut Vec<Connection>,
    limits: Limits,
    worker: &mut Worker,
) {
    loop {
        match listener.accept() {
            Ok((stream, _peer)) if connections.len() < limits.connections_max => {
                worker.counts().tcp_connections += 1;
                match stream.set_nonblocking(true) {
                    Ok(()) => connections.push(Connection::new(stream)),
                    Err(_error) => worker.counts().tcp_errors += 1,
                }
            }
            Ok(_refused) => worker.counts().refuse(Limit::TcpConnections),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    worker.counts().tcp_errors += 1;
                    debug!(%error, "cannot accept a connection");
                    // Descriptors may have run out: the listener stays readable, do not spin on it.
                    std::thread::park_timeout(WAKE_EVERY);
                }
                return;
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    lines: Lines,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self { stream, lines: Lines::default() }
    }

    /// Reads once. `false` says that the connection is over.
    fn read(&mut self, buffer: &mut [u8], limits: Limits, worker: &mut Worker, now: Tick) -> bool {
        match self.stream.read(buffer) {
            Ok(0) => {
                self.lines.end(worker, now);
                false
            }
            Ok(length) => {
                self.lines.take(&buffer[..length], limits.line_bytes_max, worker, now);
                true
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => true,
                _ => {
                    worker.counts().tcp_errors += 1;
                    self.lines.end(worker, now);
                    false
                }
            },
        }
    }
}

/// Cuts a stream into lines.
#[derive(Debug, Default)]
struct Lines {
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
    /// The line is too long: its rest is skipped.
    skipping: bool,
}

impl Lines {
    fn take(&mut self, mut bytes: &[u8], line_bytes_max: usize, worker: &mut Worker, now: Tick) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let line = &bytes[..end];
            bytes = &bytes[end + 1..];
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            let length = self.begun.len() + line.len();
            if length > line_bytes_max {
                worker.counts().tcp_too_long_lines += 1;
            } else if self.begun.is_empty() {
                worker.datagram(line, now);
            } else {
                self.begun.extend_from_slice(line);
                worker.datagram(&self.begun, now);
            }
            self.begun.clear();
        }
        if self.skipping {
            return;
        }
        if self.begun.len() + bytes.len() > line_bytes_max {
            worker.counts().tcp_too_long_lines += 1;
            self.begun = Vec::new();
            self.skipping = true;
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    /// The last line counts without a line end, too.
    fn end(&mut self, worker: &mut Worker, now: Tick) {
        if !self.begun.is_empty() {
            worker.datagram(&self.begun, now);
            self.begun.clear();
        }
    }
}
