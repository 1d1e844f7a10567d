use std::time::Duration;

use proptest::prelude::*;

use super::{Debt, Pace, SLEEP_MIN};

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

#[test]
fn a_scan_with_more_of_the_server_takes_longer_steps() {
    let steps =
        [0, 1, 5, 10, 25, 100, u32::MAX].map(|percent| Pace { keys_per_second: 1, percent }.step());
    assert_eq!(steps, [20, 20, 20, 40, 100, 100, 100]);
}

#[test]
fn short_pauses_are_put_together_and_a_long_sleep_is_taken_off() {
    let mut debt = Debt::default();
    assert_eq!(debt.add(ms(1)), None, "not worth a sleep");
    assert_eq!(debt.add(ms(4)), Some(ms(5)));
    debt.slept(ms(5), ms(6));
    assert_eq!(debt.add(ms(5)), Some(ms(4)), "a millisecond is paid");
    debt.slept(ms(4), ms(4_000));
    assert_eq!(debt.add(ms(10)), Some(ms(7)), "no burst behind a long stop");
}

proptest! {
    #[test]
    fn property_what_is_owed_is_slept(pauses in prop::collection::vec(0_u64..20_000, 0..100)) {
        let mut debt = Debt::default();
        let mut slept = Duration::ZERO;
        let mut owed = Duration::ZERO;
        for pause in pauses.into_iter().map(Duration::from_micros) {
            owed += pause;
            if let Some(sleep) = debt.add(pause) {
                slept += sleep;
                debt.slept(sleep, sleep);
            }
        }
        prop_assert!(owed < slept + SLEEP_MIN);
    }

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
