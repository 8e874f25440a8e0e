//! What holds for every training step, on the networks of the benchmark: it allocates nothing, and the number of threads
//! does not show.

#[path = "../benches/training/workloads.rs"]
mod workloads;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use barrage::trainer::{Progress, Quiet, Step, Trainer};

/// Counts the allocations of the thread that asks for it.
struct Counting;

thread_local! {
    static COUNT: Cell<Option<usize>> = const { Cell::new(None) };
}

fn count() {
    // A thread that is ending has no count any more.
    let _ = COUNT.try_with(|count| count.set(count.get().map(|count| count + 1)));
}

// SAFETY: everything is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts from the third step on to the last but one.
struct Steps {
    done: usize,
    of: usize,
    allocations: Option<usize>,
}

impl Progress for Steps {
    fn batch(&mut self, _: &Step) {
        self.done += 1;
        if self.done == 2 {
            COUNT.set(Some(0));
        }
        if self.done == self.of - 1 {
            self.allocations = COUNT.take();
        }
    }
}

#[test]
fn a_step_allocates_nothing() {
    for (workload, batch) in [("F", 16), ("A32", 32), ("B", 4), ("C8", 4), ("D", 8), ("E", 2)] {
        let mut parts = workloads::parts(workload, (batch, 8)).unwrap();
        parts.epochs = 1;
        let mut trainer = Trainer::new(parts).unwrap();
        // On one thread, so that all of a step is counted; threads are lent work without allocating.
        trainer.set_threads(1);
        let mut steps = Steps { done: 0, of: 8, allocations: None };
        trainer.train(&mut steps).unwrap();
        assert_eq!(steps.allocations, Some(0), "{workload}");
    }
}

#[test]
fn the_number_of_threads_does_not_show_after_100_steps() {
    // Small batches, so that a hundred steps are soon done; all layers are split over threads all the same.
    for (workload, batch) in [("B", 4), ("C8", 4), ("D", 8), ("E", 2)] {
        let [one, two] = [1, 2].map(|threads| {
            let mut parts = workloads::parts(workload, (batch, 20)).unwrap();
            parts.epochs = 5;
            let mut trainer = Trainer::new(parts).unwrap();
            trainer.set_threads(threads);
            trainer.train(&mut Quiet).unwrap();
            trainer.weights().unwrap()
        });
        for ((name, one), (_, two)) in one.iter().zip(&two) {
            assert!(one.as_f32().iter().all(|value| value.is_finite()), "{workload}: {name}");
            assert!(one.same(two), "{workload}: `{name}` depends on the number of threads");
        }
    }
}
