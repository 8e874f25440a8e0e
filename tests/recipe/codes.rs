//! Every error code has a page, and every page's example produces that code.

use std::fs;
use std::path::Path;

use barrage::Error;
use barrage::error::codes::{self, Page};
use barrage::error::draw;
use barrage::recipe::{Recipe, Written};

use super::every;

#[test]
fn every_code_has_a_page() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/error/codes.rs")).unwrap();
    let constants: Vec<&str> =
        source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1)).collect();
    let pages: Vec<&str> = codes::pages().map(|page| page.code).collect();
    assert!(constants.len() > 20);
    assert_eq!(constants, pages, "the constants, and the pages of codes.md");
}

#[test]
fn every_example_of_a_config_produces_its_code() {
    for page in codes::pages().filter(is_config) {
        let folder = tempfile::tempdir().unwrap();
        let error = run(&page, folder.path());
        let error = error.unwrap_or_else(|| panic!("{}: the example is accepted", page.code));
        let drawn = draw(&error, false);
        assert!(every(&error).all(|error| error.code() == Some(page.code)), "{}:\n{drawn}", page.code);
        assert!(drawn.starts_with(&format!("error[{}]: ", page.code)), "{drawn}");
    }
}

/// The codes of configs are produced by reading a config, all others by commands.
fn is_config(page: &Page) -> bool {
    page.code.starts_with("B01")
}

#[test]
#[cfg(unix)]
fn every_other_example_produces_its_code() {
    let wanted = std::env::var("CODE").unwrap_or_default();
    let wrong: Vec<String> = codes::pages()
        .filter(|page| !is_config(page) && page.code.contains(&wanted))
        .filter_map(|page| complaint(&page).map(|complaint| format!("{}: {complaint}", page.code)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Takes the steps of a page: files are written, commands run; only the last one fails, with the page's code alone.
fn complaint(page: &Page) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut last: Option<String> = None;
    let go_on = |last: &mut Option<String>| {
        let command = last.take()?;
        let output = shell(&command, folder.path());
        let said = String::from_utf8_lossy(&output.stderr);
        (!output.status.success()).then(|| format!("`{command}` fails:\n{said}"))
    };
    for fence in page.text.split("\n```").collect::<Vec<_>>().chunks(2).filter_map(|pair| pair.get(1)) {
        let (info, text) = fence.split_once('\n').unwrap();
        let commands: Vec<&str> = if info == "sh" { text.lines().collect() } else { Vec::new() };
        for command in commands {
            if let Some(complaint) = go_on(&mut last) {
                return Some(complaint);
            }
            last = Some(command.to_owned());
        }
        if let Some((_, file)) = info.split_once(' ') {
            if let Some(complaint) = go_on(&mut last) {
                return Some(complaint);
            }
            fs::write(folder.path().join(file), format!("{text}\n")).unwrap();
        }
    }
    let Some(command) = last else { return Some("no command".to_owned()) };
    let output = shell(&command, folder.path());
    let said = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
    let own = format!("error[{}]: ", page.code);
    let right = !errors.is_empty() && errors.iter().all(|error| error.starts_with(&own)) && !output.status.success();
    (!right).then(|| format!("`{command}` says\n{said}"))
}

fn shell(command: &str, folder: &Path) -> std::process::Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_barrage")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    std::process::Command::new("sh").args(["-c", command]).current_dir(folder).env("PATH", path).output().unwrap()
}

/// Writes the files of a page's example, and reads the config as its command does.
fn run(page: &Page, folder: &Path) -> Option<Error> {
    let (mut first, mut command) = (None, None);
    for fence in page.text.split("\n```").collect::<Vec<_>>().chunks(2).filter_map(|pair| pair.get(1)) {
        let (info, text) = fence.split_once('\n').unwrap();
        let words: Vec<&str> = info.split(' ').collect();
        match words[..] {
            ["sh"] => command = Some(text.to_owned()),
            [_, file] => fs::write(folder.join(file), text).unwrap(),
            // Latin-1 has the first 256 characters.
            [_, file, "latin-1"] => {
                fs::write(folder.join(file), text.chars().map(|c| c as u8).collect::<Vec<_>>()).unwrap()
            }
            _ => panic!("{}: {info}", page.code),
        }
        first = first.or(words.get(1).map(|file| (*file).to_owned()));
    }
    let first = first.unwrap_or_else(|| panic!("{}: no example", page.code));
    let words: Vec<String> = match command {
        Some(command) => {
            let words = command.trim().strip_prefix("barrage train ").unwrap_or_else(|| panic!("{command}"));
            // Two data files stand between the config and the overrides.
            let words: Vec<&str> = words.split(' ').collect();
            words
                .iter()
                .enumerate()
                .filter(|(at, _)| *at != 1 && *at != 2)
                .map(|(_, word)| (*word).to_owned())
                .collect()
        }
        None => vec![first],
    };
    let written = Written::read(&folder.join(&words[0])).and_then(|written| written.overridden(&words[1..]));
    let recipe = written.and_then(|written| Recipe::resolve(&written));
    recipe.and_then(|(recipe, _)| recipe.check_spelling()).err()
}
