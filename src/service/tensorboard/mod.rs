//! Event files for TensorBoard: two runs, `train` and `validation`, with Keras' tags, so that their curves overlay.

mod event_file;
mod histogram;
mod message;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use prost::Message;
use serde_json::{Value, json};

use self::event_file::EventFile;
use self::message::{Attribute, Axis, Data, GraphDef, NodeDef, Shape, Shapes, Summary, Versions, What};
use crate::artifact::layout;
use crate::artifact::weights::Named;
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::service::{GraphNode, Moment, Service, foreign_state};

/// Writes `epoch_…` scalars after every epoch, and when asked `batch_…` scalars, histograms of the weights
/// and the graph. Steps are epochs, but for `batch_…`, where they are updates.
#[derive(Clone, Debug)]
pub struct TensorBoard {
    histogram_freq: usize,
    write_graph: bool,
    /// Batches between two `batch_…` scalars; `None` writes none.
    batches: Option<u64>,
    train: Run,
    validation: Run,
}

pub(super) const ENTRY: Entry<dyn Service> = Entry {
    name: "tensorboard",
    aliases: &["TensorBoard"],
    doc: "Writes event files for TensorBoard.",
    parameters: &[
        Parameter::optional(
            "histogram_freq",
            Type::Int,
            "0",
            "epochs between two histograms of the weights; 0 writes none",
        ),
        Parameter::optional("write_graph", Type::Bool, "true", "writes the graph of the network"),
        Parameter::optional(
            "update_freq",
            Type::Any,
            "\"epoch\"",
            "`epoch`, `batch`, or the number of batches between two `batch_…` scalars",
        ),
    ],
    build: |arguments| {
        Ok(Box::new(TensorBoard {
            histogram_freq: arguments.at_least("histogram_freq", 0)?,
            write_graph: arguments.bool("write_graph"),
            batches: update_freq(arguments)?,
            train: Run::new(layout::TENSORBOARD_TRAIN),
            validation: Run::new(layout::TENSORBOARD_VALIDATION),
        }))
    },
};

fn update_freq(arguments: &Arguments) -> Result<Option<u64>> {
    let value = arguments.value("update_freq");
    match (value.as_str(), value.as_u64()) {
        (Some("epoch"), _) => Ok(None),
        (Some("batch"), _) => Ok(Some(1)),
        (None, Some(batches)) if batches > 0 => Ok(Some(batches)),
        _ => Err(arguments.refuse("update_freq", "`epoch`, `batch` or a whole number of at least 1")),
    }
}

impl TensorBoard {
    /// Returns the step of the START of a file made now. The files of a resumed run are cut as well, so this
    /// matters only to a TensorBoard that has read them before; with `batch_…` scalars, whose steps are larger
    /// than those of epochs, it counts in updates, since it would drop good points otherwise.
    fn start(&self, moment: &Moment) -> i64 {
        match self.batches {
            Some(_) => signed(moment.step) + 1,
            None => signed(moment.epoch as u64),
        }
    }
}

impl Service for TensorBoard {
    fn name(&self) -> &str {
        ENTRY.name
    }

    fn on_train_begin(&mut self, moment: &mut Moment) -> Result<()> {
        let start = self.start(moment);
        self.train.cut(moment)?;
        self.validation.cut(moment)?;
        let file = self.train.file(moment, start)?;
        if self.write_graph && moment.step == 0 && !moment.graph.is_empty() {
            file.put(0, What::Graph(graph(moment.graph).encode_to_vec()));
        }
        file.flush(moment.writer)
    }

    fn on_batch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let Some(batches) = self.batches else { return Ok(()) };
        let start = self.start(moment);
        let file = self.train.file(moment, start)?;
        if moment.step.is_multiple_of(batches) {
            file.scalars(
                signed(moment.step),
                moment.logs.iter().map(|(name, value)| (format!("batch_{name}"), *value)),
            );
        }
        file.flush_when_due(moment.writer)
    }

    fn on_epoch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let (start, step) = (self.start(moment), signed(moment.epoch as u64));
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for (name, value) in moment.logs {
            match name.strip_prefix("val_") {
                Some(name) => validation.push((format!("epoch_{name}"), *value)),
                None => train.push((format!("epoch_{name}"), *value)),
            }
        }
        train.push(("epoch_learning_rate".to_owned(), moment.learning_rate));
        let file = self.train.file(moment, start)?;
        file.scalars(step, train);
        if self.histogram_freq > 0 && moment.epoch.is_multiple_of(self.histogram_freq) {
            for (name, array) in moment.weights.weights()? {
                let (histogram, others) = histogram::histogram(&array);
                if let Some(histogram) = histogram {
                    let data = Some(Data::Histogram(histogram));
                    let values = vec![message::Value { tag: format!("{name}/histogram"), data }];
                    file.put(step, What::Summary(Summary { values }));
                }
                if others > 0 {
                    file.scalars(step, [(format!("{name}/not_finite"), others as f64)]);
                }
            }
        }
        file.flush(moment.writer)?;
        if !validation.is_empty() {
            let file = self.validation.file(moment, start)?;
            file.scalars(step, validation);
            file.flush(moment.writer)?;
        }
        Ok(())
    }

    fn on_train_end(&mut self, moment: &mut Moment) -> Result<()> {
        let files = [&mut self.train.file, &mut self.validation.file];
        files.into_iter().flatten().try_for_each(|file| file.flush(moment.writer))
    }

    /// A checkpoint within an epoch finds scalars of its steps that wait.
    fn before_checkpoint(&mut self, moment: &mut Moment) -> Result<()> {
        self.on_train_end(moment)
    }

    fn state(&self) -> Result<Value> {
        Ok(json!({ "train": self.train.state(), "validation": self.validation.state() }))
    }

    fn restore(&mut self, state: &Value, _: Named) -> Result<()> {
        for (run, state) in [(&mut self.train, &state["train"]), (&mut self.validation, &state["validation"])] {
            run.resumed_at = match (state["file"].as_str(), state["bytes"].as_u64()) {
                (Some(file), Some(bytes)) => Some((file.to_owned(), bytes)),
                _ if state.is_null() => None,
                _ => return Err(foreign_state(ENTRY.name, state)),
            };
        }
        Ok(())
    }
}

/// One of the two runs; its file is made when there is something to write.
#[derive(Clone, Debug)]
struct Run {
    name: &'static str,
    file: Option<EventFile>,
    resumed_at: Option<(String, u64)>,
}

impl Run {
    fn new(name: &'static str) -> Self {
        Run { name, file: None, resumed_at: None }
    }

    fn folder(&self, moment: &Moment) -> PathBuf {
        moment.folder.join(layout::TENSORBOARD).join(self.name)
    }

    /// Cuts the run back to the checkpoint; one that starts at epoch 0 is emptied.
    fn cut(&mut self, moment: &Moment) -> Result<()> {
        self.file = None;
        let position = self.resumed_at.as_ref().map(|(file, bytes)| (file.as_str(), *bytes));
        event_file::cut(&self.folder(moment), position)
    }

    fn file(&mut self, moment: &Moment, start: i64) -> Result<&mut EventFile> {
        let file = match self.file.take() {
            Some(file) => file,
            None => EventFile::create(&self.folder(moment), start)?,
        };
        Ok(self.file.insert(file))
    }

    fn state(&self) -> Value {
        let position = self.file.as_ref().map(EventFile::position).or_else(|| self.resumed_at.clone());
        position.map_or(Value::Null, |(file, bytes)| json!({ "file": file, "bytes": bytes }))
    }
}

/// Returns the network as TensorBoard draws it.
fn graph(nodes: &[GraphNode]) -> GraphDef {
    let node = |node: &GraphNode| {
        let size = |axis: &Option<usize>| axis.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1);
        let axes = std::iter::once(-1).chain(node.shape.iter().map(size)).map(|size| Axis { size }).collect();
        let shapes = Attribute { list: Some(Shapes { shapes: vec![Shape { axes }] }) };
        NodeDef {
            name: node.name.clone(),
            op: node.op.clone(),
            inputs: node.inputs.clone(),
            attributes: BTreeMap::from([("_output_shapes".to_owned(), shapes)]),
        }
    };
    // The version of graphs that TensorFlow 2 writes.
    GraphDef { nodes: nodes.iter().map(node).collect(), versions: Some(Versions { producer: 22 }) }
}

fn signed(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}
