//! Quantiles of weighted values within the promised errors, in little memory.
//!
//! This is the method of Cormode, Korn, Muthukrishnan and Srivastava for targeted quantiles, with a
//! weight of its own for each value that is kept: a sampled observation counts as many without
//! being many.

use crate::mapping::Target;

/// An error of zero would keep every value for ever.
const ERROR_MIN: f64 = 1e-4;

/// One value that was kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    value: f64,
    /// Weight of the value itself: it stands at that many ranks.
    own: u64,
    /// Weight of smaller values which were thrown away in its favour.
    merged: u64,
    /// By how much its rank may be higher than the sum of weights up to it.
    slack: u64,
}

/// The values of one window.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    kept: Vec<Kept>,
    count: u64,
}

impl Sketch {
    /// Forgets everything, and gives the memory back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether there is nothing in the window.
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of what is kept.
    pub(super) const fn bytes(&self) -> usize {
        size_of::<Self>() + self.kept.capacity() * size_of::<Kept>()
    }

    /// How many values are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Adds values with their weights, ascending.
    pub(super) fn merge(&mut self, sorted: &[(f64, u32)], targets: &[Target]) {
        let mut merged = Vec::with_capacity(self.kept.len() + sorted.len());
        let mut new = sorted.iter().peekable();
        for old in &self.kept {
            while let Some(&(value, weight)) = new.next_if(|(value, _)| *value < old.value) {
                let first = merged.is_empty();
                // What was thrown away for the next value may be below this one, or above.
                let slack = if first { 0 } else { old.merged + old.slack };
                merged.push(Kept { value, own: u64::from(weight), merged: 0, slack });
            }
            merged.push(*old);
        }
        merged.extend(new.map(|&(value, weight)| Kept {
            value,
            own: u64::from(weight),
            merged: 0,
            slack: 0,
        }));
        let added: u64 = sorted.iter().map(|(_, weight)| u64::from(*weight)).sum();
        self.count = self.count.saturating_add(added);
        self.kept = merged;
        self.compress(targets);
    }

    /// Throws away what no target needs. The smallest and the largest value always stay.
    fn compress(&mut self, targets: &[Target]) {
        let Some(mut larger) = self.kept.pop() else { return };
        let mut rank = self.count.saturating_sub(larger.own + larger.merged);
        let mut stay = Vec::with_capacity(self.kept.len() / 2 + 2);
        while let Some(kept) = self.kept.pop() {
            let weight = kept.own + kept.merged;
            let rank_before = rank.saturating_sub(weight);
            let gap = weight + larger.merged + larger.slack;
            let smallest = self.kept.is_empty();
            if !smallest && gap as f64 <= allowed(rank_before, gap, self.count, targets) {
                larger.merged += weight;
            } else {
                stay.push(larger);
                larger = kept;
            }
            rank = rank_before;
        }
        stay.push(larger);
        stay.reverse();
        stay.shrink_to_fit();
        self.kept = stay;
    }

    /// The value whose rank is nearest to that of `quantile`; `NaN` where there is none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is between 1 and the count"
    )]
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        let rank = ((quantile * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut best = (u64::MAX, f64::NAN);
        let mut last = 0_u64;
        for kept in &self.kept {
            last += kept.own + kept.merged;
            let first = last - kept.own + 1;
            let below = rank.saturating_sub(last);
            let above = (first + kept.slack).saturating_sub(rank);
            let error = below.max(above);
            if error < best.0 {
                best = (error, kept.value);
            }
        }
        best.1
    }
}

/// How much weight may hide between two values, `gap` ranks apart from `rank` on, without breaking
/// a promise: twice the promised error at a target, and more with the distance from it.
fn allowed(rank: u64, gap: u64, count: u64, targets: &[Target]) -> f64 {
    let (lower, upper, count) = (rank as f64, (rank + gap) as f64, count as f64);
    let one = |target: &Target| {
        let error = target.error.max(ERROR_MIN);
        let at = target.quantile * count;
        if lower >= at && at > 0.0 {
            2.0 * error * lower / target.quantile
        } else if upper <= at && at < count {
            2.0 * error * (count - upper) / (1.0 - target.quantile)
        } else {
            2.0 * error * count
        }
    };
    targets.iter().map(one).fold(f64::INFINITY, f64::min)
}
