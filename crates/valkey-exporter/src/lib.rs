//! Metrics of a Valkey or Redis server, under the names of `redis_exporter`.
//!
//! A scrape takes a connection to a [`node`], asks the [`commands`](command) that the
//! [`collectors`] want in one pipelined batch (a second one where the first revealed something),
//! and lets each collector turn the answers into families. [`info`] reads `INFO`, [`fields`] is the
//! catalogue of what is made of it. [`app`] wires it together.
#![forbid(unsafe_code)]

pub mod access;
pub mod address;
pub mod app;
pub mod args;
pub mod cluster_nodes;
pub mod collectors;
pub mod command;
pub mod compat;
pub mod credentials;
pub mod data;
mod dial;
mod discovery;
pub mod facts;
pub mod fields;
mod flights;
pub mod framing;
pub mod info;
pub mod keys;
pub mod limits;
pub mod node;
pub mod out;
pub mod password_file;
pub mod pattern;
pub mod scrape;
pub mod secret;
pub mod targets;
pub mod tls;

pub use app::{INFO, PROGRAM, run};
pub use args::Args;
