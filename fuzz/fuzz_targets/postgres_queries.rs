//! The file of queries: no text panics, and one that is taken writes any answer within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metrics_server::{Format, Page};
use postgres_exporter::{
    instance::Facts,
    queries::{Queries, Query, UnknownKeys},
    row::Rows,
};

const ROWS_MAX: u32 = 5;
const SERIES_MAX: u32 = 7;

fuzz_target!(|text: &str| {
    // Words that the file itself has are likely to be columns, states and bounds.
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || ",:{}[]'\"".contains(c))
        .filter(|word| !word.is_empty())
        .take(30)
        .collect();
    for unknown_keys in [UnknownKeys::Refuse, UnknownKeys::Warn] {
        let read = |_: &str| Ok(text.to_owned());
        let Ok(queries) = Queries::parse("fuzz", text, unknown_keys, &read) else { continue };
        let mut rows = Rows::new(words.iter().map(|word| (*word).to_owned()).collect());
        for shift in 0..words.len().min(8) {
            rows.push(words.iter().cycle().skip(shift).map(|word| Some(*word)).take(words.len()));
        }
        for query in &queries.queries {
            let mut query = Query::clone(query);
            query.rows_max = Some(ROWS_MAX);
            query.series_max = Some(SERIES_MAX);
            let mut page = Page::new();
            let tally = query.write(&rows, &Facts::default(), &[("datname", "a")], &mut page);
            assert!(tally.rows <= ROWS_MAX.into() && tally.series <= SERIES_MAX.into());
            drop(query.requirement());
            drop(page.into_bytes(Format::Text));
        }
    }
});
