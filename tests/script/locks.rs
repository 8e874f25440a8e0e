//! Steps of pipelines that share a lock, from threads that make batches ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Project;

/// Runs 24 batches through a step that stays inside for a while; returns the most that were inside at a time.
fn most_inside(options: &str, run: &str) -> usize {
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let project = Project::new();
    let host = project.host().extend(move |engine| {
        let (inside, most) = (inside.clone(), most.clone());
        engine.register_fn("work", move || {
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(3));
            inside.fetch_sub(1, Ordering::SeqCst);
        });
    });
    let script = format!(
        "let p = dataset(24).pipeline().exec(|b| {{ work(); if b.iteration % 5 == 0 {{ throw \"no\"; }} }}, #{{ {options} }})\
         .update(V(\"n\", \"a\"), |b| b.iteration); p.run(1, #{{ {run}, on_error: \"skip\" }}).v(\"n\").len()"
    );
    let count = host.build().unwrap().eval(&script).unwrap().as_int();
    // Those that fail are left out, and do not keep the lock.
    assert_eq!(count, Ok(20));
    seen.load(Ordering::SeqCst)
}

#[test]
fn steps_with_one_lock_never_run_at_the_same_time() {
    assert_eq!(most_inside("lock: \"one\"", "prefetch: 4"), 1);
    assert!(most_inside("", "prefetch: 4") > 1, "without a lock batches run beside each other");
    assert_eq!(most_inside("", "prefetch: 0"), 1);
}
