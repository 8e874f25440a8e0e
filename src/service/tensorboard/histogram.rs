//! Histograms of weights.

use super::message::Histogram;
use crate::tensor::Array;

/// As many as TensorBoard's own summaries have.
const BUCKETS: usize = 30;

/// Returns the histogram of the finite values (`None` when there are none) and the number of the others,
/// which have no bucket.
pub(super) fn histogram(array: &Array) -> (Option<Histogram>, usize) {
    let all: Vec<f64> = match array {
        Array::F32(array) => array.iter().map(|value| f64::from(*value)).collect(),
        Array::F64(array) => array.iter().copied().collect(),
        Array::I64(array) => array.iter().map(|value| *value as f64).collect(),
        Array::U8(array) => array.iter().map(|value| f64::from(*value)).collect(),
    };
    let values: Vec<f64> = all.iter().copied().filter(|value| value.is_finite()).collect();
    let others = all.len() - values.len();
    if values.is_empty() {
        return (None, others);
    }
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = (max - min) / BUCKETS as f64;
    // One value, or a range too wide for a number: one bucket, as wide as TensorBoard makes it.
    let (min, max, limits, counts) = if width > 0.0 && width.is_finite() {
        let mut counts = vec![0.0; BUCKETS];
        for value in &values {
            counts[(((value - min) / width) as usize).min(BUCKETS - 1)] += 1.0;
        }
        (min, max, (1..=BUCKETS).map(|bucket| min + width * bucket as f64).collect(), counts)
    } else {
        (min - 0.5, max + 0.5, vec![max + 0.5], vec![values.len() as f64])
    };
    let histogram = Histogram {
        min,
        max,
        count: values.len() as f64,
        sum: values.iter().sum(),
        sum_squares: values.iter().map(|value| value * value).sum(),
        limits,
        counts,
    };
    (Some(histogram), others)
}

#[cfg(test)]
mod tests {
    use ndarray::arr1;

    use super::*;

    fn of(values: &[f32]) -> (Option<Histogram>, usize) {
        histogram(&Array::F32(arr1(values).into_dyn().into_shared()))
    }

    #[test]
    fn values_are_counted_in_thirty_buckets() {
        let values: Vec<f32> = (0..=30).map(|value| value as f32).collect();
        let (histogram, others) = of(&values);
        let histogram = histogram.unwrap();
        assert_eq!((histogram.min, histogram.max, histogram.count, others), (0.0, 30.0, 31.0, 0));
        assert_eq!(histogram.limits.len(), 30);
        assert_eq!(histogram.counts[0], 1.0);
        assert_eq!(histogram.counts[29], 2.0);
        assert_eq!((histogram.sum, histogram.sum_squares), (465.0, 9455.0));
    }

    #[test]
    fn what_is_not_finite_is_counted_apart() {
        let (histogram, others) = of(&[f32::NAN, 2.0, f32::INFINITY, 2.0]);
        let histogram = histogram.unwrap();
        assert_eq!((histogram.min, histogram.max, others), (1.5, 2.5, 2));
        assert_eq!((histogram.limits, histogram.counts), (vec![2.5], vec![2.0]));
        assert_eq!(of(&[f32::NAN]), (None, 1));
        assert_eq!(of(&[]), (None, 0));
    }
}
