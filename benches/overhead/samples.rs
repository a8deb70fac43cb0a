//! Values that were measured several times.

use std::time::Duration;

/// The values, in the order in which they were measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The value below which this part of all values lies.
    pub(crate) fn at(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is at most `last`")]
        let index = (part * f64::from(u32::try_from(last).unwrap_or(u32::MAX))).round() as usize;
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }

    /// The least value: on a busy machine the one that others disturbed least.
    pub(crate) fn least(&self) -> f64 {
        self.at(0.0)
    }

    /// Multiplies each value.
    pub(crate) fn scale(&mut self, by: f64) {
        self.0.iter_mut().for_each(|value| *value *= by);
    }

    /// Each value divided by the one of `other` from the same round, which counts as at least `floor`.
    pub(crate) fn ratio_to(&self, other: &Self, floor: f64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| own / other.max(floor)).collect())
    }
}

impl From<f64> for Samples {
    /// One value.
    fn from(value: f64) -> Self {
        Self(vec![value])
    }
}

/// A duration in milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
