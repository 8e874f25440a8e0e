//! Patterns of weights: which weights of a network a text means.

use crate::error::{self, Error, Result};

use super::Network;

/// Returns whether a pattern means a weight: it is the weight's whole name (`conv/kernel`) or that of its layer
/// (`conv`), where `*` stands for any text.
fn means(pattern: &str, name: &str) -> bool {
    let layer = name.split_once('/').map_or(name, |(layer, _)| layer);
    fits(pattern, name) || fits(pattern, layer)
}

/// Returns whether a text is of a form in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| fits(rest, &text[at..]))
        }),
    }
}

/// Longest pattern: matching one takes time that grows with the number of its stars.
const LONGEST: usize = 256;
/// Most stars in a pattern.
const STARS: usize = 4;

impl Network {
    /// Returns the weights that any of the patterns means, by their index in [`Network::weights`], in order. A pattern is
    /// the name of a weight (`conv/kernel`) or of a layer (`conv`); `*` stands for any text.
    ///
    /// ```
    /// use barrage::network::{Network, Symbol, layers};
    /// use barrage::tensor::Dtype;
    /// let x = Symbol::input("x", &[Some(4)], Dtype::F32)?;
    /// let units = serde_json::json!({"units": 2}).as_object().cloned().unwrap_or_default();
    /// let y = layers::find("Dense")?.make(&units)?.apply(std::slice::from_ref(&x))?;
    /// let network = Network::new(&[x], &[y])?;
    /// assert_eq!(network.select(&["*/bias"])?, [1]);
    /// assert_eq!(network.select(&["dense"])?, [0, 1]);
    /// assert!(network.select(&["dence"]).is_err());
    /// # Ok::<(), barrage::Error>(())
    /// ```
    ///
    /// # Errors
    /// A pattern that means no weight, with the nearest name.
    pub fn select(&self, patterns: &[impl AsRef<str>]) -> Result<Vec<usize>> {
        let mut chosen = vec![false; self.weights.len()];
        for pattern in patterns {
            let pattern = pattern.as_ref();
            if pattern.len() > LONGEST || pattern.matches('*').count() > STARS {
                return Err(Error::recipe(format!(
                    "the pattern `{pattern}` is too long: at most {LONGEST} characters and {STARS} stars"
                )));
            }
            let mut met = false;
            for (chosen, weight) in chosen.iter_mut().zip(&self.weights) {
                let means = means(pattern, &weight.name);
                met |= means;
                *chosen |= means;
            }
            if !met {
                let names: Vec<&str> = self.weights.iter().map(|weight| &*weight.name).collect();
                let layers = names.iter().map(|name| name.split_once('/').map_or(*name, |(layer, _)| layer));
                return Err(Error::recipe(format!("no weight is meant by `{pattern}`"))
                    .maybe_hint(error::did_you_mean(pattern, names.iter().copied().chain(layers)))
                    .hint("a pattern is the name of a weight or of a layer; `*` stands for any text")
                    .hint(format!("weights: {}", error::list(names.iter().copied()))));
            }
        }
        Ok(chosen.iter().enumerate().filter(|(_, chosen)| **chosen).map(|(at, _)| at).collect())
    }

    /// Returns the same network in which the weights that the patterns mean are not trained, and how many weights that
    /// are; see [`Network::select`]. A layer all of whose weights are frozen is as with `trainable: false`:
    /// `BatchNormalization` then uses its moving statistics.
    ///
    /// # Errors
    /// A pattern that means no weight; nothing left to train.
    pub fn frozen(&self, patterns: &[impl AsRef<str>]) -> Result<(Network, usize)> {
        let mut network = self.clone();
        let chosen = self.select(patterns)?;
        let mut count = 0;
        for at in chosen {
            count += usize::from(network.weights[at].trainable);
            network.weights[at].trainable = false;
        }
        for node in &mut network.nodes {
            let own = node.weights.clone();
            let were = self.weights[own.clone()].iter().any(|weight| weight.trainable);
            let are = network.weights[own].iter().any(|weight| weight.trainable);
            if were
                && !are
                && let Some(frozen) = node.layer.frozen()
            {
                node.layer = frozen;
            }
        }
        match network.weights.iter().any(|weight| weight.trainable) {
            true => Ok((network, count)),
            false => Err(Error::recipe("every weight of the network is frozen, so there is nothing to train")
                .hint("leave the layers that are to be trained out of `freeze`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::network::{Pass, sequential_from_config};
    use crate::random::{Random, Stream};
    use crate::tensor::{Graph, device};

    fn network() -> Network {
        let layers = json!([
            {"import": "Input", "params": {"shape": [6], "name": "x"}},
            {"import": "Dense", "params": {"units": 3, "name": "first"}},
            {"import": "BatchNormalization", "params": {"name": "norm"}},
            {"import": "Dense", "params": {"units": 2, "name": "last"}},
        ]);
        sequential_from_config(&layers, &Default::default()).unwrap()
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acb", false),
            ("*", "", true),
            ("*b*", "abc", true),
            ("", "a", false),
            ("ü*ü", "üaü", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn frozen_weights_are_not_trained_and_a_frozen_normalisation_keeps_its_statistics() {
        let (frozen, count) = network().frozen(&["first", "norm", "*/bias"]).unwrap();
        let trained: Vec<&str> =
            frozen.weights().iter().filter(|weight| weight.trainable).map(|weight| &*weight.name).collect();
        assert_eq!((trained, count), (vec!["last/kernel"], 5));
        let weights: Vec<Graph> =
            frozen.initialise(1).unwrap().iter().map(|weight| weight.to_graph(&device::cpu()).unwrap()).collect();
        let x = Graph::new(&[[1f32; 6], [2.0; 6]], &device::cpu()).unwrap();
        let mut pass = Pass::new(true, Random::new(0, Stream::Dropout, &[]));
        frozen.forward(&weights, std::slice::from_ref(&x), &mut pass).unwrap();
        assert!(pass.updates.is_empty());
        network().forward(&weights, &[x], &mut pass).unwrap();
        assert_eq!(pass.updates.len(), 2);
    }

    #[test]
    fn patterns_without_a_weight_are_refused() {
        let error = network().frozen(&["frist"]).unwrap_err();
        assert_eq!(error.message(), "no weight is meant by `frist`");
        assert_eq!(error.hints()[0], "did you mean `first`?");
        let error = network().frozen(&["*"]).unwrap_err();
        assert_eq!(error.message(), "every weight of the network is frozen, so there is nothing to train");
        assert!(network().select(&["*".repeat(9)]).is_err());
    }
}
