//! Results that are kept: in memory, the most recent ones; on disk, for every process that asks the same.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext};
use sha2::{Digest, Sha256};

use crate::artifact;
use crate::error::{Error, Result};
use crate::script::callable::Callable;
use crate::script::traceback::{raise, type_phrase};
use crate::script::{cast, state};
use crate::tensor::Tensor;

type Answer = std::result::Result<Dynamic, Box<EvalAltResult>>;

/// Returns the function with its last `most` results kept, by its arguments. Whoever asks for what another thread is
/// just computing waits for that; a failure is not kept.
///
/// # Errors
/// A function's name that Rhai cannot hold.
pub fn recent(callable: Callable, most: usize) -> std::result::Result<FnPtr, Box<EvalAltResult>> {
    let kept = Recent { most: most.max(1), slots: Mutex::default() };
    native("cached", move |_, arguments| {
        let arguments: Vec<Dynamic> = arguments.iter_mut().map(|argument| argument.flatten_clone()).collect();
        let key = key(&arguments).map_err(raise)?;
        kept.get(key, || callable.raise(arguments.clone()))
    })
}

/// One result, or the place where it will be.
type Slot = Arc<Mutex<Option<Dynamic>>>;

struct Recent {
    most: usize,
    /// The slot of each key, and when it was last asked for.
    slots: Mutex<(u64, HashMap<String, (u64, Slot)>)>,
}

impl Recent {
    fn get(&self, key: String, compute: impl FnOnce() -> Answer) -> Answer {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.0 += 1;
            let now = slots.0;
            let found = slots.1.entry(key).or_insert_with(|| (now, Slot::default()));
            found.0 = now;
            let slot = found.1.clone();
            while slots.1.len() > self.most {
                let oldest = slots.1.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
                oldest.and_then(|key| slots.1.remove(&key));
            }
            slot
        };
        // Only this key is held while the function runs.
        let mut result = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*result {
            Some(known) => Ok(known.clone()),
            None => Ok(result.insert(compute()?).clone()),
        }
    }
}

/// Where results are kept on disk, and what they belong to.
pub struct Disk {
    /// The folder.
    pub folder: PathBuf,
    /// The text of the script that the function stands in.
    pub source: Arc<str>,
    /// A text that is changed when the results of before are no longer right.
    pub version: String,
}

/// Returns the function with its results kept in files: by the text of its script, its name, what it has captured, its
/// arguments and the version. Of several processes that ask the same, one computes and the others wait.
///
/// # Errors
/// A function's name that Rhai cannot hold.
pub fn on_disk(callable: Callable, disk: Disk) -> std::result::Result<FnPtr, Box<EvalAltResult>> {
    native("kept", move |_, arguments| {
        let arguments: Vec<Dynamic> = arguments.iter_mut().map(|argument| argument.flatten_clone()).collect();
        let file = disk.file(&callable, &arguments).map_err(raise)?;
        if let Some(known) = read(&file) {
            return Ok(known);
        }
        artifact::make_folder(&disk.folder).map_err(raise)?;
        let _lock = artifact::lock(&file.with_extension("lock")).map_err(raise)?;
        // Another process may have been faster.
        if let Some(known) = read(&file) {
            return Ok(known);
        }
        let result = callable.raise(arguments)?;
        write(&file, &result).map_err(raise)?;
        Ok(result)
    })
}

impl Disk {
    fn file(&self, callable: &Callable, arguments: &[Dynamic]) -> Result<PathBuf> {
        let mut hash = Sha256::new();
        let captured: Vec<Dynamic> = callable.function().curry().iter().map(Dynamic::flatten_clone).collect();
        let captured = key(&captured)
            .map_err(|error| error.within("what the function has captured").hint("pass it as an argument instead"))?;
        for part in [&*self.source, &callable.identity(), &captured, &key(arguments)?, &self.version] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let name: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(self.folder.join(format!("{}.result", &name[..32])))
    }
}

/// Returns the text that stands for arguments.
///
/// # Errors
/// An argument that is no data: it has no text that would tell it from others.
fn key(arguments: &[Dynamic]) -> Result<String> {
    let mut parts = Vec::with_capacity(arguments.len());
    for (at, argument) in arguments.iter().enumerate() {
        let json = cast::to_json(argument).map_err(|_| {
            let found = type_phrase(argument.type_name());
            Error::script(format!("argument {} cannot tell results apart: it is {found}", at + 1))
                .hint("pass numbers, texts, tensors, arrays or maps of them")
        })?;
        // 1 and 1.0 are different arguments, and so are tensors of different dtypes.
        let kind = argument.read_lock::<Tensor>().map_or(argument.type_name(), |tensor| tensor.dtype().name());
        parts.push(format!("{kind} {json}"));
    }
    Ok(parts.join("\n"))
}

/// A result in a file: its length and hash first, so that a torn file is noticed.
fn write(file: &Path, result: &Dynamic) -> Result<()> {
    let body = state::to_bytes(result)?;
    let mut bytes = Sha256::digest(&body).to_vec();
    bytes.extend(body);
    artifact::write_atomic(file, &bytes)
}

/// Returns the result in a file; `None` when there is none, or not a whole one.
fn read(file: &Path) -> Option<Dynamic> {
    let bytes = std::fs::read(file).ok()?;
    let (hash, body) = bytes.split_at_checked(32)?;
    (Sha256::digest(body).as_slice() == hash).then(|| state::from_bytes(body)).flatten()
}

fn native(
    name: &str,
    run: impl Fn(NativeCallContext, &mut [&mut Dynamic]) -> Answer + Send + Sync + 'static,
) -> std::result::Result<FnPtr, Box<EvalAltResult>> {
    #[allow(deprecated, reason = "the interface is not deprecated but called volatile; the version is pinned")]
    FnPtr::from_fn(name, run)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn of_threads_that_ask_for_one_key_one_computes_and_the_others_wait() {
        const THREADS: usize = 8;
        let recent = Recent { most: 2, slots: Mutex::default() };
        let (computed, together) = (AtomicUsize::new(0), Barrier::new(THREADS));
        let ask = || {
            together.wait();
            let compute = || {
                computed.fetch_add(1, Ordering::SeqCst);
                // Long enough for every other thread to come while it is being computed.
                std::thread::sleep(Duration::from_millis(50));
                Ok(Dynamic::from(7_i64))
            };
            recent.get("key".to_owned(), compute).unwrap().as_int().unwrap()
        };
        let answers: Vec<i64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!((answers, computed.into_inner()), (vec![7; THREADS], 1));
    }

    #[test]
    fn a_key_does_not_wait_for_another_and_a_failure_is_asked_again() {
        let recent = Recent { most: 2, slots: Mutex::default() };
        let both = Barrier::new(2);
        // Each waits for the other while it computes: with one lock for all this would never end.
        let ask = |key: &str| recent.get(key.to_owned(), || Ok(Dynamic::from(both.wait().is_leader()))).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| drop(ask("a")));
            drop(ask("b"));
        });
        let failing = || Err(raise(Error::script("no")));
        assert!(recent.get("c".to_owned(), failing).is_err());
        assert_eq!(recent.get("c".to_owned(), || Ok(Dynamic::from(1_i64))).unwrap().as_int(), Ok(1));
    }
}
