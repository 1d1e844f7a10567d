//! The command-line dialects of the Go exporters, translated into clap's.

use std::{ffi::OsString, path::Path};

use clap::Command;

/// How the replaced exporter reads its command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// kingpin: `--flag=value`, `--flag value`, `--no-flag` for booleans, `@file` for more arguments.
    Kingpin,
    /// Go's `flag` package: one dash or two, `--flag=false` for booleans.
    Go,
}

/// A kingpin `@file` may name further files, to this depth.
const FILE_DEPTH_MAX: usize = 8;

impl Dialect {
    /// Rewrites `line` (program name first) so that clap's `command` understands it.
    ///
    /// # Errors
    ///
    /// An `@file` cannot be read.
    pub fn translate(
        self,
        line: Vec<OsString>,
        command: &Command,
    ) -> Result<Vec<OsString>, String> {
        let mut out = Vec::with_capacity(line.len());
        let mut words = line.into_iter();
        out.extend(words.next());
        for word in words {
            self.word(word, command, 0, &mut out)?;
        }
        Ok(out)
    }

    fn word(
        self,
        word: OsString,
        command: &Command,
        depth: usize,
        out: &mut Vec<OsString>,
    ) -> Result<(), String> {
        let Some(text) = word.to_str() else {
            out.push(word);
            return Ok(());
        };
        match self {
            Self::Kingpin if text.starts_with('@') && text.len() > 1 => {
                let path = Path::new(text.trim_start_matches('@'));
                for line in read_lines(path, depth)? {
                    self.word(line.into(), command, depth + 1, out)?;
                }
                return Ok(());
            }
            Self::Kingpin => {
                let flag = text.strip_prefix("--no-").filter(|flag| is_boolean(command, flag));
                out.push(
                    flag.map_or_else(|| word.clone(), |flag| format!("--{flag}=false").into()),
                );
            }
            Self::Go => {
                let name = text.trim_start_matches('-').split('=').next().unwrap_or_default();
                let single = text.starts_with('-') && !text.starts_with("--");
                let known = command.get_arguments().any(|arg| arg.get_long() == Some(name));
                if single && known {
                    out.push(format!("-{text}").into());
                } else {
                    out.push(word);
                }
            }
        }
        Ok(())
    }
}

fn is_boolean(command: &Command, long: &str) -> bool {
    command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(long))
        .is_some_and(|arg| arg.get_num_args().is_some_and(|range| range.min_values() == 0))
}

fn read_lines(path: &Path, depth: usize) -> Result<Vec<String>, String> {
    if depth >= FILE_DEPTH_MAX {
        return Err(format!("too many files name each other: {}", path.display()));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read arguments from {}: {error}", path.display()))?;
    let kept = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(kept.map(str::to_owned).collect())
}
