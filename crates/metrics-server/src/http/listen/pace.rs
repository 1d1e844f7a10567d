//! How long a connection may take for what it does, and what it does now.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::{Instant, sleep_until},
};

/// How long each phase of a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// From the connection, or from the first byte of a request, to the end of its head.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
    /// From a request's head to the last byte of its answer.
    pub(super) answer: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// A head is awaited: the first one, or one of which a byte has come.
    Head,
    Idle,
    /// Requests which are being answered.
    Busy(u32),
}

/// The phase of one connection, and since when. Cloning gives another handle on the same one.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    pace: Pace,
    phase: watch::Sender<(Phase, Instant)>,
}

impl Clock {
    /// Of a connection which begins now.
    pub(super) fn start(pace: Pace) -> Self {
        Self { pace, phase: watch::Sender::new((Phase::Head, Instant::now())) }
    }

    /// A request's head is complete. Its answer ends with the returned value.
    pub(super) fn begin(&self) -> Answering {
        self.phase.send_modify(|(phase, since)| {
            let open = if let Phase::Busy(open) = phase { *open } else { 0 };
            (*phase, *since) = (Phase::Busy(open + 1), Instant::now());
        });
        Answering(self.clone())
    }

    fn end(&self) {
        self.phase.send_modify(|(phase, since)| match phase {
            Phase::Busy(open) if *open > 1 => *open -= 1,
            _ => (*phase, *since) = (Phase::Idle, Instant::now()),
        });
    }

    /// Whether nothing is being answered and the connection is not idle either.
    pub(super) fn awaits_head(&self) -> bool {
        matches!(self.phase.borrow().0, Phase::Head)
    }

    fn bytes_arrived(&self) {
        self.phase.send_if_modified(|(phase, since)| {
            let first = matches!(phase, Phase::Idle);
            if first {
                (*phase, *since) = (Phase::Head, Instant::now());
            }
            first
        });
    }

    /// Completes when the connection is idle, or when it is not.
    pub(super) async fn idle(&self, idle: bool) {
        let mut changes = self.phase.subscribe();
        let changed = changes.wait_for(|(phase, _)| matches!(phase, Phase::Idle) == idle).await;
        changed.map(drop).expect("the sender is ours, it outlives this");
    }

    /// Completes when a phase has taken too long; tells which.
    pub(super) async fn over(&self) -> &'static str {
        let mut changes = self.phase.subscribe();
        loop {
            let (phase, since) = *changes.borrow_and_update();
            let (limit, reason) = match phase {
                Phase::Head => (self.pace.head, "no request in time"),
                Phase::Idle => (self.pace.idle, "idle"),
                Phase::Busy(_) => (self.pace.answer, "an answer took too long"),
            };
            tokio::select! {
                () = sleep_until(since + limit) => return reason,
                // The sender is ours, it outlives this.
                _changed = changes.changed() => {}
            }
        }
    }
}

/// A request which is being answered, until it is dropped.
#[derive(Debug)]
pub(super) struct Answering(Clock);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A body which says when it has been sent.
pub(super) struct Answer {
    body: Body,
    _answering: Answering,
}

impl Answer {
    pub(super) const fn new(body: Body, answering: Answering) -> Self {
        Self { body, _answering: answering }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream which tells the clock when bytes come.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) clock: Clock,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.clock.bytes_arrived();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{Clock, Pace};

    const PACE: Pace = Pace {
        head: Duration::from_secs(10),
        idle: Duration::from_mins(5),
        answer: Duration::from_secs(40),
    };

    async fn over(clock: &Clock) -> (&'static str, u64) {
        let begin = Instant::now();
        let reason = clock.over().await;
        (reason, begin.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_limit() {
        let clock = Clock::start(PACE);
        advance(Duration::from_secs(3)).await;
        clock.bytes_arrived();
        assert_eq!(over(&clock).await, ("no request in time", 7), "bytes do not extend it");

        let first = clock.begin();
        advance(Duration::from_secs(5)).await;
        let second = clock.begin();
        clock.bytes_arrived();
        assert_eq!(over(&clock).await, ("an answer took too long", 40), "from the last request on");
        drop(first);
        assert!(!clock.awaits_head());
        drop(second);
        assert_eq!(over(&clock).await, ("idle", 300));

        clock.bytes_arrived();
        assert!(clock.awaits_head());
        assert_eq!(over(&clock).await, ("no request in time", 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_phase_is_seen_by_who_waits() {
        let clock = Clock::start(PACE);
        drop(clock.begin());
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move { over(&clock).await }
        });
        advance(Duration::from_secs(1)).await;
        clock.bytes_arrived();
        let (reason, seconds) = waiting.await.unwrap();
        assert_eq!(reason, "no request in time");
        assert!(seconds <= 12, "{seconds}");
    }
}
