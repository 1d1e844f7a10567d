//! The exporter against a server which answers what a test says.

mod behaviour;
mod cases;
mod catalogue;
mod connections;
mod exporter;
mod fake;
mod keys;
mod secure;
