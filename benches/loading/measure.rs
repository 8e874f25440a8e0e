//! What is measured, and the line of JSON that says so.

use std::time::Instant;

use barrage::dataset::Dataset;

use super::Outcome;

/// What is measured.
pub struct Work {
    pub dataset: Dataset,
    pub epochs: u64,
    /// Seconds and CPU seconds before the first epoch that count.
    pub before: (f64, f64),
    pub note: String,
}

/// Takes the epochs, and prints the line.
#[allow(clippy::print_stdout)]
pub fn report(work: &Work) -> Outcome<()> {
    let (mut times, mut peaks) = (Vec::new(), Vec::new());
    let mut records = 0;
    for epoch in 0..work.epochs {
        forget_peak();
        let (wall, cpu) = (Instant::now(), cpu_seconds()?);
        let mut batches = work.dataset.epoch(epoch);
        records = 0;
        for index in 0..work.dataset.batches() {
            records += batches.batch(index)?.len;
        }
        times.push((wall.elapsed().as_secs_f64(), cpu_seconds()? - cpu));
        drop(batches);
        peaks.push(peak_megabytes()?);
    }
    let first = times[0];
    // The kernel counts CPU time in hundredths of a second: short epochs are counted together.
    let counted = if times.len() > 1 { &times[1..] } else { &times[..] };
    let mean = |part: fn(&(f64, f64)) -> f64| counted.iter().map(part).sum::<f64>() / counted.len() as f64;
    let (wall, cpu) = (mean(|time| time.0) + work.before.0, mean(|time| time.1) + work.before.1);
    let line = serde_json::json!({
        "records": records, "wall": wall, "cpu": cpu, "rps": records as f64 / wall,
        "rps_first": records as f64 / first.0, "rpcpu": records as f64 / cpu.max(1e-9), "note": work.note,
        "peak_mb": peaks,
    });
    println!("{line}");
    Ok(())
}

/// Has the kernel count the most memory anew; where it cannot, the peaks are those since the start.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory of this process since [`forget_peak`].
fn peak_megabytes() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("unknown form of /proc/self/status")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok((kilobytes / 102.4).round() / 10.0)
}

/// The CPU seconds of this process, from the kernel's account of it: those of ended threads are in it.
pub fn cpu_seconds() -> Outcome<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> =
        stat.rsplit_once(')').ok_or("unknown form of /proc/self/stat")?.1.split_whitespace().collect();
    let ticks = |at: usize| -> Outcome<f64> { Ok(fields.get(at).ok_or("a field is missing")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}
