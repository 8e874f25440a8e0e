//! Signals: the first one asks to stop, the second ends the program at once.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::artifact;
use crate::cli::terminal;

/// The number of the first signal that came; 0 before.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Returns the exit code of a program that a signal ended: 128 and the signal's number, as shells count.
pub fn exit_code() -> u8 {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => 130,
        signal => code(signal),
    }
}

fn code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(130)
}

/// What the first signal does instead of asking: the program ends at once, and this file is removed if it is named.
static AT_ONCE: Mutex<Option<Option<PathBuf>>> = Mutex::new(None);

/// Lets the first signal end the program, as is right where nothing has to be saved; a file that is half written is
/// removed.
pub fn end_at_once(half_written: Option<PathBuf>) {
    *AT_ONCE.lock().unwrap_or_else(PoisonError::into_inner) = Some(half_written);
}

/// Returns the flag that the first signal sets, and listens from now on.
pub fn stop_flag() -> Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        // Without a handler a signal ends the program at once, which loses nothing that was saved.
        let _ = listen(flag.clone());
        flag
    })
    .clone()
}

/// Lets the next signal be a first one again: at the prompt each stops one entry, and none ends the program.
pub fn forget() {
    SIGNAL.store(0, Ordering::SeqCst);
}

/// Waits for signals on a thread of its own, since a handler may do next to nothing.
#[cfg(unix)]
fn listen(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in &mut signals {
            let at_once = AT_ONCE.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(Some(file)) = &at_once {
                let _ = artifact::remove_file(file);
            }
            let first = SIGNAL.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst).is_ok();
            if at_once.is_some() || !first {
                signal_hook::low_level::exit(128 + signal);
            }
            stop.store(true, Ordering::SeqCst);
            let again = if signal == SIGINT { "a second Ctrl-C" } else { "a second signal" };
            terminal::message(&format!(
                "\nstopping (training ends after its step); {again} ends the program at once\n"
            ));
        }
    })?;
    Ok(())
}

/// Where there are no signals to wait for, their handlers set the flag themselves.
#[cfg(not(unix))]
fn listen(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};

    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(())
}
