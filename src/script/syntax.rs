//! Rhai's syntax errors in the words of this program, with hints for what people write from habit.

use rhai::{ParseError, ParseErrorType};

use crate::error::{self, Error, codes};
use crate::script::host::Host;
use crate::script::traceback::lower_first;

/// Explains a syntax error.
pub fn explain_parse(host: &Host, error: &ParseError, label: &str) -> Error {
    let place = host.sources().get(label).map(|_| ()).and_then(|()| host.sources().place(label, error.position()));
    let word = place.as_ref().and_then(|place| place.text.get(place.span.clone())).unwrap_or("").to_owned();
    let mut explained = syntax(error.err_type(), &word, place.as_ref()).coded(codes::SCRIPT_SYNTAX);
    if let Some(place) = place {
        explained = explained.at(place);
    }
    explained
}

/// Returns the error for a word at a place.
pub(super) fn syntax(error: &ParseErrorType, word: &str, place: Option<&error::Place>) -> Error {
    // What follows the word tells a key from a variable.
    let after = place.and_then(|place| place.text.get(place.span.end..)).unwrap_or("").trim_start();
    let is_key = after.starts_with(':') && !after.starts_with("::");
    let before = place.and_then(|place| place.text.get(..place.span.start)).unwrap_or("").trim_end();
    let is_field = before.ends_with('.');
    let found = match word.trim() {
        "" => "the end of the script".to_owned(),
        word => format!("`{word}`"),
    };
    let reserved = || {
        let base =
            Error::script(format!("`{word}` is a reserved word and cannot be a name here")).coded(codes::RESERVED_WORD);
        match word {
            "import" => {
                base.hint("quote the key: `\"import\": \"KeySelector\"`, or write `component(\"KeySelector\", #{…})`")
            }
            "default" | "with" | "match" | "new" | "shared" | "var" => {
                base.hint(format!("quote it as a key: `\"{word}\"`, or take another name"))
            }
            _ => base.hint("take another name, or quote it if it is the key of a map"),
        }
    };
    match error {
        ParseErrorType::Reserved(_) if RESERVED.contains(&word) => reserved(),
        // A keyword as a key ends the map for the parser.
        _ if is_key && RESERVED.contains(&word) => reserved(),
        ParseErrorType::PropertyExpected if is_field && RESERVED.contains(&word) => reserved(),
        ParseErrorType::PropertyExpected if is_field => {
            Error::script(format!("syntax error: expected the name of a field after `.`, found {found}"))
        }
        ParseErrorType::PropertyExpected => {
            Error::script(format!("syntax error: expected a key or `}}`, found {found}"))
                .hint("is the map before this not closed?")
        }
        other if other.to_string().contains("is disabled") => Error::script(format!("`{word}` is not available"))
            .coded(codes::NOT_AVAILABLE)
            .hint("text cannot become code: write a function instead"),
        ParseErrorType::BadInput(rhai::LexError::UnterminatedString) => Error::script("a text is never closed")
            .hint("close it with `\"` on the same line; a text between backticks may go over several"),
        ParseErrorType::AssignmentToConstant(name) if !name.is_empty() => {
            Error::script(format!("`{name}` is a constant and cannot be changed"))
                .coded(codes::READ_ONLY)
                .hint("declare it with `let`")
        }
        ParseErrorType::MissingToken(token, purpose) => {
            let purpose = purpose.replace('\'', "`");
            Error::script(format!("syntax error: expected `{token}` {}, found {found}", purpose.trim()))
        }
        ParseErrorType::ModuleUndefined(name) => Error::script(format!("unknown module `{name}`"))
            .coded(codes::UNKNOWN_VARIABLE)
            .hint(format!("import it first: `import \"folder/script\" as {name};`")),
        ParseErrorType::UnexpectedEOF => {
            Error::script("the script ends too early").hint("a bracket, a brace or a text is not closed")
        }
        ParseErrorType::VariableUndefined(name) => {
            Error::script(format!("unknown variable `{name}`")).coded(codes::UNKNOWN_VARIABLE)
        }
        ParseErrorType::FnDuplicatedDefinition(name, _) => {
            Error::script(format!("the function `{name}` is defined twice"))
        }
        other => Error::script(format!("syntax error: {}", lower_first(&other.to_string()).replace('\'', "`"))),
    }
}

/// Words that Rhai keeps for itself.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "as", "async", "await", "break", "case", "catch", "const", "continue", "debug", "default", "do", "else",
    "eval", "export", "false", "fn", "for", "global", "go", "goto", "if", "import", "in", "is", "let", "loop",
    "match", "module", "new", "nil", "null", "package", "print", "private", "protected", "public", "return",
    "shared", "spawn", "static", "super", "switch", "sync", "this", "thread", "throw", "true", "try", "type_of",
    "until", "use", "var", "void", "while", "with", "yield",
];
