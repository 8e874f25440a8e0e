use ndarray::arr1;

use super::*;
use crate::artifact::State;

fn checkpoint(epoch: usize) -> Checkpoint {
    let weights = vec![("w".to_owned(), Array::F32(arr1(&[epoch as f32]).into_dyn().into_shared()))];
    let state = State::new(Position::after(epoch), 0, 0, 0.1);
    Checkpoint { weights, optimizer: vec![], services: vec![], metrics: vec![], state }
}

#[test]
fn writes_happen_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::new();
    let (log, file) = (folder.path().join("log"), folder.path().join("file"));
    for number in 0..100 {
        writer.append(&log, format!("{number}\n").into_bytes()).unwrap();
        writer.replace(&file, format!("{number}").into_bytes()).unwrap();
    }
    writer.flush().unwrap();
    let expected: String = (0..100).map(|number| format!("{number}\n")).collect();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), expected);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "99");
    writer.append(&log, b"more\n".to_vec()).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), expected + "more\n");
}

#[test]
fn checkpoints_of_one_burst_are_all_there_but_what_is_pruned() {
    for (keep, expected) in [(None, 9), (Some(2), 2)] {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::new();
        for epoch in 1..10 {
            writer.checkpoint(folder.path(), checkpoint(epoch), keep).unwrap();
            if epoch == 3 {
                writer.flush().unwrap();
            }
        }
        writer.flush().unwrap();
        let found = checkpoint::list(folder.path()).unwrap();
        assert_eq!(found.len(), expected);
        let saved = writer.take_saved();
        assert!(saved.len() >= expected && writer.take_saved().is_empty());
        let (position, path) = found.last().unwrap();
        assert_eq!(
            saved.last().unwrap(),
            &Saved { purpose: Purpose::Resume, path: path.clone(), epoch: position.epochs - 1, step: 0 }
        );
        assert_eq!(found.last().unwrap().0, Position::after(9));
        for (position, path) in found {
            assert_eq!(Checkpoint::read(&path).unwrap().state.position(), position);
        }
    }
}

#[test]
fn an_error_is_reported_at_the_next_call_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::new();
    let path = folder.path().join("none/log");
    writer.append(&path, b"one".to_vec()).unwrap();
    let message = format!("cannot write `{}`: there is no such file or folder", path.display());
    assert_eq!(writer.flush().unwrap_err().message(), message);
    assert_eq!(writer.append(&folder.path().join("log"), vec![]).unwrap_err().message(), message);
    assert_eq!(writer.flush().unwrap_err().message(), message);
    assert!(!folder.path().join("log").exists());
}

#[test]
fn memory_is_bounded_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::new();
    let log = folder.path().join("log");
    for _ in 0..3 * MOST_JOBS {
        writer.append(&log, vec![b'x'; 10]).unwrap();
    }
    writer.append(&log, vec![b'x'; 10]).unwrap();
    writer.flush().unwrap();
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 30 * MOST_JOBS as u64 + 10);
    Writer::new().flush().unwrap();
}
