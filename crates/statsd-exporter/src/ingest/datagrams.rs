//! Reading a datagram socket, UDP or Unix.

use std::{io, os::fd::AsFd};

use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};

use super::Context;
use crate::counts::Counts;

/// The largest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Datagrams read in one go before counts are published.
const BATCH_MAX: u64 = 64;

/// Reads `socket`, which has a read time-out, until it is time to stop; `count` counts datagrams.
///
/// # Errors
///
/// The socket cannot be read any more.
pub(super) fn read(
    socket: &impl AsFd,
    count: fn(&mut Counts) -> &mut u64,
    context: &Context,
) -> io::Result<()> {
    let mut worker = context.worker();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
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
    }
    Ok(())
}
