//! Stable error codes, for all rooms: one constant here, one page in `codes.md`.
//!
//! A code is never given to another mistake and never reused. Each page says what the code means, has an
//! example that produces it (a test runs all of them), and tells how to mend it; `barrage help CODE` prints it.
//! The hundreds say what an error is about; the first code of each is that of errors without one of their own
//! ([`Kind::code`](super::Kind::code)), so that making an error takes no more than its words.

// B00: the command line.

/// A command line that is not understood.
pub const USAGE: &str = "B0001";
/// Help on something that does not exist.
pub const NO_HELP: &str = "B0002";
/// A file that is missing, or of another kind than the command takes.
pub const WRONG_FILE: &str = "B0003";
/// A folder of scripts or data that does not exist.
pub const NO_FOLDER: &str = "B0004";
/// A new project where something is already.
pub const EXISTS: &str = "B0005";

// B01: configs.

/// A key that the section does not have.
pub const UNKNOWN_KEY: &str = "B0101";
/// A key that must be given and is not.
pub const MISSING_KEY: &str = "B0102";
/// A value of another type than the key takes.
pub const WRONG_TYPE: &str = "B0103";
/// A value of the right type that the key does not take.
pub const OUT_OF_RANGE: &str = "B0104";
/// Two outputs with one name.
pub const SAME_NAME: &str = "B0106";
/// One of several outputs without a weight.
pub const NO_LOSS_WEIGHT: &str = "B0107";
/// A reducer beside a schedule.
pub const REDUCER_WITH_SCHEDULE: &str = "B0108";
/// The path of a Python object where a component is named.
pub const PYTHON_PATH: &str = "B0109";

/// A config file that cannot be read.
pub const UNREADABLE: &str = "B0121";
/// A config file that is not UTF-8.
pub const NOT_TEXT: &str = "B0122";
/// A script where a config is expected.
pub const NOT_A_CONFIG: &str = "B0123";
/// A text without a value.
pub const EMPTY: &str = "B0124";
/// A text that is not JSON, TOML or YAML.
pub const SYNTAX: &str = "B0125";
/// A key given twice in one map.
pub const KEY_TWICE: &str = "B0126";
/// A number that is infinite, not a number, or too large.
pub const NOT_A_NUMBER: &str = "B0127";
/// A value that only the file format knows: a date, a tag.
pub const FOREIGN_VALUE: &str = "B0128";
/// A config that is nested too deeply, or grows too large by its aliases.
pub const TOO_LARGE: &str = "B0129";

/// Configs that extend each other in a circle.
pub const CIRCLE: &str = "B0141";
/// `extends` where there is no file that it could be relative to.
pub const NOT_IN_A_FILE: &str = "B0142";

/// An override that cannot be read.
pub const WRONG_OVERRIDE: &str = "B0151";
/// An override of a key that is not there.
pub const NOT_THERE: &str = "B0152";
/// An override that leads through a value without keys, or past the end of a list.
pub const NO_WAY: &str = "B0153";

// B02: components, their parameters, and what ties them together.

/// Anything else that is wrong with a recipe.
pub const RECIPE: &str = "B0200";
/// A component that is neither built in nor a script.
pub const UNKNOWN_COMPONENT: &str = "B0201";
/// A text that is no import path.
pub const NOT_A_PATH: &str = "B0202";
/// A script without the function that its slot calls.
pub const NO_FUNCTION: &str = "B0203";
/// A component's function that takes another number of parameters.
pub const WRONG_SIGNATURE: &str = "B0204";
/// A script with statements where a component is expected.
pub const RUNS_STATEMENTS: &str = "B0205";
/// A recipe that is checked and trains nothing.
pub const TRAINS_NOTHING: &str = "B0206";
/// A parameter that the component does not have.
pub const UNKNOWN_PARAMETER: &str = "B0211";
/// A parameter that must be given and is not.
pub const MISSING_PARAMETER: &str = "B0212";
/// A parameter of another type.
pub const PARAMETER_TYPE: &str = "B0213";
/// A parameter of the right type that the component does not take.
pub const PARAMETER_RANGE: &str = "B0214";
/// A declaration of parameters that cannot be read.
pub const DECLARATION: &str = "B0215";
/// A parameter that recipe and transformer both give.
pub const GIVEN_TWICE: &str = "B0216";
/// A placeholder that nothing fills.
pub const NO_PLACEHOLDER: &str = "B0217";
/// Inputs or outputs whose names do not fit the network's.
pub const NAMES: &str = "B0221";
/// An input of another shape than the network takes.
pub const INPUT_SHAPE: &str = "B0222";
/// A monitor that is never reported.
pub const UNKNOWN_MONITOR: &str = "B0223";
/// Weights that no loss depends on.
pub const NO_GRADIENT: &str = "B0224";
/// A state that cannot be stored.
pub const NOT_STORABLE: &str = "B0225";
/// A device that cannot be used.
pub const NO_DEVICE: &str = "B0226";

// B03: scripts.

/// Anything else that goes wrong in a script.
pub const SCRIPT: &str = "B0300";
/// A script that does not parse.
pub const SCRIPT_SYNTAX: &str = "B0301";
/// A reserved word as a name.
pub const RESERVED_WORD: &str = "B0302";
/// A function of Rhai that is switched off.
pub const NOT_AVAILABLE: &str = "B0303";
/// A function that does not exist.
pub const UNKNOWN_FUNCTION: &str = "B0311";
/// A function called with what it does not take.
pub const WRONG_ARGUMENTS: &str = "B0312";
/// A variable that does not exist.
pub const UNKNOWN_VARIABLE: &str = "B0313";
/// A field that a map does not have.
pub const UNKNOWN_FIELD: &str = "B0314";
/// An operator between values that it does not work on.
pub const WRONG_OPERANDS: &str = "B0315";
/// A change of something that cannot change.
pub const READ_ONLY: &str = "B0316";
/// An index beyond the end.
pub const NOTHING_THERE: &str = "B0317";
/// A value of another type than its place takes.
pub const WRONG_VALUE: &str = "B0318";
/// Arithmetic without a result.
pub const ARITHMETIC: &str = "B0319";
/// A script that takes or makes too much.
pub const TOO_MUCH: &str = "B0320";
/// An error that the script raised itself.
pub const THROWN: &str = "B0321";
/// A script to import that does not exist.
pub const NO_SCRIPT: &str = "B0322";
/// Scripts that import each other.
pub const IMPORT_CIRCLE: &str = "B0323";
/// A file outside of the project.
pub const OUTSIDE: &str = "B0324";
/// An option that a function does not have or take.
pub const WRONG_OPTION: &str = "B0325";
/// Values that a function refuses.
pub const REFUSED: &str = "B0326";
/// A component that returns the wrong thing.
pub const WRONG_RETURN: &str = "B0327";

// B04: records and data files.

/// Anything else that is wrong with data.
pub const DATA: &str = "B0400";
/// A data file that cannot be read.
pub const UNREADABLE_DATA: &str = "B0401";
/// A data file of an unknown format.
pub const UNKNOWN_FORMAT: &str = "B0402";
/// No records.
pub const NO_RECORDS: &str = "B0403";
/// A data file whose text is broken.
pub const BROKEN_TABLE: &str = "B0404";
/// A value of another type than its column.
pub const WRONG_CELL: &str = "B0405";
/// A column or field that the records do not have.
pub const UNKNOWN_COLUMN: &str = "B0406";
/// A value that is missing.
pub const MISSING_VALUE: &str = "B0407";
/// Two columns of one name.
pub const COLUMN_TWICE: &str = "B0408";
/// Records that do not go together in a batch.
pub const UNEVEN_BATCH: &str = "B0411";
/// Labels whose shape does not fit the predictions.
pub const TARGET_SHAPE: &str = "B0412";
/// A label that is no class.
pub const NO_CLASS: &str = "B0413";

// B05: artifact folders.

/// Anything else that is wrong with an artifact folder.
pub const ARTIFACT: &str = "B0500";
/// A folder that holds no run.
pub const NO_RUN: &str = "B0501";
/// A folder that a run may not be written to.
pub const FOLDER_TAKEN: &str = "B0502";
/// A file of a run that is missing or damaged.
pub const DAMAGED: &str = "B0503";
/// Scripts of a run that were changed.
pub const CHANGED: &str = "B0504";
/// A run without a best checkpoint.
pub const NO_CHECKPOINT: &str = "B0505";
/// Records that are not those of the run.
pub const OTHER_RECORDS: &str = "B0506";
/// A file that cannot be written.
pub const UNWRITABLE: &str = "B0507";
/// Weights of a file that do not fit the network, or that cannot be written as asked.
pub const WEIGHTS: &str = "B0508";

// B06: training.

/// Anything else that stops a run.
pub const RUN: &str = "B0600";
/// A loss that is no number.
pub const NOT_FINITE: &str = "B0601";

const PAGES: &str = include_str!("codes.md");

/// The page of one code.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The code: `B0101`.
    pub code: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// The page as Markdown, without its title.
    pub text: &'static str,
}

/// Returns the page of every code, in order.
pub fn pages() -> impl Iterator<Item = Page> {
    PAGES.split("\n# ").skip(1).filter_map(|page| {
        let (heading, text) = page.split_once('\n')?;
        let (code, title) = heading.split_once(": ")?;
        Some(Page { code, title, text: text.trim() })
    })
}

/// Returns the page of a code, in whichever case it is written.
pub fn page(code: &str) -> Option<Page> {
    pages().find(|page| page.code.eq_ignore_ascii_case(code))
}

impl Page {
    /// Returns the page as a terminal shows it: examples are indented, under the name of their file.
    pub fn plain(&self) -> String {
        let mut shown = format!("{}: {}\n\n", self.code, self.title);
        let mut example = false;
        for line in self.text.lines() {
            match line.strip_prefix("```") {
                Some(opening) => {
                    example = !example;
                    if let (true, Some((_, file))) = (example, opening.split_once(' ')) {
                        shown.push_str(&format!("    # {file}\n"));
                    }
                }
                None if example && !line.is_empty() => shown.push_str(&format!("    {line}\n")),
                None => shown.push_str(&format!("{line}\n")),
            }
        }
        shown
    }
}
