//! How long each statement of an entry takes.

use rhai::{Dynamic, Stmt};

use super::Session;
use crate::error::Result;

/// What one statement cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// The text of that line.
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
        // Lines of an entry count on from those before it.
        let before = self.text.matches('\n').count();
        let lines: Vec<&str> = text.lines().collect();
        let mut costs = Vec::new();
        let value = self.value_with(&text, &mut |session, entry| {
            let mut last = clock();
            session.run_parts(entry, &mut entry.statements().chunks(1), &mut |part: &[Stmt]| {
                let now = clock();
                let line = part.first().and_then(|statement| statement.position().line()).unwrap_or(0);
                let line = line.saturating_sub(before).max(1);
                let text = lines.get(line - 1).copied().unwrap_or_default().trim().to_owned();
                costs.push(Cost { line, text, seconds: now - last });
                last = now;
            })
        })?;
        Ok((value, costs))
    }
}
