//! Lines, packed into datagrams before the clock starts, and sent at a rate: to loopback alone, and
//! never more than a bound.

use std::{
    io::IoSlice,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

/// What Ethernet takes without fragments.
pub(crate) const PACKED_BYTES: usize = 1_432;
/// No cell sends more.
const EVENTS_MAX: u64 = 40_000_000;
/// Datagrams handed to the kernel at once.
const BATCH: usize = 32;

/// Datagrams which are sent over and over.
pub(crate) struct Load {
    datagrams: Vec<Vec<u8>>,
    lines: Vec<u64>,
}

/// How the sending went.
pub(crate) struct Sent {
    pub(crate) events: u64,
    /// Events per second that were reached.
    pub(crate) rate: f64,
}

impl Load {
    /// Packs `lines` into datagrams of up to `bytes`; 0 is one line a datagram.
    pub(crate) fn pack(lines: impl Iterator<Item = String>, bytes: usize) -> Self {
        let mut load = Self { datagrams: Vec::new(), lines: Vec::new() };
        for line in lines {
            match load.datagrams.last_mut() {
                Some(last) if last.len() + 1 + line.len() <= bytes => {
                    last.push(b'\n');
                    last.extend_from_slice(line.as_bytes());
                    *load.lines.last_mut().expect("as many as datagrams") += 1;
                }
                _ => {
                    load.datagrams.push(line.into_bytes());
                    load.lines.push(1);
                }
            }
        }
        load
    }

    /// Sends each datagram once, at `rate` events a second.
    pub(crate) fn send_once(&self, to: SocketAddr, rate: f64) -> Result<Sent> {
        self.send(to, rate, self.lines.iter().sum())
    }

    /// Sends about `events` events at `rate` events a second.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    pub(crate) fn send(&self, to: SocketAddr, rate: f64, events: u64) -> Result<Sent> {
        ensure!(to.ip().is_loopback(), "loads go to loopback");
        ensure!(events <= EVENTS_MAX, "a load is bounded");
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(to)?;
        let start = Instant::now();
        let (mut sent, mut at) = (0_u64, 0);
        while sent < events {
            let due = start.elapsed().as_secs_f64() * rate;
            if sent as f64 > due {
                let ahead = (sent as f64 - due) / rate;
                std::thread::park_timeout(Duration::from_secs_f64(ahead.max(50e-6)));
                continue;
            }
            let batch = at..self.datagrams.len().min(at + BATCH);
            let slices: Vec<[IoSlice<'_>; 1]> =
                self.datagrams[batch.clone()].iter().map(|bytes| [IoSlice::new(bytes)]).collect();
            let mut controls: Vec<SendAncillaryBuffer<'_, '_, '_>> =
                slices.iter().map(|_| SendAncillaryBuffer::default()).collect();
            let mut messages: Vec<MMsgHdr<'_>> = slices
                .iter()
                .zip(&mut controls)
                .map(|(slice, control)| MMsgHdr::new(slice, control))
                .collect();
            let count = sendmmsg(&socket, &mut messages, SendFlags::empty())?;
            sent += self.lines[at..at + count].iter().sum::<u64>();
            at = (at + count) % self.datagrams.len();
        }
        Ok(Sent { events: sent, rate: sent as f64 / start.elapsed().as_secs_f64() })
    }
}

/// A counter of one of `names` names without tags, about 45 bytes a line.
pub(crate) fn plain(names: usize) -> impl Iterator<Item = String> {
    (0..names).map(|n| format!("shop.checkout.{}.host{}.http.requests.c:1|c", n % 97, n))
}

/// A counter of one of `series` series with five tags, about 117 bytes a line.
pub(crate) fn dog(series: usize, names: usize) -> impl Iterator<Item = String> {
    (0..series).map(move |n| {
        format!(
            "shop.requests.{}.count:1|c|#env:production,service:checkout,host:host{n},region:eu-central-{},version:1.{}.3",
            n % names,
            n % 3,
            n % 11,
        )
    })
}

/// Timers of `series` series under ten names with one of many values.
pub(crate) fn timers(series: usize, values: usize) -> impl Iterator<Item = String> {
    (0..series * values).map(move |n| {
        let (host, value) = (n % series, 1 + (n * 7_919) % 2_000);
        format!("shop.checkout.{}.http.latency:{value}|ms|#host:host{host}", host % 10)
    })
}
