//! Observations in exponential buckets: a native histogram of Prometheus.

use metrics_server::exposition::NativeBuckets;

use crate::mapping::NativeOptions;

/// Values up to this are zero, as in Go's client library: 2^-128.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;
/// The coarsest resolution: each bucket is 65,536 times as wide as the one before.
const SCHEMA_MIN: i32 = -4;

/// The buckets of one series. Where there would be too many, the resolution is halved.
///
/// There is one for each histogram, so it is small: the options are its owner's, and what few
/// series have is behind a pointer.
#[derive(Debug)]
pub(super) struct Native {
    /// The resolution of now; at the start that of the options.
    schema: i32,
    zero_count: u64,
    positive: Side,
    negative: Option<Box<Side>>,
}

/// The buckets of positive or of negative values.
#[derive(Debug, Default)]
struct Side {
    /// Index and count, by index.
    buckets: Vec<(i32, u32)>,
    carried: Option<Box<Carried>>,
}

/// What counts of 32 bits could not hold, by index.
#[derive(Debug, Default)]
struct Carried(Vec<(i32, u64)>);

impl Native {
    pub(super) fn new(options: &NativeOptions) -> Self {
        Self { schema: options.schema, zero_count: 0, positive: Side::default(), negative: None }
    }

    /// Adds `weight` observations of a finite `value`; the options are those it was made with.
    pub(super) fn observe(&mut self, value: f64, weight: u32, options: &NativeOptions) {
        if value.abs() <= ZERO_THRESHOLD {
            self.zero_count = self.zero_count.saturating_add(weight.into());
            return;
        }
        let coarser = options.schema - self.schema;
        let index = coarse(index(value.abs(), options), coarser);
        let side =
            if value > 0.0 { &mut self.positive } else { self.negative.get_or_insert_default() };
        side.add(index, weight);
        while self.buckets_count() > options.buckets_max && self.schema > SCHEMA_MIN {
            self.schema -= 1;
            self.positive.halve();
            if let Some(negative) = &mut self.negative {
                negative.halve();
            }
        }
    }

    fn buckets_count(&self) -> usize {
        let negative = self.negative.as_ref().map_or(0, |side| side.buckets.len());
        self.positive.buckets.len() + negative
    }

    pub(super) fn state(&self) -> NativeBuckets {
        let (positive_spans, positive_deltas) = NativeBuckets::pack(self.positive.counts());
        let negative = self.negative.iter().flat_map(|side| side.counts());
        let (negative_spans, negative_deltas) = NativeBuckets::pack(negative);
        NativeBuckets {
            schema: self.schema,
            zero_threshold: ZERO_THRESHOLD,
            zero_count: self.zero_count,
            positive_spans,
            positive_deltas,
            negative_spans,
            negative_deltas,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let negative = |side: &Side| size_of::<Side>() + side.bytes();
        size_of::<Self>() + self.positive.bytes() + self.negative.as_deref().map_or(0, negative)
    }
}

impl Side {
    fn add(&mut self, index: i32, weight: u32) {
        match self.buckets.binary_search_by_key(&index, |(index, _)| *index) {
            Err(at) => {
                if self.buckets.len() == self.buckets.capacity() {
                    // Most series have few; doubling would leave half of the rest unused.
                    self.buckets.reserve_exact(self.buckets.len().clamp(2, 16));
                }
                self.buckets.insert(at, (index, weight));
            }
            Ok(at) => {
                let count = self.buckets[at].1;
                self.buckets[at].1 = count.checked_add(weight).unwrap_or_else(|| {
                    self.carry(index, count.into());
                    weight
                });
            }
        }
    }

    fn carry(&mut self, index: i32, count: u64) {
        let carried = &mut self.carried.get_or_insert_default().0;
        match carried.iter_mut().find(|(carried, _)| *carried == index) {
            Some((_, carried)) => *carried = carried.saturating_add(count),
            None => carried.push((index, count)),
        }
    }

    fn counts(&self) -> impl Iterator<Item = (i32, u64)> {
        self.buckets.iter().map(|(index, count)| {
            let carried = self.carried.iter().flat_map(|carried| &carried.0);
            let carried = carried.filter(|(carried, _)| carried == index).map(|(_, count)| *count);
            (*index, carried.fold((*count).into(), u64::saturating_add))
        })
    }

    /// Makes one bucket of each two neighbours.
    fn halve(&mut self) {
        let old = std::mem::take(self);
        for (index, count) in old.buckets {
            self.add(coarse(index, 1), count);
        }
        for (index, count) in old.carried.into_iter().flat_map(|carried| carried.0) {
            self.carry(coarse(index, 1), count);
        }
    }

    fn bytes(&self) -> usize {
        let carried = |carried: &Carried| carried.0.capacity() * size_of::<(i32, u64)>();
        self.buckets.capacity() * size_of::<(i32, u32)>()
            + self.carried.as_deref().map_or(0, carried)
    }
}

/// The index of the bucket `(base^(i-1), base^i]` of a positive value, at the options' resolution.
fn index(value: f64, options: &NativeOptions) -> i32 {
    let (fraction, exponent) = split(value);
    if options.schema > 0 {
        let steps = i32::try_from(options.bounds.len()).unwrap_or(i32::MAX);
        let step = options.bounds.partition_point(|bound| *bound < fraction);
        (exponent - 1) * steps + i32::try_from(step).unwrap_or(i32::MAX)
    } else {
        let whole = if fraction <= 0.5 { exponent - 1 } else { exponent };
        coarse(whole, -options.schema)
    }
}

/// A normal number as a fraction from 0.5 to 1 and an exponent of two.
fn split(value: f64) -> (f64, i32) {
    let bits = value.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).expect("eleven bits") - 1_022;
    (f64::from_bits((bits & !(0x7ff << 52)) | (1_022 << 52)), exponent)
}

/// The index after the resolution was halved `times` times.
const fn coarse(index: i32, times: i32) -> i32 {
    -((-index) >> times)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Native;
    use crate::mapping::NativeOptions;

    /// Buckets with the options they were made with.
    struct Buckets(Native, NativeOptions);

    impl Buckets {
        fn observe(&mut self, value: f64, weight: u32) {
            self.0.observe(value, weight, &self.1);
        }

        fn positive(&self) -> Vec<(i32, u64)> {
            self.0.positive.counts().collect()
        }
    }

    fn native(factor: f64, buckets_max: usize) -> Buckets {
        let options = NativeOptions::new(factor, buckets_max).expect("a factor above 1");
        Buckets(Native::new(&options), options)
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<Native>() <= 56, "{}", size_of::<Native>());
    }

    #[test]
    fn values_fall_into_the_buckets_of_go() {
        // Schema 3: eight buckets from each power of two to the next.
        let mut native = native(1.1, 256);
        for value in [1.0, 1.05, 2.0, 0.0, -4.0, 1e-40] {
            native.observe(value, 2);
        }
        let state = native.0.state();
        assert_eq!((state.schema, state.zero_count), (3, 4));
        assert_eq!(native.positive(), [(0, 2), (1, 2), (8, 2)]);
        let negative = native.0.negative.expect("there was one");
        assert_eq!(negative.counts().collect::<Vec<_>>(), [(16, 2)]);
    }

    #[test]
    fn factors_choose_the_resolution_of_go() {
        for (factor, schema) in [
            (1.1, Some(3)),
            (1.002, Some(8)),
            (2.0, Some(0)),
            (3.0, Some(0)),
            (4.0, Some(-1)),
            (65_536.0, Some(-4)),
            (1e9, Some(-4)),
            (1.0, None),
            (0.5, None),
            (-1.0, None),
        ] {
            let options = NativeOptions::new(factor, 256);
            assert_eq!(options.map(|options| options.schema), schema, "{factor}");
        }
    }

    #[test]
    fn large_counts_are_carried() {
        let mut native = native(2.0, 10);
        for _ in 0..3 {
            native.observe(4.0, u32::MAX);
        }
        assert_eq!(native.positive(), [(2, 3 * u64::from(u32::MAX))]);
        native.0.positive.halve();
        assert_eq!(native.positive(), [(1, 3 * u64::from(u32::MAX))]);
    }

    proptest! {
        #[test]
        fn property_values_lie_within_their_buckets(
            values in prop::collection::vec(prop_oneof![1e-30..1e30_f64, 0.5..8.0_f64], 1..300),
            factor in prop::sample::select(vec![1.002, 1.01, 1.1, 1.5, 2.0, 16.0]),
            buckets_max in 4..60_usize,
        ) {
            let mut native = native(factor, buckets_max);
            for value in &values {
                native.observe(*value, 1);
            }
            let base = 2.0_f64.powf(2.0_f64.powi(-native.0.schema));
            let total: u64 = native.positive().iter().map(|(_, count)| count).sum();
            prop_assert_eq!(total, values.len() as u64);
            prop_assert!(native.0.buckets_count() <= buckets_max || native.0.schema == -4);
            for (index, count) in native.positive() {
                let (low, high) = (base.powi(index - 1), base.powi(index));
                let within = |v: &&f64| **v > low * (1.0 - 1e-9) && **v <= high * (1.0 + 1e-9);
                prop_assert!(values.iter().filter(within).count() as u64 >= count);
            }
        }
    }
}
