//! Reading streams, TCP or Unix: one thread polls a listener and all its connections, so that a
//! connection costs a buffer for half a line and not a thread.

use std::{
    io,
    net::{IpAddr, TcpListener, TcpStream},
    os::{
        fd::AsFd,
        unix::net::{UnixListener, UnixStream},
    },
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use tracing::debug;

use super::{Context, WAKE_EVERY, allow::AllowList};
use crate::{
    counts::{Counts, Limit},
    pipeline::Worker,
    series::Tick,
};

/// Bytes taken from one connection before the next one has its turn.
const READ_BYTES: usize = 64 * 1024;

/// A frame may be as long as a datagram.
const FRAME_BYTES_MAX: usize = 65_535;

/// What strangers may use.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Bytes of one line; a longer one is skipped to its end.
    pub(crate) line_bytes_max: usize,
    /// Connections at once; further ones are closed as they come.
    pub(crate) connections_max: usize,
    /// Silence after which a connection is closed; zero is never.
    pub(crate) idle_max: Duration,
    /// Who may connect.
    pub(crate) allowed: AllowList,
}

/// A listener, and how its streams are cut.
pub(super) trait Listener: AsFd {
    type Stream: io::Read + AsFd;

    fn set_nonblocking(&self) -> io::Result<()>;

    /// A connection that waits, ready to be read without waiting, and where it comes from.
    fn accept(&self) -> io::Result<(io::Result<Self::Stream>, Option<IpAddr>)>;

    fn count(counts: &mut Counts) -> &mut u64;

    fn cutter() -> Cutter;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    fn set_nonblocking(&self) -> io::Result<()> {
        self.set_nonblocking(true)
    }

    fn accept(&self) -> io::Result<(io::Result<TcpStream>, Option<IpAddr>)> {
        let (stream, peer) = self.accept()?;
        Ok((stream.set_nonblocking(true).map(|()| stream), Some(peer.ip())))
    }

    fn count(counts: &mut Counts) -> &mut u64 {
        &mut counts.tcp_connections
    }

    fn cutter() -> Cutter {
        Cutter::Lines(Lines::default())
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    fn set_nonblocking(&self) -> io::Result<()> {
        self.set_nonblocking(true)
    }

    fn accept(&self) -> io::Result<(io::Result<UnixStream>, Option<IpAddr>)> {
        let (stream, _peer) = self.accept()?;
        Ok((stream.set_nonblocking(true).map(|()| stream), None))
    }

    fn count(counts: &mut Counts) -> &mut u64 {
        &mut counts.unix_connections
    }

    fn cutter() -> Cutter {
        Cutter::Frames(Frames::default())
    }
}

/// Reads all connections of `listener` until it is time to stop.
///
/// # Errors
///
/// The system cannot poll.
pub(super) fn read<L: Listener>(
    listener: &L,
    limits: &Limits,
    context: &Context,
) -> io::Result<()> {
    listener.set_nonblocking()?;
    let mut worker = context.worker();
    let mut connections: Vec<Connection<L::Stream>> = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    let timeout = Timespec::try_from(WAKE_EVERY).map_err(io::Error::other)?;
    while !context.stop.is_requested() {
        let ready = ready(listener, &connections, &timeout)?;
        let now = context.clock.tick();
        let Some((accept, readable)) = ready.split_first().filter(|_| ready.contains(&true)) else {
            close_idle(&mut connections, limits, &mut worker, now);
            continue;
        };
        worker.begin(now);
        let mut readable = readable.iter();
        connections.retain_mut(|connection| {
            !readable.next().is_some_and(|readable| *readable)
                || connection.read(&mut buffer, limits, &mut worker, now)
        });
        if *accept {
            self::accept(listener, &mut connections, limits, &mut worker, now);
        }
        close_idle(&mut connections, limits, &mut worker, now);
        worker.finish();
    }
    Ok(())
}

/// Which have something to read: the listener, then each connection.
fn ready<L: Listener>(
    listener: &L,
    connections: &[Connection<L::Stream>],
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
fn accept<L: Listener>(
    listener: &L,
    connections: &mut Vec<Connection<L::Stream>>,
    limits: &Limits,
    worker: &mut Worker,
    now: Tick,
) {
    loop {
        match listener.accept() {
            Ok((_stream, Some(peer))) if !limits.allowed.allows(peer) => {
                worker.counts().refuse(Limit::Source);
            }
            Ok((stream, _peer)) if connections.len() < limits.connections_max => {
                *L::count(worker.counts()) += 1;
                match stream {
                    Ok(stream) => {
                        connections.push(Connection { stream, cutter: L::cutter(), heard: now });
                    }
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

/// Closes connections which have been silent for too long.
fn close_idle<S>(
    connections: &mut Vec<Connection<S>>,
    limits: &Limits,
    worker: &mut Worker,
    now: Tick,
) {
    let idle_max_ms = limits.idle_max.as_millis();
    if idle_max_ms == 0 {
        return;
    }
    let before = connections.len();
    connections.retain(|connection| u128::from(now.0 - connection.heard.0) <= idle_max_ms);
    for _ in connections.len()..before {
        worker.counts().refuse(Limit::Idle);
    }
    if connections.len() < before {
        worker.finish();
    }
}

struct Connection<S> {
    stream: S,
    cutter: Cutter,
    heard: Tick,
}

/// How a stream is cut.
#[derive(Debug)]
pub(super) enum Cutter {
    Lines(Lines),
    Frames(Frames),
}

impl<S: io::Read> Connection<S> {
    /// Reads once. `false` says that the connection is over.
    fn read(&mut self, buffer: &mut [u8], limits: &Limits, worker: &mut Worker, now: Tick) -> bool {
        match self.stream.read(buffer) {
            Ok(0) => {
                self.end(worker, now);
                false
            }
            Ok(length) => {
                self.heard = now;
                let bytes = &buffer[..length];
                match &mut self.cutter {
                    Cutter::Lines(lines) => lines.take(bytes, limits.line_bytes_max, worker, now),
                    Cutter::Frames(frames) => frames.take(bytes, worker, now),
                }
                true
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => true,
                _ => {
                    worker.counts().tcp_errors += 1;
                    self.end(worker, now);
                    false
                }
            },
        }
    }

    fn end(&mut self, worker: &mut Worker, now: Tick) {
        if let Cutter::Lines(lines) = &mut self.cutter {
            lines.end(worker, now);
        }
    }
}

/// Cuts a stream into datagrams, each behind its length: four bytes, the lowest first.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The beginning of a frame whose end has not come yet, with its length in front.
    begun: Vec<u8>,
    /// Bytes of a frame that is too long, which are still to come.
    skipping: usize,
}

impl Frames {
    fn take(&mut self, mut bytes: &[u8], worker: &mut Worker, now: Tick) {
        while !bytes.is_empty() {
            if self.skipping > 0 {
                let skipped = self.skipping.min(bytes.len());
                self.skipping -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let wanted = match self.begun.first_chunk::<4>() {
                Some(length) => {
                    4 + usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX)
                }
                None => 4,
            };
            if wanted > 4 + FRAME_BYTES_MAX {
                worker.counts().tcp_too_long_lines += 1;
                self.skipping = wanted - 4;
                self.begun = Vec::new();
                continue;
            }
            let taken = (wanted - self.begun.len()).min(bytes.len());
            self.begun.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            self.finish_frame(worker, now);
        }
    }

    /// Hands a frame on once it is whole.
    fn finish_frame(&mut self, worker: &mut Worker, now: Tick) {
        let Some((length, frame)) = self.begun.split_first_chunk::<4>() else { return };
        if usize::try_from(u32::from_le_bytes(*length)) == Ok(frame.len()) {
            worker.counts().unix_packets += 1;
            worker.datagram(frame, now);
            self.begun.clear();
        }
    }
}

/// Cuts a stream into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
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
