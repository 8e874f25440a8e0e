//! What things are called elsewhere: names that users of Python, NumPy, PyTorch, Keras and BatchFlow write, and what to write here.

/// A name elsewhere, and what is written here. No function of this program has such a name.
const NAMES: &[(&str, &str)] = &[
    // Python.
    ("enumerate", "positions come with a loop: `for (value, at) in list { … }`"),
    ("isinstance", "`type_of(x) == \"array\"` asks for the kind of a value"),
    ("float", "`x.to_float()` of a number, `parse_float(text)` of a text"),
    ("lower", "it is `text.to_lower()`"),
    ("upper", "it is `text.to_upper()`"),
    ("strip", "it is `text.trim()`"),
    ("startswith", "it is `text.starts_with(…)`"),
    ("endswith", "it is `text.ends_with(…)`"),
    ("sorted", "it is `list.sort()`"),
    ("read_csv", "it is `records(\"table.csv\")`"),
    // NumPy and PyTorch.
    ("asarray", "it is `tensor([…])`"),
    ("arange", "it is `range(…)`"),
    ("astype", "it is `x.to_f32()`, and so with `f64`, `i64` and `u8`"),
    ("ndim", "it is `x.rank`"),
    ("numel", "it is `x.size`"),
    ("tolist", "it is `x.to_array()`"),
    ("numpy", "it is `x.to_array()`"),
    ("view", "it is `x.reshape([…])`"),
    ("ravel", "it is `x.flatten()`"),
    ("unsqueeze", "it is `x.reshape([…])`, with an axis of length 1"),
    ("expand_dims", "it is `x.reshape([…])`, with an axis of length 1"),
    ("swapaxes", "it is `x.transpose(…)`"),
    ("mm", "it is `a.matmul(b)`"),
    ("cat", "it is `concat([…])`"),
    ("vstack", "it is `stack([…])`, or `concat([…])` along an axis that is there"),
    ("hstack", "it is `concat([…], axis)`"),
    ("clamp", "it is `x.clip(low, high)`"),
    ("var", "it is `x.variance()`"),
    ("rot90", "it is `x.rotate90()`"),
    ("to_categorical", "it is `one_hot(…)`"),
    ("imread", "it is `image(file)`"),
    ("imresize", "it is `x.resize(…)`"),
    // Keras.
    ("Sequential", "layers are functions of their input: `model(x, x.dense(10))`"),
    ("Model", "it is `model(inputs, outputs)`"),
    ("add_metric", "metrics stand in the recipe: `metrics: [\"accuracy\"]`"),
    // BatchFlow.
    ("get_pos", "it is `index.position(id)`"),
    ("create_subset", "it is `index.subset(ids)`"),
    ("index_len", "it is `index.len`"),
];

/// Returns what to write here, for a name from elsewhere.
pub(super) fn hint(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(other, _)| *other == name).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Host;

    #[test]
    fn names_are_unknown_here_and_what_is_told_is_known() {
        let host = Host::builder(".").build().unwrap();
        let known = host.known_functions();
        let properties = crate::script::manual::function_names(&host);
        let mut wrong = Vec::new();
        for (name, hint) in NAMES {
            if known.contains_key(*name) {
                wrong.push(format!("`{name}` is known here"));
            }
            for code in hint.split('`').skip(1).step_by(2) {
                for call in code.split('(').rev().skip(1) {
                    let called = call.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(call);
                    let plain = called.is_empty() || ["in", "for", "type_of"].contains(&called);
                    if !plain && !known.contains_key(called) {
                        wrong.push(format!("`{called}`, told for `{name}`, is unknown"));
                    }
                }
                if let Some((_, property)) = code.split_once('.').filter(|(_, rest)| !rest.contains(['(', '"'])) {
                    assert!(
                        properties.iter().any(|own| own == property),
                        "`{property}`, told for `{name}`, is unknown"
                    );
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(hint("get_pos"), Some("it is `index.position(id)`"));
        assert_eq!(hint("position"), None);
        let error = host.eval("index(3).get_pos(1)").unwrap_err();
        assert_eq!(error.hints(), ["it is `index.position(id)`"], "{error}");
    }
}
