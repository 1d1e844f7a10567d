//! Tests of what the environment says.

use std::{collections::BTreeMap, fs};

use proptest::prelude::*;

use super::{from_environment, split};
use crate::dsn::Dsn;

fn read(variables: &[(&str, &str)]) -> Result<Vec<Dsn>, String> {
    let table: BTreeMap<_, _> = variables.iter().copied().collect();
    from_environment(&|name| table.get(name).map(|value| (*value).to_owned()))
        .map_err(|error| error.to_string())
}

fn passwords(sources: &[Dsn]) -> Vec<&str> {
    sources.iter().map(|dsn| dsn.password.as_ref().map_or("", |secret| secret.reveal())).collect()
}

#[test]
fn nothing_is_no_error() {
    assert_eq!(read(&[]), Ok(Vec::new()));
    assert_eq!(read(&[("DATA_SOURCE_NAME", " ")]), Ok(Vec::new()));
    assert_eq!(read(&[("DATA_SOURCE_USER", "u"), ("DATA_SOURCE_PASS", "p")]), Ok(Vec::new()));
}

#[test]
fn a_name_wins_over_its_parts() {
    let sources = read(&[
        ("DATA_SOURCE_NAME", "postgres://a:b@h/db"),
        ("DATA_SOURCE_URI", "other"),
        ("DATA_SOURCE_PASS_FILE", "/nowhere"),
    ])
    .unwrap();
    assert_eq!(sources.len(), 1);
    assert_eq!(sources[0].server(), "h:5432");
}

#[test]
fn parts_are_put_together() {
    let sources = read(&[
        ("DATA_SOURCE_URI", "my_pg:5433/postgres?sslmode=disable"),
        ("DATA_SOURCE_USER", "us/er"),
        ("DATA_SOURCE_PASS", "p@ss:w%rd?"),
    ])
    .unwrap();
    assert_eq!(sources[0].server(), "my_pg:5433");
    assert_eq!(sources[0].user, "us/er");
    assert_eq!(sources[0].database, "postgres");
    assert_eq!(passwords(&sources), ["p@ss:w%rd?"]);
}

#[test]
fn files_win_over_plain_variables_and_are_trimmed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (uri, user, pass) =
        (path("uri", "h/db\n"), path("user", "me\n"), path("pass", " from file \n"));
    let sources = read(&[
        ("DATA_SOURCE_URI_FILE", &uri),
        ("DATA_SOURCE_USER_FILE", &user),
        ("DATA_SOURCE_PASS_FILE", &pass),
        ("DATA_SOURCE_PASS", "plain"),
    ])
    .unwrap();
    assert_eq!(sources[0].user, "me");
    assert_eq!(passwords(&sources), ["from file"]);

    let missing = read(&[("DATA_SOURCE_URI", "h"), ("DATA_SOURCE_PASS_FILE", "/no/such/file")]);
    assert!(
        missing.unwrap_err().starts_with("cannot read the file named by DATA_SOURCE_PASS_FILE: ")
    );
}

#[test]
fn several_sources_are_parted_by_commas() {
    for (names, parts) in [
        ("postgres://a/,postgresql://b/", vec!["postgres://a/", "postgresql://b/"]),
        ("host=a user=x, host=b user=y ,", vec!["host=a user=x", "host=b user=y"]),
        ("postgres://u:a,b@h/db", vec!["postgres://u:a,b@h/db"]),
        ("postgres://u:a,b@h/db,user = x", vec!["postgres://u:a,b@h/db", "user = x"]),
        (",postgres://a/", vec!["postgres://a/"]),
        ("", vec![]),
    ] {
        assert_eq!(split(names), parts, "{names}");
    }
}

#[test]
fn an_invalid_source_names_its_variable_and_nothing_of_its_text() {
    let error = read(&[("DATA_SOURCE_NAME", "postgres://u:hunter2@h:hunter2/db")]).unwrap_err();
    assert!(error.starts_with("DATA_SOURCE_NAME is not a valid data source: the port"));
    assert!(!error.contains("hunter2"));
    let error = read(&[("DATA_SOURCE_URI", "h:x/db")]).unwrap_err();
    assert!(error.starts_with("DATA_SOURCE_URI is not a valid data source"));
}

proptest! {
    #[test]
    fn property_splitting_panics_on_nothing_and_loses_only_commas_and_blanks(
        text in "(postgres://|host=|,|\\PC){0,30}",
    ) {
        let kept = |text: &str| text.chars().filter(|c| *c != ',' && !c.is_whitespace()).count();
        let parts = split(&text);
        prop_assert_eq!(parts.iter().map(|part| kept(part)).sum::<usize>(), kept(&text));
    }
}
