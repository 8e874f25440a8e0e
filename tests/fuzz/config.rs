//! Configs in each format, with overrides and what they extend; every error is drawn.

use std::path::{Path, PathBuf};

use barrage::Error;
use barrage::recipe::{Format, Recipe, Written};

use super::{Target, fuzz, outcome};

#[test]
fn config() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base.json"), BASE).unwrap();
    fuzz(Config { folder });
}

const BASE: &str = r#"{"dataset": {"loader": {"import": "loaders.iris"}}, "model": {"network": {"import": "n"},
    "outputs": [{"name": "a", "loss": {"import": "mse"}}]}}"#;

struct Config {
    folder: tempfile::TempDir,
}

impl Target for Config {
    const NAME: &'static str = "config";
    const WORDS: &'static [&'static str] = &[
        "\0solver.epochs=3",
        "\0+data.x={\"a\": 1}",
        "\0~model.outputs.0",
        "\0model.outputs.-1.name=\"b\"",
        "\0..=",
        "\0solver.optimizer.params.beta_1=1e999",
        "\"extends\": \"base.json\",",
        "\"import\"",
        "\"params\": {}",
        "dataset",
        "sample_count",
        "augmentor",
        "outputs",
        "loss_weight",
        "solver",
        "epochs",
        "optimizer",
        "learning_rate",
        "services",
        "callbacks",
        "monitor",
        "$schema",
        "null",
        "true",
        "NaN",
        "Infinity",
        "-0",
        "1e999",
        "0x1F",
        "9223372036854775808",
        "18446744073709551616",
        "3.0",
        "\u{feff}",
        "\u{2028}",
        "å",
        "\u{1f98a}",
        "\\u0000",
        "\\ud800",
        "//",
        "/*",
        "*/",
        "'''",
        "\"\"\"",
        "[[solver]]",
        "[model.network]",
        "a.b.c = 1",
        "1979-05-27T07:32:00Z",
        "---\n",
        "...\n",
        "&a ",
        "*a",
        "<<: *a",
        "!!binary ",
        "? ",
        "|\n  ",
        ">-\n  ",
        "- ",
        "\r\n",
        "\t",
    ];

    fn seeds(&self) -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut seeds = vec![std::fs::read(root.join("examples/iris/config.json")).unwrap()];
        for entry in walkdir::WalkDir::new(root.join("tests/recipe")).sort_by_file_name() {
            let path = entry.unwrap().into_path();
            let config =
                |ending: &std::ffi::OsStr| ["json", "toml", "yaml", "yml"].iter().any(|known| ending == *known);
            if path.extension().is_some_and(config) {
                seeds.push(std::fs::read(path).unwrap());
            }
        }
        seeds
    }

    fn run(&mut self, input: &[u8]) -> String {
        let text = String::from_utf8_lossy(input);
        let mut parts = text.split('\0');
        let config = parts.next().unwrap_or_default();
        let overrides: Vec<&str> = parts.collect();
        let folder = self.folder.path();
        let find = |path: &Path| -> Result<PathBuf, Error> { Ok(folder.join(path.file_name().unwrap_or_default())) };
        let formats = [(Format::Json, "config.json"), (Format::Toml, "config.toml"), (Format::Yaml, "config.yaml")];
        let mut outcomes = Vec::new();
        for (format, name) in formats {
            let resolved = Written::parse(format, name, config).and_then(|written| {
                let written = written.extended(&find)?.overridden(&overrides)?;
                let (recipe, _) = Recipe::resolve(&written)?;
                assert!(recipe.explain(&written).contains("dataset"));
                recipe.check_spelling()?;
                // What is resolved is a right config again, and the same.
                let again = Written::from_value(&recipe.to_json());
                assert_eq!(Recipe::resolve(&again)?.0.to_json(), recipe.to_json());
                Ok(())
            });
            outcomes.push(outcome(resolved));
        }
        outcomes.join("; ")
    }
}
