//! The one error type: what was expected, what was found, where, and what to do.
//!
//! Inner code makes an error from text ([`Error::data`], [`Error::recipe`] …) and may add a hint; each
//! caller that knows more adds it: [`Error::within`] names the record, file or component being worked
//! on, [`Error::at`] the place in a text. [`draw`] prints the whole.

pub mod codes;
mod draw;
mod nearest;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use draw::{draw, draw_warning};
pub use nearest::{counted, did_you_mean, list, listed, near_file, nearest};

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an error decides the exit code of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A recipe, a config or the parameters of a component are wrong.
    Recipe,
    /// A script does not compile, or failed while it ran.
    Script,
    /// Records or data files are wrong.
    Data,
    /// An artifact folder or a file in it is missing or wrong.
    Artifact,
    /// Training started and could not go on.
    Run,
    /// The command line asks for something that does not exist.
    Usage,
    /// Someone asked to stop.
    Interrupted,
}

impl Kind {
    /// Returns the code of the kind's errors that have none of their own.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Kind::Usage => Some(codes::USAGE),
            Kind::Recipe => Some(codes::RECIPE),
            Kind::Script => Some(codes::SCRIPT),
            Kind::Data => Some(codes::DATA),
            Kind::Artifact => Some(codes::ARTIFACT),
            Kind::Run => Some(codes::RUN),
            Kind::Interrupted => None,
        }
    }
}

/// A span of a text: where an error is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name as the person wrote it.
    pub file: Arc<str>,
    /// The whole text of the file, kept so that the line can be drawn.
    pub text: Arc<str>,
    /// Bytes of `text`; an empty range is a point.
    pub span: Range<usize>,
}

impl Place {
    /// Creates a place from a 1-based line and column (in characters); the span is widened to the
    /// identifier, number or text that starts there.
    pub fn from_line(file: Arc<str>, text: Arc<str>, line: usize, column: usize) -> Self {
        let start_of_line: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = text.get(start_of_line..).unwrap_or("");
        let in_line = rest.lines().next().unwrap_or("");
        let offset = in_line.char_indices().nth(column.saturating_sub(1)).map_or(in_line.len(), |(at, _)| at);
        // A position of a field may be that of the dot before it.
        let field = in_line[offset..].strip_prefix('.').is_some_and(|name| name.starts_with(char::is_alphabetic));
        let offset = offset + usize::from(field);
        let tail = &in_line[offset..];
        let number = tail.starts_with(|c: char| c.is_ascii_digit());
        let point = |at: usize| number && tail[at + 1..].starts_with(|c: char| c.is_ascii_digit());
        let word = |(at, c): &(usize, char)| c.is_alphanumeric() || *c == '_' || (*c == '.' && point(*at));
        let length = match tail.char_indices().find(|at| !word(at)).map(|(at, _)| at) {
            Some(0) => match tail.strip_prefix('"').and_then(|text| text.find('"')) {
                Some(closing) => closing + 2,
                None => tail.chars().next().map_or(0, char::len_utf8),
            },
            Some(length) => length,
            None => tail.len(),
        };
        let start = start_of_line + offset;
        Place { file, text, span: start..start + length }
    }

    /// Returns the span within the text, widened to whole characters.
    pub fn characters(&self) -> Range<usize> {
        let start = self.text.floor_char_boundary(self.span.start);
        start..self.text.ceil_char_boundary(self.span.end.min(self.text.len())).max(start)
    }

    /// Returns the 1-based line and column (in characters) of the start.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.text.get(..self.characters().start).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.file)
    }
}

/// What of a run an error is about, said where it is raised: rooms that check a run do not know its recipe, and who does
/// finds there where the subject is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// What gives values: the loader.
    Loader,
    /// The network, or an input of it.
    Network,
    /// All outputs together: one is missing.
    Outputs,
    /// An output of this name, and that it has it.
    Name(String),
    /// The output of this name: its loss, unless a metric is named too.
    Output(String),
    /// The loss of any output.
    Loss,
    /// The metric of this name.
    Metric(String),
    /// The service of this name.
    Service(String),
}

/// The name of the step of a chain of calls that imports a script.
pub const IMPORT: &str = "import";

/// One step of the chain of calls that led to an error in a script, innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function that was called.
    pub function: String,
    /// Where it was called.
    pub place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq)]
struct Inner {
    kind: Kind,
    code: Option<&'static str>,
    message: String,
    hints: Vec<String>,
    place: Option<Place>,
    label: Option<String>,
    context: Vec<String>,
    subjects: Vec<Subject>,
    frames: Vec<Frame>,
    also: Vec<Error>,
}

/// An error for the reader: lower case, no full stop, names in backticks, shapes as `[2, 3]`.
///
/// ```
/// use barrage::Error;
/// let error = Error::data("column `age` is missing").hint("columns: name, height").within("people.csv");
/// assert_eq!(error.to_string(), "column `age` is missing (people.csv)");
/// ```
#[derive(Clone, PartialEq)]
pub struct Error(Box<Inner>);

impl Error {
    /// Creates an error of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            code: None,
            message: message.into(),
            hints: Vec::new(),
            place: None,
            label: None,
            context: Vec::new(),
            subjects: Vec::new(),
            frames: Vec::new(),
            also: Vec::new(),
        }))
    }

    /// Creates an error about a recipe, a config or a component's parameters.
    pub fn recipe(message: impl Into<String>) -> Self {
        Self::new(Kind::Recipe, message)
    }

    /// Creates an error about a script.
    pub fn script(message: impl Into<String>) -> Self {
        Self::new(Kind::Script, message)
    }

    /// Creates an error about records, values, shapes or a data file.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Kind::Data, message)
    }

    /// Creates an error about an artifact folder.
    pub fn artifact(message: impl Into<String>) -> Self {
        Self::new(Kind::Artifact, message)
    }

    /// Creates an error about a training run.
    pub fn run(message: impl Into<String>) -> Self {
        Self::new(Kind::Run, message)
    }

    /// Sets the stable code, one of [`codes`], unless an inner caller already knew a better one; also of errors
    /// of the same check. Where a room's door adds one, nothing behind it needs to.
    #[must_use]
    pub fn coded(mut self, code: &'static str) -> Self {
        self.each(|error| _ = error.code.get_or_insert(code));
        self
    }

    /// Sets the stable code, whatever inner callers knew: what was wrong inside is wrong for another reason here.
    #[must_use]
    pub fn recoded(mut self, code: &'static str) -> Self {
        self.each(|error| error.code = Some(code));
        self
    }

    /// Keeps the general code of the kind where no better one is known, so that outer callers add none.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.each(|error| error.code = error.code.or(error.kind.code()));
        self
    }

    /// Adds a line that says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Adds a hint when there is one (see [`did_you_mean`]).
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.0.hints.extend(hint);
        self
    }

    /// Adds what was being worked on: `record 17 of train.csv`, `loader loaders.iris`. Outer callers
    /// add after inner ones; what the last one said is not said again. Errors of the same check are within it too.
    #[must_use]
    pub fn within(mut self, context: impl Into<String>) -> Self {
        let context = context.into();
        self.each(|error| {
            if error.context.last() != Some(&context) {
                error.context.push(context.clone());
            }
        });
        self
    }

    /// Says what of a run the error is about; it may be about several things, such as a metric of an output. Errors of the
    /// same check are about it too.
    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.each(|error| {
            if !error.subjects.contains(&subject) {
                error.subjects.push(subject.clone());
            }
        });
        self
    }

    /// Sets the place, unless an inner caller already knew a better one; also of errors of the same check.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.each(|error| {
            error.place.get_or_insert_with(|| place.clone());
        });
        self
    }

    /// Sets the text beside the marked span.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = Some(label.into());
        self
    }

    /// Forgets the text beside the mark, of errors that have no place yet: it would stand beside another word.
    #[must_use]
    pub fn without_label(mut self) -> Self {
        self.each(|error| {
            if error.place.is_none() {
                error.label = None;
            }
        });
        self
    }

    /// Sets the kind: a shape error inside a script is an error of the script.
    #[must_use]
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Adds a step of the chain of calls; the innermost is added first. Errors of the same check get it too.
    #[must_use]
    pub fn called_from(mut self, frame: Frame) -> Self {
        self.each(|error| {
            if error.frames.last() != Some(&frame) {
                error.frames.push(frame.clone());
            }
        });
        self
    }

    /// This error and those of the same check.
    fn each(&mut self, change: impl Fn(&mut Inner)) {
        change(&mut self.0);
        self.0.also.iter_mut().for_each(|other| change(&mut other.0));
    }

    /// Adds another error of the same check, with those that it brings, reported together with this one.
    #[must_use]
    pub fn and(mut self, other: Error) -> Self {
        self.0.also.extend(other.split());
        self
    }

    /// Returns this error and those of the same check, each on its own.
    pub fn split(mut self) -> Vec<Error> {
        let also = std::mem::take(&mut self.0.also);
        std::iter::once(self).chain(also).collect()
    }

    /// Joins the errors of one check; `None` when there are none.
    pub fn join(errors: Vec<Error>) -> Option<Error> {
        let mut errors = errors.into_iter();
        let first = errors.next()?;
        Some(errors.fold(first, Error::and))
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the stable code, which [`codes::page`] explains: the general one of the kind where no better one is
    /// known. Only what was interrupted has none.
    pub fn code(&self) -> Option<&'static str> {
        self.0.code.or(self.0.kind.code())
    }

    /// Returns the message alone.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the hints.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// Returns the place, when one is known.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// Returns the text beside the marked span.
    pub fn span_label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// Returns what was being worked on, innermost first.
    pub fn context(&self) -> &[String] {
        &self.0.context
    }

    /// Returns what of a run the error is about, as far as it was said.
    pub fn subjects(&self) -> &[Subject] {
        &self.0.subjects
    }

    /// Returns the chain of calls, innermost first.
    pub fn frames(&self) -> &[Frame] {
        &self.0.frames
    }

    /// Returns the other errors of the same check.
    pub fn also(&self) -> &[Error] {
        &self.0.also
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if !self.0.context.is_empty() {
            write!(f, " ({})", self.0.context.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    /// Draws the error: what `unwrap` and `main` show of it is for a reader too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&draw(self, false))
    }
}

impl std::error::Error for Error {}

impl From<candle_core::Error> for Error {
    /// Candle's errors reach here only where our own shape checks missed something.
    fn from(error: candle_core::Error) -> Self {
        Error::data(error.to_string().lines().next().unwrap_or("tensor operation failed").to_owned())
    }
}
