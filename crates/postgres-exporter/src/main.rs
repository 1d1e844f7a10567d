//! The `postgres-exporter` binary. Everything it does is in the library, where tests reach it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    metrics_server::cli::run(&postgres_exporter::PROGRAM, postgres_exporter::run)
}
