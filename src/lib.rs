//! Barrage: an embedded scripting host for supervised deep learning.
//!
//! A recipe names the components of a training run (loader, transformer, augmentors, network,
//! losses, metrics, optimizer, services); components are Rhai scripts or built in; the hot paths are
//! native. The command line (`barrage run recipe.rhai`) is one user of this library; any other program can
//! be one too.
//!
//! # In a program of your own
//!
//! A [`Host`] is made for a project folder: what scripts read and write lies below it. Before
//! it is built it takes native components ([`Builder::loader`](script::Builder::loader),
//! [`transformer`](script::Builder::transformer), [`augmentor`](script::Builder::augmentor)), scripts as
//! text ([`script`](script::Builder::script)), functions for scripts
//! ([`extend`](script::Builder::extend)), and says where printed text and progress go. The
//! [`prelude`] has all names that this needs.
//!
//! ```
//! use barrage::prelude::*;
//!
//! /// A native loader: polar coordinates become a point; the label is read only where there are labels.
//! struct Polar {
//!     unit: f64,
//! }
//!
//! impl Loader for Polar {
//!     fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords> {
//!         let load = |record: &Record| {
//!             let (angle, radius) = (record.number("angle")?, record.number("radius")? * self.unit);
//!             let point = [radius * angle.cos(), radius * angle.sin()].map(|x| x as f32);
//!             let x = vec![("point".into(), Array::from_f32(point.into(), &[2])?.into())];
//!             let y = match mode {
//!                 Mode::Score => None,
//!                 Mode::Train | Mode::Validation => Some(vec![("upper".into(), record.field("upper")?)]),
//!             };
//!             Ok(DataRecord { x, y, w: None })
//!         };
//!         records.iter().map(load).collect()
//!     }
//! }
//!
//! /// A native function for scripts: records that this program has from elsewhere.
//! fn measured(count: i64) -> Result<Records, Box<EvalAltResult>> {
//!     let row = |i: i64| {
//!         let angle = i as f64 * 0.37 % 6.28;
//!         let radius = 1.0 + (i % 3) as f64;
//!         let fields = [("angle", angle.into()), ("radius", radius.into()), ("upper", i64::from(angle < 3.14).into())];
//!         fields.map(|(name, value)| (name.into(), value)).into()
//!     };
//!     Ok(Records::from_rows((0..count).map(row).collect(), "measured")?)
//! }
//!
//! fn main() -> Result<()> {
//!     # let folder = tempfile::tempdir().map_err(|error| Error::run(error.to_string()))?;
//!     # let project = folder.path();
//!     let host = Host::builder(project)
//!         .loader("Polar", |params| {
//!             let unit = params.get("unit").map_or(Some(1.0), |unit| unit.as_f64());
//!             Ok(Polar { unit: unit.ok_or_else(|| Error::recipe("`unit` must be a number"))? })
//!         })
//!         .script(
//!             "networks.small",
//!             r#"
//!                 fn build(params) {
//!                     let x = input("point", [2]);
//!                     network(x, x.dense(params.units, #{ activation: "tanh" })
//!                         .dense(2, #{ activation: "softmax", name: "upper" }))
//!                 }
//!             "#,
//!         )
//!         .extend(|engine| {
//!             engine.register_fn("measured", measured);
//!         })
//!         .print(|text| eprintln!("{text}"))
//!         .build()?;
//!
//!     let recipe = r#"
//!         let config = #{
//!             dataset: #{ loader: component("Polar", #{ unit: 0.5 }), seed: 7 },
//!             model: #{
//!                 network: component("networks.small", #{ units: 8 }),
//!                 outputs: [#{ name: "upper", loss: component("sparse_categorical_crossentropy") }],
//!             },
//!             solver: #{ epochs: 1, batch_size: 20, optimizer: #{ "import": "Adam", learning_rate: 0.01 } },
//!         };
//!         let parts = measured(100).split(0.8);
//!         let trainer = trainer("artifacts");
//!         trainer.train(config, parts[0], parts[1]);
//!         trainer.evaluate(parts[1]).loss
//!     "#;
//!     // An error draws itself with the line of the script it is about.
//!     let loss = host.eval(recipe).inspect_err(|error| eprintln!("{}", draw(error, false)))?;
//!     assert!(loss.as_float().is_ok_and(|loss| loss > 0.0));
//!     assert!(project.join("artifacts/best_checkpoint").is_dir());
//!     Ok(())
//! }
//! ```
//!
//! Three things that the command line does for itself and a program of your own has to do:
//!
//! * Set the environment variable `RAYON_NUM_THREADS` (to the number of cores, or less) before the program
//!   starts, or as the first thing it does, while there is no other thread. Candle asks for it at every
//!   matrix product; without the variable it counts the machine's cores anew each time, which takes longer
//!   than a small product itself.
//! * Choose an allocator that keeps freed buffers, such as `mimalloc`: the default one of most systems gives
//!   them back at every training step.
//! * To end a run early, give the host a flag ([`Builder::stop`](script::Builder::stop)) and set it, from a
//!   signal handler or another thread: scripts end at once, training after the current step.
//!
//! A host is cheap to clone and may be used from several threads.
//!
//! # Cargo features
//!
//! | feature | what it adds |
//! |---|---|
//! | `parquet` | [`Records::read`](record::Records::read) and [`write`](record::Records::write) know `.parquet` and `.arrow`; about 20 crates |
//! | `datasets` | [`Published`](record::published::Published): MNIST and CIFAR-10 from the files their publishers ship; about 200 crates |
//! | `full` | all of these |
//! | `cuda`, `cudnn` | networks on NVIDIA GPUs, in a program of its own: needs CUDA to build and to run; not in `full` |
//!
//! None is on by default, none needs more than a C compiler, and without one the program says what is missing.
//!
//! # The rooms
//!
//! The modules below stand in reading order, and each uses only those above it; the table of
//! who may use whom is in `docs/ARCHITECTURE.md`, and a test holds it.

pub mod clock;
pub mod error;
pub mod machine;
pub mod random;
pub mod registry;

pub mod tensor;

pub mod augmentor;
pub mod batch;
pub mod dataset;
pub mod loader;
pub mod media;
pub mod record;
pub mod transformer;

pub mod kernel;
pub mod loss;
pub mod metric;
pub mod network;
pub mod optimizer;
pub mod schedule;

pub mod artifact;
pub mod pipeline;
pub mod predictor;
pub mod service;
pub mod trainer;

pub mod search;

pub mod assemble;
pub mod cli;
pub mod recipe;
pub mod script;

pub mod prelude;

pub use error::{Error, Result};
/// The script engine, in the version that [`Builder::extend`](script::Builder::extend) hands out.
pub use rhai;
pub use script::Host;
