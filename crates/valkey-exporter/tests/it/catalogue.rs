//! `docs/valkey-exporter-metrics.md`: every family, as the cases, the captures and the catalogue of
//! `INFO` give them. `UPDATE_EXPECT=1` writes it.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect_file;
use metrics_server::Kind;
use valkey_exporter::{compat::Compat, fields};

use crate::cases;

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

fn catalogue() -> Catalogue {
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
    for row in fields::all() {
        let entry = catalogue.0.entry(row.name.to_owned()).or_default();
        format!("{:?}", row.kind).to_lowercase().clone_into(&mut entry.kind);
        row.help().into_owned().clone_into(&mut entry.help);
    }
    catalogue.0.retain(|name, _entry| !name.starts_with("info_"));
    catalogue
}

#[test]
fn the_page_of_metrics_has_every_family() {
    let page = catalogue().markdown();
    expect_file!["../../../../docs/valkey-exporter-metrics.md"].assert_eq(&page);
}

/// `tests/dashboards.txt`: a family and the labels that are needed of it, a line each.
#[test]
fn published_dashboards_and_alerts_find_what_they_query() {
    let catalogue = catalogue();
    let mut checked = 0;
    let mut missing = Vec::new();
    for line in include_str!("../dashboards.txt").lines() {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        if ["", "#", "from"].contains(&name) {
            continue;
        }
        checked += 1;
        let labels = catalogue.0.get(name).map(|entry| &entry.labels);
        if !labels.is_some_and(|labels| words.all(|label| labels.contains(label))) {
            missing.push(line);
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(checked, 64);
}
