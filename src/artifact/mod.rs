//! The artifact folder: every file name in it, atomic writes, checkpoints.
//!
//! Files are replaced, never edited: a temporary file in the same folder, write, fsync, rename, fsync the
//! folder. Logs (the report, events, TensorBoard) only grow, and a resumed run cuts them back to its
//! checkpoint.

pub mod layout;

mod file;
mod folder;
mod lock;

pub mod weights;

pub mod checkpoint;
pub mod cpu;
pub mod exact;

mod writer;

pub use checkpoint::{Best, Checkpoint, State};
pub use file::{
    failed, make_folder, names, open_special, read, read_json, read_text, remove_file, shorten, write_atomic,
};
pub use folder::{Folder, NewFolder, Prepared};
pub use lock::{Lock, lock};
pub use writer::{Purpose, Saved, Writer};
