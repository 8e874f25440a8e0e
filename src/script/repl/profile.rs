//! How long each statement of an entry takes.

use rhai::{Dynamic, Stmt};

use super::Session;
use crate::error::Result;

/// What one statement cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Its text, as far as it stands on that line.
    pub text: String,
    /// Seconds.
    pub seconds: f64,
}

impl Session {
    /// Runs an entry, or the script of that name, and returns its value and what each of its statements cost; `clock` tells
    /// the time in seconds.
    ///
    /// # Errors
    /// See [`Session::eval`].
    pub fn profile(&mut self, entry: &str, clock: &dyn Fn() -> f64) -> Result<(Dynamic, Vec<Cost>)> {
        let text = match entry.trim() {
            file if file.ends_with(".rhai") && !file.contains(char::is_whitespace) => {
                self.host.read(&self.host.roots().readable(file)?)?.text.to_string()
            }
            _ => entry.to_owned(),
        };
        let (before, mut starts, mut costs) = (self.text.matches('\n').count(), Vec::new(), Vec::new());
        let value = self.value_with(&text, &mut |session, entry| {
            let mut last = clock();
            session.run_parts(entry, &mut entry.statements().chunks(1), &mut |part: &[Stmt]| {
                let now = clock();
                let position = part.first().map(Stmt::position).unwrap_or_default();
                // Lines of an entry count on from those before it.
                let line = position.line().unwrap_or(0).saturating_sub(before).max(1);
                starts.push(offset(&text, line, position.position().unwrap_or(1)));
                costs.push(Cost { line, text: String::new(), seconds: now - last });
                last = now;
            })
        })?;
        for (at, cost) in costs.iter_mut().enumerate() {
            let end = starts.get(at + 1).copied().unwrap_or(text.len()).max(starts[at]);
            let own = text.get(starts[at]..end).unwrap_or_default();
            cost.text = own.lines().next().unwrap_or_default().trim().to_owned();
        }
        Ok((value, costs))
    }
}

/// Returns where a column (in characters) of a line begins in a text; both count from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}
