use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::testing::{Noise, Tables, column, dataset, numbers, records, stations};
use super::*;
use crate::error::Error;
use crate::random::Random;
use crate::record::{Column, Value};
use crate::record::{DataColumns, DataRecords, Record};
use crate::tensor::{Array, Tensor};

/// Ten records, record i with the input i and the output 10 · i.
fn tens() -> Tables {
    let x: Vec<f32> = (0..10).map(|i| i as f32).collect();
    let y: Vec<f32> = x.iter().map(|x| x * 10.0).collect();
    Tables::new(numbers(&x, &[10, 1]), numbers(&y, &[10, 1]))
}

fn values(dataset: &Dataset, epoch: u64) -> Vec<Vec<f32>> {
    let mut batches = dataset.epoch(epoch);
    let batch = |at| batches.batch(at).unwrap().x[0].1.as_f32().into_owned();
    (0..dataset.batches()).map(batch).collect()
}

fn flat(dataset: &Dataset, epoch: u64) -> Vec<f32> {
    values(dataset, epoch).concat()
}

#[test]
fn validation_and_score_keep_the_order_and_score_touches_no_outputs() {
    let validation = dataset(10, tens(), Mode::Validation, 1, Options::default()).unwrap();
    assert_eq!(values(&validation, 3), [vec![0.0, 1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0, 7.0], vec![8.0, 9.0]]);
    let batch = validation.epoch(0).batch(2).unwrap();
    assert_eq!((batch.len, batch.rows.clone()), (2, vec![8, 9]));
    assert_eq!(*batch.y.as_ref().unwrap()[0].1.as_f32(), [80.0, 90.0]);
    let score = dataset(10, tens(), Mode::Score, 1, Options::default()).unwrap();
    let batch = score.epoch(0).batch(0).unwrap();
    assert!(batch.y.is_none() && batch.w.is_none());
}

#[test]
fn training_records_are_shuffled_by_seed_and_epoch() {
    let train = |seed| dataset(10, tens(), Mode::Train, seed, Options::default()).unwrap();
    let (one, other) = (train(1), train(2));
    let mut first = flat(&one, 0);
    assert_eq!(first, flat(&train(1), 0));
    assert_ne!(first, flat(&one, 1));
    assert_ne!(first, flat(&other, 0));
    first.sort_by(f32::total_cmp);
    assert_eq!(first, (0..10).map(|i| i as f32).collect::<Vec<_>>());
    let kept = dataset(10, tens(), Mode::Train, 1, Options { shuffle: false, ..Options::default() }).unwrap();
    assert_eq!(flat(&kept, 5), (0..10).map(|i| i as f32).collect::<Vec<_>>());
}

#[test]
fn counts_repeat_records_and_leave_them_out() {
    let options = || Options { sample_count: Some("count".into()), shuffle: false, ..Options::default() };
    let make = |counts: &[(usize, Value)], options| {
        Dataset::new(records(10, counts), stations(Arc::new(tens()), None), Mode::Train, 4, 1, options)
    };
    let counts = [(0, Value::Int(0)), (3, Value::Float(3.0)), (9, Value::Int(0))];
    let repeated = make(&counts, options()).unwrap();
    assert_eq!(repeated.len(), 10);
    assert_eq!(flat(&repeated, 0), [1.0, 2.0, 3.0, 3.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    // Uncached it is the same.
    let uncached = make(&counts, Options { cache: Cache::Off, ..options() }).unwrap();
    assert_eq!(flat(&uncached, 0), flat(&repeated, 0));
    for (count, found) in [(Value::Int(-1), "-1"), (Value::Float(1.5), "1.5"), (Value::Float(f64::INFINITY), "inf")] {
        let error = make(&[(2, count)], options()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "sample count `count`: expected a whole number of at least 0, found {found} (record 2 of table.csv)"
            )
        );
    }
    let none: Vec<_> = (0..10).map(|row| (row, Value::Int(0))).collect();
    assert!(make(&none, options()).unwrap_err().message().contains("nothing is left to train on"));
}

#[test]
fn a_cached_dataset_loads_each_record_once_and_gives_the_same_batches() {
    let run = |cache| {
        let tables = Arc::new(tens());
        let options = Options { cache, ..Options::default() };
        let stations = stations(tables.clone(), Some(Arc::new(Noise)));
        let data = Dataset::new(records(10, &[]), stations, Mode::Train, 4, 5, options).unwrap();
        let epochs: Vec<_> = (0..3).map(|epoch| flat(&data, epoch)).collect();
        (epochs, tables.loaded.load(Ordering::Relaxed))
    };
    let (cached, loads) = run(Cache::Auto);
    assert_eq!(loads, 10);
    let (uncached, loads) = run(Cache::Off);
    assert_eq!(loads, 30);
    assert_eq!(cached, uncached);
}

#[test]
fn a_batch_depends_on_nothing_that_was_asked_before() {
    let options = Options { steps: Some(2), ..Options::default() };
    let data =
        Dataset::new(records(10, &[]), stations(Arc::new(tens()), Some(Arc::new(Noise))), Mode::Train, 4, 5, options)
            .unwrap();
    let last = data.epoch(4).batch(1).unwrap();
    let _ = flat(&data, 0);
    let mut epoch = data.epoch(4);
    let _ = epoch.batch(0).unwrap();
    assert_eq!(epoch.batch(1).unwrap().x[0].1.as_f32(), last.x[0].1.as_f32());
}

#[test]
fn repeated_records_are_augmented_differently() {
    let options = Options { sample_count: Some("count".into()), shuffle: false, ..Options::default() };
    let stations = stations(Arc::new(tens()), Some(Arc::new(Noise)));
    let data = Dataset::new(records(2, &[(0, Value::Int(2))]), stations, Mode::Train, 4, 1, options).unwrap();
    let batch = flat(&data, 0);
    assert_ne!(batch[0], batch[1]);
    assert_ne!(batch[0], flat(&data, 1)[0]);
}

#[test]
fn ragged_columns_must_agree_within_a_batch() {
    let ragged = |lengths: [usize; 8]| {
        let tensor = |&length: &usize| Tensor::Host(numbers(&vec![1.0; length], &[length]));
        let x = vec![("x".into(), Column::Ragged(lengths.iter().map(tensor).collect()))];
        dataset(8, Tables { x, ..Tables::default() }, Mode::Validation, 1, Options::default()).unwrap()
    };
    let even = ragged([2, 2, 2, 2, 3, 3, 3, 3]);
    assert_eq!(even.epoch(0).batch(1).unwrap().x[0].1.shape(), [4, 3]);
    let error = ragged([2, 2, 2, 2, 3, 3, 1, 3]).epoch(0).batch(1).unwrap_err();
    assert_eq!(
        error.message(),
        "input `x` has shape [3] in record 4 of table.csv and [1] in record 6 of table.csv: a batch needs one shape"
    );
}

#[test]
fn text_is_refused_at_the_border() {
    let x = vec![("x".into(), Column::Text(vec!["a".into(); 8]))];
    let data = dataset(8, Tables { x, ..Tables::default() }, Mode::Score, 1, Options::default()).unwrap();
    let error = data.epoch(0).batch(0).unwrap_err();
    assert_eq!(error.message(), "input `x`: expected numbers, found texts, such as \"a\"");
}

#[test]
fn stations_keep_the_number_of_records_and_empty_data_is_refused() {
    struct Loses;
    impl Loader for Loses {
        fn load(&self, records: &[Record], _: Mode) -> Result<DataRecords> {
            let x = vec![column("x", Array::from_f32(vec![0.0; records.len() - 1], &[records.len() - 1])?)];
            Ok(DataRecords::Columns(DataColumns { len: records.len() - 1, x, y: None, w: None }))
        }
    }
    let data = |n, mode| Dataset::new(records(n, &[]), stations(Arc::new(Loses), None), mode, 4, 1, Options::default());
    let error = data(3, Mode::Score).unwrap().epoch(0).batch(0).unwrap_err();
    assert_eq!(error.message(), "loader and transformer: expected 3 data records, found 2");
    assert_eq!(data(0, Mode::Score).unwrap().batches(), 0);
    assert_eq!(data(0, Mode::Train).unwrap_err().message(), "there are no training records");
    assert_eq!(data(0, Mode::Validation).unwrap_err().message(), "there are no validation records");
}

/// Adds noise as [`Noise`] does, and takes its time, so that batches are worth handing over.
struct Slow(Arc<std::sync::atomic::AtomicUsize>);

impl Augmentor for Slow {
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords> {
        std::thread::sleep(Duration::from_millis(1));
        self.0.fetch_add(1, Ordering::Relaxed);
        Noise.augment(chunk, random)
    }
}

#[test]
fn any_number_of_workers_makes_the_same_batches_in_order() {
    let x: Vec<f32> = (0..200).map(|i| i as f32).collect();
    let run = |workers, cache| {
        let tables = Tables::new(numbers(&x, &[200, 1]), numbers(&x, &[200, 1]));
        let made = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let options = Options { workers, cache, ..Options::default() };
        let stations = stations(Arc::new(tables), Some(Arc::new(Slow(made.clone()))));
        let data = Dataset::new(records(200, &[]), stations, Mode::Train, 4, 5, options).unwrap();
        let epochs: Vec<_> = (0..2).map(|epoch| flat(&data, epoch)).collect();
        assert!(data.waited() > Duration::ZERO);
        (epochs, made.load(Ordering::Relaxed))
    };
    let expected = run(0, Cache::Auto);
    for (workers, cache) in [(1, Cache::Auto), (2, Cache::Auto), (2, Cache::Off), (8, Cache::Auto), (8, Cache::Off)] {
        assert_eq!(run(workers, cache), expected, "{workers} workers, {cache:?}");
    }
}

#[test]
fn workers_are_never_more_than_a_few_batches_ahead_and_end_with_the_epoch() {
    let x: Vec<f32> = (0..400).map(|i| i as f32).collect();
    let made = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let tables = Tables::new(numbers(&x, &[400, 1]), numbers(&x, &[400, 1]));
    let stations = stations(Arc::new(tables), Some(Arc::new(Slow(made.clone()))));
    let options = Options { workers: 2, ..Options::default() };
    let data = Dataset::new(records(400, &[]), stations, Mode::Train, 4, 5, options).unwrap();
    let mut epoch = data.epoch(0);
    for index in 0..3 {
        let _ = epoch.batch(index).unwrap();
    }
    std::thread::sleep(Duration::from_millis(40));
    let ahead = made.load(Ordering::Relaxed);
    assert!((4..=3 + 2 + 2 + 2).contains(&ahead), "{ahead} batches were made for 3");
    // Out of turn it is still the batch of that number.
    let fifty = epoch.batch(50).unwrap().x[0].1.as_f32().into_owned();
    assert_eq!(data.epoch(0).batch(50).unwrap().x[0].1.as_f32().into_owned(), fifty);
    drop(epoch);
    let before = made.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(made.load(Ordering::Relaxed), before);
}

#[test]
fn prefetch_says_how_far_workers_are_ahead() {
    let x: Vec<f32> = (0..400).map(|i| i as f32).collect();
    let made = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let stations = stations(
        Arc::new(Tables::new(numbers(&x, &[400, 1]), numbers(&x, &[400, 1]))),
        Some(Arc::new(Slow(made.clone()))),
    );
    let options = Options { workers: 4, prefetch: Some(2), ..Options::default() };
    let data = Dataset::new(records(400, &[]), stations, Mode::Train, 4, 5, options).unwrap();
    let mut epoch = data.epoch(0);
    for index in 0..3 {
        let _ = epoch.batch(index).unwrap();
    }
    std::thread::sleep(Duration::from_millis(40));
    assert_eq!(made.load(Ordering::Relaxed), 3 + 2);
}

#[test]
fn errors_of_workers_come_in_order_and_name_their_record() {
    /// Takes its time, and fails at some records.
    struct Fails;
    impl Loader for Fails {
        fn load(&self, records: &[Record], _: Mode) -> Result<DataRecords> {
            std::thread::sleep(Duration::from_millis(1));
            if let Some(record) = records.iter().find(|record| record.index() % 100 == 77) {
                return Err(Error::data("it is broken").within(record.place()));
            }
            let len = records.len();
            let x = vec![column("x", Array::from_f32(vec![0.0; len], &[len])?)];
            Ok(DataRecords::Columns(DataColumns { len, x, y: None, w: None }))
        }
    }
    for (workers, cache) in [(0, Cache::On), (2, Cache::On), (8, Cache::On), (0, Cache::Off), (8, Cache::Off)] {
        let options = Options { workers, cache, ..Options::default() };
        let data = Dataset::new(records(2000, &[]), stations(Arc::new(Fails), None), Mode::Validation, 4, 5, options);
        let data = data.unwrap();
        let mut epoch = data.epoch(0);
        let (at, error) = (0..data.batches()).find_map(|at| epoch.batch(at).err().map(|error| (at, error))).unwrap();
        assert_eq!(error.to_string(), "it is broken (record 77 of table.csv)", "{workers} workers, {cache:?}");
        assert_eq!(at, if cache == Cache::On { 0 } else { 19 });
    }
}

#[test]
fn loading_ends_when_it_is_asked_to() {
    let options = Options { cache: Cache::On, ..Options::default() };
    options.stop.store(true, Ordering::Relaxed);
    let stopped = options.stop.clone();
    let data = Dataset::new(records(10, &[]), stations(Arc::new(tens()), None), Mode::Train, 4, 1, options).unwrap();
    assert_eq!(data.epoch(0).batch(0).unwrap_err().kind(), crate::error::Kind::Interrupted);
    stopped.store(false, Ordering::Relaxed);
    assert!(data.epoch(0).batch(0).is_ok());
}

/// Refuses batches of several records with a number in them; each record alone it takes.
struct Together(f32);

impl Augmentor for Together {
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords> {
        let DataRecords::Columns(columns) = &chunk else { panic!("expected columns") };
        let values = crate::batch::dense(&columns.x[0].1, "x")?;
        match values.len() > 1 && values.as_f32().contains(&self.0) {
            true => Err(Error::data("these do not go together")),
            false => Noise.augment(chunk, random),
        }
    }
}

#[test]
fn a_batch_that_an_augmentor_fails_on_as_a_whole_is_replaced_by_one_of_the_next() {
    let x: Vec<f32> = (0..20).map(|i| i as f32).collect();
    let run = |workers, cache, failures, least| {
        let tables = Tables::new(numbers(&x, &[20, 1]), numbers(&x, &[20, 1]));
        let options = Options { workers, cache, failures, ..Options::default() };
        let stations = stations(Arc::new(tables), Some(Arc::new(Together(least))));
        let data = Dataset::new(records(20, &[]), stations, Mode::Train, 4, 5, options).unwrap();
        let mut epoch = data.epoch(0);
        let batches = (0..data.batches()).map(|index| epoch.batch(index)).collect::<Result<Vec<_>>>()?;
        let seen: Vec<_> =
            batches.iter().map(|batch| (batch.rows.clone(), batch.x[0].1.as_f32().into_owned())).collect();
        Ok::<_, Error>((seen, data.replaced()))
    };
    // Nothing fails: the batches as they are meant.
    let (meant, none) = run(0, Cache::Auto, Some(4), -1.0).unwrap();
    assert!(none.is_empty());
    let (seen, replaced) = run(0, Cache::Auto, Some(4), 7.0).unwrap();
    let bad = meant.iter().position(|(rows, _)| rows.contains(&7)).unwrap();
    for (index, (seen, meant)) in seen.iter().zip(&meant).enumerate() {
        assert_eq!(seen == meant, index != bad, "batch {index}");
    }
    assert_eq!(seen[bad].0, meant[(bad + 1) % 5].0);
    // The draws are those of the place, not of the records.
    assert_ne!(seen[bad].1, meant[(bad + 1) % 5].1);
    let mut failed = meant[bad].0.clone();
    failed.sort_unstable();
    assert_eq!(replaced.keys().copied().collect::<Vec<_>>(), failed);
    let place = format!("a batch of 4 that begins with record {} of table.csv", meant[bad].0[0]);
    for error in replaced.values() {
        assert_eq!((error.message(), error.context()), ("these do not go together", &[place.clone()][..]));
    }
    for (workers, cache) in [(1, Cache::Off), (2, Cache::Auto), (8, Cache::Off)] {
        let (again, _) = run(workers, cache, Some(4), 7.0).unwrap();
        assert_eq!(again, seen, "{workers} workers, {cache:?}");
    }
    for (failures, hint) in [(None, None), (Some(3), Some("the limit of `dataset.on_error` is 3"))] {
        let error = run(0, Cache::Auto, failures, 7.0).unwrap_err();
        assert_eq!(error.message(), "these do not go together");
        assert_eq!(
            error.hints().first().map(|told| told.contains(hint.unwrap_or(""))),
            hint.map(|_| true),
            "{error:?}"
        );
    }
}
