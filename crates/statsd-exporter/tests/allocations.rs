//! A sample of a known series allocates nothing, whatever its kind and form.

use std::{collections::BTreeSet, sync::Arc};

use prometheus::Registry;
use statsd_exporter::{
    line::Dialect,
    mapping::Mapping,
    pipeline::{Limits, Mappings, Pipeline, Worker},
    series::{Bounds, Store, Tick},
    telemetry::Telemetry,
};

const RULES: &str = "mappings:
- {match: mapped.*, name: mapped, labels: {part: $1}}
- {match: hist.*, name: hist, observer_type: histogram}
- {match: scaled, name: scaled, scale: 2}
- {match: gone.*, name: gone, action: drop}
";

fn worker() -> Worker {
    let bounds =
        Bounds { series_max: 1_000, series_per_name_max: 1_000, memory_bytes_max: 1 << 30 };
    let limits = Limits {
        labels_max: 64,
        name_bytes_max: 1_024,
        line_bytes_max: 65_535,
        alias_bytes_max: 1 << 20,
    };
    let telemetry = Telemetry::register(&Registry::new(), true).expect("an empty registry");
    let pipeline = Arc::new(Pipeline {
        store: Store::new(bounds, BTreeSet::new(), &[]),
        mappings: Mappings::new(Mapping::parse(RULES).expect("good rules")),
        telemetry,
        dialect: Dialect::default(),
        limits,
        inspect: None,
    });
    Worker::new(pipeline, None)
}

#[test]
fn known_series_are_updated_without_an_allocation() {
    let mut worker = worker();
    for line in [
        "plain:1|c",
        "rate:1|c|@0.1",
        "gauge:5|g",
        "gauge:-5.5|g",
        "tags:1|c|#env:prod,host:a",
        "influx,env=prod,host=a:1|c",
        "librato#env=prod:1|g",
        "signal.[env=prod]fx:1|g",
        "container:1|c|#a:b|c:abc|T1656581400",
        "bad_tag:1|c|#a:b,c",
        "packed:1:2:3|c",
        "many:1|c:2|c",
        "odd:1e3|g",
        "mapped.a:1|c",
        "hist.a:12|ms",
        "scaled:1|c",
        "gone.a:1|c",
        "not a line",
        "bad:x|c",
    ] {
        let line = line.as_bytes();
        let send = |worker: &mut Worker, now| {
            worker.begin(Tick(now));
            worker.datagram(line, Tick(now));
            worker.finish();
        };
        // Own metrics with labels are made when they are first counted.
        (0..3).for_each(|now| send(&mut worker, now));
        let measured =
            allocation_counter::measure(|| (3..100).for_each(|now| send(&mut worker, now)));
        assert_eq!(measured.count_total, 0, "{}", String::from_utf8_lossy(line));
    }
}
