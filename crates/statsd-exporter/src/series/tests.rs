//! The store against a plain map, and updates against retirement.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use proptest::prelude::*;

use super::{Bounds, Draft, Origin, Reading, Refusal, Rule, Shape, Store, Tick};
use crate::{
    counts::Limit,
    line::{Label, Update},
    mapping::HistogramOptions,
};

const ORIGIN: Origin = Origin { generation: 0, rule: Rule::None, provisional: false };

fn store(series_max: u64) -> Store {
    let bounds = Bounds { series_max, series_per_name_max: series_max, memory_bytes_max: 1 << 30 };
    Store::new(bounds, BTreeSet::from(["taken".to_owned()]), &["own_"])
}

fn labels(text: &str) -> Vec<Label<'_>> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.into(), value.into())).collect()
}

fn add(store: &Store, name: &str, text: &str, shape: &Shape, now: u64) -> Result<bool, Refusal> {
    let labels = labels(text);
    let draft = Draft {
        name,
        shape,
        help: &Arc::from("help"),
        labels: &labels,
        ttl: Duration::from_millis(10),
        origin: ORIGIN,
        first: Some(Update::Add(1.0)),
    };
    let found = store.find_or_create(&draft, Tick(now))?;
    if !found.created {
        assert!(found.series.apply(Update::Add(1.0), Tick(now)), "nobody retires meanwhile");
    }
    Ok(found.created)
}

fn contents(store: &Store) -> BTreeMap<(String, String), f64> {
    let mut contents = BTreeMap::new();
    for name in store.names() {
        let page = store.family(&name).expect("a name of the store");
        for series in page.series.iter() {
            let Reading::Number(value) = series.read(Tick(0)) else { panic!("only counters") };
            let labels = series.labels().as_str().replace('"', "");
            contents.insert((name.to_string(), labels), value);
        }
    }
    contents
}

#[test]
fn names_which_would_clash_on_the_page_are_refused() {
    let histogram = Shape::Histogram(Arc::new(HistogramOptions::default()));
    let summary = Shape::Summary(Arc::default());
    for (first, second, expected) in [
        (("a", &Shape::Counter), ("a", &Shape::Gauge), Err(Refusal::Conflict)),
        (("a", &Shape::Counter), ("a_sum", &Shape::Gauge), Ok(true)),
        (("a", &Shape::Gauge), ("a_count", &Shape::Counter), Ok(true)),
        (("a", &summary), ("a_sum", &Shape::Counter), Err(Refusal::Conflict)),
        (("a", &summary), ("a_bucket", &Shape::Counter), Ok(true)),
        (("a", &histogram), ("a_bucket", &Shape::Counter), Err(Refusal::Conflict)),
        (("a", &histogram), ("a_count", &histogram), Err(Refusal::Conflict)),
        (("a_bucket", &Shape::Gauge), ("a", &histogram), Err(Refusal::Conflict)),
        (("a_count", &Shape::Gauge), ("a", &summary), Err(Refusal::Conflict)),
        (("b", &Shape::Gauge), ("taken", &Shape::Gauge), Err(Refusal::Conflict)),
        (("b", &Shape::Gauge), ("own_x", &Shape::Gauge), Err(Refusal::Conflict)),
    ] {
        let store = store(10);
        assert_eq!(add(&store, first.0, "", first.1, 0), Ok(true), "{first:?}");
        assert_eq!(add(&store, second.0, "", second.1, 0), expected, "{first:?} {second:?}");
    }
}

#[test]
fn an_update_of_a_retired_series_is_not_taken() {
    let store = store(10);
    add(&store, "a", "", &Shape::Counter, 0).expect("room");
    let series = Arc::clone(&store.family("a").expect("just added").series[0]);
    assert!(series.apply(Update::Add(1.0), Tick(5)));
    assert_eq!(store.retire_idle(Tick(15)), 0, "exactly its time to live is not too long");
    assert_eq!(store.retire_idle(Tick(16)), 1);
    assert!(!series.apply(Update::Add(1.0), Tick(16)));
    assert_eq!(store.retired_count(), 1);
}

/// One thread updates, one retires whatever it can: each update is in one series, and once more
/// for each time that `apply` said it might not be seen.
#[test]
fn no_update_is_lost_to_retirement() {
    const UPDATES: u64 = 20_000;
    let store = Arc::new(store(10));
    let sweeper = {
        let store = Arc::clone(&store);
        std::thread::spawn(move || {
            for now in 0..2_000_u64 {
                store.retire_idle(Tick(10 * now));
                std::thread::yield_now();
            }
        })
    };
    let draft = Draft {
        name: "a",
        shape: &Shape::Counter,
        help: &Arc::from("help"),
        labels: &[],
        ttl: Duration::from_millis(1),
        origin: ORIGIN,
        first: Some(Update::Add(1.0)),
    };
    let mut all = Vec::new();
    let mut again = 0;
    for update in 0..UPDATES {
        loop {
            let found = store.find_or_create(&draft, Tick(update)).expect("room");
            if found.created {
                all.push(found.series);
                break;
            }
            if found.series.apply(Update::Add(1.0), Tick(update)) {
                break;
            }
            again += 1;
        }
    }
    sweeper.join().expect("no panic");
    let value = |series: &Arc<super::Series>| match series.read(Tick(0)) {
        Reading::Number(value) => value,
        other => panic!("{other:?}"),
    };
    let total: f64 = all.iter().map(value).sum();
    assert!((total - (UPDATES + again) as f64).abs() < f64::EPSILON, "{total} {again}");
    let now: i64 = store.current().map(|(_, count)| count).sum();
    let retired = i64::try_from(store.retired_count()).expect("few");
    assert_eq!(i64::try_from(all.len()).expect("few"), retired + now);
}

#[derive(Clone, Debug)]
enum Step {
    Add(&'static str, &'static str),
    Retire(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let labels = prop::sample::select(vec!["", "x=1", "x=2", "x=1,y=1", "y=1"]);
    prop_oneof![
        4 => (name, labels).prop_map(|(name, labels)| Step::Add(name, labels)),
        1 => (1..15_u64).prop_map(Step::Retire),
    ]
}

proptest! {
    #[test]
    fn property_the_store_is_a_map(steps in prop::collection::vec(step(), 0..80), max in 1..12_u64) {
        let store = store(max);
        let mut model: BTreeMap<(String, String), (f64, u64)> = BTreeMap::new();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Add(name, labels) => {
                    let key = (name.to_owned(), labels.to_owned());
                    let full = model.len() as u64 >= max;
                    let same_name = model.keys().filter(|(known, _)| known == name).count();
                    let expected = match model.get_mut(&key) {
                        Some((value, touched)) => {
                            *value += 1.0;
                            *touched = now;
                            Ok(false)
                        }
                        None if full => Err(Refusal::Limit(if same_name as u64 >= max {
                            Limit::SeriesPerName
                        } else {
                            Limit::Series
                        })),
                        None => {
                            model.insert(key, (1.0, now));
                            Ok(true)
                        }
                    };
                    prop_assert_eq!(add(&store, name, labels, &Shape::Counter, now), expected);
                }
                Step::Retire(ms) => {
                    now += ms;
                    store.retire_idle(Tick(now));
                    model.retain(|_, (_, touched)| now - *touched <= 10);
                }
            }
            let plain: BTreeMap<_, _> =
                model.iter().map(|(key, (value, _))| (key.clone(), *value)).collect();
            prop_assert_eq!(contents(&store), plain);
            let count = store.current().map(|(_, count)| count).sum::<i64>();
            prop_assert_eq!(count, i64::try_from(model.len()).expect("few"));
        }
    }
}
