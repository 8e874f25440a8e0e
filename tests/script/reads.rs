//! Reading a component costs the same, however large the batch.

use std::time::Instant;

use super::Project;

/// Returns the least time of several rounds of 2,000 reads, of a batch of each size.
fn seconds(read: &str) -> [f64; 2] {
    let project = Project::new();
    let host = project.host().build().unwrap();
    let script = |size: usize| {
        format!(
            "let ids = range(0, {size}).to_array(); \
             let b = dataset({size}, #{{ preloaded: #{{ x: zeros([{size}, 16]), y: ids }} }}).batch(ids); \
             b.x; b[1].y; for round in 0..2000 {{ {read} }}"
        )
    };
    // What is needed besides the reads is taken off: making the batch grows with it.
    let time = |script: &str| {
        let begun = Instant::now();
        drop(host.eval(script).unwrap());
        begun.elapsed().as_secs_f64()
    };
    let mut least = [f64::INFINITY; 2];
    for _ in 0..7 {
        for (least, size) in least.iter_mut().zip([16, 1024]) {
            let whole = script(size);
            let without = time(&whole.replace("0..2000", "0..0"));
            *least = least.min((time(&whole) - without).max(1e-6));
        }
    }
    least
}

#[test]
fn two_thousand_reads_cost_the_same_at_16_and_at_1024_items() {
    for read in ["b.x;", "b.x[3];", "b[7].y;", "b.at(7).y;"] {
        let [small, large] = seconds(read);
        // In proportion to the batch it would be 64 times, and its square more.
        assert!(large < 8.0 * small, "`{read}`: {small:.4} s and {large:.4} s");
    }
}
