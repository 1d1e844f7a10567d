//! Lines handed on to other StatsD servers, without ever waiting for them.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use tracing::warn;

/// Batches which may wait for a sender; further ones are dropped and counted.
const BATCHES_WAITING: usize = 64;
/// A batch is handed over once it has this many bytes.
const BATCH_BYTES: usize = 64 * 1024;
/// Lines wait this long for others to fill their packet.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// How long an address is used before its name is looked up again.
pub const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// How long a TCP target may take; its sender waits alone.
const TCP_TIMEOUT: Duration = Duration::from_secs(2);

/// Which targets get a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spread {
    /// All of them.
    All,
    /// One, always the same for a series: a fleet behind it adds each series up once.
    Hash,
}

/// What one ingest thread hands on.
#[derive(Clone, Debug)]
pub struct Relay {
    outlets: Vec<Outlet>,
    spread: Spread,
    only: bool,
}

/// The way to one target.
#[derive(Debug)]
struct Outlet {
    target: Arc<str>,
    batches: SyncSender<Vec<u8>>,
    pending: Vec<u8>,
    dropped: IntCounter,
}

impl Clone for Outlet {
    fn clone(&self) -> Self {
        Self {
            target: Arc::clone(&self.target),
            batches: self.batches.clone(),
            pending: Vec::new(),
            dropped: self.dropped.clone(),
        }
    }
}

impl Relay {
    /// Whether lines are handed on and nothing else.
    pub const fn is_only(&self) -> bool {
        self.only
    }

    /// Takes a line as it came, valid or not.
    pub fn take(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        match self.spread {
            Spread::All => self.outlets.iter_mut().for_each(|outlet| outlet.take(line)),
            Spread::Hash => {
                let targets = self.outlets.iter().map(|outlet| &*outlet.target);
                if let Some(outlet) = choose(line, targets).and_then(|at| self.outlets.get_mut(at))
                {
                    outlet.take(line);
                }
            }
        }
    }

    /// Hands over what was taken, or drops it where a sender cannot keep up.
    pub fn flush(&mut self) {
        self.outlets.iter_mut().for_each(Outlet::flush);
    }
}

impl Outlet {
    fn take(&mut self, line: &[u8]) {
        self.pending.extend_from_slice(line);
        self.pending.push(b'\n');
        if self.pending.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
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

/// The target of a line's series: the one whose name gives the highest hash together with the
/// series. When a target comes or goes, only its own series move.
fn choose<'t>(line: &[u8], targets: impl Iterator<Item = &'t str>) -> Option<usize> {
    let section = line.split(|byte| *byte == b':').next().unwrap_or(line);
    let tags = memchr::memmem::find(line, b"|#").map_or(&[][..], |at| &line[at + 1..]);
    let tags = tags.split(|byte| *byte == b'|').next().unwrap_or_default();
    let series = fnv(fnv(FNV_START, section), tags);
    let hashes = targets.map(|target| mix(fnv(series, target.as_bytes())));
    hashes.enumerate().max_by_key(|(_, hash)| *hash).map(|(at, _)| at)
}

/// FNV-1a, since every exporter of a fleet, of whatever version, has to agree.
const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Spreads what differs in few bits over all of them.
const fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 29)
}

/// The thread's side of one target: joins lines into packets and sends them.
#[derive(Debug)]
pub struct Sender {
    target: Arc<str>,
    batches: Receiver<Vec<u8>>,
    resolve: fn(&str) -> io::Result<Vec<SocketAddr>>,
    resolve_every: Duration,
    link: Link,
    resolved: Option<Instant>,
    packet: Vec<u8>,
    packet_bytes_max: usize,
    counters: Counters,
    complained: bool,
}

/// How packets travel.
#[derive(Debug)]
enum Link {
    Udp(UdpSocket, SocketAddr),
    /// Connected when there is something to send.
    Tcp(Option<TcpStream>, SocketAddr),
}

impl Link {
    fn new(tcp: bool, address: SocketAddr) -> io::Result<Self> {
        if tcp {
            return Ok(Self::Tcp(None, address));
        }
        let local: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local)?;
        socket.connect(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self::Udp(socket, address))
    }

    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket, _) => socket.send(packet).map(|_sent| ()),
            Self::Tcp(stream, address) => {
                // A connection that fails is not put back; the next packet has a new one.
                let mut connected =
                    stream.take().map_or_else(|| connect_tcp(address), io::Result::Ok)?;
                connected.write_all(packet)?;
                *stream = Some(connected);
                Ok(())
            }
        }
    }

    const fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(_, address) | Self::Tcp(_, address) => *address,
        }
    }

    const fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(..))
    }
}

fn connect_tcp(address: &SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, TCP_TIMEOUT)?;
    stream.set_write_timeout(Some(TCP_TIMEOUT))?;
    Ok(stream)
}

/// The families of all targets.
#[derive(Debug)]
pub struct Families {
    packets: IntCounterVec,
    long_lines: IntCounterVec,
    lines: IntCounterVec,
    dropped: IntCounterVec,
}

#[derive(Debug)]
struct Counters {
    packets: IntCounter,
    long_lines: IntCounter,
    lines: IntCounter,
    dropped: IntCounter,
}

impl Families {
    /// Registers them.
    ///
    /// # Errors
    ///
    /// They are registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let family = |name: &str, help: &str| {
            let family = IntCounterVec::new(Opts::new(name, help), &["target"])?;
            registry.register(Box::new(family.clone()))?;
            prometheus::Result::Ok(family)
        };
        Ok(Self {
            packets: family(
                "statsd_exporter_relay_packets_total",
                "The number of StatsD packets relayed.",
            )?,
            long_lines: family(
                "statsd_exporter_relay_long_lines_total",
                "The number lines that were too long to relay.",
            )?,
            lines: family(
                "statsd_exporter_relay_lines_relayed_total",
                "The number of lines that were buffered to be relayed.",
            )?,
            dropped: family(
                "statsd_exporter_relay_lines_dropped_total",
                "The number of lines that were not relayed because the target or its socket was too slow.",
            )?,
        })
    }

    fn of(&self, target: &str) -> Counters {
        let one = |family: &IntCounterVec| family.with_label_values(&[target]);
        Counters {
            packets: one(&self.packets),
            long_lines: one(&self.long_lines),
            lines: one(&self.lines),
            dropped: one(&self.dropped),
        }
    }
}

/// How lines are handed on.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The largest packet.
    pub packet_bytes_max: usize,
    /// Which targets get a line.
    pub spread: Spread,
    /// Whether lines are handed on and nothing else.
    pub only: bool,
    /// Looks an address up.
    pub resolve: fn(&str) -> io::Result<Vec<SocketAddr>>,
    /// How long what it found is used.
    pub resolve_every: Duration,
}

/// Opens the way to each target: `host:port` or `udp://host:port`, or `tcp://host:port`. Targets as
/// the user wrote them are in the `target` label.
///
/// # Errors
///
/// The first target which has no address, and why.
pub fn connect(
    targets: &[&str],
    families: &Families,
    options: Options,
) -> Result<(Relay, Vec<Sender>), (String, io::Error)> {
    let (mut outlets, mut senders) = (Vec::new(), Vec::new());
    for target in targets {
        let (outlet, sender) =
            open(target, families, options).map_err(|error| ((*target).to_owned(), error))?;
        outlets.push(outlet);
        senders.push(sender);
    }
    Ok((Relay { outlets, spread: options.spread, only: options.only }, senders))
}

fn open(target: &str, families: &Families, options: Options) -> io::Result<(Outlet, Sender)> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let address = (options.resolve)(host_of(target))?.first().copied().ok_or_else(none)?;
    let link = Link::new(target.starts_with("tcp://"), address)?;
    let (batches, received) = sync_channel(BATCHES_WAITING);
    let counters = families.of(target);
    let target: Arc<str> = Arc::from(target);
    let dropped = counters.dropped.clone();
    let outlet = Outlet { target: Arc::clone(&target), batches, pending: Vec::new(), dropped };
    let sender = Sender {
        target,
        batches: received,
        resolve: options.resolve,
        resolve_every: options.resolve_every,
        link,
        resolved: None,
        packet: Vec::with_capacity(options.packet_bytes_max),
        packet_bytes_max: options.packet_bytes_max,
        counters,
        complained: false,
    };
    Ok((outlet, sender))
}

/// What is behind `udp://` or `tcp://`.
fn host_of(target: &str) -> &str {
    target.split_once("://").map_or(target, |(_, host)| host)
}

impl Sender {
    /// Sends until every [`Relay`] is gone.
    #[expect(clippy::disallowed_methods, reason = "this thread is shell: it flushes by the clock")]
    pub fn run(mut self) {
        let mut due = Instant::now() + FLUSH_EVERY;
        self.resolved = Some(Instant::now());
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
            if self.resolved.is_none_or(|at| now.duration_since(at) >= self.resolve_every) {
                self.resolved = Some(now);
                self.look_up();
            }
        }
    }

    /// Follows the target's name to another address; where it has none now, the old one goes on.
    fn look_up(&mut self) {
        let Ok(addresses) = (self.resolve)(host_of(&self.target)) else { return };
        if addresses.contains(&self.link.address()) {
            return;
        }
        if let Some(address) = addresses.first()
            && let Ok(link) = Link::new(self.link.is_tcp(), *address)
        {
            self.link = link;
        }
    }

    fn add(&mut self, line: &[u8]) {
        if line.len() + 1 > self.packet_bytes_max {
            self.counters.long_lines.inc();
            return;
        }
        if self.packet.len() + line.len() + 1 > self.packet_bytes_max {
            self.send();
        }
        self.packet.extend_from_slice(line);
        self.packet.push(b'\n');
        self.counters.lines.inc();
    }

    /// A failure costs this packet, and nothing else.
    fn send(&mut self) {
        if self.packet.is_empty() {
            return;
        }
        match self.link.send(&self.packet) {
            Ok(()) => self.counters.packets.inc(),
            Err(error) => {
                let lines = memchr::memchr_iter(b'\n', &self.packet).count() as u64;
                self.counters.dropped.inc_by(lines);
                if !std::mem::replace(&mut self.complained, true) {
                    warn!(target = &*self.target, %error, "cannot relay; further failures are counted");
                }
            }
        }
        self.packet.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, BufRead as _, BufReader},
        net::{SocketAddr, TcpListener, UdpSocket},
        sync::{Mutex, PoisonError},
        time::Duration,
    };

    use prometheus::Registry;

    use super::{Families, Options, RESOLVE_EVERY, Spread, choose, connect};

    /// Addresses are what they say.
    const OPTIONS: Options = Options {
        packet_bytes_max: 1_400,
        spread: Spread::All,
        only: false,
        resolve: |address| address.parse().map(|found| vec![found]).map_err(io::Error::other),
        resolve_every: RESOLVE_EVERY,
    };

    fn target() -> (UdpSocket, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        let address = socket.local_addr().expect("bound").to_string();
        (socket, address)
    }

    /// So many lines, in however many packets.
    fn received(socket: &UdpSocket, lines: usize) -> String {
        let mut text = String::new();
        while text.lines().count() < lines {
            let mut buffer = [0; 2_000];
            let length = socket.recv(&mut buffer).expect("a packet");
            text.push_str(std::str::from_utf8(&buffer[..length]).expect("text"));
        }
        text
    }

    #[test]
    fn a_name_is_looked_up_again() {
        /// What the name leads to: nothing while it cannot be looked up.
        static LEADS_TO: Mutex<Option<SocketAddr>> = Mutex::new(None);
        let leads_to = |address: Option<&str>| {
            let address = address.map(|address| address.parse().expect("an address"));
            *LEADS_TO.lock().unwrap_or_else(PoisonError::into_inner) = address;
        };
        let resolve = |name: &str| -> io::Result<Vec<SocketAddr>> {
            assert_eq!(name, "statsd.example:9125");
            let address = *LEADS_TO.lock().unwrap_or_else(PoisonError::into_inner);
            address.map(|address| vec![address]).ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        let options = Options { resolve, resolve_every: Duration::from_millis(10), ..OPTIONS };
        let families = Families::register(&Registry::new()).expect("an empty registry");
        assert!(connect(&["statsd.example:9125"], &families, options).is_err(), "no address yet");
        let ((first, at), (second, then)) = (target(), target());
        leads_to(Some(&at));
        let (mut relay, mut senders) =
            connect(&["statsd.example:9125"], &families, options).expect("an address");
        let sender = senders.remove(0);
        let sending = std::thread::spawn(move || sender.run());
        relay.take(b"a:1|c");
        relay.flush();
        assert_eq!(received(&first, 1), "a:1|c\n");
        leads_to(None);
        relay.take(b"b:1|c");
        relay.flush();
        assert_eq!(received(&first, 1), "b:1|c\n", "the old address goes on");
        leads_to(Some(&then));
        second.set_nonblocking(true).expect("a socket");
        // One batch may still go to the first.
        while second.recv(&mut [0; 10]).is_err() {
            relay.take(b"c:1|c");
            relay.flush();
            std::thread::park_timeout(Duration::from_millis(100));
        }
        drop(relay);
        sending.join().expect("no panic");
    }

    #[test]
    fn drops_are_counted_by_target_and_nobody_waits() {
        let ((slow, slow_at), (quick, quick_at)) = (target(), target());
        let options = Options { packet_bytes_max: 70_001, ..OPTIONS };
        let families = Families::register(&Registry::new()).expect("an empty registry");
        let (mut relay, mut senders) =
            connect(&[&slow_at, &quick_at], &families, options).expect("addresses");
        let dropped = |target: &str| families.dropped.with_label_values(&[target]).get();
        let quick_sender = senders.remove(1);
        // The other one takes nothing: its batches wait until there are too many.
        for _ in 0..60 {
            relay.take(b"a:1|c");
            relay.flush();
        }
        let sending = std::thread::spawn(move || quick_sender.run());
        assert_eq!(received(&quick, 60), "a:1|c\n".repeat(60));
        for _ in 0..10 {
            relay.take(b"a:1|c");
            relay.take(b"b:1|c");
            relay.flush();
        }
        assert_eq!((dropped(&slow_at), dropped(&quick_at)), (12, 0));
        assert_eq!(received(&quick, 20), "a:1|c\nb:1|c\n".repeat(10));
        // A packet which no datagram can hold costs itself.
        relay.take(&vec![b'x'; 70_000]);
        relay.flush();
        relay.take(b"last:1|c");
        relay.flush();
        drop(relay);
        sending.join().expect("no panic");
        assert_eq!(received(&quick, 1), "last:1|c\n");
        assert_eq!(dropped(&quick_at), 1);
        drop(slow);
    }

    fn chosen(line: &str, targets: &[&str]) -> usize {
        choose(line.as_bytes(), targets.iter().copied()).expect("a target")
    }

    #[test]
    fn a_series_always_goes_to_the_same_target() {
        let targets = ["a:1", "b:1", "c:1"];
        let mut shares = [0; 3];
        for number in 0..3_000 {
            let at = chosen(&format!("name{number}:1|c|#x:{}", number % 7), &targets);
            shares[at] += 1;
            let again = format!("name{number}:{number}|c|@0.5|#x:{}|T1", number % 7);
            assert_eq!(chosen(&again, &targets), at, "value, rate and time do not matter");
            let fewer = chosen(&again, &targets[..2]);
            assert!(at == 2 || fewer == at, "only series of the target which went move");
        }
        assert!(shares.iter().all(|share| (800..1_200).contains(share)), "{shares:?}");
        assert_eq!(choose(b"a:1|c", std::iter::empty()), None);
    }

    #[test]
    fn a_target_over_tcp_gets_lines() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let target = format!("tcp://{}", listener.local_addr().expect("bound"));
        let families = Families::register(&Registry::new()).expect("an empty registry");
        let (mut relay, mut senders) =
            connect(&[target.as_str()], &families, OPTIONS).expect("an address");
        relay.take(b"a:1|c");
        relay.take(b"b:2|c");
        relay.flush();
        drop(relay);
        senders.remove(0).run();
        let (stream, _peer) = listener.accept().expect("a connection");
        let lines: Vec<String> = BufReader::new(stream).lines().map_while(Result::ok).collect();
        assert_eq!(lines, ["a:1|c", "b:2|c"]);
    }
}
