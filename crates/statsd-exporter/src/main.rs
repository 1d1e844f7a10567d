//! The `statsd-exporter` binary. Everything it does is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    metrics_server::cli::run(&statsd_exporter::PROGRAM, statsd_exporter::run)
}
