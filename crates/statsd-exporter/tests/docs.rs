//! What people read has every flag and every key.

use clap::CommandFactory as _;
use statsd_exporter::{Args, mapping::Mapping};

const PAGE: &str = include_str!("../../../docs/statsd-exporter.md");
const CONFIG: &str = include_str!("../src/mapping/config.rs");

#[test]
fn every_flag_is_documented() {
    let command = Args::command();
    let ours = |name: &&str| name.starts_with("statsd.") || name.starts_with("web.enable-");
    let missing: Vec<&str> = command
        .get_arguments()
        // Flags without effect, of queues that are not there, are named by their prefix.
        .filter(|arg| arg.get_help_heading() != Some("Accepted without effect"))
        .filter_map(clap::Arg::get_long)
        .filter(ours)
        .filter(|name| *name != "web.enable-openmetrics")
        .filter(|name| !PAGE.contains(&format!("--{name}")))
        // The four switches of tags share a row.
        .filter(|name| name.strip_prefix("statsd.parse").is_none_or(|end| !PAGE.contains(end)))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_key_of_a_mapping_is_documented() {
    let keys = CONFIG.lines().filter_map(|line| {
        let key = line.trim().strip_prefix("pub(super) ")?.split_once(':')?.0;
        // Named otherwise in the file.
        (!["pattern", "metric_type", "_buf_cap", "mappings", "defaults"].contains(&key))
            .then_some(key)
    });
    // Those from before 0.31 stand in the migration page, all others in an example.
    let old = ["timer_type", "buckets", "quantiles"];
    let examples = examples().concat();
    let missing: Vec<&str> = keys
        .filter(|key| if old.contains(key) { !PAGE.contains(key) } else { !examples.contains(key) })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_example_is_a_good_mapping() {
    for example in examples() {
        let mapping = Mapping::parse(example).map_err(|error| format!("{error} in {example}"));
        let warnings = mapping.expect("a good file").warnings().join("\n");
        assert_eq!(warnings, "", "{example}");
    }
}

fn examples() -> Vec<&'static str> {
    PAGE.split("```yaml\n").skip(1).filter_map(|text| text.split("```").next()).collect()
}
