//! What shows how far a run of a pipeline is, where somebody looks.

use std::sync::Arc;

use rhai::{Array as List, Dynamic};

use crate::error::Result;
use crate::script::batches::Batch;
use crate::script::batches::expression::{At, Expr};
use crate::script::batches::flow::Flow;
use crate::script::batches::metrics::Metrics;
use crate::script::host::Host;
use crate::tensor::Tensor;

/// The display of one run.
pub trait Bar: Send {
    /// Returns whether it is time to show something: values are made into text only then.
    fn due(&mut self) -> bool;

    /// Shows how many batches are done, and values.
    fn show(&mut self, done: u64, values: &str);

    /// Takes the display away at the end of the run, leaving its last line.
    fn end(&mut self, done: u64, values: &str);
}

/// Makes the display of a run: of so many batches, if that is known, under a title. `None` where nobody looks.
pub type MakeBar = Arc<dyn Fn(Option<u64>, &str) -> Option<Box<dyn Bar>> + Send + Sync>;

/// A display and what it shows of a pipeline: variables by name, and expressions.
pub struct Monitored {
    bar: Box<dyn Bar>,
    monitors: Vec<(String, Dynamic)>,
    done: u64,
    last: String,
}

impl Monitored {
    /// Starts a display, if somebody looks.
    pub fn start(
        host: &Host,
        title: &str,
        total: Option<usize>,
        monitors: Vec<(String, Dynamic)>,
    ) -> Option<Monitored> {
        let bar = host.bar(total.map(|total| total as u64), title)?;
        Some(Monitored { bar, monitors, done: 0, last: String::new() })
    }

    /// Notes a batch.
    ///
    /// # Errors
    /// A monitored expression that fails. A variable that is not there yet is left out.
    pub fn batch(&mut self, host: &Host, flow: &Flow, batch: &Batch) -> Result<()> {
        self.done += 1;
        let last = flow.total() == Some(self.done as usize);
        if !last && !self.bar.due() {
            return Ok(());
        }
        let at = At { host, batch: Some(batch), flow: Some(flow) };
        let mut shown = Vec::new();
        for (name, value) in &self.monitors {
            let value = match value.is::<Expr>() {
                true => at.value(value.clone())?,
                false if flow.has(name) => flow.variable(name)?,
                false => continue,
            };
            shown.push(format!("{name} {}", short(&value)));
        }
        self.last = shown.join("  ");
        self.bar.show(self.done, &self.last);
        Ok(())
    }
}

impl Drop for Monitored {
    fn drop(&mut self) {
        self.bar.end(self.done, &self.last);
    }
}

/// Returns a value in a few characters; of an array its last element.
fn short(value: &Dynamic) -> String {
    if let Some(list) = value.read_lock::<List>() {
        return list.last().map_or_else(|| "-".to_owned(), short);
    }
    if let Ok(number) = value.as_float() {
        return format!("{number:.4}");
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return match tensor.rank() {
            0 => tensor.item().map_or_else(|_| "-".to_owned(), |number| format!("{:.4}", number.to_f64())),
            _ => format!("{:?}", tensor.shape()),
        };
    }
    if let Some(metrics) = value.read_lock::<Metrics>() {
        let shown = ["accuracy", "loss", "mae"].iter().find_map(|name| metrics.value(name, None).ok());
        return shown.map_or_else(|| "-".to_owned(), |number| format!("{number:.4}"));
    }
    let text = value.to_string();
    match text.char_indices().nth(24) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
