//! SIGTERM and SIGINT: the first one asks to stop, a second one insists.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::info;

/// A request to stop, which any number of tasks and threads can wait for.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: watch::Receiver<bool>,
}

/// Asks for the shutdown it was made with.
#[derive(Clone, Debug)]
pub struct ShutdownHandle {
    stop: watch::Sender<bool>,
}

impl Shutdown {
    /// A request, and the handle which makes it.
    #[must_use]
    pub fn new() -> (ShutdownHandle, Self) {
        let (stop, requested) = watch::channel(false);
        (ShutdownHandle { stop }, Self { requested })
    }

    /// Completes when the process is to stop.
    pub async fn requested(&self) {
        let mut requested = self.requested.clone();
        // An error means that nobody can ask any more; then nobody does.
        if requested.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl ShutdownHandle {
    /// Asks everybody who waits to stop.
    pub fn request(&self) {
        self.stop.send_replace(true);
    }

    /// Asks at the first SIGTERM or SIGINT. A second one ends the process at once with status 1.
    ///
    /// # Errors
    ///
    /// The signal handlers cannot be installed.
    pub fn request_on_signal(self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            let mut received = async || {
                tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                }
            };
            let signal = received().await;
            info!(signal, "stopping");
            self.request();
            received().await;
            std::process::exit(1);
        });
        Ok(())
    }
}
