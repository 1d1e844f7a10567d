//! Tests of `load`, with files.

use std::{fs, path::Path};

use super::Paths;

fn files(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}

/// Names of the queries of `patterns`, or the error without the folder's name.
fn load(folder: &Path, patterns: &[&str], extend: Option<&str>) -> Result<String, String> {
    let paths = Paths {
        files: patterns.iter().map(|name| folder.join(name).display().to_string()).collect(),
        extend: extend.map(|name| folder.join(name)),
        ..Paths::default()
    };
    let set = paths
        .load()
        .map_err(|error| format!("{error:#}").replace(&folder.display().to_string(), "DIR"))?;
    let names: Vec<_> = set.queries.iter().map(|loaded| loaded.query.name.as_str()).collect();
    let extended = set.extended.map_or(String::new(), |file| format!(" failed={}", file.failed));
    Ok(format!("{} in {}{extended}", names.join(" "), set.files))
}

#[test]
fn files_are_found_by_globs_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    files(
        folder.path(),
        &[
            ("b.yml", "b: {query: SELECT 1}"),
            ("a.yml", "a: {query_file: sql/a.sql}"),
            ("sql/a.sql", "SELECT 2"),
            (".hidden.yml", "wrong"),
            ("teams/x/q.yml", "x: {query: SELECT 1}"),
            ("teams/y/q.yml", "y: {query: SELECT 1}"),
        ],
    );
    let load = |patterns: &[&str]| load(folder.path(), patterns, None);
    assert_eq!(load(&["*.yml", "teams/*/q.yml"]), Ok("a b x y in 4".to_owned()));
    assert_eq!(load(&["[b-z].yml"]), Ok("b in 1".to_owned()));
    assert_eq!(load(&["none*.yml"]), Ok(" in 0".to_owned()));
    let error = load(&["c.yml"]).expect_err("no such file");
    assert!(error.starts_with("cannot read DIR/c.yml: "), "{error}");
}

#[test]
fn one_name_is_one_query() {
    let folder = tempfile::tempdir().expect("a folder");
    files(folder.path(), &[("a.yml", "q: {query: SELECT 1}"), ("b.yml", "q: {query: SELECT 1}")]);
    assert_eq!(
        load(folder.path(), &["*.yml"], None),
        Err("DIR/b.yml: query q is in DIR/a.yml as well: rename one".to_owned())
    );
}

#[test]
fn a_wrong_file_of_the_old_flag_costs_only_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    files(
        folder.path(),
        &[
            ("a.yml", "a: {query: SELECT 1}"),
            ("old.yml", "b: {query: SELECT 1, colour: red}"),
            ("wrong.yml", "b: {}"),
        ],
    );
    let load = |extend| load(folder.path(), &["a.yml"], Some(extend));
    assert_eq!(load("old.yml"), Ok("a b in 2 failed=false".to_owned()));
    assert_eq!(load("wrong.yml"), Ok("a in 1 failed=true".to_owned()));
    assert_eq!(load("gone.yml"), Ok("a in 1 failed=true".to_owned()));
}
