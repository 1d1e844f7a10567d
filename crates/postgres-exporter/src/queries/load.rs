//! From flags to queries: files found by globs, read, and checked against each other.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, anyhow, bail};
use tracing::warn;

use super::{FILE_BYTES_MAX, Queries, Query, UnknownKeys, glob};
use crate::prefix::Prefix;

/// Files of all globs together.
const FILES_MAX: usize = 1_000;
/// Files looked at in one folder.
const ENTRIES_MAX: usize = 10_000;

/// Which files are read.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    /// `--queries.file`: paths and globs.
    pub files: Vec<String>,
    /// `--extend.query-path`: read as `postgres_exporter` reads it.
    pub extend: Option<PathBuf>,
    /// `--metric-prefix`, for the queries of `extend`.
    pub prefix: Prefix,
}

/// A query, and how its series are written.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The query.
    pub query: Arc<Query>,
    /// Its series have a label `server`, as those of `postgres_exporter`.
    pub server: bool,
}

/// What the file of `--extend.query-path` was like, for `pg_exporter_user_queries_load_error`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Extended {
    /// As the flag has it.
    pub filename: String,
    /// SHA-256 of the file, or empty where it cannot be read.
    pub hashsum: String,
    /// It cannot be used.
    pub failed: bool,
}

/// All queries of all files.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// In the order of the files.
    pub queries: Vec<Loaded>,
    /// See [`Extended`].
    pub extended: Option<Extended>,
    /// Number of files.
    pub files: usize,
}

impl Paths {
    /// Whether there is nothing to read.
    pub const fn is_empty(&self) -> bool {
        self.files.is_empty() && self.extend.is_none()
    }

    /// Reads all files.
    ///
    /// # Errors
    ///
    /// A file cannot be found, read or understood, or two queries have one name. Only the file of
    /// `--extend.query-path` may be wrong: its queries are missing then, and a metric tells.
    pub fn load(&self) -> anyhow::Result<Set> {
        let mut set = Set::default();
        let mut places = BTreeMap::new();
        for pattern in &self.files {
            for path in expand(pattern)? {
                let text = read(&path)?;
                let queries = parse(&path, &text, UnknownKeys::Refuse)?;
                set.take(&path, queries, false, &mut places)?;
            }
        }
        if let Some(path) = &self.extend {
            let text = read(path);
            let hashsum = text.as_ref().map(|text| sha256(text)).unwrap_or_default();
            let taken = text
                .and_then(|text| parse(path, &text, UnknownKeys::Warn))
                .map(|queries| queries.with_prefix(&self.prefix))
                .and_then(|queries| set.take(path, queries, true, &mut places));
            if let Err(error) = &taken {
                warn!(error = format!("{error:#}"), "--extend.query-path cannot be used");
            }
            let filename = path.display().to_string();
            set.extended = Some(Extended { filename, hashsum, failed: taken.is_err() });
        }
        Ok(set)
    }
}

impl Set {
    fn take(
        &mut self,
        path: &Path,
        queries: Queries,
        server: bool,
        places: &mut BTreeMap<String, PathBuf>,
    ) -> anyhow::Result<()> {
        for warning in &queries.warnings {
            warn!(file = %path.display(), "{warning}");
        }
        if let Some((query, other)) =
            queries.queries.iter().find_map(|query| Some((query, places.get(&query.name)?)))
        {
            let (name, other) = (&query.name, other.display());
            bail!("{}: query {name} is in {other} as well: rename one", path.display());
        }
        for query in queries.queries {
            places.insert(query.name.clone(), path.to_owned());
            self.queries.push(Loaded { query, server });
        }
        self.files += 1;
        Ok(())
    }
}

fn parse(path: &Path, text: &str, unknown_keys: UnknownKeys) -> anyhow::Result<Queries> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let beside = |name: &str| read(&folder.join(name)).map_err(|error| format!("{error:#}"));
    Ok(Queries::parse(&path.display().to_string(), text, unknown_keys, &beside)?)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let context = || format!("cannot read {}", path.display());
    let size = fs::metadata(path).with_context(context)?.len();
    if size > FILE_BYTES_MAX as u64 {
        return Err(anyhow!("larger than {FILE_BYTES_MAX} bytes, split it")).with_context(context);
    }
    fs::read_to_string(path).with_context(context)
}

fn sha256(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The files that a path with globs means, in order. One without globs has to be there.
fn expand(pattern: &str) -> anyhow::Result<Vec<PathBuf>> {
    let is_glob = |text: &str| text.contains(['*', '?', '[']);
    if !is_glob(pattern) {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let mut found = vec![PathBuf::new()];
    for component in Path::new(pattern).components() {
        let name = component.as_os_str().to_string_lossy();
        if !matches!(component, Component::Normal(_)) || !is_glob(&name) {
            for path in &mut found {
                path.push(component);
            }
            continue;
        }
        let mut deeper = Vec::new();
        for folder in found {
            let names = names(&folder)
                .with_context(|| format!("cannot list {} for {pattern}", folder.display()))?;
            let fitting = names.into_iter().filter(|entry| glob::fits(&name, entry));
            deeper.extend(fitting.map(|entry| folder.join(entry)));
        }
        found = deeper;
    }
    found.retain(|path| path.is_file());
    if found.is_empty() {
        warn!(pattern, "no file of queries fits");
    }
    if found.len() > FILES_MAX {
        bail!("{pattern}: more than {FILES_MAX} files");
    }
    Ok(found)
}

/// What is in a folder, in order. Hidden files are left out: among them are the links which
/// Kubernetes keeps beside the files of a volume.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)?.take(ENTRIES_MAX) {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests;
