//! Quantiles against exact ones, and the window over time.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{Summary, Window};
use crate::{
    mapping::{SummaryOptions, Target},
    series::{Memory, Tick, memory::Charge},
};

fn summary(max_age: Duration, age_buckets: u32) -> Summary {
    let options = SummaryOptions { max_age, age_buckets, ..SummaryOptions::default() };
    Summary::new(Arc::new(options), Charge::new(Arc::new(Memory::new(u64::MAX))), Tick(0))
}

fn median(summary: &mut Summary, now: u64) -> f64 {
    summary.state(Tick(now)).quantiles[0].1
}

/// Checks that each quantile's rank is as near to the exact one as its target promises.
fn check(summary: &mut Summary, mut window: Vec<(f64, u32)>, now: Tick) -> Result<(), String> {
    window.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: u64 = window.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let targets: Vec<Target> = summary.options.targets.clone();
    for (target, (quantile, value)) in targets.into_iter().zip(summary.state(now).quantiles) {
        assert!((target.quantile - quantile).abs() < f64::EPSILON);
        let below = |limit: &dyn Fn(f64) -> bool| -> u64 {
            window.iter().filter(|(v, _)| limit(*v)).map(|(_, w)| u64::from(*w)).sum()
        };
        let first = below(&|v| v < value) + 1;
        let last = below(&|v| v <= value);
        let wanted = (quantile * total as f64).ceil().max(1.0);
        let allowed = (target.error * total as f64).ceil();
        let distance = (first as f64 - wanted).max(wanted - last as f64).max(0.0);
        if last == first - 1 || distance > allowed {
            return Err(format!(
                "quantile {quantile} is {value}: ranks {first} to {last} of {total}, wanted {wanted}"
            ));
        }
    }
    Ok(())
}

#[test]
fn a_quiet_series_is_exact() {
    let mut summary = summary(Duration::from_mins(10), 5);
    for value in [5.0, 1.0, 3.0] {
        summary.observe(value, 1, Tick(0));
    }
    summary.observe(2.0, 2, Tick(0));
    let state = summary.state(Tick(0));
    assert_eq!(state.quantiles, [(0.5, 2.0), (0.9, 5.0), (0.99, 5.0)]);
    assert_eq!((state.sum, state.count), (13.0, 5));
}

#[test]
fn the_window_slides_in_steps() {
    let mut summary = summary(Duration::from_secs(10), 5);
    summary.observe(1.0, 1, Tick(1_000));
    summary.observe(9.0, 3, Tick(5_000));
    assert!((median(&mut summary, 9_999) - 9.0).abs() < f64::EPSILON);
    summary.observe(1.0, 9, Tick(13_000));
    assert!((median(&mut summary, 13_000) - 1.0).abs() < f64::EPSILON);
    assert!((median(&mut summary, 21_999) - 1.0).abs() < f64::EPSILON);
    assert!(median(&mut summary, 22_000).is_nan(), "an empty window has no median");
    assert_eq!(summary.state(Tick(22_000)).count, 13, "the count is that of all time");
}

#[test]
fn a_busy_series_turns_to_sketches_and_back() {
    let mut summary = summary(Duration::from_secs(10), 5);
    let mut now = 0;
    let mut window = Vec::new();
    for index in 0..20_000_u32 {
        now = u64::from(index) / 4;
        let value = f64::from(index.wrapping_mul(2_654_435_761) % 10_007);
        summary.observe(value, 1, Tick(now));
        window.push((now, value));
    }
    assert!(matches!(summary.window, Window::Sketched(_)));
    let in_window = |now: u64| {
        let step = now / 2_000;
        let all = window.iter().filter(move |(at, _)| at / 2_000 + 5 > step);
        all.map(|(_, value)| (*value, 1)).collect::<Vec<_>>()
    };
    check(&mut summary, in_window(now), Tick(now)).expect("promised errors");
    check(&mut summary, in_window(11_000), Tick(11_000)).expect("promised errors");
    assert!(median(&mut summary, 60_000).is_nan());
    assert!(matches!(summary.window, Window::Exact(_)), "a quiet series is small again");
}

#[test]
fn a_sketch_stays_small() {
    let mut summary = summary(Duration::from_mins(10), 1);
    for index in 0..200_000_u32 {
        summary.observe(f64::from(index.wrapping_mul(2_654_435_761)), 1, Tick(0));
    }
    let Window::Sketched(sketched) = &summary.window else { panic!("200,000 are not exact") };
    let kept = sketched.sketches[0].len();
    assert!(kept < 400, "{kept} values are kept");
}

fn observations() -> impl Strategy<Value = Vec<(f64, u32)>> {
    let value = prop_oneof![
        (0..20_u32).prop_map(f64::from),
        (0..1_000_000_u32).prop_map(f64::from),
        -1e9..1e9_f64,
    ];
    let weight = prop_oneof![8 => Just(1), 2 => 1..20_u32, 1 => 1..5_000_u32];
    let ordered = (any::<bool>(), prop::collection::vec((value, weight), 1..3_000));
    ordered.prop_map(|(ascending, mut all)| {
        if ascending {
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn property_quantiles_are_within_their_errors(observations in observations()) {
        let mut summary = summary(Duration::from_mins(10), 2);
        for &(value, weight) in &observations {
            summary.observe(value, weight, Tick(0));
        }
        prop_assert_eq!(check(&mut summary, observations, Tick(0)), Ok(()));
    }
}
