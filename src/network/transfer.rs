//! Weights of another network: which of its arrays fit which weights of this one, by name.

use std::fmt;

use crate::error::{self, Error, Result, codes};
use crate::record::Name;
use crate::tensor::{Array, Dtype};

use super::{Network, pytorch};

/// How arrays are named and laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As here and in Keras: `dense/kernel` `[in, out]`.
    Keras,
    /// As in a PyTorch `state_dict`: `dense.weight` `[out, in]`.
    PyTorch,
}

impl Layout {
    /// The names of all layouts.
    pub const NAMES: &'static [&'static str] = &["keras", "pytorch"];

    /// Returns the layout of a name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "keras" => Some(Layout::Keras),
            "pytorch" => Some(Layout::PyTorch),
            _ => None,
        }
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Keras => "keras",
            Layout::PyTorch => "pytorch",
        }
    }
}

/// What is wanted of a file of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// How its arrays are named and laid out.
    pub layout: Layout,
    /// Beginnings of names in the file, and what they are here: `features.0` is `conv`.
    pub rename: Vec<(String, String)>,
    /// Patterns of the weights that are taken ([`Network::select`]); all when empty.
    pub only: Vec<String>,
    /// Whether each weight must be found, and each array used.
    pub strict: bool,
    /// Whether arrays of another shape are left out rather than refused.
    pub skip_mismatched: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The weights that were taken.
    pub loaded: Vec<Name>,
    /// The weights that were wanted and not found.
    pub missing: Vec<Name>,
    /// The arrays that were not used, by their names in the file.
    pub unused: Vec<String>,
    /// What has another shape, in words.
    pub mismatched: Vec<String>,
    /// How many weights the network has.
    pub of: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} weights", self.loaded.len(), self.of)?;
        if !self.missing.is_empty() {
            write!(f, "; not in the file: {}", error::list(self.missing.iter().map(|name| &**name)))?;
        }
        if !self.mismatched.is_empty() {
            write!(f, "; left out: {}", self.mismatched.join(", "))?;
        }
        if !self.unused.is_empty() {
            write!(f, "; not used of the file: {}", error::list(self.unused.iter().map(String::as_str)))?;
        }
        Ok(())
    }
}

impl Network {
    /// Replaces weights (in the order of [`Network::weights`]) by arrays of a file that fit them by name. `what` is the
    /// file in errors.
    ///
    /// # Errors
    /// No array fits; an array of another shape, unless it is to be left out; with `strict` anything missing or unused.
    pub fn load(
        &self,
        weights: &mut [Array],
        file: Vec<(String, Array)>,
        wanted: &Wanted,
        what: &str,
    ) -> Result<Report> {
        let chosen = match wanted.only.is_empty() {
            true => (0..self.weights.len()).collect(),
            false => self.select(&wanted.only).map_err(|error| error.within("`only`"))?,
        };
        let file: Vec<(String, String, Array)> = file
            .into_iter()
            .map(|(name, array)| (renamed(&name, &wanted.rename, wanted.layout), name, array))
            .collect();
        if let Some((from, _)) = unused_rename(&wanted.rename, &file) {
            let names = || file.iter().map(|(_, name, _)| name.as_str());
            return Err(Error::artifact(format!("`{what}` has no array that begins with `{from}`"))
                .coded(codes::WEIGHTS)
                .maybe_hint(error::did_you_mean(from, names()))
                .hint(format!("arrays of the file: {}", error::list(names()))));
        }
        let mut report = Report { of: self.weights.len(), ..Report::default() };
        let mut used = vec![false; file.len()];
        let mut find = |name: &str| {
            let at = file.iter().position(|(own, ..)| own == name)?;
            used[at] = true;
            Some(&file[at].2)
        };
        let found = match wanted.layout {
            Layout::PyTorch => pytorch::import(self, &chosen, &mut find),
            Layout::Keras => chosen.iter().filter_map(|at| same(self, *at, &mut find)).collect(),
        };
        for at in &chosen {
            let name = &self.weights[*at].name;
            match found.iter().find(|(own, _)| own == at) {
                None => report.missing.push(name.clone()),
                Some((_, Err(mismatch))) => report.mismatched.push(mismatch.clone()),
                Some((_, Ok(array))) => {
                    weights[*at] = array.clone();
                    report.loaded.push(name.clone());
                }
            }
        }
        // A counter that PyTorch keeps and nothing computes with.
        let counts = |name: &str| name.ends_with("num_batches_tracked");
        let unused = file.iter().zip(&used).filter(|((_, name, _), used)| !**used && !counts(name));
        report.unused = unused.map(|((_, name, _), _)| name.clone()).collect();
        self.judge(&report, wanted, what)?;
        Ok(report)
    }

    fn judge(&self, report: &Report, wanted: &Wanted, what: &str) -> Result<()> {
        let refused = |message: String| Err(Error::artifact(message).coded(codes::WEIGHTS));
        let unused = || error::list(report.unused.iter().map(String::as_str));
        let missing = || error::list(report.missing.iter().map(|name| &**name));
        if !report.mismatched.is_empty() && !wanted.skip_mismatched {
            return refused(format!("`{what}`: {}", report.mismatched.join("; "))).map_err(|error: Error| {
                error
                    .hint("leave them out with `skip_mismatched: true`, or name what is wanted with `only`")
                    .maybe_hint(
                        (wanted.layout == Layout::Keras)
                            .then(|| "weights of PyTorch have other layouts: say `layout: \"pytorch\"`".to_owned()),
                    )
            });
        }
        if report.loaded.is_empty() {
            return refused(format!("no weight of the network is in `{what}`")).map_err(|error: Error| {
                error
                    .hint(format!("the network has {}", missing()))
                    .hint(format!("the file has {}", unused()))
                    .hint("say what names of the file mean with `rename`")
            });
        }
        if wanted.strict && !(report.missing.is_empty() && report.unused.is_empty() && report.mismatched.is_empty()) {
            return refused(format!("`{what}` and the network differ, and `strict` is set")).map_err(|error: Error| {
                let not_found = (!report.missing.is_empty()).then(|| format!("not in the file: {}", missing()));
                let left = (!report.unused.is_empty()).then(|| format!("not used of the file: {}", unused()));
                error.maybe_hint(not_found).maybe_hint(left)
            });
        }
        Ok(())
    }
}

/// A weight found, or why it does not fit, by its index.
pub(super) type Match = (usize, std::result::Result<Array, String>);

fn same<'a>(network: &Network, at: usize, find: &mut dyn FnMut(&str) -> Option<&'a Array>) -> Option<Match> {
    let weight = &network.weights[at];
    let array = find(&weight.name)?;
    let value = match array.shape() == weight.shape {
        true => Ok(array.cast(Dtype::F32)),
        false => Err(mismatch(&weight.name, array.shape(), &weight.shape)),
    };
    Some((at, value))
}

/// Says that shapes differ.
pub(super) fn mismatch(name: &str, found: &[usize], expected: &[usize]) -> String {
    format!("`{name}` has shape {found:?}, the network expects {expected:?}")
}

/// The name that a file's array has here: a beginning that ends where a part of the name does is replaced, the longest.
fn renamed(name: &str, rename: &[(String, String)], layout: Layout) -> String {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '/']);
    let fitting = rename.iter().filter_map(|(from, to)| Some((from, to, name.strip_prefix(from.as_str())?)));
    let best = fitting.filter(|(from, _, rest)| ends(rest) || from.is_empty()).max_by_key(|(from, ..)| from.len());
    let Some((_, to, rest)) = best else { return name.to_owned() };
    match (to.is_empty(), layout) {
        (true, _) => rest.trim_start_matches(['.', '/']).to_owned(),
        (false, _) => format!("{to}{rest}"),
    }
}

/// The first renaming that no name begins with.
fn unused_rename<'a>(rename: &'a [(String, String)], file: &[(String, String, Array)]) -> Option<&'a (String, String)> {
    rename.iter().find(|(from, _)| !file.iter().any(|(_, name, _)| name.starts_with(from.as_str())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::network::sequential_from_config;

    fn network() -> Network {
        let layers = json!([
            {"import": "Input", "params": {"shape": [3], "name": "x"}},
            {"import": "Dense", "params": {"units": 2, "name": "body"}},
            {"import": "Dense", "params": {"units": 1, "name": "head"}},
        ]);
        sequential_from_config(&layers, &Default::default()).unwrap()
    }

    fn array(shape: &[usize]) -> Array {
        let values = (0..shape.iter().product::<usize>()).map(|value| value as f32 + 1.0);
        Array::from_f32(values.collect(), shape).unwrap()
    }

    fn wanted(layout: Layout) -> Wanted {
        Wanted { layout, rename: Vec::new(), only: Vec::new(), strict: false, skip_mismatched: false }
    }

    fn load(file: &[(&str, &[usize])], wanted: &Wanted) -> Result<(Report, Vec<Array>)> {
        let network = network();
        let mut weights = network.initialise(3).unwrap();
        let file = file.iter().map(|(name, shape)| ((*name).to_owned(), array(shape))).collect();
        network.load(&mut weights, file, wanted, "w.safetensors").map(|report| (report, weights))
    }

    #[test]
    fn weights_are_taken_by_name_and_the_report_tells_the_rest() {
        let file: &[(&str, &[usize])] = &[("body/kernel", &[3, 2]), ("body/bias", &[2]), ("old/kernel", &[2, 4])];
        let (report, weights) = load(file, &wanted(Layout::Keras)).unwrap();
        assert_eq!(
            report.to_string(),
            "2 of 4 weights; not in the file: `head/kernel`, `head/bias`; not used of the file: `old/kernel`"
        );
        assert!(weights[0].same(&array(&[3, 2])) && weights[1].same(&array(&[2])));
        assert!(weights[2].same(&network().initialise(3).unwrap()[2]));

        let strict = Wanted { strict: true, ..wanted(Layout::Keras) };
        let error = load(file, &strict).unwrap_err();
        assert_eq!(error.message(), "`w.safetensors` and the network differ, and `strict` is set");
        assert_eq!(error.hints().len(), 2);
        let only = Wanted { only: vec!["body".to_owned()], ..wanted(Layout::Keras) };
        assert!(load(file, &only).unwrap().0.missing.is_empty());
    }

    #[test]
    fn names_are_renamed_where_a_part_of_them_ends() {
        let rename = vec![("net.0".to_owned(), "body".to_owned()), ("net.01".to_owned(), "head".to_owned())];
        let wanted = Wanted { rename, ..wanted(Layout::PyTorch) };
        let file: &[(&str, &[usize])] =
            &[("net.0.weight", &[2, 3]), ("net.0.bias", &[2]), ("net.01.weight", &[1, 2]), ("net.01.bias", &[1])];
        let (report, weights) = load(file, &wanted).unwrap();
        assert_eq!(report.to_string(), "4 of 4 weights");
        assert_eq!(weights[0].as_f32().to_vec(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let error = load(&[("net.0.weight", &[2, 3])], &wanted).unwrap_err();
        assert_eq!(error.message(), "`w.safetensors` has no array that begins with `net.01`");
    }

    #[test]
    fn other_shapes_are_refused_unless_they_are_to_be_left_out() {
        let file: &[(&str, &[usize])] = &[("body/kernel", &[3, 2]), ("head/kernel", &[2, 10])];
        let error = load(file, &wanted(Layout::Keras)).unwrap_err();
        assert_eq!(error.message(), "`w.safetensors`: `head/kernel` has shape [2, 10], the network expects [2, 1]");
        let skip = Wanted { skip_mismatched: true, ..wanted(Layout::Keras) };
        assert_eq!(load(file, &skip).unwrap().0.loaded.len(), 1);
        let error = load(&[("a.weight", &[2, 3])], &wanted(Layout::PyTorch)).unwrap_err();
        assert_eq!(error.message(), "no weight of the network is in `w.safetensors`");
    }
}
