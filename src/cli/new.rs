//! `barrage new`: starts a project from a template.
//!
//! The templates are the examples of this repository, so that what a new project holds is what the tests run.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::terminal;
use crate::error::codes;
use crate::{Error, Result, artifact};

/// Start a project with a recipe, components and real data
#[derive(clap::Args)]
#[command(after_help = "Example: barrage new flowers --template tabular && barrage run flowers/recipe.rhai")]
pub struct Args {
    /// The folder to make
    name: PathBuf,

    /// What kind of data the project is about
    #[arg(short, long, value_enum, default_value = "tabular")]
    template: Template,
}

/// What a new project is about.
#[derive(Clone, Copy, ValueEnum)]
enum Template {
    /// Numbers in columns, text labels: iris
    Tabular,
    /// Images, a convolutional network: handwritten digits
    Image,
    /// Text, a learned vocabulary: short messages, spam or not
    Text,
    /// A series over time: tomorrow's temperature
    TimeSeries,
    /// Several inputs and outputs, sample weights: penguins
    MultiOutput,
}

type File = (&'static str, &'static [u8]);

macro_rules! files {
    ($example:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../examples/", $example, "/", $name)))),*]
    };
}

impl Template {
    fn files(self) -> &'static [File] {
        match self {
            Template::Tabular => files!["iris_scripted": "recipe.rhai", "iris.csv", "components/flowers.rhai",
                "components/prepare.rhai", "components/noise.rhai", "components/network.rhai"],
            Template::Image => {
                files!["digits": "recipe.rhai", "digits.csv", "components/image.rhai", "components/network.rhai"]
            }
            Template::Text => files!["sms_spam": "recipe.rhai", "sms-spam.csv", "components/message.rhai",
                "components/words.rhai", "components/network.rhai"],
            Template::TimeSeries => files!["weather": "recipe.rhai", "seattle-weather.csv", "components/window.rhai",
                "components/standardise.rhai", "components/augment.rhai", "components/network.rhai"],
            Template::MultiOutput => files!["penguins": "recipe.rhai", "penguins.csv", "components/bird.rhai",
                "components/prepare.rhai", "components/augment.rhai", "components/network.rhai"],
        }
    }
}

/// Makes the project.
pub fn run(args: Args) -> Result<()> {
    let folder = &args.name;
    if folder.exists() {
        return Err(Error::artifact(format!("`{}` exists already", folder.display()))
            .coded(codes::EXISTS)
            .hint("name a folder that does not exist yet"));
    }
    for (name, contents) in args.template.files() {
        let file = folder.join(name);
        if let Some(parent) = file.parent() {
            artifact::make_folder(parent)?;
        }
        let here = PathBuf::from(folder.file_name().unwrap_or(folder.as_os_str()));
        artifact::write_atomic(&file, adapt(name, contents, &here).as_ref())?;
    }
    artifact::write_atomic(&folder.join(".gitignore"), b"artifacts*/\nscores.json\nheld_out.*\n")?;
    artifact::write_atomic(
        &folder.join("barrage.toml"),
        b"# Marks the root of the project: scripts and data are named relative to it.\n",
    )?;
    terminal::message(&format!(
        "made `{0}`:\n{1}next: cd {0} && barrage check recipe.rhai && barrage run recipe.rhai\n",
        folder.display(),
        contents(args.template.files())
    ));
    Ok(())
}

/// The files of a project, each with the first sentence it says about itself.
fn contents(files: &[File]) -> String {
    let width = files.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, contents): &File| {
        let text = std::str::from_utf8(contents).unwrap_or_default();
        let about = if name.ends_with(".rhai") { first_sentence(text) } else { "the data".to_owned() };
        format!("  {name:width$}  {about}\n")
    };
    files.iter().map(line).collect()
}

/// The first sentence of a script's first comment, or what stands before its first colon.
fn first_sentence(script: &str) -> String {
    let comment = script.lines().map_while(|line| line.strip_prefix("//"));
    let lines = comment.map(|line| line.trim_start_matches('!').trim()).take_while(|line| !line.is_empty());
    let text = lines.collect::<Vec<_>>().join(" ");
    let end = text.find(". ").unwrap_or(text.len()).min(text.find(": ").unwrap_or(text.len()));
    text[..end].trim_end_matches('.').to_owned()
}

/// The command in a recipe's first comment names the example's folder; in a project it names the project.
fn adapt<'a>(name: &str, contents: &'a [u8], project: &Path) -> std::borrow::Cow<'a, [u8]> {
    let text = match std::str::from_utf8(contents) {
        Ok(text) if name == "recipe.rhai" => text,
        _ => return contents.into(),
    };
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line.strip_prefix("//     barrage run examples/") {
            Some(_) => format!("//     barrage run {}/recipe.rhai", project.display()),
            None => line.to_owned(),
        })
        .collect();
    format!("{}\n", lines.join("\n")).into_bytes().into()
}
