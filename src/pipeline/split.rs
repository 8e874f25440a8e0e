//! Which items are for training, testing and validation: shares of an index, and folds.

use crate::error::{Error, Result};
use crate::random::{Random, Stream};

/// Positions of the items of each part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// For training.
    pub train: Vec<usize>,
    /// For testing.
    pub test: Vec<usize>,
    /// For validation.
    pub validation: Vec<usize>,
}

/// Splits so many items by shares for training, testing and validation. One share is that of training, the rest
/// is for testing; after two, the rest is for validation. Validation has the first items of the (shuffled) order, testing the
/// next, training the others. Sizes are rounded; a part with a share has at least one item.
///
/// # Errors
/// No share or more than three, one outside 0 to 1, a sum above 1, three that do not add up to 1, and fewer
/// items than parts.
pub fn split(count: usize, shares: &[f64], shuffle: Option<u64>) -> Result<Parts> {
    if shares.is_empty() || shares.len() > 3 {
        return Err(Error::data(format!("expected one to three shares, found {}", shares.len()))
            .hint("shares are those of training, testing and validation: `[0.8, 0.1, 0.1]`"));
    }
    if let Some(wrong) = shares.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        return Err(Error::data(format!("a share goes from 0 to 1, found {wrong}")));
    }
    let sum: f64 = shares.iter().sum();
    if sum > 1.0 + 1e-9 || (shares.len() == 3 && sum < 1.0 - 1e-9) {
        let expected = if shares.len() == 3 { "1" } else { "at most 1" };
        return Err(Error::data(format!("the shares add up to {sum}, expected {expected}"))
            .hint("give two shares, and validation gets the rest"));
    }
    let share = |at: usize| shares.get(at).copied();
    let rest = (1.0 - sum).max(0.0);
    let rest = if rest < 1e-9 { 0.0 } else { rest };
    let test = share(1).unwrap_or(rest);
    let validation = share(2).unwrap_or(if shares.len() == 2 { rest } else { 0.0 });
    let size = |share: f64| if share > 0.0 { ((count as f64 * share).round() as usize).max(1) } else { 0 };
    let (test, validation) = (size(test), size(validation));
    let train = count.checked_sub(test + validation).filter(|train| *train > 0 || shares[0] == 0.0);
    if train.is_none() {
        return Err(Error::data(format!("{count} items are too few for shares {shares:?}")));
    }
    let order = order(count, shuffle);
    Ok(Parts {
        validation: order[..validation].to_vec(),
        test: order[validation..validation + test].to_vec(),
        train: order[validation + test..].to_vec(),
    })
}

/// Splits so many items into folds: each fold is the testing part once, the others train. The first folds have
/// one item more when the items do not divide evenly.
///
/// # Errors
/// Fewer than 2 folds, or more than items.
pub fn folds(count: usize, folds: usize, shuffle: Option<u64>) -> Result<Vec<Parts>> {
    if folds < 2 || folds > count {
        return Err(Error::data(format!("expected 2 to {count} folds for {count} items, found {folds}")));
    }
    let order = order(count, shuffle);
    let size = |fold: usize| count / folds + usize::from(fold < count % folds);
    let mut start = 0;
    let part = |fold: usize| {
        let range = start..start + size(fold);
        start = range.end;
        Parts {
            test: order[range.clone()].to_vec(),
            train: order[..range.start].iter().chain(&order[range.end..]).copied().collect(),
            validation: Vec::new(),
        }
    };
    Ok((0..folds).map(part).collect())
}

fn order(count: usize, shuffle: Option<u64>) -> Vec<usize> {
    match shuffle {
        Some(seed) => Random::new(seed, Stream::Split, &[]).permutation(count),
        None => (0..count).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(count: usize, shares: &[f64]) -> Result<[usize; 3]> {
        split(count, shares, None).map(|parts| [parts.train.len(), parts.test.len(), parts.validation.len()])
    }

    #[test]
    fn shares_become_sizes() {
        assert_eq!(sizes(10, &[0.8]).unwrap(), [8, 2, 0]);
        assert_eq!(sizes(10, &[0.6, 0.3]).unwrap(), [6, 3, 1]);
        assert_eq!(sizes(10, &[0.8, 0.1, 0.1]).unwrap(), [8, 1, 1]);
        assert_eq!(sizes(10, &[0.5, 0.5, 0.0]).unwrap(), [5, 5, 0]);
        assert_eq!(sizes(10, &[1.0]).unwrap(), [10, 0, 0]);
        for (count, shares, message) in [
            (10, &[0.8, 0.4][..], "the shares add up to 1.2000000000000002, expected at most 1"),
            (10, &[0.2, 0.2, 0.2], "the shares add up to 0.6000000000000001, expected 1"),
            (10, &[0.2; 4], "expected one to three shares, found 4"),
            (2, &[0.4, 0.3, 0.3], "2 items are too few for shares [0.4, 0.3, 0.3]"),
            (10, &[-0.1], "a share goes from 0 to 1, found -0.1"),
            (10, &[f64::NAN], "a share goes from 0 to 1, found NaN"),
        ] {
            assert_eq!(sizes(count, shares).unwrap_err().message(), message);
        }
    }

    #[test]
    fn validation_comes_first_then_testing_then_training() {
        let parts = split(10, &[0.6, 0.3], None).unwrap();
        assert_eq!((parts.validation, parts.test, parts.train), (vec![0], vec![1, 2, 3], vec![4, 5, 6, 7, 8, 9]));
        let parts = split(10, &[0.6, 0.3], Some(3)).unwrap();
        let mut all = [parts.train.clone(), parts.test, parts.validation].concat();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert_ne!(parts.train, [4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn the_first_folds_have_one_item_more() {
        let folds_of_10 = folds(10, 3, None).unwrap();
        assert_eq!(folds_of_10.iter().map(|parts| parts.test.len()).collect::<Vec<_>>(), [4, 3, 3]);
        assert_eq!(folds_of_10[1].train, [0, 1, 2, 3, 7, 8, 9]);
        assert_eq!(folds(3, 4, None).unwrap_err().message(), "expected 2 to 3 folds for 3 items, found 4");
    }
}
