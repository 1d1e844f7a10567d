//! Tests of answers.

use proptest::prelude::*;

use super::{RowError, Rows, fixture::table};

#[test]
fn values_are_read_by_column() {
    let rows = table("a | b | c\n1.5 | '' | -\nt | f | NaN");
    let all: Vec<_> = rows.iter().collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(all[0].number("a"), Ok(Some(1.5)));
    assert_eq!(all[0].text("b"), Ok(Some("")));
    assert_eq!(all[0].number("b"), Err(RowError::NotANumber("b".to_owned())));
    assert_eq!(all[0].number("c"), Ok(None));
    assert_eq!(all[1].number("a"), Ok(Some(1.0)));
    assert_eq!(all[1].number("b"), Ok(Some(0.0)));
    assert!(all[1].number("c").unwrap().unwrap().is_nan());
    assert_eq!(all[1].text("d"), Err(RowError::NoColumn("d".to_owned())));
}

#[test]
fn numbers_are_those_that_the_server_writes() {
    for (text, number) in [
        ("-1", -1.0),
        ("9223372036854775807", 9.223_372_036_854_776e18),
        ("1e+06", 1e6),
        ("0.030000", 0.03),
        ("Infinity", f64::INFINITY),
        ("-Infinity", f64::NEG_INFINITY),
    ] {
        let rows = table(&format!("n\n{text}"));
        assert_eq!(rows.iter().next().unwrap().number("n"), Ok(Some(number)), "{text}");
    }
}

#[test]
fn a_row_has_as_many_values_as_there_are_columns() {
    let mut rows = Rows::new(vec!["a".to_owned(), "b".to_owned()]);
    rows.push([Some("1")]);
    rows.push([Some("1"), None, Some("3")]);
    assert_eq!(rows, table("a | b\n1 | -\n1 | -"));
    assert!(Rows::default().is_empty());
    assert_eq!(Rows::default().len(), 0);
}

#[test]
fn rows_can_be_left_out() {
    let rows = table("datname | n\na | 1\nb | 2\n- | 3");
    let rest = rows.without("datname", |name| matches!(name, "a" | "x"));
    assert_eq!(rest, Ok(table("datname | n\nb | 2\n- | 3")));
}

proptest! {
    #[test]
    fn property_what_is_pushed_is_read(
        values in prop::collection::vec(prop::collection::vec(prop::option::of(".*"), 3), 0..8),
    ) {
        let mut rows = Rows::new(["a", "b", "c"].map(str::to_owned).to_vec());
        for row in &values {
            rows.push(row.iter().map(Option::as_deref));
        }
        prop_assert_eq!(rows.len(), values.len());
        for (row, expected) in rows.iter().zip(&values) {
            let expected: Vec<_> = expected.iter().map(Option::as_deref).collect();
            prop_assert_eq!(row.cells().collect::<Vec<_>>(), expected);
        }
    }
}
