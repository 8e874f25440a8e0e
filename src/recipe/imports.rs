//! Import blocks: the components that a recipe names.

use serde_json::{Value, json};

use super::fields::Fields;
use super::locate;
use super::path::KeyPath;
use super::written::Node;
use crate::error::{Error, Place, codes};
use crate::registry::Params;

/// A component by its import path, with the parameters it is made with.
///
/// Two imports are equal when they name the same component at the same key; places do not matter.
#[derive(Clone, Debug)]
pub struct Import {
    /// The name of a built-in (`KeySelector`, `barrage.dataset.KeySelector`) or the dotted path of a script.
    pub path: String,
    /// The parameters as written.
    pub params: Params,
    /// Where the path stands; `None` when a script or a default gave it.
    pub place: Option<Place>,
    /// The key of the block: `model.outputs[0].loss`.
    pub key_path: String,
    /// The parameters with their places; `None` when they were left out.
    pub written: Option<Node>,
}

impl Import {
    /// Creates an import without a place, as a default or a script gives it.
    pub fn new(path: impl Into<String>, params: Params, key_path: impl Into<String>) -> Self {
        Import { path: path.into(), params, place: None, key_path: key_path.into(), written: None }
    }

    pub(super) fn take(node: &Node, path: &KeyPath) -> Self {
        let import = node.get("import");
        let params = node.get("params");
        Import {
            path: import.and_then(Node::text).unwrap_or_default().to_owned(),
            params: params.map(Node::to_map).unwrap_or_default(),
            place: import.and_then(|node| node.place.clone()),
            key_path: path.text().to_owned(),
            written: params.cloned(),
        }
    }

    /// Adds to errors about this component where they are: at the parameter, or the text in the parameters,
    /// that a message names in backticks, else at the import path; without places, the key of the block.
    ///
    /// An error that has a place already keeps it.
    #[must_use]
    pub fn locate(&self, error: Error) -> Error {
        let located = error.split().into_iter().map(|error| match self.spot(&error) {
            Some(place) => error.at(place),
            None => error.within(format!("`{}`", self.key_path)),
        });
        // Splitting an error gives at least itself.
        Error::join(located.collect()).unwrap_or_else(|| Error::recipe(self.key_path.clone()))
    }

    /// Returns the block as JSON, `params` included.
    pub fn to_json(&self) -> Value {
        json!({"import": self.path, "params": self.params})
    }

    fn spot(&self, error: &Error) -> Option<Place> {
        let message = error.message();
        let whole = self.written.as_ref();
        let layer = whole.and_then(|params| layer(params, error));
        let named = || message.split('`').skip(1).step_by(2);
        let key = ["no parameter", "given twice", "the loader gives"].iter().any(|about| message.contains(about));
        // The component's own name may stand first, and is where nothing better is found.
        let search = |imports: bool| {
            let scope = layer.or(whole)?;
            named().find_map(|name| find(scope, name, key, imports))
        };
        whole
            .and_then(|params| locate::parameter(params, error))
            .or_else(|| search(false))
            .or_else(|| search(true))
            .or_else(|| layer.and_then(|layer| layer.get("import")).and_then(Node::mark))
            .or_else(|| self.place.clone())
    }
}

/// Returns the import block of a list `layers` that an error is about: `layer 2 of 3`.
fn layer<'a>(params: &'a Node, error: &Error) -> Option<&'a Node> {
    let number = error.context().iter().find_map(|context| {
        let (number, _) = context.strip_prefix("layer ")?.split_once(" of ")?;
        number.parse::<usize>().ok()
    })?;
    params.get("layers")?.items().get(number.checked_sub(1)?)
}

/// Returns the place of a key of this name (its value, or the key itself), or of a text that is just this;
/// the nearest to the top. Names of other components count only where nothing else does.
fn find(node: &Node, name: &str, key: bool, imports: bool) -> Option<Place> {
    let mut level = vec![node];
    while !level.is_empty() {
        for node in &level {
            if let Some(entry) = node.entry(name) {
                return if key { entry.place.clone() } else { entry.node.mark() };
            }
            let listed = node.items().iter().find(|item| item.text() == Some(name));
            let given = node.entries().iter().filter(|entry| imports || entry.key != "import");
            let given = given.map(|entry| &entry.node).find(|value| value.text() == Some(name));
            if let Some(place) = listed.or(given).and_then(Node::mark) {
                return Some(place);
            }
        }
        level = level.into_iter().flat_map(Node::children).collect();
    }
    None
}

impl PartialEq for Import {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.params == other.params && self.key_path == other.key_path
    }
}

/// Returns the Barrage name for the path of a Keras or TensorFlow object, or `None` for any other path.
///
/// ```
/// use barrage::recipe::imports::keras_spelling;
/// let right = keras_spelling("tf.keras.losses.CategoricalCrossentropy");
/// assert_eq!(right.as_deref(), Some("CategoricalCrossentropy"));
/// assert_eq!(keras_spelling("loaders.iris"), None);
/// ```
pub fn keras_spelling(path: &str) -> Option<String> {
    let (package, rest) = path.split_once('.')?;
    let name = rest.rsplit('.').next().filter(|name| !name.is_empty())?;
    matches!(package, "tf" | "tensorflow" | "keras" | "tf_keras").then(|| name.to_owned())
}

/// Returns the error for a Keras or TensorFlow path, with the name to write instead; `None` for any other
/// path.
pub fn refuse_keras(import: &Import) -> Option<Error> {
    let name = keras_spelling(&import.path)?;
    let error = Error::recipe(format!("`{}`: `{}` is a Python path", import.key_path, import.path));
    let error = error.coded(codes::PYTHON_PATH).label("Python is not run here").hint(format!("write `{name}`"));
    Some(match &import.place {
        Some(place) => error.at(place.clone()),
        None => error,
    })
}

/// Returns the imports of a key that holds a list.
pub(super) fn list(fields: &Fields, key: &str) -> Vec<Import> {
    let (node, path) = fields.get(key);
    node.items().iter().enumerate().map(|(index, item)| Import::take(item, &path.item(index))).collect()
}

/// Returns the import of a key.
pub(super) fn one(fields: &Fields, key: &str) -> Import {
    let (node, path) = fields.get(key);
    Import::take(&node, &path)
}

pub(super) fn all_to_json(imports: &[Import]) -> Value {
    imports.iter().map(Import::to_json).collect()
}
