//! Scripts, as recipes and as components: the parser, the checks before a script runs, the host.

use std::fs;
use std::path::Path;

use barrage::Error;
use barrage::script::{Host, Limits, Wanted};

use super::{Target, fuzz, outcome};

#[test]
fn recipe() {
    let folder = tempfile::tempdir().unwrap();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/script/files");
    crate::broken::copy(&files, folder.path());
    fuzz(Recipe { folder, host: None, uses: 0 });
}

/// A script that goes on for ever, or grows for ever, is stopped early.
const LIMITS: Limits = Limits {
    operations: 20_000,
    call_levels: 32,
    expression_depth: 64,
    function_expression_depth: 64,
    text: 1 << 14,
    array: 1 << 10,
    map: 1 << 8,
    modules: 8,
    functions: 256,
    variables: 256,
};

struct Recipe {
    folder: tempfile::TempDir,
    host: Option<Host>,
    uses: usize,
}

impl Target for Recipe {
    const NAME: &'static str = "recipe";
    const WORDS: &'static [&'static str] = &[
        "fn load(record) {",
        "fn build(params) {",
        "fn params() {",
        "fn init() {",
        "this.",
        "this.params.",
        "#{ \"import\": ",
        "#{ a: 1 }",
        "import \"loaders/flowers\" as f;",
        "import \"component\" as c;",
        "f::",
        "global::",
        "component(",
        "read_records(\"flowers.csv\")",
        "read_json(\"settings.json\")",
        "trainer(\"a\").train(",
        ".map(|r| ",
        ".split(0.5)",
        "tensor([1, 2])",
        "input(\"x\", [4])",
        ".dense(",
        "network(",
        "`${",
        "}`",
        "let x = ",
        "const ",
        "export ",
        "private ",
        "throw ",
        "try {",
        "} catch (e) {",
        "switch x {",
        "loop {",
        "while true {",
        "for (i, n) in ",
        "if ",
        "else",
        "return",
        "break",
        "9223372036854775807",
        "-9223372036854775808",
        "1e308",
        "0xff",
        "0..",
        "?.",
        "?[",
        "??",
        "...",
        "=>",
        "\\u{1F600}",
        "\u{1f98a}",
        "å",
        "/*",
        "//!",
        "\r\n",
        "\"",
        "r#\"",
        "Fn(\"load\")",
        "curry(",
        "call(",
        "type_of(",
        "is_def_fn(",
    ];

    fn seeds(&self) -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut seeds = Vec::new();
        for folder in ["examples", "stdlib", "tests/broken/base", "tests/script/files"] {
            for entry in walkdir::WalkDir::new(root.join(folder)).sort_by_file_name() {
                let path = entry.unwrap().into_path();
                if path.extension().is_some_and(|ending| ending == "rhai") {
                    seeds.push(fs::read(path).unwrap());
                }
            }
        }
        for case in ["records", "recipe", "network", "tensor_make", "record", "random", "trainer"] {
            let text = fs::read_to_string(root.join(format!("tests/script/{case}.rhai"))).unwrap();
            seeds.extend(text.split("// --- ").skip(1).map(|case| case.as_bytes().to_vec()));
        }
        seeds
    }

    fn run(&mut self, input: &[u8]) -> String {
        let text = String::from_utf8_lossy(input);
        // A host remembers what it compiled: now and then it starts anew.
        self.uses += 1;
        if self.uses.is_multiple_of(512) {
            self.host = None;
        }
        let folder = self.folder.path();
        let check = |host: &Host, wanted: &Wanted| {
            Error::join(barrage::assemble::check(host, wanted, true).errors).map_or(Ok(()), Err)
        };
        let make = || Host::builder(folder).limits(LIMITS).instead_of_training(check).build().unwrap();
        let host = self.host.get_or_insert_with(make);
        let ran = outcome(host.eval(&text));
        fs::write(folder.join("component.rhai"), &*text).unwrap();
        let made = host.component("component", &serde_json::Map::new()).and_then(|component| {
            component.slot("load", 1..=2, "fn load(record) { … }")?;
            component.init(barrage::record::Mode::Train)
        });
        format!("{ran}; {}", outcome(made))
    }
}
