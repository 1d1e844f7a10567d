//! The repository keeps its own rules.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use e2e::repository;

/// All files below `folder` whose name ends with `ending`.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, ending)?);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(repository().join(path)).with_context(|| path.to_owned())
}

#[test]
fn metrics_server_knows_no_exporter() -> Result<()> {
    let manifest = read("crates/metrics-server/Cargo.toml")?;
    for package in
        ["tokio-postgres", "redis", "statsd-exporter", "postgres-exporter", "valkey-exporter"]
    {
        ensure!(!manifest.contains(package), "metrics-server depends on {package}");
    }
    for file in files(&repository().join("crates/metrics-server/src"), ".rs")? {
        let text = fs::read_to_string(&file)?;
        for name in ["\"pg_", "\"redis_", "\"statsd_"] {
            ensure!(!text.contains(name), "{} names {name}…", file.display());
        }
    }
    Ok(())
}

#[test]
fn exporters_do_not_depend_on_each_other() -> Result<()> {
    let exporters = ["statsd-exporter", "postgres-exporter", "valkey-exporter"];
    for exporter in exporters {
        let manifest = read(&format!("crates/{exporter}/Cargo.toml"))?;
        for other in exporters.iter().filter(|other| **other != exporter) {
            ensure!(!manifest.contains(other), "{exporter} depends on {other}");
        }
    }
    Ok(())
}

#[test]
fn each_file_says_what_it_is_for() -> Result<()> {
    for file in files(&repository().join("crates"), ".rs")? {
        let is_tests = file.file_name().is_some_and(|name| name == "tests.rs");
        let text = fs::read_to_string(&file)?;
        ensure!(is_tests || text.starts_with("//! "), "{} does not", file.display());
    }
    Ok(())
}

#[test]
fn no_file_has_work_left_over() -> Result<()> {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ign", "ore")];
    for folder in ["crates", "tests", "deploy", "rules"] {
        for ending in [".rs", ".sh", ".yml", ".yaml", ".py", ".sql"] {
            for file in files(&repository().join(folder), ending)? {
                let text = fs::read_to_string(&file)?;
                for mark in marks {
                    ensure!(!text.contains(mark), "{} has a {mark}", file.display());
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_readme_is_short() -> Result<()> {
    let lines = read("README.md")?.lines().count();
    ensure!(lines <= 80, "{lines} lines");
    Ok(())
}

/// The requirements of the lakehouse: L-01 to L-114, of which L-106 has six parts.
fn requirement_ids() -> BTreeSet<String> {
    let numbers = (1..=114).filter(|number| *number != 106).map(|number| format!("L-{number:02}"));
    let parts = ('a'..='f').map(|part| format!("L-106{part}"));
    numbers.chain(parts).collect()
}

/// The rows of the table in `docs/requirements.md`: cells, without the empty ones at both ends.
fn requirement_rows() -> Result<Vec<Vec<String>>> {
    let text = read("docs/requirements.md")?;
    let rows = text.lines().filter(|line| line.starts_with("| L-"));
    Ok(rows
        .map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
        .collect())
}

#[test]
fn each_requirement_has_one_line() -> Result<()> {
    let rows = requirement_rows()?;
    let ids: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();
    let unique: BTreeSet<String> = ids.iter().cloned().collect();
    ensure!(unique.len() == ids.len(), "an ID has two lines");
    let expected = requirement_ids();
    let missing: Vec<_> = expected.difference(&unique).collect();
    ensure!(missing.is_empty(), "without a line: {missing:?}");
    let strange: Vec<_> = unique.difference(&expected).collect();
    ensure!(strange.is_empty(), "unknown: {strange:?}");
    for row in rows {
        ensure!(row.len() == 4, "{}: four cells, not {}", row[0], row.len());
        ensure!(!row[3].is_empty(), "{}: no test and not planned", row[0]);
    }
    Ok(())
}

#[test]
fn each_test_named_by_a_requirement_exists() -> Result<()> {
    let mut functions = BTreeSet::new();
    for folder in ["crates", "tests"] {
        for file in files(&repository().join(folder), ".rs")? {
            let text = fs::read_to_string(&file)?;
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            functions.extend(names.map(str::to_owned));
        }
    }
    for row in requirement_rows()? {
        let (id, tests) = (&row[0], &row[3]);
        let named: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        ensure!(!named.is_empty() || tests.contains("planned"), "{id}: neither a test nor planned");
        for name in named {
            let exists = match name.rsplit_once("::") {
                Some((_, function)) => functions.contains(function),
                None => repository().join(name).exists(),
            };
            ensure!(exists, "{id} names {name}, which does not exist");
        }
    }
    Ok(())
}
