//! Search indexes: `FT._LIST` and `FT.INFO` of each.

use metrics_server::Kind;
use redis::Value;

use super::Snapshot;
use crate::{
    app::Options,
    command::{self, Command, number},
    facts::{Facts, search_list},
    limits::Limit,
    out::{Metric, Out},
};

const MEBIBYTE: f64 = 1_048_576.0;

/// What an index tells, its family, and by what it is multiplied.
const FIELDS: [(&str, Metric, f64); 24] = [
    ("num_docs", Metric::plain("search_index_num_docs"), 1.0),
    ("max_doc_id", Metric::plain("search_index_max_doc_id"), 1.0),
    ("num_terms", Metric::plain("search_index_num_terms"), 1.0),
    ("num_records", Metric::plain("search_index_num_records"), 1.0),
    ("inverted_sz_mb", Metric::plain("search_index_inverted_size_bytes"), MEBIBYTE),
    ("total_inverted_index_blocks", Metric::plain("search_index_total_inverted_index_blocks"), 1.0),
    ("vector_index_sz_mb", Metric::plain("search_index_vector_index_size_bytes"), MEBIBYTE),
    ("offset_vectors_sz_mb", Metric::plain("search_index_offset_vectors_size_bytes"), MEBIBYTE),
    ("doc_table_size_mb", Metric::plain("search_index_doc_table_size_bytes"), MEBIBYTE),
    ("sortable_values_size_mb", Metric::plain("search_index_sortable_values_size_bytes"), MEBIBYTE),
    ("key_table_size_mb", Metric::plain("search_index_key_table_size_bytes"), MEBIBYTE),
    ("tag_overhead_sz_mb", Metric::plain("search_index_tag_overhead_size_bytes"), MEBIBYTE),
    ("text_overhead_sz_mb", Metric::plain("search_index_text_overhead_size_bytes"), MEBIBYTE),
    (
        "total_index_memory_sz_mb",
        Metric::plain("search_index_total_index_memory_size_bytes"),
        MEBIBYTE,
    ),
    ("geoshapes_sz_mb", Metric::plain("search_index_geoshapes_size_bytes"), MEBIBYTE),
    ("records_per_doc_avg", Metric::plain("search_index_avg_per_doc_records"), 1.0),
    ("bytes_per_record_avg", Metric::plain("search_index_avg_per_record_bytes"), 1.0),
    ("offsets_per_term_avg", Metric::plain("search_index_avg_per_term_offsets"), 1.0),
    ("offset_bits_per_record_avg", Metric::plain("search_index_avg_per_record_offset_bits"), 1.0),
    ("indexing", Metric::plain("search_index_indexing"), 1.0),
    ("percent_indexed", Metric::plain("search_index_percent_indexed"), 1.0),
    ("hash_indexing_failures", Metric::plain("search_index_hash_indexing_failures"), 1.0),
    (
        "number_of_uses",
        Metric::plain("search_index_number_of_uses_total").of_kind(Kind::Counter),
        1.0,
    ),
    ("cleaning", Metric::plain("search_index_cleaning"), 1.0),
];

fn info_of(index: &str) -> Command {
    Command::new("FT.INFO").arg(index)
}

/// The indexes that are wanted, and how many there are beyond the limit.
fn wanted<'f>(options: &Options, facts: &'f Facts) -> (Vec<&'f str>, usize) {
    let Some(search) = &options.data.search else { return (Vec::new(), 0) };
    let all = facts.search_indexes.iter().map(String::as_str);
    let mut wanted: Vec<_> = all.filter(|name| search.names.is_match(name)).collect();
    let beyond = wanted.len().saturating_sub(search.indexes_max);
    wanted.truncate(search.indexes_max);
    (wanted, beyond)
}

pub(super) fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    if options.data.search.is_none() || facts.sentinel {
        return Vec::new();
    }
    // Those which were known at the last scrape are asked at once.
    let known = wanted(options, facts).0.into_iter().map(info_of);
    std::iter::once(search_list()).chain(known).collect()
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let Snapshot { options, facts, answers, .. } = snapshot;
    let (indexes, beyond) = wanted(options, facts);
    options.data.limits.left_out(Limit::SearchIndexes, beyond);
    for index in indexes {
        if let Some(answer) = answers.get(&info_of(index)) {
            write_index(index, answer, out);
        }
    }
}

fn write_index(index: &str, answer: &Value, out: &mut Out<'_>) {
    let told = command::pairs(answer);
    for (field, metric, factor) in &FIELDS {
        let value = told.iter().find(|(known, _)| known == field).map(|(_, value)| *value);
        // An index without vectors or shapes tells no size of theirs: it is 0, as upstream has it.
        let value = value.map_or(Some(0.0), number);
        if let Some(value) = value {
            out.family(metric).sample(&[("index_name", index)], value * factor);
        }
    }
}
