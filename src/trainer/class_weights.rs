//! Weights of classes: what records of a class count in training, as Keras's `class_weight`.

use std::collections::BTreeMap;

use super::engine;
use super::feed::Target;
use crate::error::{Error, Result};
use crate::tensor::Array;

/// The weight of some classes; all others weigh 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassWeights(Vec<(i64, f32)>);

impl ClassWeights {
    /// Creates the weights of classes by their index, from 0.
    pub fn new(mut weights: Vec<(i64, f32)>) -> Self {
        weights.sort_by_key(|(class, _)| *class);
        ClassWeights(weights)
    }

    /// Multiplies the weights of a target by those of its labels' classes. `rank` is that of one record's prediction.
    ///
    /// Labels that have the rank of the prediction and several columns are one-hot: the largest column is the class.
    /// Others are indices, one for a record or for each of its steps. (Keras 3 refuses class weights beside sample
    /// weights; as in tf.keras 2, both count.)
    ///
    /// # Errors
    /// Sample weights that do not fit the labels.
    pub(super) fn apply(&self, target: &mut Target, rank: usize, memory: &mut Memory) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let Memory { labels, own, product } = &mut *memory;
        let (shape, width) = classes(target.value.shape(), rank);
        own.clear();
        own.extend(target.value.read_f32(labels).chunks_exact(width).map(|columns| self.get(class(columns))));
        let given = target.weight.take();
        // Whichever has more axes is multiplied by the other.
        let (factors, by, whole) = match &given {
            Some(weight) if weight.shape().len() > shape.len() => {
                (weight.read_f32(labels), Some((&**own, shape)), weight.shape())
            }
            Some(weight) => (&**own, Some((weight.read_f32(labels), weight.shape())), shape),
            None => (&**own, None, shape),
        };
        let place = match product {
            Some(Array::F32(product)) if product.shape() == whole => product,
            other => match other.insert(Array::from_f32(vec![0.0; factors.len()], whole)?) {
                Array::F32(product) => product,
                _ => return Err(Error::run("weights of classes are not f32")),
            },
        };
        let Some(place) = place.as_slice_mut() else { return Err(Error::run("weights of classes are not in order")) };
        place.copy_from_slice(factors);
        if let Some((values, of)) = by {
            engine::weigh(place, whole, values, of)?;
        }
        target.weight.clone_from(&memory.product);
        Ok(())
    }

    fn get(&self, class: i64) -> f32 {
        self.0.binary_search_by_key(&class, |(own, _)| *own).map_or(1.0, |at| self.0[at].1)
    }
}

/// What weights of classes are computed in: kept from batch to batch, so that nothing is allocated.
#[derive(Debug, Default)]
pub(super) struct Memory {
    labels: Vec<f32>,
    own: Vec<f32>,
    product: Option<Array>,
}

/// Returns the shape of labels without the columns of a class, and the number of columns.
fn classes(shape: &[usize], rank: usize) -> (&[usize], usize) {
    match shape.split_last() {
        Some((columns, front)) if front.len() == rank && rank > 0 => (front, (*columns).max(1)),
        _ => (shape, 1),
    }
}

/// Returns the class of a label's columns.
fn class(columns: &[f32]) -> i64 {
    match columns {
        [index] => index.round() as i64,
        columns => {
            let larger = |best: usize, at: usize| if columns[at] > columns[best] { at } else { best };
            (0..columns.len()).fold(0, larger) as i64
        }
    }
}

/// How often classes occur.
#[derive(Clone, Debug, Default)]
pub struct ClassCounts(BTreeMap<i64, u64>);

impl ClassCounts {
    /// Counts the labels of a batch; `rank` is that of one record's prediction. What their classes are is told at
    /// [`ClassWeights`].
    pub fn add(&mut self, labels: &Array, rank: usize) {
        for columns in labels.as_f32().chunks_exact(classes(labels.shape(), rank).1) {
            *self.0.entry(class(columns)).or_default() += 1;
        }
    }

    /// Returns weights by which all classes count alike and a label counts 1 on average: labels / (classes · labels of the
    /// class), as scikit-learn's `balanced`.
    pub fn balanced(&self) -> ClassWeights {
        let labels: u64 = self.0.values().sum();
        let weight = |count: u64| (labels as f64 / (self.0.len() as f64 * count as f64)) as f32;
        ClassWeights::new(self.0.iter().map(|(class, count)| (*class, weight(*count))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighed(labels: Array, weight: Option<Array>, rank: usize) -> (Vec<usize>, Vec<f32>) {
        let weights = ClassWeights::new(vec![(1, 3.0), (0, 0.5)]);
        let mut target = Target { value: labels, weight };
        weights.apply(&mut target, rank, &mut Memory::default()).unwrap();
        let found = target.weight.unwrap();
        (found.shape().to_vec(), found.as_f32().into_owned())
    }

    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        let mut counts = ClassCounts::default();
        counts.add(&Array::from_i64(vec![0, 0, 1], &[3]).unwrap(), 1);
        counts.add(&Array::from_f32(vec![0.0, 2.0], &[2, 1]).unwrap(), 1);
        // compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 1, 0, 2])
        assert_eq!(counts.balanced(), ClassWeights::new(vec![(0, 0.555_555_6), (1, 1.666_666_6), (2, 1.666_666_6)]));
        assert_eq!(ClassCounts::default().balanced(), ClassWeights::default());
    }

    #[test]
    fn labels_of_every_form_find_their_class() {
        let indices = || Array::from_i64(vec![0, 1, 2, 1], &[4]).unwrap();
        assert_eq!(weighed(indices(), None, 1), (vec![4], vec![0.5, 3.0, 1.0, 3.0]));
        let column = Array::from_f32(vec![0.0, 1.0], &[2, 1]).unwrap();
        assert_eq!(weighed(column, None, 1), (vec![2], vec![0.5, 3.0]));
        let one_hot = Array::from_f32(vec![0.0, 1.0, 0.0, 0.0, 0.0, 1.0], &[2, 3]).unwrap();
        assert_eq!(weighed(one_hot, None, 1), (vec![2], vec![3.0, 1.0]));
        let steps = Array::from_i64(vec![0, 1, 2, 1], &[2, 2]).unwrap();
        assert_eq!(weighed(steps.clone(), None, 2), (vec![2, 2], vec![0.5, 3.0, 1.0, 3.0]));

        let records = Array::from_f32(vec![2.0, 0.0], &[2]).unwrap();
        assert_eq!(weighed(steps, Some(records), 2), (vec![2, 2], vec![1.0, 6.0, 0.0, 0.0]));
        let temporal = Array::from_f32(vec![1.0, 2.0, 3.0, 4.0], &[2, 2]).unwrap();
        let column = Array::from_f32(vec![0.0, 1.0], &[2, 1]).unwrap();
        assert_eq!(weighed(column, Some(temporal), 1), (vec![2, 2], vec![0.5, 1.0, 9.0, 12.0]));
    }
}
