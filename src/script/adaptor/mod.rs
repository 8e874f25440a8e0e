//! Scripted components behind the traits of their stations: the loop over records is here, and the
//! rest of the program does not know that a script runs.

mod augmentor;
mod lambda;
mod loader;
mod loss;
mod metric;
mod network;
mod schedule;
mod service;
mod transformer;

pub use augmentor::ScriptAugmentor;
pub use lambda::ScriptFunction;
pub use loader::ScriptLoader;
pub use loss::ScriptLoss;
pub use metric::ScriptMetric;
pub use network::build as build_network;
pub use schedule::ScriptSchedule;
pub use service::ScriptService;
pub use transformer::ScriptTransformer;
