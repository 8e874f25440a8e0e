//! Scripted components behind the traits of their stations: the loop over records is here, and the
//! rest of the program does not know that a script runs.

mod augmentor;
mod batch_augmentor;
mod batch_source;
mod data_loaders;
mod lambda;
mod loader;
mod loss;
mod metric;
mod network;
mod schedule;
mod service;
mod transformer;

pub use augmentor::ScriptAugmentor;
pub use batch_augmentor::ScriptBatchAugmentor;
pub use batch_source::{ScriptBatchSource, to_columns};
pub use data_loaders::{MAKE, data_loaders, makes_data_loaders};
pub use lambda::ScriptFunction;
pub use loader::ScriptLoader;
pub use loss::ScriptLoss;
pub use metric::ScriptMetric;
pub use network::build as build_network;
pub use schedule::ScriptSchedule;
pub use service::ScriptService;
pub use transformer::ScriptTransformer;
