use ndarray::arr1;

use super::*;
use crate::artifact::Folder;
use crate::tensor::Array;

fn array(values: &[f32]) -> Array {
    Array::F32(arr1(values).into_dyn().into_shared())
}

fn checkpoint(epoch: usize) -> Checkpoint {
    let mut state = State::new(Position::after(epoch), 10 * epoch as u64, u64::MAX, 0.1 + 0.2);
    state.services.insert("early".to_owned(), serde_json::json!({ "wait": 2 }));
    Checkpoint {
        weights: vec![("dense/kernel".to_owned(), array(&[epoch as f32, 0.5]))],
        optimizer: vec![("dense/kernel/m".to_owned(), array(&[0.25, 0.125]))],
        services: vec![("early/dense/kernel".to_owned(), array(&[1.0, 2.0]))],
        metrics: vec![],
        state,
    }
}

fn first(named: &Named) -> f32 {
    let Array::F32(array) = &named[0].1 else { panic!("expected float32") };
    array[[0]]
}

#[test]
fn checkpoints_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let written = checkpoint(3);
    written.write(folder.path()).unwrap();
    let names = file::names(&folder.path().join("epoch_0003")).unwrap();
    assert_eq!(names, ["model.safetensors", "optimizer.safetensors", "services.safetensors", "state.json"]);
    let mut read = Checkpoint::read(&folder.path().join("epoch_0003")).unwrap();
    assert_eq!(read.state.files.len(), 3);
    read.state.files.clear();
    assert_eq!(read.state, written.state);
    assert_eq!(read.state.learning_rate.to_bits(), (0.1f64 + 0.2).to_bits());
    assert_eq!((first(&read.weights), first(&read.optimizer), first(&read.services)), (3.0, 0.25, 1.0));
    assert_eq!(read.services[0].0, "early/dense/kernel");

    let mut again = checkpoint(3);
    again.weights[0].1 = array(&[7.0, 7.0]);
    again.services.clear();
    again.write(folder.path()).unwrap();
    let read = Checkpoint::read(&folder.path().join("epoch_0003")).unwrap();
    assert_eq!((first(&read.weights), read.services.len()), (7.0, 0));
    assert_eq!(file::names(folder.path()).unwrap(), ["epoch_0003"]);
}

#[test]
fn a_leftover_of_a_killed_process_is_ignored_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let leftover = folder.path().join(".epoch_0001.partial");
    fs::create_dir(&leftover).unwrap();
    fs::write(leftover.join("services.safetensors"), "half").unwrap();
    assert_eq!(list(folder.path()).unwrap(), []);
    checkpoint(1).write(folder.path()).unwrap();
    assert_eq!(file::names(folder.path()).unwrap(), ["epoch_0001"]);
}

#[test]
fn torn_checkpoints_are_refused_and_passed_over() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(layout::CONFIG), "{}").unwrap();
    let parent = root.path().join(layout::RESUME_CHECKPOINTS);
    for epoch in 1..=4 {
        checkpoint(epoch).write(&parent).unwrap();
    }
    let model = parent.join("epoch_0003/model.safetensors");
    let mut bytes = fs::read(&model).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&model, &bytes).unwrap();
    let error = Checkpoint::read(&parent.join("epoch_0003")).unwrap_err();
    let message = format!("`{}` is damaged: its checksum differs from the recorded one", model.display());
    assert_eq!(error.message(), message);

    let optimizer = parent.join("epoch_0004/optimizer.safetensors");
    fs::write(&optimizer, "").unwrap();
    let error = Checkpoint::read(&parent.join("epoch_0004")).unwrap_err();
    assert!(error.message().contains("has 0 bytes, the checkpoint was written with"), "{error}");

    let folder = Folder::open(root.path()).unwrap();
    let (found, errors) = folder.latest_checkpoint().unwrap();
    assert_eq!((found.unwrap().state.epoch, errors.len()), (2, 2));
}

#[test]
fn another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(layout::STATE);
    fs::write(&path, "{\"format\": 2}").unwrap();
    let error = Checkpoint::read(folder.path()).unwrap_err();
    assert_eq!(error.message(), format!("`{}` has format 2, this program reads 1", path.display()));
    for text in ["{}", "[1, 2]", "null"] {
        fs::write(&path, text).unwrap();
        let error = Checkpoint::read(folder.path()).unwrap_err();
        assert_eq!(error.message(), format!("`{}` is not the state of a checkpoint", path.display()));
    }
}

#[test]
fn old_and_later_checkpoints_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    for epoch in 1..=5 {
        checkpoint(epoch).write(folder.path()).unwrap();
    }
    prune(folder.path(), Some(3)).unwrap();
    assert_eq!(file::names(folder.path()).unwrap(), ["epoch_0003", "epoch_0004", "epoch_0005"]);
    remove_after(folder.path(), Position::after(4)).unwrap();
    assert_eq!(file::names(folder.path()).unwrap(), ["epoch_0003", "epoch_0004"]);
    prune(folder.path(), Some(0)).unwrap();
    assert_eq!(file::names(folder.path()).unwrap(), ["epoch_0004"]);
}

#[test]
fn of_checkpoints_within_epochs_only_the_newest_stays() {
    let at = |epochs, batches| Position { epochs, batches };
    let all = [at(0, 5), at(0, 9), at(1, 0), at(1, 5), at(2, 0), at(2, 3), at(2, 6)];
    assert_eq!(needed(&all, None), [false, false, true, false, true, false, true]);
    assert_eq!(needed(&all[..5], None), [false, false, true, false, true]);
    assert_eq!(needed(&all, Some(1)), [false, false, false, false, true, false, true]);
    assert_eq!(needed(&all[..2], Some(3)), [false, true]);

    let folder = tempfile::tempdir().unwrap();
    for position in all {
        let mut own = checkpoint(position.epochs);
        own.state.data_position = position.batches;
        own.metrics = vec![("accuracy".to_owned(), array(&[0.5]))];
        own.write(folder.path()).unwrap();
    }
    prune(folder.path(), None).unwrap();
    assert_eq!(file::names(folder.path()).unwrap(), ["epoch_0001", "epoch_0002", "epoch_0002_batch_000006"]);
    let read = Checkpoint::read(&folder.path().join("epoch_0002_batch_000006")).unwrap();
    assert_eq!((read.state.position(), first(&read.metrics)), (at(2, 6), 0.5));
    remove_after(folder.path(), at(2, 5)).unwrap();
    assert_eq!(file::names(folder.path()).unwrap(), ["epoch_0001", "epoch_0002"]);
}

#[test]
fn the_best_weights_read_back() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(layout::BEST_CHECKPOINT);
    let best = Best { format: FORMAT, epoch: 4, step: 50, monitor: "val_loss".to_owned(), value: 0.1 };
    write_best(&folder, &checkpoint(5).weights, &best).unwrap();
    let (weights, read) = read_best(&folder).unwrap();
    assert_eq!((first(&weights), read), (5.0, best));
    assert_eq!(file::names(&folder).unwrap(), ["model.safetensors", "state.json"]);
}
