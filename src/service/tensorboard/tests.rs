//! What is written is read back by a small reader that checks every checksum.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use prost::Message;
use serde_json::json;

use super::event_file::masked_crc;
use super::message::{Data, Event, GraphDef, What};
use crate::service::testing::{Run, service, start};
use crate::service::{GraphNode, Logs};

/// Returns the messages of one file.
fn events(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut take = |count: usize| {
        let (taken, after) = rest.split_at(count);
        rest = after;
        taken.to_vec()
    };
    let mut events = Vec::new();
    let mut read = 0;
    while read < bytes.len() {
        let length = take(8);
        let size = u64::from_le_bytes(length[..].try_into().unwrap()) as usize;
        assert_eq!(take(4), masked_crc(&length).to_le_bytes());
        let message = take(size);
        assert_eq!(take(4), masked_crc(&message).to_le_bytes());
        events.push(Event::decode(&message[..]).unwrap());
        read += size + 16;
    }
    events
}

/// Returns the scalars of a run by tag, as TensorBoard merges its files: a START drops later steps.
fn scalars(folder: &Path) -> BTreeMap<String, Vec<(i64, f32)>> {
    let mut found: BTreeMap<String, Vec<(i64, f32)>> = BTreeMap::new();
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let events = events(&file);
        assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".to_owned())));
        let Some(What::Session(session)) = &events[1].what else { panic!("the second event is no START") };
        assert_eq!(session.status, 1);
        for points in found.values_mut() {
            points.retain(|(step, _)| *step < events[1].step);
        }
        for event in &events[2..] {
            let Some(What::Summary(summary)) = &event.what else { continue };
            for value in &summary.values {
                if let Some(Data::Scalar(scalar)) = &value.data {
                    found.entry(value.tag.clone()).or_default().push((event.step, *scalar));
                }
            }
        }
    }
    found
}

fn logs(epoch: usize) -> Logs {
    let value = epoch as f64;
    vec![("loss".to_owned(), 1.0 - value / 8.0), ("accuracy".to_owned(), value), ("val_loss".to_owned(), 2.0 * value)]
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn the_checksum_is_that_of_tfrecord() {
    // The CRC-32C of 32 zero bytes is 0x8a9136aa (RFC 3720, B.4).
    assert_eq!(masked_crc(&[0; 32]), 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8));
}

#[test]
fn both_runs_have_keras_tags_by_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(folder.path(), vec![service("tensorboard", json!({})).unwrap()]);
    run.train(3, logs, false).unwrap();
    let train = scalars(&folder.path().join("TensorBoard/train"));
    assert_eq!(train.keys().collect::<Vec<_>>(), ["epoch_accuracy", "epoch_learning_rate", "epoch_loss"]);
    assert_eq!(train["epoch_loss"], [(0, 1.0), (1, 0.875), (2, 0.75)]);
    assert_eq!(train["epoch_learning_rate"], [(0, 0.1), (1, 0.1), (2, 0.1)]);
    let validation = scalars(&folder.path().join("TensorBoard/validation"));
    assert_eq!(
        validation.into_iter().collect::<Vec<_>>(),
        [("epoch_loss".to_owned(), vec![(0, 0.0), (1, 2.0), (2, 4.0)])]
    );
}

#[test]
fn batches_histograms_and_the_graph_are_written_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let params = json!({ "update_freq": 4, "histogram_freq": 2 });
    let mut run = Run::new(folder.path(), vec![service("tensorboard", params).unwrap()]);
    run.graph = vec![
        GraphNode { name: "x".to_owned(), op: "Input".to_owned(), inputs: vec![], shape: vec![Some(4), None] },
        GraphNode { name: "h/dense".to_owned(), op: "Dense".to_owned(), inputs: vec!["x".to_owned()], shape: vec![] },
    ];
    run.train(3, logs, false).unwrap();
    let train = folder.path().join("TensorBoard/train");
    let steps: Vec<i64> = scalars(&train)["batch_loss"].iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, [4, 8, 12, 16, 20, 24, 28]);

    let file = fs::read_dir(&train).unwrap().next().unwrap().unwrap().path();
    let mut histograms = Vec::new();
    for event in events(&file) {
        match event.what {
            Some(What::Graph(bytes)) => {
                let graph = GraphDef::decode(&bytes[..]).unwrap();
                assert_eq!(graph.nodes[1].inputs, ["x"]);
                let shapes = graph.nodes[0].attributes["_output_shapes"].list.clone().unwrap().shapes;
                assert_eq!(shapes[0].axes.iter().map(|axis| axis.size).collect::<Vec<_>>(), [-1, 4, -1]);
            }
            Some(What::Summary(summary)) => {
                for value in summary.values {
                    if let Some(Data::Histogram(histogram)) = value.data {
                        histograms.push((value.tag, event.step, histogram.min, histogram.max));
                    }
                }
            }
            _ => {}
        }
    }
    let tag = || "dense/kernel/histogram".to_owned();
    assert_eq!(histograms, [(tag(), 0, 0.0, 1.0), (tag(), 2, 2.0, 3.0)]);
}

#[test]
fn a_resumed_run_has_the_points_of_one_that_was_not() {
    for params in [json!({}), json!({ "update_freq": "batch" })] {
        let make =
            || vec![service("tensorboard", params.clone()).unwrap(), service("resume_checkpoint", json!({})).unwrap()];
        let whole = tempfile::tempdir().unwrap();
        Run::new(whole.path(), make()).train(6, logs, false).unwrap();

        let folder = tempfile::tempdir().unwrap();
        start(folder.path());
        Run::new(folder.path(), make()).train(4, logs, true).unwrap();
        fs::remove_dir_all(folder.path().join("resume_checkpoints/epoch_0004")).unwrap();
        fs::remove_dir_all(folder.path().join("resume_checkpoints/epoch_0003")).unwrap();
        Run::new(folder.path(), make()).train(6, logs, false).unwrap();
        for name in ["TensorBoard/train", "TensorBoard/validation"] {
            assert_eq!(files(&folder.path().join(name)), 2);
            assert_eq!(scalars(&folder.path().join(name)), scalars(&whole.path().join(name)));
        }
    }
}

#[test]
fn a_run_that_starts_again_drops_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        Run::new(folder.path(), vec![service("tensorboard", json!({})).unwrap()]).train(2, logs, false).unwrap();
    }
    let train = folder.path().join("TensorBoard/train");
    assert_eq!(files(&train), 1);
    assert_eq!(scalars(&train)["epoch_loss"], [(0, 1.0), (1, 0.875)]);
}

#[test]
fn wrong_frequencies_are_refused() {
    for wrong in [json!("epochs"), json!(0), json!(1.5), json!(null), json!(-1)] {
        let error = service("tensorboard", json!({ "update_freq": wrong })).err().unwrap();
        let expected =
            "parameter `update_freq` of `tensorboard`: expected `epoch`, `batch` or a whole number of at least 1";
        assert!(error.message().starts_with(expected), "{error}");
    }
}
