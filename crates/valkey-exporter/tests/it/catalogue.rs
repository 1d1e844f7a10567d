//! `docs/valkey-exporter-metrics.md`: every family, as the cases, the captures and the catalogue of
//! `INFO` give them. `UPDATE_EXPECT=1` writes it.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect_file;
use metrics_server::Kind;
use valkey_exporter::{compat::Compat, fields::FIELDS};

use crate::cases;

/// Series that dashboards 763 and 14091, the Redis mixin and published alerts use.
const USED: [&str; 27] = [
    "blocked_clients",
    "cluster_slots_fail",
    "cluster_slots_pfail",
    "cluster_state",
    "commands_duration_seconds_total",
    "commands_total",
    "connected_clients",
    "connected_slaves",
    "db_keys",
    "db_keys_expiring",
    "evicted_keys_total",
    "expired_keys_total",
    "instance_info",
    "keyspace_hits_total",
    "keyspace_misses_total",
    "master_last_io_seconds_ago",
    "master_link_up",
    "memory_max_bytes",
    "memory_used_bytes",
    "memory_used_rss_bytes",
    "net_input_bytes_total",
    "net_output_bytes_total",
    "rdb_last_save_timestamp_seconds",
    "rejected_connections_total",
    "total_system_memory_bytes",
    "up",
    "uptime_in_seconds",
];

/// A family, without the namespace.
#[derive(Debug, Default)]
struct Entry {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Catalogue(BTreeMap<String, Entry>);

impl Catalogue {
    fn read(&mut self, page: &str) {
        let mut kinds = BTreeMap::new();
        for line in page.lines() {
            if let Some((name, kind)) =
                line.strip_prefix("# TYPE redis_").and_then(|rest| rest.split_once(' '))
            {
                kinds.insert(name.to_owned(), kind.to_owned());
                kind.clone_into(&mut self.0.entry(name.to_owned()).or_default().kind);
            } else if let Some((name, help)) =
                line.strip_prefix("# HELP redis_").and_then(|rest| rest.split_once(' '))
            {
                help.clone_into(&mut self.0.entry(name.to_owned()).or_default().help);
            } else if let Some(series) = line.strip_prefix("redis_") {
                self.read_labels(series, &kinds);
            }
        }
    }

    fn read_labels(&mut self, series: &str, kinds: &BTreeMap<String, String>) {
        let Some((name, labels)) = series.split_once('{') else { return };
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end).filter(|base| kinds.contains_key(*base)))
            .unwrap_or(name);
        let entry = self.0.entry(base.to_owned()).or_default();
        // A name stands in front of `="`, behind `{` or `",`.
        let names = labels.split("=\"").filter_map(|part| part.rsplit(['{', ',']).next());
        let known = |name: &&str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        let own = |name: &&str| !["le", "quantile", "instance_role"].contains(name);
        entry.labels.extend(names.filter(known).filter(own).map(str::to_owned));
    }

    fn markdown(&self) -> String {
        let mut rows = vec![
            "# Metrics of valkey-exporter".to_owned(),
            String::new(),
            "Every family, without its prefix: `redis_`, or `valkey_` with `--compat=native`, or what `--namespace`".to_owned(),
            "says. A native name or type stands where it is another one, with what the value is divided by. Fields of".to_owned(),
            "`CLUSTER INFO` whose names begin with `cluster_` are families, too; those listed are examples.".to_owned(),
            "This page is written by a test of `crates/valkey-exporter` (`tests/it/catalogue.rs`).".to_owned(),
            String::new(),
            "| family | type | labels | native | help |".to_owned(),
            "|---|---|---|---|---|".to_owned(),
        ];
        for (name, entry) in &self.0 {
            let labels: Vec<_> = entry.labels.iter().map(String::as_str).collect();
            rows.push(format!(
                "| `{name}` | {} | {} | {} | {} |",
                entry.kind,
                labels.join(", "),
                native(name, &entry.kind),
                entry.help.replace('|', "\\|")
            ));
        }
        rows.join("\n") + "\n"
    }
}

fn native(name: &str, kind: &str) -> String {
    let shown = Compat::Native.shown(name, kind_of(kind));
    let mut parts = Vec::new();
    if shown.name != name {
        parts.push(format!("`{}`", shown.name));
    }
    if shown.kind != kind_of(kind) {
        parts.push(format!("{:?}", shown.kind).to_lowercase());
    }
    if (shown.divisor - 1.0).abs() > f64::EPSILON {
        parts.push(format!("÷ {}", shown.divisor));
    }
    if (shown.quantile_divisor - 1.0).abs() > f64::EPSILON {
        parts.push(format!("quantile ÷ {}", shown.quantile_divisor));
    }
    parts.join(", ")
}

fn kind_of(kind: &str) -> Kind {
    match kind {
        "counter" => Kind::Counter,
        "histogram" => Kind::Histogram,
        "summary" => Kind::Summary,
        _ => Kind::Gauge,
    }
}

#[test]
fn the_page_of_metrics_has_every_family() {
    let mut catalogue = Catalogue::default();
    for capture in [
        include_str!("../captures/redis-7.0.prom"),
        include_str!("../captures/valkey-8.1.prom"),
        include_str!("../captures/valkey-9.1.prom"),
    ] {
        catalogue.read(capture);
    }
    for page in cases::pages() {
        catalogue.read(&page);
    }
    for row in FIELDS {
        let entry = catalogue.0.entry(row.name.to_owned()).or_default();
        format!("{:?}", row.kind).to_lowercase().clone_into(&mut entry.kind);
        row.help().into_owned().clone_into(&mut entry.help);
    }
    catalogue.0.retain(|name, _entry| !name.starts_with("info_"));
    for name in USED {
        assert!(catalogue.0.contains_key(name), "dashboards use redis_{name}");
    }
    expect_file!["../../../../docs/valkey-exporter-metrics.md"].assert_eq(&catalogue.markdown());
}
