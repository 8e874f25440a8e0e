//! What the machine has.

pub mod pages;
pub mod room;

use std::sync::OnceLock;

/// Returns how many threads may run at once: the cores of the machine, or those that the process is given. Asked of
/// the system once, since it reads files to know; at least 1.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}
