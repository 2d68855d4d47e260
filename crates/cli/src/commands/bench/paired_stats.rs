//! Compares two variants measured alternately: the ratio and its confidence interval (Hodges–Lehmann, Wilcoxon).
//!
//! Noise on a shared machine multiplies a measurement, comes and goes, and is sometimes enormous. Therefore:
//!
//! - Each pair of neighbouring runs yields one ratio, in which noise that lasts longer than a pair cancels.
//! - Logarithms of the ratios are used, because a factor of two and a half are equally far from one.
//! - The estimate is the median of the means of every two of them (Hodges and Lehmann), with the exact interval of Wilcoxon's
//!   signed-rank test. An outlier moves it by one rank; it would move a mean with Student's t by its size.
//!
//! The only assumption is that a log ratio is as likely above its centre as below, which the alternating order ensures. The
//! computation is deterministic: the same runs yield the same interval.

use serde::Serialize;

/// A ratio and its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// The estimate.
    pub estimate: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The position of an interval relative to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The interval is below the limit.
    Within,
    /// The interval is above the limit.
    Beyond,
    /// The interval contains the limit: more pairs or a quieter machine are needed.
    TooNoisy,
}

/// The probability that an interval misses on one side.
const MISSED: f64 = 0.025;

impl Ratio {
    /// Estimates the ratio of the second to the first of each pair. Returns `None` for fewer than six pairs, which have no 95 %
    /// interval, or if a number is not positive.
    #[must_use]
    pub fn from_pairs(pairs: &[(f64, f64)]) -> Option<Self> {
        let fine = |number: f64| number.is_finite() && number > 0.0;
        if !pairs.iter().all(|(first, second)| fine(*first) && fine(*second)) {
            return None;
        }
        let logs: Vec<f64> = pairs.iter().map(|(first, second)| (second / first).ln()).collect();
        let outside = outside(logs.len())?;
        let mut means: Vec<f64> =
            logs.iter().enumerate().flat_map(|(i, a)| logs[..=i].iter().map(move |b| f64::midpoint(*a, *b))).collect();
        means.sort_by(f64::total_cmp);
        let (low, high) = (means.get(outside)?, means.get(means.len() - 1 - outside)?);
        Some(Self { estimate: median(&means)?.exp(), low: low.exp(), high: high.exp() })
    }

    /// Compares it with a limit.
    #[must_use]
    pub fn at_most(self, limit: f64) -> Verdict {
        match (self.low, self.high) {
            (_, high) if high <= limit => Verdict::Within,
            (low, _) if low > limit => Verdict::Beyond,
            _ => Verdict::TooNoisy,
        }
    }

    /// Returns the inverse ratio.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self { estimate: 1.0 / self.estimate, low: 1.0 / self.high, high: 1.0 / self.low }
    }
}

/// Returns the median of sorted numbers.
fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let high = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) { f64::midpoint(high, *sorted.get(middle.checked_sub(1)?)?) } else { high })
}

/// Returns the median of numbers.
pub(super) fn middle(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    median(&sorted)
}

/// Returns how many of the sorted means are outside the interval at each end: the largest sum of ranks with a probability of
/// at most [`MISSED`] for this sum or less.
fn outside(pairs: usize) -> Option<usize> {
    let most = pairs * (pairs + 1) / 2;
    // The probability of each sum of the ranks 1..=pairs if each rank counts with probability one half.
    let mut likely = vec![0.0; most + 1];
    likely[0] = 1.0;
    for rank in 1..=pairs {
        for sum in (0..=most).rev() {
            let with = if sum >= rank { likely[sum - rank] } else { 0.0 };
            likely[sum] = f64::midpoint(likely[sum], with);
        }
    }
    let mut below = 0.0;
    let reached = likely.iter().take_while(|one| {
        below += **one;
        below <= MISSED
    });
    reached.count().checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn critical_ranks_equal_published_tables() {
        // Two-sided 5 %, as every table of Wilcoxon's signed-rank test has it.
        for (pairs, critical) in [(6, 0), (7, 2), (8, 3), (10, 8), (15, 25), (20, 52), (25, 89), (30, 137), (50, 434)] {
            assert_eq!(outside(pairs), Some(critical), "{pairs} pairs");
        }
        assert!((0..6).all(|pairs| outside(pairs).is_none()));
    }

    #[test]
    fn equal_ratios_have_an_interval_without_width() {
        let ratio = Ratio::from_pairs(&[(2.0, 3.0); 12]).unwrap();
        for end in [ratio.estimate, ratio.low, ratio.high] {
            assert!((end - 1.5).abs() < 1e-12, "{ratio:?}");
        }
        assert_eq!(ratio.at_most(1.6), Verdict::Within);
        assert_eq!(ratio.at_most(1.4), Verdict::Beyond);
    }

    #[test]
    fn too_few_pairs_have_no_interval() {
        assert_eq!(Ratio::from_pairs(&[(1.0, 1.0); 5]), None);
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut pairs = vec![(1.0, 1.0); 10];
            pairs[3].1 = wrong;
            assert_eq!(Ratio::from_pairs(&pairs), None, "{wrong}");
        }
    }

    #[test]
    fn interval_that_contains_the_limit_is_unclear() {
        let pairs: Vec<(f64, f64)> = (0..20_u8).map(|i| (1.0, if i % 2 == 0 { 0.8 } else { 1.3 })).collect();
        assert_eq!(Ratio::from_pairs(&pairs).unwrap().at_most(1.05), Verdict::TooNoisy);
    }

    #[test]
    fn outlier_hardly_moves_the_estimate() {
        let mut pairs: Vec<(f64, f64)> = (0..20_u8).map(|i| (1.0, 1.0 + f64::from(i % 5) / 500.0)).collect();
        let calm = Ratio::from_pairs(&pairs).unwrap();
        pairs[7].1 = 50.0;
        let ratio = Ratio::from_pairs(&pairs).unwrap();
        assert!((ratio.estimate - calm.estimate).abs() < 0.002 && ratio.high < 1.01, "{calm:?} {ratio:?}");
    }

    /// Noise of the kind that a shared machine makes, always the same: a generator by Knuth.
    fn noise(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / f64::from(1 << 24)
        };
        move || {
            let bell = (0..6).map(|_| uniform()).sum::<f64>() - 3.0;
            let burst = if uniform() < 0.1 { 0.7 * uniform() } else { 0.0 };
            (0.05 * bell + burst).exp()
        }
    }

    #[test]
    fn intervals_contain_the_true_ratio_in_95_percent() {
        let (mut disturbed, trials, truth) = (noise(7), 1000, 1.08);
        let held = (0..trials).filter(|_| {
            let pairs: Vec<(f64, f64)> = (0..20).map(|_| (disturbed(), truth * disturbed())).collect();
            let ratio = Ratio::from_pairs(&pairs).unwrap();
            (ratio.low..=ratio.high).contains(&truth)
        });
        let held = held.count();
        assert!((930..=970).contains(&held), "{held} of {trials}");
    }

    proptest! {
        #[test]
        fn swapped_pairs_have_the_inverse_ratio(pairs in prop::collection::vec((0.1_f64..10.0, 0.1_f64..10.0), 6..40)) {
            let ratio = Ratio::from_pairs(&pairs).unwrap();
            prop_assert!(ratio.low <= ratio.estimate && ratio.estimate <= ratio.high);
            let swapped: Vec<(f64, f64)> = pairs.iter().map(|(a, b)| (*b, *a)).collect();
            let (swapped, inverse) = (Ratio::from_pairs(&swapped).unwrap(), ratio.inverse());
            for (a, b) in [(swapped.low, inverse.low), (swapped.estimate, inverse.estimate), (swapped.high, inverse.high)] {
                prop_assert!((a / b - 1.0).abs() < 1e-9);
            }
        }

        #[test]
        fn order_and_unit_do_not_change_the_ratio(
            pairs in prop::collection::vec((0.1_f64..10.0, 0.1_f64..10.0), 6..40),
            unit in 0.01_f64..100.0,
        ) {
            let ratio = Ratio::from_pairs(&pairs).unwrap();
            let other: Vec<(f64, f64)> = pairs.iter().rev().map(|(a, b)| (a * unit, b * unit)).collect();
            let other = Ratio::from_pairs(&other).unwrap();
            prop_assert!((other.low / ratio.low - 1.0).abs() < 1e-9 && (other.high / ratio.high - 1.0).abs() < 1e-9);
        }
    }
}
