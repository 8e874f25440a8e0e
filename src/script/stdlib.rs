//! The standard library: the scripts of the folder `stdlib/`, embedded in the binary and imported as
//! `std.…`. A new script is one file there and one line here.

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../stdlib/", $name, ".rhai")))),*]
    };
}

const SCRIPTS: &[(&str, &str)] = embedded![
    "loaders/image_file",
    "loaders/text_file",
    "loaders/windows",
    "transformers/standardise",
    "transformers/min_max",
    "transformers/labels",
    "transformers/vocabulary",
    "transformers/impute",
    "augmentors/noise",
    "augmentors/pictures",
    "augmentors/series",
    "augmentors/mix",
    "services/trial",
];

/// Returns the text of a script by its path without ending: `transformers/standardise`.
pub fn text(name: &str) -> Option<&'static str> {
    SCRIPTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Returns the names of all scripts.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCRIPTS.iter().map(|(name, _)| *name)
}
