//! Reading the mapping file, at the start and again when asked.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use tracing::{error, info, warn};

use crate::{
    ingest::Clock,
    mapping::{Mapping, UnknownKeys},
    pipeline::Pipeline,
    series::Kept,
};

/// A mapping file is written by people.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads the mapping file, or has no rules where there is none. Warnings are logged.
///
/// # Errors
///
/// The file cannot be read, or says something that cannot be done.
pub(crate) fn load(path: Option<&Path>, unknown_keys: UnknownKeys) -> anyhow::Result<Mapping> {
    let Some(path) = path else { return Ok(Mapping::default()) };
    let context = || format!("cannot load mapping {}", path.display());
    let size = fs::metadata(path).with_context(context)?.len();
    if size > FILE_BYTES_MAX {
        return Err(anyhow::anyhow!("the file is larger than {FILE_BYTES_MAX} bytes"))
            .with_context(context);
    }
    let text = fs::read_to_string(path).with_context(context)?;
    let mapping = Mapping::parse_with(&text, unknown_keys).with_context(context)?;
    for warning in mapping.warnings() {
        warn!(file = %path.display(), "{warning}");
    }
    Ok(mapping)
}

/// Reads the mapping file again.
#[derive(Debug)]
pub(crate) struct Reloader {
    path: Option<PathBuf>,
    unknown_keys: UnknownKeys,
    pipeline: Arc<Pipeline>,
    clock: Clock,
}

impl Reloader {
    /// Rules of `path` go to `pipeline`.
    pub(crate) const fn new(
        path: Option<PathBuf>,
        unknown_keys: UnknownKeys,
        pipeline: Arc<Pipeline>,
        clock: Clock,
    ) -> Self {
        Self { path, unknown_keys, pipeline, clock }
    }

    /// Drops the series of all names which `chosen` chooses, and says how many there were.
    pub(crate) fn clear(&self, chosen: impl Fn(&str) -> bool) -> u64 {
        self.pipeline.clear(chosen, self.clock.tick())
    }

    /// Takes new rules and says what came of it, a line each.
    ///
    /// # Errors
    ///
    /// The file cannot be used; the old rules stay.
    pub(crate) fn reload(&self) -> anyhow::Result<String> {
        let Some(path) = &self.path else {
            warn!("asked to reload the mapping, but there is no mapping file");
            return Ok("there is no mapping file\n".to_owned());
        };
        let loaded = load(Some(path), self.unknown_keys);
        self.pipeline.telemetry.reloaded(loaded.is_ok());
        match loaded {
            Ok(mapping) => {
                let rules = mapping.rules_count();
                let warnings: String =
                    mapping.warnings().iter().flat_map(|text| ["warning: ", text, "\n"]).collect();
                let kept = self.pipeline.replace_mapping(mapping, self.clock.tick());
                let Kept { series, ttl, shape } = kept;
                info!(file = %path.display(), rules, series, ttl, shape, "mapping reloaded");
                Ok(format!(
                    "loaded {rules} rules\n\
                     kept {series} series\n\
                     {ttl} of them have another time to live\n\
                     {shape} of them began anew with other buckets or quantiles\n\
                     {warnings}"
                ))
            }
            Err(error) => {
                error!(error = format!("{error:#}"), "the mapping was not reloaded");
                Err(error)
            }
        }
    }
}
