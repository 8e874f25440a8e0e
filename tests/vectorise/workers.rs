//! Workers, columns and the cache change how long data takes, and not one bit of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use barrage::dataset::{Cache, Dataset, Options, Stations};
use barrage::random::Random;
use barrage::record::{Augmentor, DataRecords, Loader, Mode, Transformer};
use barrage::script::Host;
use barrage::script::adaptor::{ScriptAugmentor, ScriptLoader, ScriptTransformer};

use super::table;

const SCRIPT: &str = r#"
    fn load(record) {
        let size = if record.a > 0.5 { record.a * 0.25 } else { record.b };
        [#{ image: record.pixels.to_f32() / 255.0, size: size, v: record.v }, #{ kind: record.s.len(), number: record.j }]
    }

    fn fit(records) {
        let all = this.loader.load_all(records).x;
        this.mean = all.v.mean(0);
        this.deviation = all.v.std(0);
    }

    fn transform(data_record) {
        data_record.x.v = (data_record.x.v - this.mean) / this.deviation;
        data_record
    }

    fn disturb(data_record, params, rng) {
        let by = rng.below(3) - 1;
        data_record.x.image = data_record.x.image.pad([[0, 0], [1, 1]], 0.0).slice(1, 1 - by, 7 - by);
        if rng.chance(0.5) {
            data_record.x.noise = rng.normal(0.0, 0.1, [64, 8]);
        } else {
            data_record.x.noise = rng.uniform(0, 1, [64, 8]);
        }
        data_record
    }
"#;

/// An augmentor that notes on which threads it runs.
struct Noted(ScriptAugmentor, Arc<Mutex<BTreeSet<String>>>);

impl Augmentor for Noted {
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> barrage::Result<DataRecords> {
        self.1.lock().unwrap().insert(std::thread::current().name().unwrap_or_default().to_owned());
        self.0.augment(chunk, random)
    }
}

/// Every bit of two epochs, and the threads that made them.
fn epochs(workers: usize, cache: Cache, interpret: bool) -> (Vec<u64>, BTreeSet<String>) {
    let host = Host::builder(std::env::temp_dir()).script("all", SCRIPT).interpret(interpret).build().unwrap();
    let component = |path: &str| host.component(path, &serde_json::Map::new()).unwrap();
    let records = table(500);
    let loader: Arc<dyn Loader> = Arc::new(ScriptLoader::new(component("all")).unwrap());
    let mut transformer = ScriptTransformer::new(component("all"), loader.clone(), Mode::Train).unwrap();
    transformer.fit(&records, &*loader).unwrap();
    let threads = Arc::default();
    let augmentor = Noted(ScriptAugmentor::new(component("all.disturb")).unwrap(), Arc::clone(&threads));
    let stations = Stations { loader, transformer: Arc::new(transformer), augmentor: Some(Arc::new(augmentor)) };
    let options = Options { workers, cache, ..Options::default() };
    let data = Dataset::new(records, stations, Mode::Train, 48, 3, options).unwrap();
    let mut bits = Vec::new();
    for epoch in 0..2 {
        let mut batches = data.epoch(epoch);
        for index in 0..data.batches() {
            let batch = batches.batch(index).unwrap();
            bits.extend(batch.rows.iter().map(|&row| row as u64));
            for (_, array) in batch.x.iter().chain(batch.y.iter().flatten()) {
                bits.extend(array.shape().iter().map(|&size| size as u64));
                bits.extend(array.to_f64_vec().iter().map(|value| value.to_bits()));
            }
        }
    }
    let interpreted: Vec<bool> = host.functions().iter().map(|report| report.how.why().is_some()).collect();
    assert_eq!(interpreted, [interpret; 3], "{:?}", host.functions());
    let threads = threads.lock().unwrap().clone();
    (bits, threads)
}

#[test]
fn workers_columns_and_the_cache_change_no_bit() {
    let (expected, _) = epochs(0, Cache::Off, true);
    for interpret in [false, true] {
        for cache in [Cache::Off, Cache::On] {
            for workers in [1, 2, 8] {
                let (found, threads) = epochs(workers, cache, interpret);
                let what = format!("{workers} workers, {cache:?}, interpreted: {interpret}");
                assert!(found == expected, "{what}");
                assert!(threads.iter().any(|name| name.starts_with("data ")), "{what}: {threads:?}");
            }
        }
    }
}
