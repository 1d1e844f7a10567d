//! Reading a datagram socket, UDP or Unix.

use std::{io, net::SocketAddr, os::fd::AsFd, time::Duration};

use rustix::{
    io::Errno,
    net::{RecvFlags, recv, recvfrom, sockopt},
};

use super::{AllowList, Context, pace::Pace};
use crate::counts::{Counts, Limit};

/// The largest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Datagrams read in one go before counts are published.
const BATCH_MAX: u64 = 64;

/// What the counter of a listener's datagrams is.
pub(super) type Count = fn(&mut Counts) -> &mut u64;

/// Reads `socket`, which has a read time-out, until it is time to stop; `count` counts datagrams.
///
/// # Errors
///
/// The socket cannot be read any more.
pub(super) fn read(
    socket: &impl AsFd,
    count: Count,
    allowed: &AllowList,
    pause_max: Duration,
    context: &Context,
) -> io::Result<()> {
    let mut worker = context.worker();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut pace = Pace::new(pause_max, sockopt::socket_recv_buffer_size(socket)?);
    while !context.stop.is_requested() {
        // Waits for the first datagram, then takes those which are there already.
        let mut flags = RecvFlags::empty();
        let mut received = 0;
        let mut now = context.clock.tick();
        while received < BATCH_MAX {
            let next = if allowed.is_open() {
                recv(socket, &mut buffer[..], flags).map(|(_, length)| Some(length))
            } else {
                receive_from(socket, &mut buffer, flags, allowed)
            };
            match next {
                Ok(length) => {
                    if received == 0 {
                        now = context.clock.tick();
                        worker.begin(now);
                    }
                    received += 1;
                    match length {
                        Some(length) => worker.datagram(&buffer[..length], now),
                        None => worker.counts().refuse(Limit::Source),
                    }
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
            flags = RecvFlags::DONTWAIT;
        }
        if received > 0 {
            *count(worker.counts()) += received;
            worker.finish();
        }
        if received < BATCH_MAX
            && let Some(pause) = pace.after(received, context.clock.elapsed())
        {
            std::thread::park_timeout(pause);
        }
    }
    Ok(())
}

/// A datagram's length, or none where it comes from somebody who is not allowed.
fn receive_from(
    socket: &impl AsFd,
    buffer: &mut [u8],
    flags: RecvFlags,
    allowed: &AllowList,
) -> Result<Option<usize>, Errno> {
    let (_, length, from) = recvfrom(socket, buffer, flags)?;
    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
    Ok(from.is_some_and(|from| allowed.allows(from.ip())).then_some(length))
}
