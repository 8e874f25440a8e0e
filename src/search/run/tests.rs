use super::*;
use crate::search::Cell;

fn search(folder: &std::path::Path, workers: usize) -> Search {
    let cells = (0..6).map(|value| Cell::Value(Value::from(value))).collect();
    Search {
        domain: Domain::grid(vec![("a".into(), cells)]).unwrap().repeat(2).unwrap(),
        seed: 5,
        workers,
        most_reports: Some(3),
        folder: folder.to_owned(),
        recipe: "recipe.rhai".into(),
        stop: Arc::default(),
    }
}

/// A trial that reports a function of its hyperparameters and seed, and fails once.
fn work(trial: &Arc<Trial>) -> (Map<String, Value>, Result<()>) {
    let run = || {
        let a = trial.values["a"].as_i64().unwrap();
        for step in 0.. {
            if trial.should_stop() {
                break;
            }
            // Fractions with many digits: they have to survive a restart to the bit.
            let value = ((a * 10 + step) as f64 + trial.seed as f64 / 7.0).sqrt();
            trial.report([("loss".to_owned(), Value::from(value))].into_iter().collect())?;
        }
        if a == 4 { Err(Error::run("four is too much")) } else { Ok(()) }
    };
    (Map::new(), run())
}

fn csv(folder: &std::path::Path) -> String {
    std::fs::read_to_string(folder.join(RESULTS)).unwrap()
}

#[test]
fn the_table_is_the_same_for_any_number_of_workers() {
    let (one, three) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let records = search(one.path(), 1).run(&work, &|_| Ok(()), &|_| ()).unwrap();
    search(three.path(), 3).run(&work, &|_| Ok(()), &|_| ()).unwrap();
    assert_eq!(csv(one.path()), csv(three.path()));
    assert_eq!(records.len(), 12);
    let columns: Vec<&str> = records.columns().iter().map(|name| &**name).collect();
    assert_eq!(columns, ["trial", "repetition", "a", "status", "loss", "error"]);
    let failed: Vec<String> =
        csv(one.path()).lines().filter(|line| line.contains("failed")).map(str::to_owned).collect();
    assert!(failed.len() == 2 && failed[0].ends_with(",four is too much"), "{failed:?}");
}

#[test]
fn an_interrupted_search_goes_on_and_runs_nothing_twice() {
    let (whole, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    search(whole.path(), 2).run(&work, &|_| Ok(()), &|_| ()).unwrap();
    let begun = Mutex::new(Vec::new());
    let first = search(cut.path(), 2);
    let stopping = |trial: &Arc<Trial>| {
        begun.lock().unwrap().push(trial.number);
        if trial.number == 5 {
            first.stop.store(true, Ordering::Relaxed);
            return (Map::new(), Err(Error::new(Kind::Interrupted, "stopped")));
        }
        work(trial)
    };
    let error = first.run(&stopping, &|_| Ok(()), &|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);
    assert!(!cut.path().join(RESULTS).exists());
    let finished: Vec<usize> = (1..=12).filter(|number| first.trial_folder(*number).join(RESULT).is_file()).collect();
    assert!(!finished.is_empty() && !finished.contains(&5), "{finished:?}");
    begun.lock().unwrap().clear();
    let counting = |trial: &Arc<Trial>| {
        begun.lock().unwrap().push(trial.number);
        work(trial)
    };
    search(cut.path(), 2).run(&counting, &|_| Ok(()), &|_| ()).unwrap();
    let mut again = begun.into_inner().unwrap();
    again.extend(finished);
    again.sort_unstable();
    assert_eq!(again, (1..=12).collect::<Vec<_>>());
    assert_eq!(csv(cut.path()), csv(whole.path()));
}

#[test]
fn a_folder_of_another_search_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    search(folder.path(), 1).run(&work, &|_| Ok(()), &|_| ()).unwrap();
    let other = Search { seed: 6, ..search(folder.path(), 1) };
    let error = other.run(&work, &|_| Ok(()), &|_| ()).unwrap_err();
    assert!(error.message().ends_with("holds a search with another seed"), "{error}");
    let changed = search(folder.path(), 1).run(&work, &|_| Err(Error::artifact("changed")), &|_| ());
    assert_eq!(changed.unwrap_err().message(), "changed");
    let error = Search { folder: folder.path().join(TRIALS), ..search(folder.path(), 1) };
    let error = error.run(&work, &|_| Ok(()), &|_| ()).unwrap_err();
    assert!(error.message().ends_with("holds something else than a search"), "{error}");
}

#[test]
fn reports_are_checked() {
    let config = Config { repetition: 0, values: [("a".to_owned(), Value::from(1))].into_iter().collect() };
    let trial = Trial::new(1, config, 0, PathBuf::new(), None, Arc::default());
    let report = |name: &str, value: Value| {
        trial.report([(name.to_owned(), value)].into_iter().collect()).map_err(|error| error.message().to_owned())
    };
    assert_eq!(report("loss", 1.5.into()), Ok(()));
    assert!(report("a", 1.into()).is_err() && report("status", 1.into()).is_err());
    assert!(report("losses", vec![1.5].into()).is_err());
    assert!(!trial.should_stop());
}
