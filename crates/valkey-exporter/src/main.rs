//! The `valkey-exporter` binary. Everything it does is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    metrics_server::cli::run(&valkey_exporter::PROGRAM, valkey_exporter::run)
}
