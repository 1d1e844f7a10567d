//! The `postgres-exporter` binary. Everything it does is in the library, where tests reach it.
#![forbid(unsafe_code)]

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use postgres_exporter::{PROGRAM, convert, run};

fn main() -> ExitCode {
    let line = metrics_server::args::command_line();
    match line.as_slice() {
        [_, command, file] if command == "convert" && !is_flag(file) => convert(Path::new(file))
            .map_or_else(|error| complain(&format!("{error:#}")), |()| ExitCode::SUCCESS),
        [_, command, ..] if command == "convert" => complain("expected one file: convert FILE"),
        _ => metrics_server::cli::run(&PROGRAM, run),
    }
}

fn is_flag(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"-")
}

fn complain(reason: &str) -> ExitCode {
    let _closed = writeln!(io::stderr(), "{}: error: {reason}", PROGRAM.info.name);
    ExitCode::FAILURE
}
