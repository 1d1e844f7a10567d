//! The `postgres-exporter`: a drop-in for `postgres_exporter` which does not hang with its database.
//!
//! A scrape passes through the modules in this order: [`args`] and [`sources`] say what to watch,
//! [`dsn`] what a data source means, [`target`] keeps a few connections to it, each a [`session`],
//! encrypted by [`tls`] where that is asked for;
//! an [`instance`] is the server as one scrape sees it, [`collectors`] read [`row`]s from it and
//! write families, [`databases`] are those of a server, [`reading`] what flags say of all servers and
//! [`prefix`] how some of their families are called,
//! [`credentials`] are looked up at each login, [`probe`] asks servers which the scraper names with a
//! login of [`config`], [`queries`] are those of files, [`exporter`] puts the page together; [`app`]
//! wires all of it.
#![forbid(unsafe_code)]

mod app;
pub mod args;
pub mod collectors;
pub mod config;
pub mod credentials;
pub mod databases;
pub mod dsn;
pub mod exporter;
pub mod instance;
pub mod prefix;
pub mod probe;
pub mod queries;
pub mod reading;
pub mod row;
pub mod session;
pub mod sources;
pub mod target;
pub mod tls;

pub use app::{PROGRAM, convert, run};
