//! Splitting records in two parts, at random and reproducibly.

use std::collections::HashMap;

use crate::error::{Error, Result, counted};
use crate::random::{Random, Stream};
use crate::record::cells::{Cells, Data};
use crate::record::{Records, Value};

impl Records {
    /// Splits the records at random: the first part gets the given fraction of them (rounded), the second
    /// the rest. The same seed and length give the same split. Within a part the records keep their order.
    ///
    /// With `stratify`, the name of a column of texts, whole numbers or `true`/`false`, each class is split
    /// in this proportion (missing values are a class too). A class that does not divide evenly is rounded
    /// up or down so that the whole has the asked size: where most is cut off first, by chance where equal
    /// (the method of largest remainders).
    ///
    /// # Errors
    /// A fraction that is not between 0 and 1, a part without records, an unknown column, or one that holds
    /// something else.
    pub fn split(&self, fraction: f64, seed: u64, stratify: Option<&str>) -> Result<(Records, Records)> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::data(format!(
                "expected a fraction between 0 and 1 for the first part, found {fraction}"
            ))
            .hint("0.8 puts four fifths into the first part"));
        }
        let size = (self.len() as f64 * fraction).round() as usize;
        if size == 0 || size >= self.len() {
            let part = if size == 0 { "first" } else { "second" };
            let all = counted(self.len(), "record");
            return Err(Error::data(format!("the {part} part of {all} split at {fraction} would be empty")));
        }
        let random = Random::new(seed, Stream::Split, &[]);
        let rows = self.rows();
        let classes = match stratify {
            None => vec![(0..rows.len()).collect()],
            Some(name) => classes(self.table().cells(name, "column")?, name, &rows)?,
        };
        let mut in_first = vec![false; rows.len()];
        for (class, (members, share)) in classes.iter().zip(shares(&classes, size, fraction, &random)).enumerate() {
            let order = random.derive(class as u64 + 1).permutation(members.len());
            for &member in order.iter().take(share) {
                in_first[members[member]] = true;
            }
        }
        let part = |first: bool| {
            let chosen = rows.iter().zip(&in_first).filter(|(_, in_first)| **in_first == first);
            self.with_rows(chosen.map(|(&row, _)| row).collect())
        };
        Ok((part(true), part(false)))
    }
}

impl Records {
    /// Returns `k` pairs of training and validation records: each record is in the validation part of one pair. Parts
    /// differ by one record at most; within a part the records keep their order. With `stratify`, the records of each
    /// class are dealt out one by one, so that every part has its share.
    ///
    /// # Errors
    /// `k` below 2 or above the number of records, and the columns that [`Records::split`] refuses.
    pub fn folds(&self, k: usize, seed: u64, stratify: Option<&str>) -> Result<Vec<(Records, Records)>> {
        if k < 2 || k > self.len() {
            return Err(Error::data(format!(
                "expected from 2 to {} folds, one for each record, found {k}",
                self.len()
            )));
        }
        let random = Random::new(seed, Stream::Split, &[]);
        let rows = self.rows();
        let classes = match stratify {
            None => vec![(0..rows.len()).collect()],
            Some(name) => classes(self.table().cells(name, "column")?, name, &rows)?,
        };
        let mut fold = vec![0; rows.len()];
        let mut dealt = 0;
        for (class, members) in classes.iter().enumerate() {
            for at in random.derive(class as u64 + 1).permutation(members.len()) {
                fold[members[at]] = dealt % k;
                dealt += 1;
            }
        }
        let part = |number: usize, within: bool| {
            let chosen = rows.iter().zip(&fold).filter(|(_, fold)| (**fold == number) == within);
            self.with_rows(chosen.map(|(&row, _)| row).collect())
        };
        Ok((0..k).map(|number| (part(number, false), part(number, true))).collect())
    }
}

/// Returns the records of each class, classes in the order they first occur.
fn classes(cells: &Cells, name: &str, rows: &[u32]) -> Result<Vec<Vec<usize>>> {
    if !matches!(cells.data, Data::Int(_) | Data::Bool(_) | Data::Text(_)) {
        return Err(Error::data(format!(
            "column `{name}` holds {}: expected texts, whole numbers or true/false to stratify by",
            match cells.data {
                Data::Float(_) => "numbers".to_owned(),
                _ => cells.kind().to_string(),
            }
        )));
    }
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut classes: Vec<Vec<usize>> = Vec::new();
    for (index, &row) in rows.iter().enumerate() {
        let key = match cells.value(row as usize) {
            Value::Text(text) => format!("text {text}"),
            other => other.describe(),
        };
        let class = *numbers.entry(key).or_insert_with(|| {
            classes.push(Vec::new());
            classes.len() - 1
        });
        classes[class].push(index);
    }
    Ok(classes)
}

/// Returns how many of each class go into the first part; they sum to `size`.
fn shares(classes: &[Vec<usize>], size: usize, fraction: f64, random: &Random) -> Vec<usize> {
    let exact = |class: &Vec<usize>| class.len() as f64 * fraction;
    let mut shares: Vec<usize> = classes.iter().map(|class| exact(class).floor() as usize).collect();
    let mut order = random.derive(0).permutation(classes.len());
    let cut_off = |class: usize| exact(&classes[class]).fract();
    order.sort_by(|&a, &b| cut_off(b).total_cmp(&cut_off(a)));
    let missing = size.saturating_sub(shares.iter().sum());
    for class in order.into_iter().take(missing) {
        shares[class] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(labels: &[&str]) -> Records {
        let row = |(i, label): (usize, &&str)| {
            let label = if label.is_empty() { Value::Null } else { Value::from(*label) };
            vec![("i".into(), Value::from(i as i64)), ("label".into(), label)]
        };
        Records::from_rows(labels.iter().enumerate().map(row).collect(), "records").unwrap()
    }

    fn numbers(records: &Records) -> Vec<usize> {
        records.iter().map(|record| record.index()).collect()
    }

    #[test]
    fn a_split_is_whole_ordered_and_seeded() {
        let labels: Vec<&str> = (0..150).map(|i| ["a", "b", "c"][i / 50]).collect();
        let all = records(&labels);
        for stratify in [None, Some("label")] {
            let (first, second) = all.split(0.8, 7, stratify).unwrap();
            assert_eq!((first.len(), second.len()), (120, 30));
            let (a, b) = (numbers(&first), numbers(&second));
            assert!(a.is_sorted() && b.is_sorted());
            let mut whole = [a.clone(), b.clone()].concat();
            whole.sort_unstable();
            assert_eq!(whole, (0..150).collect::<Vec<_>>());
            assert_eq!(numbers(&all.split(0.8, 7, stratify).unwrap().0), a);
            assert_ne!(numbers(&all.split(0.8, 8, stratify).unwrap().0), a);
        }
        let (_, held_out) = all.split(0.8, 7, Some("label")).unwrap();
        for label in ["a", "b", "c"] {
            assert_eq!(held_out.texts("label").unwrap().iter().filter(|text| &***text == label).count(), 10);
        }
        let (plain, _) = held_out.split(0.5, 1, None).unwrap();
        assert!(numbers(&plain).iter().all(|index| numbers(&held_out).contains(index)));
    }

    #[test]
    fn classes_that_do_not_divide_are_rounded_to_the_asked_size() {
        // 3, 3, 1 and 1 missing: 8 records, 6 of them in the first part.
        let all = records(&["a", "a", "a", "b", "b", "b", "c", ""]);
        for seed in 0..20 {
            let (first, second) = all.split(0.75, seed, Some("label")).unwrap();
            assert_eq!((first.len(), second.len()), (6, 2));
            let count = |label: &str| {
                first.iter().filter(|record| record.get("label").is_ok_and(|l| l.describe().contains(label))).count()
            };
            assert!((2..=3).contains(&count("\"a\"")) && (2..=3).contains(&count("\"b\"")));
        }
    }

    #[test]
    fn folds_hold_out_each_record_once() {
        let labels: Vec<&str> = (0..22).map(|i| if i % 3 == 0 { "a" } else { "b" }).collect();
        let all = records(&labels);
        for stratify in [None, Some("label")] {
            let folds = all.folds(4, 5, stratify).unwrap();
            let mut held_out: Vec<usize> = folds.iter().flat_map(|(_, part)| numbers(part)).collect();
            held_out.sort_unstable();
            assert_eq!(held_out, (0..22).collect::<Vec<_>>());
            for (train, validation) in &folds {
                assert_eq!(train.len() + validation.len(), 22);
                assert!((5..=6).contains(&validation.len()));
                assert!(numbers(train).is_sorted());
                if stratify.is_some() {
                    let rare = validation.texts("label").unwrap().iter().filter(|text| &***text == "a").count();
                    assert!((1..=3).contains(&rare), "{rare}");
                }
            }
            let again = all.folds(4, 5, stratify).unwrap();
            assert_eq!(numbers(&again[2].1), numbers(&folds[2].1));
        }
        assert_eq!(
            all.folds(1, 0, None).unwrap_err().message(),
            "expected from 2 to 22 folds, one for each record, found 1"
        );
    }

    #[test]
    fn bad_splits_are_refused() {
        let all = records(&["a", "b", "c"]);
        for (fraction, stratify, message) in [
            (0.0, None, "expected a fraction between 0 and 1 for the first part, found 0"),
            (1.5, None, "expected a fraction between 0 and 1 for the first part, found 1.5"),
            (f64::NAN, None, "expected a fraction between 0 and 1 for the first part, found NaN"),
            (0.1, None, "the first part of 3 records split at 0.1 would be empty"),
            (0.9, None, "the second part of 3 records split at 0.9 would be empty"),
            (0.5, Some("labl"), "there is no column `labl`"),
        ] {
            let error = all.split(fraction, 1, stratify).unwrap_err();
            assert_eq!(error.message(), message);
        }
        assert!(all.head(0).split(0.5, 1, None).is_err());
    }
}
