//! How often each class was taken for each other: counts that add up over batches, and what is read from them.

use crate::error::{self, Error, Result};
use crate::tensor::Array;

/// How predictions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Class numbers.
    Labels,
    /// Probabilities: of each class, or of the second of two.
    Probabilities,
    /// What a sigmoid or softmax would make probabilities of.
    Logits,
}

impl Format {
    /// Returns the format of a name: `labels`, `proba` or `logits`.
    ///
    /// # Errors
    /// Any other name.
    pub fn parse(name: &str) -> Result<Format> {
        match name {
            "labels" => Ok(Format::Labels),
            "proba" | "probabilities" => Ok(Format::Probabilities),
            "logits" => Ok(Format::Logits),
            _ => Err(Error::script(format!("unknown format `{name}`"))
                .maybe_hint(error::did_you_mean(name, ["labels", "proba", "logits"]))
                .hint("formats: `labels`, `proba`, `logits`")),
        }
    }
}

/// Counts of targets and predictions.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    classes: usize,
    /// `counts[target * classes + prediction]`.
    counts: Vec<u64>,
}

/// How values of several classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// Of counts over all classes.
    Micro,
    /// The mean of the classes' values.
    Macro,
}

/// The names of what can be read, with other names of the same.
const NAMES: &[(&str, &[&str])] = &[
    ("accuracy", &[]),
    ("tpr", &["sensitivity", "recall", "true_positive_rate"]),
    ("fpr", &["fallout", "false_positive_rate"]),
    ("fnr", &["miss_rate", "false_negative_rate"]),
    ("tnr", &["specificity", "true_negative_rate"]),
    ("prevalence", &[]),
    ("ppv", &["precision", "positive_predictive_value"]),
    ("fdr", &["false_discovery_rate"]),
    ("for", &["false_omission_rate"]),
    ("npv", &["negative_predictive_value"]),
    ("plr", &["positive_likelihood_ratio"]),
    ("nlr", &["negative_likelihood_ratio"]),
    ("dor", &["diagnostics_odds_ratio"]),
    ("f1", &["f1_score", "dice"]),
    ("jaccard", &["iou"]),
];

impl Confusion {
    /// Counts predictions against targets. Targets are class numbers of any shape; predictions are of the same shape,
    /// with probabilities or logits of several classes on a further, last axis. `threshold` splits the
    /// probabilities of the second of two classes.
    ///
    /// # Errors
    /// Shapes that do not go together, and class numbers out of range.
    pub fn count(
        targets: &Array,
        predictions: &Array,
        format: Format,
        classes: Option<usize>,
        threshold: f64,
    ) -> Result<Confusion> {
        let labels = labels(predictions, targets.shape(), format, threshold)?;
        let targets = numbers(targets, "targets")?;
        if labels.len() != targets.len() {
            return Err(Error::data(format!("{} targets, {} predictions", targets.len(), labels.len())));
        }
        let several = match format {
            Format::Labels => None,
            _ if predictions.size() > targets.len() => predictions.shape().last().copied(),
            _ => Some(2),
        };
        let highest = targets.iter().chain(&labels).max().map_or(0, |class| class + 1);
        let classes = classes.or(several).unwrap_or(highest.max(2));
        if highest > classes {
            return Err(Error::data(format!("class {} is out of range: there are {classes} classes", highest - 1)));
        }
        if classes > 1 << 12 {
            return Err(Error::data(format!("{classes} classes are too many to count which was taken for which")));
        }
        let mut counts = vec![0; classes * classes];
        for (target, prediction) in targets.iter().zip(&labels) {
            counts[target * classes + prediction] += 1;
        }
        Ok(Confusion { classes, counts })
    }

    /// Adds the counts of others.
    ///
    /// # Errors
    /// Another number of classes.
    pub fn add(&mut self, other: &Confusion) -> Result<()> {
        if self.classes != other.classes {
            return Err(Error::data(format!("metrics of {} classes and of {}", self.classes, other.classes))
                .hint("say how many there are: `num_classes`"));
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
        Ok(())
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the counts, a row for each target class.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Returns a value by its name: of two classes, that of the second one; of more, their average (macro, unless
    /// something else is wanted). A ratio of nothing to nothing is 0.
    ///
    /// # Errors
    /// An unknown name.
    pub fn value(&self, name: &str, average: Option<Average>) -> Result<f64> {
        let known = NAMES.iter().find(|(known, others)| *known == name || others.contains(&name));
        let Some((name, _)) = known else {
            let names = || NAMES.iter().flat_map(|(name, others)| std::iter::once(*name).chain(others.iter().copied()));
            return Err(Error::script(format!("unknown metric `{name}`"))
                .maybe_hint(error::did_you_mean(name, names()))
                .hint(format!("metrics: {}", error::list(NAMES.iter().map(|(name, _)| *name)))));
        };
        let total: u64 = self.counts.iter().sum();
        if *name == "accuracy" {
            let right: u64 = (0..self.classes).map(|class| self.counts[class * self.classes + class]).sum();
            return Ok(ratio(right as f64, total as f64));
        }
        let of = |class: usize| {
            let at = |target: usize, prediction: usize| self.counts[target * self.classes + prediction] as f64;
            let positive = at(class, class);
            let missed: f64 = (0..self.classes).filter(|other| *other != class).map(|other| at(class, other)).sum();
            let wrong: f64 = (0..self.classes).filter(|other| *other != class).map(|other| at(other, class)).sum();
            [positive, wrong, missed, total as f64 - positive - missed - wrong]
        };
        Ok(match (average, self.classes) {
            (None, 2) => read(name, of(1)),
            (Some(Average::Micro), classes) => {
                let mut sums = [0.0; 4];
                for class in 0..classes {
                    sums.iter_mut().zip(of(class)).for_each(|(sum, part)| *sum += part);
                }
                read(name, sums)
            }
            (_, classes) => (0..classes).map(|class| read(name, of(class))).sum::<f64>() / classes.max(1) as f64,
        })
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if part == 0.0 && whole == 0.0 { 0.0 } else { part / whole }
}

/// Reads a value from true and false positives, false and true negatives.
fn read(name: &str, [tp, fp, fn_, tn]: [f64; 4]) -> f64 {
    let (tpr, fpr) = (ratio(tp, tp + fn_), ratio(fp, fp + tn));
    let (fnr, tnr) = (ratio(fn_, tp + fn_), ratio(tn, fp + tn));
    match name {
        "tpr" => tpr,
        "fpr" => fpr,
        "fnr" => fnr,
        "tnr" => tnr,
        "prevalence" => ratio(tp + fn_, tp + fp + fn_ + tn),
        "ppv" => ratio(tp, tp + fp),
        "fdr" => ratio(fp, tp + fp),
        "for" => ratio(fn_, fn_ + tn),
        "npv" => ratio(tn, fn_ + tn),
        "plr" => ratio(tpr, fpr),
        "nlr" => ratio(fnr, tnr),
        "dor" => ratio(tp * tn, fp * fn_),
        "f1" => ratio(2.0 * tp, 2.0 * tp + fp + fn_),
        _ => ratio(tp, tp + fp + fn_),
    }
}

fn numbers(array: &Array, what: &str) -> Result<Vec<usize>> {
    array
        .to_f64_vec()
        .into_iter()
        .map(|value| match value >= 0.0 && value.fract() == 0.0 && value < 1e9 {
            true => Ok(value as usize),
            false => Err(Error::data(format!("{what}: expected class numbers, found {value:?}"))),
        })
        .collect()
}

fn labels(predictions: &Array, targets: &[usize], format: Format, threshold: f64) -> Result<Vec<usize>> {
    if format == Format::Labels {
        return numbers(predictions, "predictions");
    }
    let values = predictions.to_f64_vec();
    let count: usize = targets.iter().product();
    let shape = predictions.shape();
    match (shape.split_last(), values.len() == count) {
        // One value: the probability of the second of two classes.
        (_, true) => {
            let split = match format {
                Format::Logits => (threshold / (1.0 - threshold)).ln(),
                _ => threshold,
            };
            Ok(values.into_iter().map(|value| usize::from(value > split)).collect())
        }
        (Some((&classes, rest)), false) if classes > 0 && rest.iter().product::<usize>() == count => {
            let best = |row: &[f64]| {
                let first = row.first().copied().unwrap_or(f64::NAN);
                let pick = |(at, best): (usize, f64), (next, &value): (usize, &f64)| match value > best {
                    true => (next, value),
                    false => (at, best),
                };
                row.iter().enumerate().skip(1).fold((0, first), pick).0
            };
            Ok(values.chunks(classes).map(best).collect())
        }
        _ => Err(Error::data(format!("targets of shape {targets:?}, predictions of shape {shape:?}"))
            .hint("predictions have the shape of the targets, with classes on a further, last axis")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(values: &[i64]) -> Array {
        Array::from_i64(values.to_vec(), &[values.len()]).unwrap()
    }

    /// The numbers of BatchFlow 0.10.1 for the same two batches.
    #[test]
    fn two_batches_add_up() {
        let count = |targets: &[i64], predictions: &[i64]| {
            Confusion::count(&array(targets), &array(predictions), Format::Labels, None, 0.5).unwrap()
        };
        let mut all = count(&[1, 0], &[1, 0]);
        all.add(&count(&[1, 0], &[0, 0])).unwrap();
        assert_eq!(all.value("accuracy", None).unwrap(), 0.75);
        assert!((all.value("f1", None).unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(all.value("precision", None).unwrap(), 1.0);
        assert_eq!(all.value("recall", None).unwrap(), 0.5);
        assert_eq!(all.value("recal", None).unwrap_err().hints()[0], "did you mean `recall`?");
    }

    #[test]
    fn probabilities_and_logits_become_classes() {
        let rows = Array::from_f32(vec![0.1, 0.9, 0.8, 0.2], &[2, 2]).unwrap();
        let of = |format, predictions: &Array| {
            Confusion::count(&array(&[1, 1]), predictions, format, None, 0.5).unwrap().value("accuracy", None).unwrap()
        };
        assert_eq!(of(Format::Probabilities, &rows), 0.5);
        assert_eq!(of(Format::Logits, &Array::from_f32(vec![2.0, -1.0], &[2]).unwrap()), 0.5);
        let error = Confusion::count(&array(&[1]), &rows, Format::Logits, None, 0.5).unwrap_err();
        assert_eq!(error.message(), "targets of shape [1], predictions of shape [2, 2]");
        let three = Confusion::count(&array(&[0, 1, 2, 2]), &array(&[0, 2, 2, 2]), Format::Labels, None, 0.5).unwrap();
        assert!((three.value("tpr", Some(Average::Macro)).unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(three.value("tpr", Some(Average::Micro)).unwrap(), 0.75);
    }
}
