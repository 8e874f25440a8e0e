//! Stable error codes, for all rooms: one constant here, one page in `codes.md`.
//!
//! A code is never given to another mistake and never reused. Each page says what the code means, has an
//! example that produces it (a test runs all of them), and tells how to mend it; `barrage help CODE` prints it.

/// A key that the section does not have.
pub const UNKNOWN_KEY: &str = "B0101";
/// A key that must be given and is not.
pub const MISSING_KEY: &str = "B0102";
/// A value of another type than the key takes.
pub const WRONG_TYPE: &str = "B0103";
/// A value of the right type that the key does not take.
pub const OUT_OF_RANGE: &str = "B0104";
/// A key that is known and does nothing yet.
pub const PLANNED: &str = "B0105";
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
