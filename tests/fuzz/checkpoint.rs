//! Checkpoints: the weights, and the state beside them. An input is both, with a line between.

use std::fs;

use barrage::artifact::{Best, Checkpoint, State, checkpoint, layout, weights};
use barrage::tensor::Array;

use super::{Target, fuzz, outcome};

#[test]
fn checkpoint_files() {
    fuzz(Files { folder: tempfile::tempdir().unwrap() });
}

const BETWEEN: &[u8] = b"\n--- state\n";

struct Files {
    folder: tempfile::TempDir,
}

impl Target for Files {
    const NAME: &'static str = "checkpoint";
    const WORDS: &'static [&'static str] = &[
        "{\"dense/kernel\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]}}",
        "__metadata__",
        "data_offsets",
        "[0,8]",
        "[8,0]",
        "[18446744073709551615,1]",
        "\"F16\"",
        "\"I64\"",
        "\"U8\"",
        "\"BOOL\"",
        "[4294967296,4294967296,4294967296]",
        "[]",
        "[0]",
        "\u{ff}\u{ff}\u{ff}\u{ff}",
        "\0\0\0\0\0\0\0",
        "\"format\": 1",
        "\"format\": 2",
        "\"learning_rate\"",
        "\"epoch\": -1",
        "1e999",
        "null",
        "{}",
    ];

    fn seeds(&self) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let array = |values: &[f32], shape: &[usize]| Array::from_f32(values.to_vec(), shape).unwrap();
        let named = vec![
            ("dense/kernel".to_owned(), array(&[0.5, -1.0, 2.0, 3.0], &[2, 2])),
            ("dense/bias".to_owned(), array(&[0.0, 1.0], &[2])),
        ];
        let best = Best { format: 1, epoch: 4, step: 50, monitor: "val_loss".to_owned(), value: 0.1 };
        checkpoint::write_best(folder.path(), &named, &best).unwrap();
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        let both = [read(layout::MODEL), BETWEEN.to_vec(), read(layout::STATE)].concat();

        let mut state = State::new(layout::Position::after(2), 20, 7, 0.01);
        state.services.insert("early_stopping".to_owned(), serde_json::json!({ "wait": 2 }));
        let whole =
            Checkpoint { weights: named.clone(), optimizer: named, services: Vec::new(), metrics: Vec::new(), state };
        whole.write(folder.path()).unwrap();
        let read = |name: &str| fs::read(folder.path().join(layout::epoch(2)).join(name)).unwrap();
        vec![both, [read(layout::MODEL), BETWEEN.to_vec(), read(layout::STATE)].concat()]
    }

    fn run(&mut self, input: &[u8]) -> String {
        let at = input.windows(BETWEEN.len()).position(|window| window == BETWEEN).unwrap_or(input.len());
        let (model, state) = (&input[..at], input.get(at + BETWEEN.len()..).unwrap_or_default());
        let folder = self.folder.path();
        let (model_file, state_file) = (folder.join(layout::MODEL), folder.join(layout::STATE));
        fs::write(&model_file, model).unwrap();
        fs::write(&state_file, state).unwrap();
        let best = outcome(checkpoint::read_best(folder));
        let loaded = weights::load(&model_file).and_then(|found| {
            weights::arrange(found, &[("dense/kernel".to_owned(), vec![2, 2])], "the network").map(drop)
        });
        let loaded = outcome(loaded);
        // Checksums that fit, so that what comes after them is reached.
        if let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_slice(state)
            && fields.contains_key("files")
        {
            let whole = serde_json::json!({ "bytes": model.len(), "crc32c": crc32c::crc32c(model) });
            fields.insert("files".to_owned(), serde_json::json!({ layout::MODEL: whole }));
            fs::write(&state_file, serde_json::Value::Object(fields).to_string()).unwrap();
        }
        format!("{best}; {loaded}; {}", outcome(Checkpoint::read(folder)))
    }
}
