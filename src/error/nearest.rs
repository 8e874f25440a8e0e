//! "Did you mean": the nearest of a list of names.

/// Returns the candidate nearest to `found`, if one is near enough to be what was meant: at most a
/// third of the letters differ, or only the case does.
///
/// ```
/// assert_eq!(barrage::error::nearest("epoch", ["epochs", "steps"]), Some("epochs"));
/// assert_eq!(barrage::error::nearest("banana", ["epochs", "steps"]), None);
/// ```
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = found.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| *candidate != found)
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            let longer = candidate.chars().count().max(found.chars().count());
            // Any letter is as near to any other as can be, which says nothing.
            *distance <= (longer / 3).max(1) && *distance < longer
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns the hint "did you mean `x`?" when a candidate is near.
pub fn did_you_mean<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(found, candidates).map(|name| format!("did you mean `{name}`?"))
}

/// Returns the names in backticks, separated by commas: `` `a`, `b` ``.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
