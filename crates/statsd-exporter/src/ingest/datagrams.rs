//! Reading a datagram socket, UDP or Unix.

use std::{io, os::fd::AsFd, time::Duration};

use rustix::{
    io::Errno,
    net::{RecvFlags, recv, sockopt},
};

use super::{Context, pace::Pace};
use crate::counts::Counts;

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
            match recv(socket, &mut buffer[..], flags) {
                Ok((_, length)) => {
                    if received == 0 {
                        now = context.clock.tick();
                        worker.begin(now);
                    }
                    received += 1;
                    worker.datagram(&buffer[..length], now);
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
