//! What a config may hold, as data: the vocabulary of the table in [`keys`](super::keys).

/// A map with known keys.
#[derive(Debug)]
pub struct Section {
    /// What it is, for errors: "an import block".
    pub what: &'static str,
    /// Whether a config that extends another changes single keys of it; else a map that is given stands for
    /// the whole, as a given `optimizer` replaces the whole default.
    pub merges: bool,
    /// Its keys, in the order of the manual and of the resolved config.
    pub keys: &'static [Key],
}

/// A key of a section.
#[derive(Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What happens when it is left out.
    pub absent: Absent,
    /// What it means: unit, range, source of the default.
    pub doc: &'static str,
}

/// What happens when a key is left out.
#[derive(Clone, Copy, Debug)]
pub enum Absent {
    /// The config is refused.
    Refused,
    /// This value is filled in as a whole; written as JSON.
    Default(&'static str),
    /// Nothing: what it sets does not exist.
    Nothing,
}

/// What a value may be.
#[derive(Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number, both ends included; `3.0` is not one.
    Whole {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// A number.
    Number(Bounds),
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// `auto`, `cpu` or `cuda:N`.
    Device,
    /// `false` alone: what is on unless it is switched off.
    Off,
    /// `null` alone.
    Null,
    /// A map with known keys.
    Map(&'static Section),
    /// A list of maps with known keys.
    Maps {
        /// The keys of each.
        section: &'static Section,
        /// The fewest items.
        least: usize,
        /// What the list is, for errors: "a list of import blocks".
        what: &'static str,
    },
    /// A map with any keys.
    Free,
    /// The first of these that the value's type fits.
    OneOf(&'static [Kind]),
    /// A key of the original that does nothing here: any value is welcome, a note says why.
    NoEffect(&'static str),
}

/// The range of a number.
#[derive(Clone, Copy, Debug)]
pub enum Bounds {
    /// Any number.
    Any,
    /// At least zero.
    NotNegative,
    /// Above zero.
    Positive,
    /// Above zero and below one.
    Fraction,
}

impl Section {
    /// Returns a key by its name.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Returns the keys that do something, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        let used = |key: &&Key| !matches!(key.kind, Kind::NoEffect(_));
        self.keys.iter().filter(used).map(|key| key.name)
    }
}

impl Kind {
    /// Returns what to write: "a whole number from 1 to 9999".
    pub fn describe(&self) -> String {
        joined(self.alternatives(), "or")
    }

    /// Returns what to write, each possibility on its own.
    fn alternatives(&self) -> Vec<String> {
        let one = match self {
            Kind::Flag => return vec!["`true`".to_owned(), "`false`".to_owned()],
            Kind::Choice(choices) => return choices.iter().map(|choice| format!("`{choice}`")).collect(),
            Kind::Device => return vec!["`auto`".to_owned(), "`cpu`".to_owned(), "`cuda:N`".to_owned()],
            Kind::OneOf(kinds) => return kinds.iter().flat_map(Kind::alternatives).collect(),
            Kind::Whole { least, most } if *most == LARGEST => format!("a whole number of at least {least}"),
            Kind::Whole { least, most } => format!("a whole number from {least} to {most}"),
            Kind::Number(Bounds::Any) => "a number".to_owned(),
            Kind::Number(Bounds::NotNegative) => "a number of at least 0".to_owned(),
            Kind::Number(Bounds::Positive) => "a number above 0".to_owned(),
            Kind::Number(Bounds::Fraction) => "a number above 0 and below 1".to_owned(),
            Kind::Text => "a text".to_owned(),
            Kind::Texts => "a list of texts".to_owned(),
            Kind::Off => "`false`".to_owned(),
            Kind::Null => "`null`".to_owned(),
            Kind::Map(section) => section.what.to_owned(),
            Kind::Maps { what, .. } => (*what).to_owned(),
            Kind::Free => "a map".to_owned(),
            Kind::NoEffect(_) => "any value".to_owned(),
        };
        vec![one]
    }

    /// Returns the section of the maps this may be, when there is one.
    pub fn section(&self) -> Option<&'static Section> {
        match self {
            Kind::Map(section) | Kind::Maps { section, .. } => Some(section),
            Kind::OneOf(kinds) => kinds.iter().find_map(Kind::section),
            _ => None,
        }
    }
}

/// Where whole numbers end that have no bound of their own.
pub const LARGEST: u64 = u64::MAX;

/// Returns the items as a sentence lists them: `a, b or c`.
pub(super) fn joined(mut items: Vec<String>, word: &str) -> String {
    match items.pop() {
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} {word} {last}", items.join(", ")),
        None => String::new(),
    }
}
