//! What kind of CPU this is: the same bits are promised on the same kind only.

/// Returns the architecture and the vector extensions that change how sums are rounded: `x86_64 avx2 fma`.
pub fn features() -> String {
    let mut names = vec![std::env::consts::ARCH];
    names.extend(vector_extensions());
    names.join(" ")
}

/// Returns a warning for the person when a checkpoint was written on another kind of CPU.
pub fn warning(recorded: &str) -> Option<String> {
    let here = features();
    (recorded != here).then(|| {
        format!("the checkpoint was written on another kind of cpu (`{recorded}`, here `{here}`): results may differ in the last bits")
    })
}

#[cfg(target_arch = "x86_64")]
fn vector_extensions() -> Vec<&'static str> {
    let found = [
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    found.into_iter().filter(|(_, found)| *found).map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn vector_extensions() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_cpu_is_warned_about() {
        assert!(features().starts_with(std::env::consts::ARCH));
        assert_eq!(warning(&features()), None);
        assert!(warning("abacus").unwrap().contains("`abacus`"));
    }
}
