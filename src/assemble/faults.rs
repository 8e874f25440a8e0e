//! Gathers the errors of parts that do not need each other, so that one look tells them all.

use crate::error::{Error, Result, codes};

/// Errors so far.
#[derive(Default)]
pub struct Faults(Vec<Error>);

impl Faults {
    /// Returns the value, or keeps the error.
    pub fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                for error in error.split() {
                    // A script that is imported twice is wrong once, and a name that is refused for its spelling is not
                    // refused again for being unknown.
                    let same = |known: &Error| {
                        let misspelt = known.code() == Some(codes::PYTHON_PATH) && known.place() == error.place();
                        misspelt || (known.message() == error.message() && known.place() == error.place())
                    };
                    if !self.0.iter().any(same) {
                        self.0.push(error);
                    }
                }
                None
            }
        }
    }

    /// Ends the check.
    ///
    /// # Errors
    /// All that were kept, joined.
    pub fn finish(self) -> Result<()> {
        Error::join(self.0).map_or(Ok(()), Err)
    }
}
