//! The manual: everything is documented, every example gives what it says, and the committed pages are
//! those that the program prints.

use std::fs;
use std::path::Path;

use barrage::script::api::PAGES;
use barrage::script::manual::{self, examples, functions};
use barrage::script::repl::Session;

use super::Project;

#[test]
fn every_example_gives_what_it_says() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (page, text) in manual::pages() {
        for example in examples(&text) {
            let project = Project::new();
            let mut session = Session::new(project.host().arguments(Vec::new()).build().unwrap());
            for line in example {
                count += 1;
                let found = match session.eval(&line.code) {
                    Ok(value) => value.unwrap_or_else(|| "()".to_owned()),
                    Err(error) => format!("error: {error} {:?}", error.hints()),
                };
                if line.value.is_some_and(|value| value != found) || found.starts_with("error: ") {
                    wrong.push(format!("{page}: `{}`\n  gave {found}", line.code.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("lines of examples: {count}");
    assert!(count > 250, "only {count} lines of examples were found");
}

#[test]
fn everything_is_documented() {
    let mut missing = Vec::new();
    for page in PAGES {
        assert!(!page.intro.is_empty() && !page.title.is_empty(), "{}", page.name);
        let all = functions(page);
        // A page about the language as a whole has none of its own.
        assert!(all.is_empty() == (page.name == "speed"), "{} has no functions", page.name);
        for function in all {
            for (signatures, text) in function.texts() {
                if text.is_empty() {
                    missing.push(format!("{}: {}", page.name, signatures.join(", ")));
                }
                if !(text.starts_with("Returns ")
                    || text.starts_with("Writes ")
                    || text.starts_with("Trains ")
                    || text.starts_with("Loads ")
                    || text.starts_with("Stops "))
                {
                    missing.push(format!("{}: `{}` does not say what it returns", page.name, function.name));
                }
                for signature in signatures {
                    let foreign =
                        ["Dynamic", "Answer", "Box<", "::", "&", "Map", "Vec", ": i64", "> i64", "usize", "Handle"];
                    if foreign.iter().any(|word| signature.contains(word)) {
                        missing.push(format!("{}: `{signature}` shows how it is made", page.name));
                    }
                }
            }
            // What needs a whole run is shown in the text of its page.
            let shown = function.texts().iter().any(|(_, text)| text.contains("```rhai"));
            if !shown && !page.intro.contains(&format!("{}(", function.name)) && page.name != "network" {
                missing.push(format!("{}: `{}` has no example", page.name, function.name));
            }
        }
    }
    for section in manual::sections() {
        for component in section.components {
            if component.doc.trim().is_empty() {
                missing.push(format!("{}: {}", section.name, component.name));
            }
            if section.name == "layers" && component.example.is_none() {
                missing.push(format!("{}: {} has no example", section.name, component.name));
            }
            for parameter in component.parameters {
                if parameter.doc.trim().is_empty() {
                    missing.push(format!("{}: {}, `{}`", section.name, component.name, parameter.name));
                }
            }
        }
    }
    for script in manual::scripts() {
        if script.text.is_empty() || !script.text.contains("```rhai") {
            missing.push(script.import);
        }
    }
    assert!(missing.is_empty(), "undocumented:\n{}", missing.join("\n"));
}

#[test]
fn every_embedded_script_is_in_the_folder_and_the_other_way_round() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
    let mut files = Vec::new();
    for folder in fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path().with_extension("");
            files.push(file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"));
        }
    }
    files.sort();
    let mut names: Vec<String> = barrage::script::stdlib::names().map(str::to_owned).collect();
    names.sort();
    assert_eq!(names, files);
}

#[test]
fn committed_pages_are_what_the_program_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/manual");
    let pages = manual::pages();
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &pages {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let mut committed: Vec<String> = fs::read_dir(&folder)
        .unwrap_or_else(|_| panic!("docs/manual is missing: `UPDATE=1 cargo test` writes it"))
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    committed.sort();
    let mut printed: Vec<String> = pages.iter().map(|(name, _)| name.clone()).collect();
    printed.sort();
    assert_eq!(committed, printed);
    for (name, text) in pages {
        let known = fs::read_to_string(folder.join(&name)).unwrap();
        assert!(known == text, "docs/manual/{name} is not what the program prints: `UPDATE=1 cargo test` writes it");
    }
}

#[test]
fn help_finds_functions_layers_components_scripts_and_pages() {
    for (name, wanted) in [
        ("split", "records.split(fraction: number, options: map) -> array"),
        ("sum", "tensor.sum(axes: int or array, keep: bool) -> Tensor"),
        ("dense", "layer.dense(units: int, options: map) -> Layer"),
        ("Dense", "// => Layer(Dense, [2])"),
        ("Adam", "| `beta_1` |"),
        ("mse", "Also: "),
        ("tensor", "methods: "),
        ("losses", "built in: `"),
        ("std", "std.transformers.standardise"),
        ("standardise", "`inputs`"),
        ("std.augmentors.noise", "`deviation`"),
        ("==", "Tensor == Tensor or number -> Tensor"),
        ("shape", "tensor.shape -> array"),
        ("contains", "value in array"),
    ] {
        let text = manual::help(name).unwrap();
        assert!(text.contains(wanted), "help {name}: no `{wanted}` in\n{text}");
    }
    let error = manual::help("relue").unwrap_err();
    assert_eq!(error.message(), "no help on `relue`");
    assert_eq!(error.hints()[0], "did you mean `relu`?");
}
