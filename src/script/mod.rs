//! The only room that knows Rhai: a host that compiles and runs scripts, and the adaptors that make
//! scripted components look like native ones.
//!
//! [`Host`] holds the project's folders and the engine; [`resolver`] finds scripts and keeps them inside
//! the project; [`component`] turns an import path into something that can be called; the files in
//! `adaptor/` put such a component behind the trait of its station; `api/` has one file for each type
//! and family of functions that scripts see, and [`manual`] prints what those files say.
//! [`vectorise`] runs the functions of loaders, transformers and augmentors on whole chunks where that is the same.

pub mod adaptor;
pub mod api;
pub mod bar;
pub mod batches;
pub mod callable;
pub mod cast;
pub mod clues;
pub mod compiled;
pub mod component;
pub mod declaration;
mod elsewhere;
pub mod engine;
pub mod golden;
pub mod host;
pub mod imports;
pub mod limits;
pub mod lint;
pub mod literal;
pub mod manual;
pub mod memo;
pub mod repl;
pub mod resolver;
pub mod search;
pub mod source;
pub mod state;
pub mod stdlib;
pub mod syntax;
pub mod testing;
pub mod traceback;
pub mod vectorise;
mod writes;

pub use component::Component;
pub use host::{Builder, Host, Wanted};
pub use limits::Limits;
/// What an embedding program meets of Rhai.
pub use rhai::{Dynamic, Engine, EvalAltResult, Map, Scope};
