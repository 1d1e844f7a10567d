//! What Prometheus exporters share: exposition, HTTP, health, collectors, flags, logs.
//!
//! Data passes through the modules in this order: [`args`] and [`cli`] read the command line,
//! [`http`] takes a scrape, [`collector`] runs what it asks for, [`exposition`] writes the page;
//! [`health`], [`telemetry`], [`log`] and [`shutdown`] stand beside them.
//!
//! A whole exporter, which is `examples/minimal.rs`:
//!
//! ```no_run
#![doc = include_str!("../examples/minimal.rs")]
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod args;
pub mod cli;
pub mod collector;
pub mod exposition;
pub mod health;
mod healthcheck;
pub mod http;
pub mod log;
pub mod shutdown;
pub mod spans;
pub mod telemetry;
mod unverified;

pub use collector::{
    CollectError, Collecting, Collector, CollectorChoice, CollectorSpec, Collectors,
};
pub use exposition::{
    Desc, Encoder, Exemplar, Extras, Families, Family, Format, HistogramState, Kind, LabelBlock,
    NativeBuckets, Page, SummaryState,
};
pub use health::{Check, Health, Role};
pub use http::{Refused, Scrape, ScrapeRequest, Scraped, Scraping, Server};
pub use shutdown::{Shutdown, ShutdownHandle};
pub use telemetry::{ExporterInfo, Telemetry};
pub use unverified::Unverified;

use std::{future::Future, io};

/// Threads for pages, of which most wait for their readers, and some more for resolving names, checking
/// a password and reading configuration again; started only when they are needed.
const BLOCKING_THREADS_MAX: usize = http::PAGES_MAX + 8;

/// Runs `future` on a runtime of one thread: scrapes are rare and small.
///
/// # Errors
///
/// The runtime cannot be started.
pub fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()?;
    let output = runtime.block_on(future);
    // A name that is being resolved holds a thread for as long as the system's resolver wants.
    runtime.shutdown_background();
    Ok(output)
}
