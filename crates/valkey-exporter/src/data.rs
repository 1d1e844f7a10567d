//! What the flags say of all that is read beyond `INFO`, checked.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use metrics_server::http::Query;
use regex::Regex;

use crate::{
    args::Flags,
    keys::{KeySpec, Keys, argument::ArgumentError},
    limits::Limits,
};

/// See the module.
#[derive(Clone, Debug)]
pub struct Data {
    /// Keys, streams and groups of keys.
    pub keys: Arc<Keys>,
    /// Which keys: those of the flags, or of a request.
    pub key_spec: Arc<KeySpec>,
    /// Scripts to run, in their order.
    pub scripts: Arc<[Script]>,
    /// How scripts are run.
    pub script: ScriptOptions,
    /// Clients.
    pub clients: ClientOptions,
    /// Entries of logs that are counted by command.
    pub log_entries_max: u32,
    /// Whether to read `INFO MODULES`.
    pub modules: bool,
    /// Search indexes to show, if any.
    pub search: Option<SearchOptions>,
    /// Whether the server is a Tile38.
    pub tile38: bool,
    /// Whether to look for the RDB file.
    pub rdb_file_size: bool,
    /// What was left out so far.
    pub limits: Arc<Limits>,
}

/// A Lua script, read when the exporter started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Script {
    /// As the flag has it; the label `filename`.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// See the flags of the same names.
#[derive(Clone, Copy, Debug)]
pub struct ScriptOptions {
    /// `EVAL_RO`.
    pub read_only: bool,
    /// Values shown of one script.
    pub values_max: usize,
}

/// See the flags of the same names.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// A series for each client.
    pub each: bool,
    /// Its port as a label.
    pub port: bool,
    /// Counts and histograms.
    pub summary: bool,
    /// Clients for which the list is asked for.
    pub list_max: u64,
    /// Values of a label.
    pub values_max: usize,
}

/// See the flags of the same names.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// Names of indexes to show.
    pub names: Regex,
    /// How many.
    pub indexes_max: usize,
}

impl Data {
    /// Checks what the flags say, and reads scripts.
    ///
    /// # Errors
    ///
    /// Names the flag which cannot be used.
    pub fn new(flags: &Flags) -> anyhow::Result<Self> {
        let data = &flags.data;
        // A pattern takes memory even where nothing is ever matched.
        let search = data.include_search_indexes_metrics.then(|| {
            let names = Regex::new(&data.check_search_indexes);
            names.map(|names| SearchOptions { names, indexes_max: data.search_indexes_max })
        });
        let limits = Arc::new(Limits::default());
        let keys = Keys::new(flags, Arc::clone(&limits))?;
        Ok(Self {
            key_spec: Arc::new(keys.spec()),
            keys: Arc::new(keys),
            scripts: read_scripts(&data.script, data.script_bytes_max)?.into(),
            script: ScriptOptions {
                read_only: data.lua_script_read_only,
                values_max: data.script_values_max,
            },
            clients: ClientOptions {
                each: data.export_client_list,
                port: data.export_client_port,
                summary: data.clients_summary,
                list_max: data.clients_list_max,
                values_max: data.clients_values_max,
            },
            log_entries_max: data.slowlog_entries_max,
            modules: data.include_modules_metrics,
            search: search.transpose().context("cannot use --check-search-indexes")?,
            tile38: data.is_tile38,
            rdb_file_size: data.include_rdb_file_size_metric,
            limits,
        })
    }

    /// The same with the lists of keys that parameters of a request give.
    ///
    /// # Errors
    ///
    /// A parameter which is no list of keys.
    pub fn for_request(&self, query: &Query) -> Result<Self, ArgumentError> {
        let key_spec = Arc::new(self.keys.for_request(|name| query.get(name))?);
        Ok(Self { key_spec, ..self.clone() })
    }

    /// Whether anything is read that a limit could cut, or did.
    pub fn is_limited(&self) -> bool {
        self.limits.any_reached()
            || !self.key_spec.is_empty()
            || !self.scripts.is_empty()
            || self.clients.each
            || self.clients.summary
            || self.search.is_some()
    }
}

fn read_scripts(paths: &str, bytes_max: u64) -> anyhow::Result<Vec<Script>> {
    let paths = paths.split(',').filter(|path| !path.is_empty());
    paths
        .map(|path| {
            let read = || {
                let size = fs::metadata(Path::new(path))?.len();
                ensure!(
                    size <= bytes_max,
                    "it has {size} bytes, --script.bytes-max is {bytes_max}"
                );
                Ok(fs::read_to_string(path)?)
            };
            let text = read().with_context(|| format!("cannot read the script {path}"))?;
            Ok(Script { path: path.to_owned(), text })
        })
        .collect()
}
