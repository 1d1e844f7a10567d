use std::time::Duration;

use proptest::prelude::*;

use super::Pace;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn the_tighter_bound_holds() {
    let pace = Pace { keys_per_second: 10_000, percent: 5 };
    assert_eq!(pace.pause(1_000, ms(1)), ms(99), "by keys a second");
    assert_eq!(pace.pause(1_000, ms(10)), ms(190), "by its time");
    assert_eq!(pace.pause(0, Duration::ZERO), Duration::ZERO);
    let free = Pace { keys_per_second: u32::MAX, percent: 100 };
    assert!(free.pause(1_000, ms(10)) < ms(1));
    let zero = Pace { keys_per_second: 0, percent: 0 };
    assert_eq!(zero.pause(2, ms(1)), ms(1_999), "at least one key a second");
}

proptest! {
    #[test]
    fn property_no_scan_is_faster_than_its_pace(
        keys_per_second in 1_u32.., percent in 1_u32..=100, keys in 0_u64..1_000_000, took in 0_u64..10_000,
    ) {
        let took = ms(took);
        let whole = Pace { keys_per_second, percent }.pause(keys, took) + took;
        prop_assert!(whole.as_secs_f64() * f64::from(keys_per_second) >= keys as f64 * 0.999 - 1.0);
        prop_assert!(took.as_secs_f64() <= whole.as_secs_f64() * f64::from(percent) / 100.0 + 1e-6);
    }
}
