//! postgres-exporter beside `postgres_exporter`, against the same servers: what their pages have.
//!
//! `deploy/compare-postgres` prepares images and the other exporter, whose path is in
//! `POSTGRES_EXPORTER_PEER`.

use std::process::ExitCode;

use anyhow::Result;

mod compare;
mod program;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    compare::run().await
}
