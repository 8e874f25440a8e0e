use super::*;
use crate::search::Cell;

fn search(folder: &std::path::Path, workers: usize) -> Search {
    let cells = (0..6).map(|value| Cell::Value(Value::from(value))).collect();
    Search {
        domain: Domain::grid(vec![("a".into(), cells)]).unwrap().repeat(2).unwrap(),
        searcher: Searcher::default(),
        experiment: Value::Null,
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
    let trial = Trial::new(1, config, 0, PathBuf::new(), None);
    let report = |name: &str, value: Value| {
        trial.report([(name.to_owned(), value)].into_iter().collect()).map_err(|error| error.message().to_owned())
    };
    assert_eq!(report("loss", 1.5.into()), Ok(()));
    assert!(report("a", 1.into()).is_err() && report("status", 1.into()).is_err());
    assert!(report("losses", vec![1.5].into()).is_err());
    assert!(!trial.should_stop());
}

/// A search that ends bad trials early, of hyperparameters drawn at random.
fn asha(folder: &std::path::Path, workers: usize, name: &str) -> Search {
    let section = json!({
        "name": name, "metric": "loss", "max_trials": 24, "max_time": 9, "divisor": 3, "max_concurrent_trials": 0
    });
    let draw = crate::search::Distribution::Uniform(0.0, 1.0).into();
    Search {
        domain: Domain::grid(vec![("a".into(), vec![Cell::Draw(draw)])]).unwrap(),
        searcher: Searcher::read(section.as_object().unwrap()).unwrap(),
        most_reports: None,
        ..search(folder, workers)
    }
}

/// A trial that is invalid for some draws, fails for others, and ends by itself for others.
fn curve(trial: &Arc<Trial>) -> (Map<String, Value>, Result<()>) {
    let run = || {
        let a = trial.values["a"].as_f64().unwrap();
        if a > 0.9 {
            trial.set_invalid("too much");
            return Err(Error::run("too much"));
        }
        if a < 0.2 {
            return Err(Error::run("too little"));
        }
        for step in 1..100 {
            // Trials take turns in another order than their numbers.
            std::thread::sleep(std::time::Duration::from_micros((a * 3000.0) as u64));
            let loss = (a - 0.5).abs() + 1.0 / f64::from(step) + (a * f64::from(step * 37)).sin() / 3.0;
            trial.report([("loss".to_owned(), Value::from(loss))].into_iter().collect())?;
            if trial.should_stop() || (a > 0.4 && a < 0.5 && step == 2) {
                break;
            }
        }
        Ok(())
    };
    (Map::new(), run())
}

#[test]
fn trials_that_are_compared_end_alike_with_any_number_of_workers_and_after_an_interruption() {
    for name in ["asha", "adaptive_asha"] {
        let (one, many, cut) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        asha(one.path(), 1, name).run(&curve, &|_| Ok(()), &|_| ()).unwrap();
        asha(many.path(), 7, name).run(&curve, &|_| Ok(()), &|_| ()).unwrap();
        let table = csv(one.path());
        assert_eq!(table, csv(many.path()));
        for word in [",done,", ",stopped,", ",failed,"] {
            assert!(table.contains(word), "{word} is not in {table}");
        }
        assert_eq!(table.lines().count(), 25);

        let first = asha(cut.path(), 3, name);
        let stopping = |trial: &Arc<Trial>| {
            if trial.number == 9 {
                first.stop.store(true, Ordering::Relaxed);
                return (Map::new(), Err(Error::new(Kind::Interrupted, "stopped")));
            }
            curve(trial)
        };
        let error = first.run(&stopping, &|_| Ok(()), &|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted);
        let finished = (1..=24).filter(|number| first.trial_folder(*number).join(RESULT).is_file()).count();
        assert!((1..24).contains(&finished), "{finished}");
        let begun = Mutex::new(0);
        let tell = |event: Event| {
            if let Event::End(_) = event {
                *begun.lock().unwrap() += 1;
            }
        };
        asha(cut.path(), 2, name).run(&curve, &|_| Ok(()), &tell).unwrap();
        assert_eq!(begun.into_inner().unwrap() + finished, 24);
        assert_eq!(csv(cut.path()), table);
    }
}

#[test]
fn a_trial_that_breaks_keeps_no_other_waiting() {
    let folder = tempfile::tempdir().unwrap();
    // Its result cannot be written: the second trial would wait for it at its first rung.
    let breaking = |trial: &Arc<Trial>| {
        if trial.number == 1 {
            std::thread::sleep(std::time::Duration::from_millis(50));
            std::fs::remove_dir_all(&trial.folder).unwrap();
            std::fs::write(&trial.folder, "a file").unwrap();
            return (Map::new(), Ok(()));
        }
        curve(trial)
    };
    let error = asha(folder.path(), 2, "asha").run(&breaking, &|_| Ok(()), &|_| ()).unwrap_err();
    assert_ne!(error.kind(), Kind::Interrupted, "{error}");
}
