//! The storage of batches: what those who use them let go of is used for the next, and what they keep is left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use barrage::dataset::{Batch, Cache, Dataset, Options, Stations};
use barrage::prelude::*;
use barrage::script::adaptor::{ScriptAugmentor, ScriptLoader};

const BATCH: usize = 250;
const BATCHES: usize = 12;
const EPOCHS: u64 = 4;
const WORKERS: usize = 2;

/// The bytes of the inputs of one batch, as no other test of this program has them.
pub const BYTES: usize = BATCH * 28 * 28 * size_of::<f32>();

/// How often so many bytes were allocated, on whichever thread.
pub static FRESH: AtomicUsize = AtomicUsize::new(0);

const SCRIPT: &str = "
    fn load(record) { [#{ image: record.image.to_f32() / 255.0 }, #{ label: record.label }] }
    fn shift(data_record, params, rng) {
        let by = rng.below(5) - 2;
        data_record.x.image = data_record.x.image.pad([[0, 0], [2, 2]], 0.0).slice(1, 2 - by, 30 - by);
        data_record
    }";

/// Images that a script loads anew in each epoch, and moves.
fn dataset(workers: usize) -> Dataset {
    let count = BATCH * BATCHES;
    let pixels = (0..count * 784).map(|at| (at * 31 % 251) as u8).collect();
    let images = Array::from_u8(pixels, &[count, 28, 28]).unwrap();
    let labels = Array::from_i64((0..count as i64).collect(), &[count]).unwrap();
    let columns = vec![("image".into(), images.into()), ("label".into(), labels.into())];
    let records = Records::from_columns(columns, "images").unwrap();
    let host = Host::builder(std::env::temp_dir()).script("images", SCRIPT).build().unwrap();
    let component = |import: &str| host.component(import, &Params::new()).unwrap();
    let none = Params::new();
    let same = barrage::registry::find(barrage::transformer::LIST, "transformer", "IdentityTransformer").unwrap();
    let stations = Stations {
        loader: Arc::new(ScriptLoader::new(component("images")).unwrap()),
        transformer: Arc::from(same.make(&none).unwrap()),
        augmentor: Some(Arc::new(ScriptAugmentor::new(component("images.shift")).unwrap())),
    };
    let options = Options { workers, cache: Cache::Off, ..Options::default() };
    Dataset::new(records, stations, Mode::Train, BATCH, 7, options).unwrap()
}

fn bits(batch: &Batch) -> Vec<u32> {
    batch.x[0].1.as_f32().iter().map(|value| value.to_bits()).collect()
}

// One test, as both parts allocate what is counted.
#[test]
fn batches_become_memory_of_the_next_unless_somebody_keeps_them() {
    let dropped = dataset(WORKERS);
    let before = FRESH.load(Ordering::Relaxed);
    for epoch in 0..EPOCHS {
        let mut batches = dropped.epoch(epoch);
        (0..BATCHES).for_each(|at| assert_eq!(batches.batch(at).unwrap().len, BATCH));
    }
    let fresh = FRESH.load(Ordering::Relaxed) - before;
    // As many as can be there at once: two a worker on the way, those that lie ready, and that which is looked at. Without
    // any use of them for others there would be two a batch, 96.
    let most = 2 * WORKERS + (WORKERS + 2) + 1;
    assert!((1..=most).contains(&fresh), "{fresh} pieces of storage for {} batches", EPOCHS as usize * BATCHES);

    let keeping = dataset(0);
    let (mut kept, mut copies) = (Vec::new(), Vec::new());
    for epoch in 0..2 {
        let (mut ours, mut others) = (keeping.epoch(epoch), dropped.epoch(epoch));
        for at in 0..BATCHES {
            let batch = ours.batch(at).unwrap();
            copies.push(bits(&batch));
            // Every third is kept by its array alone, as a script or a service does.
            let array = batch.x[0].1.clone();
            kept.push((array, (at % 3 != 0).then_some(batch)));
            // Used storage shows in nothing.
            assert!(bits(&others.batch(at).unwrap()) == *copies.last().unwrap(), "epoch {epoch}, batch {at}");
        }
    }
    for ((array, batch), copy) in kept.iter().zip(&copies) {
        let values = array.as_f32();
        assert!(values.iter().map(|value| value.to_bits()).eq(copy.iter().copied()));
        assert!(batch.as_ref().is_none_or(|batch| bits(batch) == *copy));
    }
}
