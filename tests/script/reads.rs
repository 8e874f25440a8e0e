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
    let (mut whole, mut without) = ([f64::INFINITY; 2], [f64::INFINITY; 2]);
    for _ in 0..7 {
        for (at, size) in [16, LARGE].into_iter().enumerate() {
            let script = script(size);
            whole[at] = whole[at].min(time(&script));
            without[at] = without[at].min(time(&script.replace("0..2000", "0..0")));
        }
    }
    [0, 1].map(|at| (whole[at] - without[at]).max(0.0))
}

/// Items of the larger batch: a copy of it takes a megabyte.
const LARGE: usize = 16_384;

#[test]
fn two_thousand_reads_cost_the_same_in_a_small_and_in_a_large_batch() {
    for read in ["b.x;", "b.x[3];", "b[7].y;", "b.at(7).y;"] {
        let [small, large] = seconds(read);
        // In proportion to the batch it would be a thousand times, 0.2 seconds at least; a few milliseconds are noise.
        assert!(large < 8.0 * small + 0.02, "`{read}`: {small:.4} s and {large:.4} s");
    }
}
