//! A Prometheus exporter for StatsD, in place of `statsd_exporter` 0.31.
//!
//! Bytes pass through the modules in this order: `ingest` receives them, [`line`] reads samples,
//! [`mapping`] names them, [`series`] adds them up, `expose` shows the sums. [`pipeline`] is the
//! way between, walked by each ingest thread for itself: a series which is known costs one look
//! into the thread's own table of aliases and one atomic, no mapping and no allocation.
//!
//! `line`, `mapping`, `series` and `pipeline` do no I/O and read no clock; `app` knows every part.
#![forbid(unsafe_code)]

mod app;
pub mod args;
pub mod counts;
mod expose;
mod ingest;
pub mod inspect;
pub mod line;
pub mod mapping;
mod memory;
pub mod pipeline;
pub mod relay;
mod reload;
pub mod series;
pub mod telemetry;

pub use app::{PROGRAM, run};
pub use args::Args;
