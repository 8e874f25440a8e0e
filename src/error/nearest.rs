//! "Did you mean": the nearest of a list of names.

use std::path::Path;

/// Returns the candidate nearest to `found`, if one is near enough to be what was meant: it differs in a
/// letter or two, or its words begin with those of `found`, or at most a third of the letters differ. Of those
/// equally near, one that has all the letters of `found` in order (some were left out) comes first, then one with
/// the same first letter. Case does not count.
///
/// ```
/// use barrage::error::nearest;
/// assert_eq!(nearest("epoch", ["epochs", "steps"]), Some("epochs"));
/// assert_eq!(nearest("val_acc", ["val_loss", "val_accuracy"]), Some("val_accuracy"));
/// assert_eq!(nearest("men", ["len", "mean"]), Some("mean"));
/// assert_eq!(nearest("banana", ["epochs", "steps"]), None);
/// ```
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = found.to_lowercase();
    let letters = found.chars().count();
    let rank = |candidate: &'a str| {
        let other = candidate.to_lowercase();
        let distance = strsim::damerau_levenshtein(&folded, &other);
        let limit = (other.chars().count().max(letters) / 3).max(1);
        let rank = match () {
            // A letter is not almost another letter.
            () if letters < 3 && distance >= letters => return None,
            () if distance <= limit.min(2) => 0,
            () if letters >= 3 && shortens(&folded, &other) => 1,
            () if distance <= limit => 2,
            () => return None,
        };
        let alike = (!within(&folded, &other), folded.chars().next() != other.chars().next());
        Some(((rank, distance, alike), candidate))
    };
    let ranked = candidates.into_iter().filter(|candidate| *candidate != found).filter_map(rank);
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, candidate)| candidate)
}

/// Whether each word of a name begins a word of the other, in the same order: `mean_abs_error` and
/// `mean_absolute_error`, `sparse_crossentropy` and `sparse_categorical_crossentropy`.
fn shortens(short: &str, long: &str) -> bool {
    let mut words = long.split('_');
    short.split('_').all(|start| !start.is_empty() && words.any(|word| word.starts_with(start)))
}

/// Whether the letters of a name stand in the other in the same order: `men` in `mean`.
fn within(short: &str, long: &str) -> bool {
    let mut letters = long.chars();
    short.chars().all(|letter| letters.any(|other| other == letter))
}

/// Returns the hint "did you mean `x`?" when a candidate is near.
pub fn did_you_mean<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(found, candidates).map(|name| format!("did you mean `{name}`?"))
}

/// Returns the hint for a path that does not exist: the nearest name in the first folder that does.
pub fn near_file(path: &Path) -> Option<String> {
    let here = |folder: &Path| match folder.as_os_str().is_empty() {
        true => Path::new(".").to_owned(),
        false => folder.to_owned(),
    };
    let missing = path.ancestors().find(|part| part.parent().is_some_and(|folder| here(folder).is_dir()))?;
    let entries = std::fs::read_dir(here(missing.parent()?)).ok()?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    did_you_mean(&missing.file_name()?.to_string_lossy(), names.iter().map(String::as_str))
}

/// Returns a number of things: `1 record`, `2 records`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Returns names in backticks, of many the first ones: `` `a`, `b` and 30 more``.
pub fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let more = names.len().saturating_sub(SHOWN);
    match names.len() {
        0 => "none".to_owned(),
        _ if more > 1 => format!("{} and {more} more", list(names.take(SHOWN))),
        _ => list(names),
    }
}

/// Returns the names in backticks, separated by commas: `` `a`, `b` ``.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
