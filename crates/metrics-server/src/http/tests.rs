use std::time::Duration;

use super::time_limit;

#[test]
fn the_scrapers_time_limit_is_respected_with_a_margin() {
    let seconds = Duration::from_secs;
    for (ours, theirs, expected) in [
        (seconds(9), None, seconds(9)),
        (seconds(9), Some(10.0), seconds(9)),
        (seconds(9), Some(5.0), Duration::from_millis(4_500)),
        (seconds(9), Some(0.4), Duration::from_millis(200)),
        (seconds(9), Some(0.0), seconds(9)),
        (seconds(9), Some(-1.0), seconds(9)),
        (seconds(9), Some(f64::NAN), seconds(9)),
        (seconds(9), Some(1e300), seconds(9)),
    ] {
        assert_eq!(time_limit(ours, theirs), expected, "{theirs:?}");
    }
}
