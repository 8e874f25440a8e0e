//! What the machine has.

pub mod pages;
pub mod room;

use std::sync::OnceLock;

use crate::error::{Error, Result};

/// Returns the bytes of memory that the machine has, or that the process is given; `None` where the system does not say.
pub fn memory() -> Option<u64> {
    static MEMORY: OnceLock<Option<u64>> = OnceLock::new();
    *MEMORY.get_or_init(|| {
        let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
        });
        let given = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
        machine.into_iter().chain(given).min()
    })
}

/// Checks that so many bytes are not more than [`memory`] has. `what` takes them: "the weights take".
///
/// # Errors
/// More bytes than there are, with both numbers.
pub fn check_memory(bytes: u128, what: &str) -> Result<()> {
    let memory = u128::from(memory().unwrap_or(u64::MAX));
    match bytes <= memory {
        true => Ok(()),
        false => {
            Err(Error::run(format!("{what} {:.1} GB; the machine has {:.1} GB", gigabytes(bytes), gigabytes(memory))))
        }
    }
}

fn gigabytes(bytes: u128) -> f64 {
    bytes as f64 / 1e9
}

/// Returns how many threads may run at once: the cores of the machine, or those that the process is given. Asked of
/// the system once, since it reads files to know; at least 1.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}
