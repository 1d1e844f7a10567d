//! The flags of queries.

use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs};

use super::{ask::Run, engine::PROBE_TAG, load::Paths};

/// Queries of the operator's own.
#[derive(ClapArgs, Clone, Debug, Default)]
#[command(next_help_heading = "Queries")]
pub struct QueryArgs {
    /// File with queries that become metrics; repeatable, may be a glob. Read again by SIGHUP and
    /// `/-/reload`.
    #[arg(id = "queries.file", long, value_name = "FILE", action = ArgAction::Append)]
    pub files: Vec<String>,

    /// Tag of this exporter; queries with tags run where all theirs are. Repeatable.
    #[arg(id = "queries.tag", long, value_name = "TAG", action = ArgAction::Append,
          value_parser = tag)]
    pub tags: Vec<String>,

    /// Rows of one answer that become series; a query may set its own `rows_max`.
    #[arg(id = "queries.rows-max", long, value_name = "COUNT", default_value = "10000",
          value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub rows_max: u32,

    /// Series of one answer; a query may set its own `series_max`.
    #[arg(id = "queries.series-max", long, value_name = "COUNT", default_value = "100000",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub series_max: u32,

    /// Check the files of queries, say what is in them, and exit.
    #[arg(id = "queries.check", long, value_name = "BOOL", default_value = "false",
          action = ArgAction::Set)]
    pub check: bool,

    /// Show the server's plan for one query and the metrics that come of it, and exit.
    #[arg(id = "queries.explain", long, value_name = "NAME")]
    pub explain: Option<String>,
}

/// A tag which is not one of the exporter's own.
fn tag(word: &str) -> Result<String, String> {
    if word == PROBE_TAG {
        return Err("servers that /probe asks have this tag, choose another word".to_owned());
    }
    Ok(word.to_owned())
}

impl QueryArgs {
    /// The files, together with that of `--extend.query-path`.
    pub fn paths(&self, extend: &str) -> Paths {
        let files = self.files.iter().filter(|file| !file.is_empty()).cloned().collect();
        let extend = (!extend.is_empty()).then(|| PathBuf::from(extend));
        Paths { files, extend, ..Paths::default() }
    }

    /// What is the same for all queries.
    pub fn run(&self) -> Run {
        let (rows_max, series_max) = (Some(self.rows_max), Some(self.series_max));
        Run { tags: self.tags.clone(), rows_max, series_max }
    }
}
