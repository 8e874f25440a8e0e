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
        let parameter = self.written.as_ref().and_then(|params| locate::parameter(params, error));
        parameter.or_else(|| self.place.clone())
    }
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
