//! What holds for every training step, on the networks of the benchmark: it allocates nothing, the number of threads does
//! not show, and it needs little memory. What augmented batches are made of is used again (`steady/recycled.rs`).

#[path = "steady/recycled.rs"]
mod recycled;
#[path = "../benches/training/workloads.rs"]
mod workloads;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use barrage::metric::{self, MetricTarget};
use barrage::network::{Network, Symbol};
use barrage::random::{Random, Stream};
use barrage::tensor::{Array, Dtype};
use barrage::trainer::{ClassWeights, MetricSpec, Progress, Quiet, Step, Trainer};
use barrage::{loss, optimizer};
use serde_json::json;

/// Counts the allocations of the thread that asks for it.
struct Counting;

thread_local! {
    static COUNT: Cell<Option<usize>> = const { Cell::new(None) };
}

fn count(size: usize) {
    // A thread that is ending has no count any more.
    let _ = COUNT.try_with(|count| count.set(count.get().map(|count| count + 1)));
    if size == recycled::BYTES {
        recycled::FRESH.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
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

/// A small network with dropout and regularizers, on labels with sample weights.
struct Case {
    /// How labels are given: class indices as integers or floats, or one-hot.
    labels: &'static str,
    loss: &'static str,
    metrics: Vec<(&'static str, serde_json::Value)>,
    optimizer: (&'static str, serde_json::Value),
    weighted: bool,
    classes: bool,
}

impl Case {
    fn new(labels: &'static str, loss: &'static str) -> Self {
        let optimizer = ("Adam", json!({}));
        Case { labels, loss, metrics: Vec::new(), optimizer, weighted: true, classes: true }
    }

    fn allocations(&self) -> Option<usize> {
        const BATCH: usize = 8;
        const BATCHES: usize = 10;
        const CLASSES: usize = 3;
        let count = BATCH * BATCHES;
        let map = |value: &serde_json::Value| value.as_object().cloned().unwrap_or_default();
        let x = Symbol::input("x", &[Some(4)], Dtype::F32).unwrap();
        let dense = json!({ "units": 16, "activation": "relu", "kernel_regularizer": { "import": "L1L2", "params": { "l1": 0.01, "l2": 0.01 } },
            "bias_regularizer": "l2", "activity_regularizer": "l2", "kernel_constraint": { "import": "MaxNorm" } });
        let hidden = workloads::layer("Dense", dense, &[&x]).unwrap();
        let dropped = workloads::layer("Dropout", json!({ "rate": 0.3 }), &[&hidden]).unwrap();
        let y = json!({ "units": CLASSES, "activation": "softmax", "name": "y" });
        let y = workloads::layer("Dense", y, &[&dropped]).unwrap();
        let network = Arc::new(Network::new(&[x], &[y]).unwrap());
        let mut parts = workloads::parts("F", (BATCH, BATCHES)).unwrap();
        let mut random = Random::new(3, Stream::Script, &[]);
        let mut numbers = |count: usize| (0..count).map(|_| random.uniform() as f32).collect::<Vec<_>>();
        let inputs = Array::from_f32(numbers(count * 4), &[count, 4]).unwrap();
        let class = |at: usize| at * 7 % CLASSES;
        let labels = match self.labels {
            "classes" => Array::from_i64((0..count).map(|at| class(at) as i64).collect(), &[count]),
            "floats" => Array::from_f32((0..count).map(|at| class(at) as f32).collect(), &[count]),
            _ => {
                let mark = |at: usize| f32::from(u8::from(class(at / CLASSES) == at % CLASSES));
                Array::from_f32((0..count * CLASSES).map(mark).collect(), &[count, CLASSES])
            }
        };
        let weights = self.weighted.then(|| ("y".into(), Array::from_f32(numbers(count), &[count]).unwrap()));
        let tables = workloads::Tables { x: ("x".into(), inputs), y: ("y".into(), labels.unwrap()), w: weights };
        parts.train = workloads::dataset(tables, BATCH).unwrap();
        parts.weights = network.initialise(1).unwrap();
        parts.network = network;
        parts.epochs = 1;
        parts.optimizer = optimizer::make(self.optimizer.0, &map(&self.optimizer.1)).unwrap();
        let output = &mut parts.outputs[0];
        output.name = "y".into();
        output.loss = loss::make(self.loss, &Default::default()).unwrap();
        if self.classes {
            output.class_weights = ClassWeights::new(vec![(0, 0.5), (2, 3.0)]);
        }
        for (at, (metric, params)) in self.metrics.iter().enumerate() {
            for weighted in [false, true] {
                let (metric, mut params) = (*metric, map(params));
                params.insert("name".to_owned(), json!(format!("{metric}_{at}_{weighted}")));
                let make = move |target: &MetricTarget<'_>| metric::make(metric, &params, target);
                output.metrics.push(MetricSpec { make: Box::new(make), weighted });
            }
        }
        let mut trainer = Trainer::new(parts).unwrap();
        trainer.set_threads(1);
        let mut steps = Steps { done: 0, of: BATCHES, allocations: None };
        trainer.train(&mut steps).unwrap();
        steps.allocations
    }
}

#[test]
fn no_metric_allocates() {
    let one_hot = [
        ("CategoricalAccuracy", json!({})),
        ("BinaryAccuracy", json!({})),
        ("TopKCategoricalAccuracy", json!({ "k": 2 })),
        ("AUC", json!({})),
        ("AUC", json!({ "curve": "PR" })),
        ("AUC", json!({ "curve": "PRGAIN" })),
        ("AUC", json!({ "multi_label": true, "num_labels": 3, "from_logits": true })),
        ("Precision", json!({})),
        ("Recall", json!({ "top_k": 1 })),
        ("Recall", json!({ "class_id": 1, "thresholds": [0.2, 0.4] })),
        ("TruePositives", json!({})),
        ("FalseNegatives", json!({})),
        ("SensitivityAtSpecificity", json!({ "specificity": 0.5 })),
        ("PrecisionAtRecall", json!({ "recall": 0.5 })),
        ("F1Score", json!({})),
        ("F1Score", json!({ "average": "micro", "threshold": 0.4 })),
        ("FBetaScore", json!({ "average": "weighted" })),
        ("MeanAbsoluteError", json!({})),
        ("MeanSquaredError", json!({})),
        ("RootMeanSquaredError", json!({})),
        ("MeanAbsolutePercentageError", json!({})),
        ("MeanSquaredLogarithmicError", json!({})),
        ("CosineSimilarity", json!({})),
        ("LogCoshError", json!({})),
        ("Huber", json!({})),
        ("Poisson", json!({})),
        ("KLDivergence", json!({})),
        ("Hinge", json!({})),
        ("SquaredHinge", json!({})),
        ("CategoricalHinge", json!({})),
        ("CategoricalCrossentropy", json!({ "label_smoothing": 0.1 })),
        ("BinaryCrossentropy", json!({})),
        ("R2Score", json!({ "class_aggregation": "variance_weighted_average" })),
        ("PearsonCorrelation", json!({})),
        ("ConcordanceCorrelation", json!({})),
        ("OneHotMeanIoU", json!({ "num_classes": 3 })),
        ("Mean", json!({})),
        ("Sum", json!({})),
    ];
    let sparse = [
        ("SparseCategoricalAccuracy", json!({})),
        ("SparseTopKCategoricalAccuracy", json!({ "k": 2 })),
        ("SparseCategoricalCrossentropy", json!({})),
        ("MeanIoU", json!({ "num_classes": 3, "sparse_y_pred": false })),
        ("IoU", json!({ "num_classes": 3, "target_class_ids": [0, 2], "sparse_y_pred": false })),
    ];
    let sparse_loss = "sparse_categorical_crossentropy";
    let cases = one_hot.iter().map(|metric| ("one_hot", "categorical_crossentropy", metric));
    let both = ["classes", "floats"].into_iter();
    let cases = cases.chain(both.flat_map(|labels| sparse.iter().map(move |metric| (labels, sparse_loss, metric))));
    let mut found = Vec::new();
    for (labels, loss, metric) in cases {
        let case = Case { metrics: vec![metric.clone()], ..Case::new(labels, loss) };
        if let count @ (None | Some(1..)) = case.allocations() {
            found.push(format!("{} {} of {labels}: {count:?}", metric.0, metric.1));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_loss_weight_or_optimizer_allocates() {
    let mut found = Vec::new();
    let mut try_case = |what: &str, case: Case| {
        if let count @ (None | Some(1..)) = case.allocations() {
            found.push(format!("{what}: {count:?}"));
        }
    };
    for loss in [
        "categorical_crossentropy",
        "binary_crossentropy",
        "mse",
        "mae",
        "mape",
        "msle",
        "huber",
        "log_cosh",
        "poisson",
        "kl_divergence",
        "hinge",
        "squared_hinge",
        "categorical_hinge",
        "cosine_similarity",
    ] {
        try_case(loss, Case::new("one_hot", loss));
    }
    let sparse = || Case::new("classes", "sparse_categorical_crossentropy");
    for (weighted, classes) in [(false, false), (false, true), (true, false)] {
        try_case(&format!("weights {weighted} {classes}"), Case { weighted, classes, ..sparse() });
    }
    for entry in optimizer::LIST {
        let params =
            json!({ "clipnorm": 1.0, "use_ema": true, "weight_decay": 0.01, "gradient_accumulation_steps": 2 });
        let with = |params: serde_json::Value| Case { optimizer: (entry.name, params), ..sparse() };
        try_case(entry.name, with(json!({})));
        try_case(&format!("{} with all", entry.name), with(params));
        try_case(&format!("{} global_clipnorm", entry.name), with(json!({ "global_clipnorm": 1.0 })));
        try_case(
            &format!("{} clipvalue", entry.name),
            with(json!({ "clipvalue": 0.1, "ema_overwrite_frequency": 2 , "use_ema": true})),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
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
