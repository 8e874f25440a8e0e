//! What holds for every training step, on the networks of the benchmark: it allocates nothing, the number of threads does
//! not show, and it needs little memory.

#[path = "../benches/training/workloads.rs"]
mod workloads;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use barrage::metric::{self, MetricTarget, Plain};
use barrage::tensor::{Array, Tensor};
use barrage::trainer::{MetricSpec, Progress, Quiet, Step, Trainer};

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
    let accuracy = Some("sparse_categorical_accuracy");
    for (workload, batch, metric) in [
        ("F", 16, accuracy),
        ("A32", 32, accuracy),
        ("B", 4, accuracy),
        ("C8", 4, None),
        ("D", 8, Some("binary_accuracy")),
        ("E", 2, accuracy),
    ] {
        let mut parts = workloads::parts(workload, (batch, 8)).unwrap();
        parts.epochs = 1;
        parts.outputs[0].metrics.extend(metric.map(|metric| MetricSpec {
            make: Box::new(move |target| metric::make(metric, &Default::default(), target)),
            weighted: false,
        }));
        let mut trainer = Trainer::new(parts).unwrap();
        // On one thread, so that all of a step is counted; threads are lent work without allocating.
        trainer.set_threads(1);
        let mut steps = Steps { done: 0, of: 8, allocations: None };
        trainer.train(&mut steps).unwrap();
        assert_eq!(steps.allocations, Some(0), "{workload}");
    }
}

/// What a metric counts without allocating is what it counts of tensors.
#[test]
fn plain_batches_give_the_same_accuracies() {
    let scores: Vec<f32> = (0..12).map(|at| ((at * 7) % 11) as f32 / 10.0).collect();
    let classes =
        |shape: &[usize]| Array::from_i64((0..shape.iter().product::<usize>() as i64).collect(), shape).unwrap();
    let marks = |shape: &[usize]| {
        let values = (0..shape.iter().product::<usize>()).map(|at| f32::from(u8::from(at % 3 == 1))).collect();
        Array::from_f32(values, shape).unwrap()
    };
    let (sparse, one_hot, binary) = ("SparseCategoricalAccuracy", "CategoricalAccuracy", "BinaryAccuracy");
    // The metric, labels, the shape of the predictions, and whether these fit plainly.
    for (name, labels, shape, plain) in [
        (sparse, classes(&[4]), &[4, 3][..], true),
        (sparse, classes(&[4, 1]), &[4, 3], true),
        (sparse, classes(&[2, 2]), &[2, 2, 3], true),
        (sparse, marks(&[4]), &[4, 3], true),
        (sparse, Array::from_f32(vec![-1.0, 0.5, 7.0, f32::NAN], &[4]).unwrap(), &[4, 3], true),
        (sparse, classes(&[4]), &[4, 1, 3], false),
        (sparse, classes(&[3]), &[4, 3], false),
        (one_hot, marks(&[4, 3]), &[4, 3], true),
        (one_hot, marks(&[2, 2, 3]), &[2, 2, 3], true),
        (one_hot, marks(&[4, 3]), &[4, 3, 1], false),
        (one_hot, classes(&[4, 3]), &[4, 3], false),
        (binary, marks(&[12]), &[12, 1], true),
        (binary, marks(&[12, 1]), &[12], true),
        (binary, marks(&[4, 3]), &[4, 3], true),
        (binary, classes(&[12]), &[12, 1], true),
        (binary, marks(&[3]), &[12, 1], false),
    ] {
        let target = MetricTarget { labels: labels.shape(), output: shape };
        let [mut own, mut of_tensors] = [0; 2].map(|_| metric::make(name, &Default::default(), &target).unwrap());
        let batch = Plain { labels: &labels, predictions: &scores, rows: shape[0], shape: &shape[1..] };
        let case = format!("{name} of {:?} and {shape:?}", labels.shape());
        assert_eq!(own.update_plain(&batch), plain, "{case}");
        let predictions = Tensor::Host(Array::from_f32(scores.clone(), shape).unwrap());
        let labels = Tensor::Host(labels);
        if plain {
            of_tensors.update(&labels, &predictions, None).unwrap();
            assert_eq!(own.result().unwrap().to_bits(), of_tensors.result().unwrap().to_bits(), "{case}");
        }
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

/// What the two workloads with convolutions may take at most, in MB: measured, and a third more. PyTorch takes 800.
const PEAKS: [(&str, u64); 2] = [("B", 170), ("C8", 220)];

#[test]
#[cfg(target_os = "linux")]
fn convolutions_need_little_memory() {
    // Each in a process of its own: this one's peak is that of all tests.
    for (workload, most) in PEAKS {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "steady::one_workload_tells_its_peak", "--nocapture"]).env("WORKLOAD", workload);
        let output = child.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let peak = text.split_once("peak ").and_then(|(_, rest)| rest.split_whitespace().next());
        let megabytes: u64 = peak.unwrap_or_else(|| panic!("no peak in {text}")).parse().unwrap();
        assert!(megabytes > 20 && megabytes <= most, "{workload} takes {megabytes} MB, expected at most {most}");
    }
}

/// Does nothing but for the test above: trains at the full batch size.
#[test]
#[cfg(target_os = "linux")]
fn one_workload_tells_its_peak() {
    let Ok(workload) = std::env::var("WORKLOAD") else { return };
    let mut parts = workloads::parts(&workload, (64, 3)).unwrap();
    parts.epochs = 1;
    Trainer::new(parts).unwrap().train(&mut Quiet).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    println!("peak {} MB", kilobytes / 1024);
}
