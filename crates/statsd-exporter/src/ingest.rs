//! Sockets, and the threads which read them: one a socket, blocking, woken now and then so that
//! they notice when it is time to stop.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use metrics_server::Check;
use tracing::error;

use crate::{
    pipeline::{Pipeline, Worker},
    relay::{self, Relay},
    series::Tick,
};

mod allow;
mod datagrams;
mod drops;
mod pace;
mod sockets;
mod streams;

pub(crate) use allow::AllowList;
pub(crate) use sockets::{Listen, Sockets, resolve};
pub(crate) use streams::Limits as StreamLimits;

use datagrams::Count;
use drops::Drops;

/// How long a thread waits on a quiet socket before it looks whether it is to stop.
const WAKE_EVERY: Duration = Duration::from_millis(250);
/// How often idle series are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The time since the process started, read by the threads and passed down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock at zero.
    #[expect(clippy::disallowed_methods, reason = "the shell's clock")]
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// When it was zero.
    pub(crate) const fn started(self) -> Instant {
        self.started
    }

    /// The time since.
    fn elapsed(self) -> Duration {
        self.started.elapsed()
    }

    /// Now.
    pub(crate) fn tick(self) -> Tick {
        Tick(u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// Asks threads to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks every thread.
    pub(crate) fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What each thread gets.
#[derive(Clone, Debug)]
struct Context {
    pipeline: Arc<Pipeline>,
    relay: Option<Relay>,
    clock: Clock,
    stop: Stop,
}

impl Context {
    fn worker(&self) -> Worker {
        Worker::new(Arc::clone(&self.pipeline), self.relay.clone())
    }
}

/// The threads, until they are joined.
#[derive(Debug)]
pub(crate) struct Ingest {
    stop: Stop,
    alive: Check,
    threads: Vec<JoinHandle<()>>,
}

impl Ingest {
    /// Starts a thread for each socket, one which retires idle series, and one for the relay.
    ///
    /// `alive` fails for good once a thread has ended without being asked.
    ///
    /// # Errors
    ///
    /// The system has no threads left, or a socket cannot be used.
    pub(crate) fn spawn(
        sockets: Sockets,
        pipeline: &Arc<Pipeline>,
        relay: Option<(Relay, Vec<relay::Sender>)>,
        clock: Clock,
        alive: Check,
    ) -> io::Result<Self> {
        let (relay, senders) = relay.unzip();
        let stop = Stop::default();
        let context = Context { pipeline: Arc::clone(pipeline), relay, clock, stop: stop.clone() };
        let mut ingest = Self { stop, alive, threads: Vec::new() };
        for sender in senders.into_iter().flatten() {
            ingest.thread("relay", move || {
                sender.run();
                Ok(())
            })?;
        }
        let drops = Drops::of(sockets.udp.as_slice());
        let pause_max = sockets.pause_max;
        for socket in sockets.udp {
            let context = context.clone();
            let count: Count = |counts| &mut counts.udp_packets;
            let allowed = sockets.limits.allowed.clone();
            ingest.thread("udp", move || {
                datagrams::read(&socket, count, &allowed, pause_max, &context)
            })?;
        }
        for listener in sockets.tcp {
            let (context, limits) = (context.clone(), sockets.limits.clone());
            ingest.thread("tcp", move || streams::read(&listener, &limits, &context))?;
        }
        if let Some(listener) = sockets.unix {
            let (context, limits) = (context.clone(), sockets.limits.clone());
            ingest.thread("unix", move || streams::read(listener.socket(), &limits, &context))?;
        }
        if let Some(socket) = sockets.unixgram {
            let context = context.clone();
            let count: Count = |counts| &mut counts.unixgram_packets;
            // A sender of the same machine waits where the buffer is full, so there is no pause.
            let pause_max = Duration::ZERO;
            ingest.thread("unixgram", move || {
                datagrams::read(&socket, count, &AllowList::default(), pause_max, &context)
            })?;
        }
        ingest.thread("sweeper", move || {
            sweep(&context, drops);
            Ok(())
        })?;
        Ok(ingest)
    }

    /// Asks every thread to stop, from anywhere.
    pub(crate) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Waits until every thread has stopped.
    pub(crate) fn join(self) {
        self.stop.request();
        for thread in self.threads {
            thread.thread().unpark();
            if thread.join().is_err() {
                error!("an ingest thread has panicked");
            }
        }
    }

    fn thread(
        &mut self,
        name: &'static str,
        run: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let watch = Watch {
            name,
            stop: self.stop.clone(),
            alive: self.alive.clone(),
            reason: "it panicked".to_owned(),
        };
        let body = move || {
            // Dropped when this thread ends, also by a panic.
            let mut watch = watch;
            watch.reason = match run() {
                Ok(()) => "it returned".to_owned(),
                Err(error) => error.to_string(),
            };
            drop(watch);
        };
        self.threads.push(std::thread::Builder::new().name(name.to_owned()).spawn(body)?);
        Ok(())
    }
}

/// Tells, when its thread ends for whatever reason, that it has.
struct Watch {
    name: &'static str,
    stop: Stop,
    alive: Check,
    reason: String,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.stop.is_requested() {
            error!(thread = self.name, error = self.reason, "an ingest thread has ended");
            let reason = format!("the {} thread has ended: {}", self.name, self.reason);
            self.alive.failed(reason, Duration::ZERO);
        }
    }
}

/// Retires idle series, and tells what the kernel threw away.
fn sweep(context: &Context, mut drops: Drops) {
    while !context.stop.is_requested() {
        std::thread::park_timeout(SWEEP_EVERY);
        let store = &context.pipeline.store;
        store.retire_idle(context.clock.tick());
        context.pipeline.telemetry.memory_refused(store.memory().take_refused());
        let dropped = drops.read();
        if dropped > 0 {
            context.pipeline.telemetry.udp_dropped(dropped);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        time::{Duration, SystemTime},
    };

    use metrics_server::{Health, Role};

    use super::{Clock, Ingest, Stop};

    /// Runs one thread to its end and says whether the process is still alive by its checks.
    fn alive_after(stopping: bool, run: fn() -> io::Result<()>) -> bool {
        let health = Health::new(Clock::start().started());
        let alive = health.check("ingest", Role::Liveness);
        alive.succeeded(SystemTime::UNIX_EPOCH, Duration::ZERO);
        let mut ingest = Ingest { stop: Stop::default(), alive, threads: Vec::new() };
        if stopping {
            ingest.stop().request();
        }
        ingest.thread("test", run).expect("a thread");
        for thread in ingest.threads.drain(..) {
            // A panic is one of the cases.
            drop(thread.join());
        }
        health.is_live()
    }

    #[test]
    fn a_thread_which_ends_by_itself_fails_the_liveness_check() {
        assert!(!alive_after(false, || Err(io::ErrorKind::NotConnected.into())));
        assert!(!alive_after(false, || panic!("a bug")));
        assert!(!alive_after(false, || Ok(())));
        assert!(alive_after(true, || Ok(())), "it was asked to");
    }
}
