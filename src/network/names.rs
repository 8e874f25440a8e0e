//! Names of layers, as Keras gives them, counted within one network.

use std::collections::{HashMap, HashSet};

use crate::error::{Error, Result};

/// Returns the automatic name of the first layer of a kind: `MaxPooling2D` is `max_pooling2d`.
///
/// Keras's rule (`keras/src/utils/naming.py`): an underscore before a capital that starts a word, and
/// between a small letter and a capital; then all small.
pub(super) fn snake_case(kind: &str) -> String {
    let letters: Vec<char> = kind.chars().filter(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let mut name = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|before| letters.get(before));
        let starts_word = letters.get(i + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase()
            && before.is_some_and(|before| *before != '_' && (starts_word || before.is_lowercase()))
        {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// Refuses names that cannot stand in files and reports.
pub(super) fn check(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::recipe("a name must not be empty"));
    }
    match name.chars().find(|letter| *letter == '/' || letter.is_control()) {
        None => Ok(()),
        Some('/') => Err(Error::recipe(format!("the name `{name}` must not contain `/`"))
            .hint("weights are named `layer/weight`, so a slash would be ambiguous")),
        Some(_) => Err(Error::recipe("a name must not contain control characters")),
    }
}

/// Gives automatic names: `dense`, `dense_1` …, skipping those that were given by hand.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    counts: HashMap<String, usize>,
}

impl Names {
    /// Takes a name that was given by hand.
    pub(super) fn take(&mut self, name: &str) -> Result<()> {
        match self.taken.insert(name.to_owned()) {
            true => Ok(()),
            false => Err(Error::recipe(format!("two layers or inputs are named `{name}`"))
                .hint("names must be unique within a network; to share weights, apply the same layer twice")),
        }
    }

    /// Returns the next automatic name of a kind.
    pub(super) fn next(&mut self, kind: &str) -> String {
        let base = snake_case(kind);
        loop {
            let count = self.counts.entry(base.clone()).or_insert(0);
            let name = if *count == 0 { base.clone() } else { format!("{base}_{count}") };
            *count += 1;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_names_are_those_of_keras() {
        for (kind, name) in [
            ("Dense", "dense"),
            ("Conv2D", "conv2d"),
            ("MaxPooling2D", "max_pooling2d"),
            ("GlobalAveragePooling1D", "global_average_pooling1d"),
            ("BatchNormalization", "batch_normalization"),
            ("ReLU", "re_lu"),
            ("LeakyReLU", "leaky_re_lu"),
            ("ELU", "elu"),
            ("InputLayer", "input_layer"),
        ] {
            assert_eq!(snake_case(kind), name);
        }
    }

    #[test]
    fn automatic_names_skip_given_ones() {
        let mut names = Names::default();
        names.take("dense_1").unwrap();
        assert_eq!([names.next("Dense"), names.next("Dense")], ["dense", "dense_2"]);
        assert_eq!(names.take("dense").unwrap_err().to_string(), "two layers or inputs are named `dense`");
    }
}
