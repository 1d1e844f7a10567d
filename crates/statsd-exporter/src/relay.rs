//! Lines handed on to another StatsD server over UDP, without ever waiting for it.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use tracing::warn;

/// Batches which may wait for the sender; further ones are dropped and counted.
const BATCHES_WAITING: usize = 64;
/// A batch is handed over once it has this many bytes.
const BATCH_BYTES: usize = 64 * 1024;
/// Lines wait this long for others to fill their packet.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// What one ingest thread hands on.
#[derive(Debug)]
pub struct Relay {
    batches: SyncSender<Vec<u8>>,
    pending: Vec<u8>,
    dropped: IntCounter,
}

impl Clone for Relay {
    fn clone(&self) -> Self {
        Self { batches: self.batches.clone(), pending: Vec::new(), dropped: self.dropped.clone() }
    }
}

impl Relay {
    /// Takes a line as it came, valid or not.
    pub fn take(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        self.pending.extend_from_slice(line);
        self.pending.push(b'\n');
        if self.pending.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Hands over what was taken, or drops it where the sender cannot keep up.
    pub fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.pending);
        let lines = memchr::memchr_iter(b'\n', &batch).count() as u64;
        if self.batches.try_send(batch).is_err() {
            self.dropped.inc_by(lines);
        }
    }
}

/// The thread's side: joins lines into packets and sends them.
#[derive(Debug)]
pub struct Sender {
    batches: Receiver<Vec<u8>>,
    socket: UdpSocket,
    packet: Vec<u8>,
    packet_bytes_max: usize,
    packets: IntCounter,
    long_lines: IntCounter,
    lines: IntCounter,
    dropped: IntCounter,
    complained: bool,
}

/// Connects to `address`. `target` is what the user wrote, for the `target` label.
///
/// # Errors
///
/// There is no socket for the address, or the families are registered already.
pub fn connect(
    target: &str,
    address: SocketAddr,
    packet_bytes_max: usize,
    registry: &Registry,
) -> io::Result<(Relay, Sender)> {
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    let counter = |name: &str, help: &str| {
        let family = IntCounterVec::new(Opts::new(name, help), &["target"])?;
        registry.register(Box::new(family.clone()))?;
        Ok(family.with_label_values(&[target]))
    };
    let counter = |name, help| counter(name, help).map_err(io::Error::other::<prometheus::Error>);
    let (batches, received) = sync_channel(BATCHES_WAITING);
    let dropped = counter(
        "statsd_exporter_relay_lines_dropped_total",
        "The number of lines that were not relayed because the target or its socket was too slow.",
    )?;
    let sender = Sender {
        batches: received,
        socket,
        packet: Vec::with_capacity(packet_bytes_max),
        packet_bytes_max,
        packets: counter(
            "statsd_exporter_relay_packets_total",
            "The number of StatsD packets relayed.",
        )?,
        long_lines: counter(
            "statsd_exporter_relay_long_lines_total",
            "The number lines that were too long to relay.",
        )?,
        lines: counter(
            "statsd_exporter_relay_lines_relayed_total",
            "The number of lines that were buffered to be relayed.",
        )?,
        dropped: dropped.clone(),
        complained: false,
    };
    Ok((Relay { batches, pending: Vec::new(), dropped }, sender))
}

impl Sender {
    /// Sends until every [`Relay`] is gone.
    #[expect(clippy::disallowed_methods, reason = "this thread is shell: it flushes by the clock")]
    pub fn run(mut self) {
        let mut due = Instant::now() + FLUSH_EVERY;
        loop {
            match self.batches.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(batch) => {
                    let lines = batch.strip_suffix(b"\n").unwrap_or(&batch);
                    lines.split(|byte| *byte == b'\n').for_each(|line| self.add(line));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.send(),
            }
            let now = Instant::now();
            if now >= due {
                self.send();
                due = now + FLUSH_EVERY;
            }
        }
    }

    fn add(&mut self, line: &[u8]) {
        if line.len() + 1 > self.packet_bytes_max {
            self.long_lines.inc();
            return;
        }
        if self.packet.len() + line.len() + 1 > self.packet_bytes_max {
            self.send();
        }
        self.packet.extend_from_slice(line);
        self.packet.push(b'\n');
        self.lines.inc();
    }

    /// A failure costs this packet, and nothing else.
    fn send(&mut self) {
        if self.packet.is_empty() {
            return;
        }
        match self.socket.send(&self.packet) {
            Ok(_sent) => self.packets.inc(),
            Err(error) => {
                self.dropped.inc_by(memchr::memchr_iter(b'\n', &self.packet).count() as u64);
                if !std::mem::replace(&mut self.complained, true) {
                    warn!(%error, "cannot relay; further failures are counted");
                }
            }
        }
        self.packet.clear();
    }
}
