//! Stations written in Rust, as an embedding program has them.

use std::path::Path;

use barrage::prelude::*;

type Fit<S> = fn(&Records) -> Result<S>;
type Apply<S> = fn(&S, DataColumns) -> Result<DataColumns>;

/// A transformer made of two functions, and what the first one learned.
pub struct Fitted<S> {
    fit: Fit<S>,
    apply: Apply<S>,
    learned: Option<S>,
}

impl Fitted<()> {
    /// Changes nothing.
    pub fn nothing() -> Self {
        Fitted { fit: |_| Ok(()), apply: |(), chunk| Ok(chunk), learned: Some(()) }
    }
}

impl<S> Fitted<S> {
    pub fn new(fit: Fit<S>, apply: Apply<S>) -> Self {
        Fitted { fit, apply, learned: None }
    }
}

impl<S: Send + Sync> Transformer for Fitted<S> {
    fn fit(&mut self, records: &Records, _: &dyn Loader) -> Result<()> {
        self.learned = Some((self.fit)(records)?);
        Ok(())
    }
    fn transform(&self, chunk: DataRecords, _: Mode) -> Result<DataRecords> {
        match (chunk, &self.learned) {
            (DataRecords::Columns(chunk), Some(learned)) => (self.apply)(learned, chunk).map(DataRecords::Columns),
            // Interpreted scripts give rows; where nothing is learned, nothing is changed.
            (chunk, _) => Ok(chunk),
        }
    }
    fn save(&self, _: &Path) -> Result<()> {
        Ok(())
    }
    fn load(&mut self, _: &Path) -> Result<()> {
        Ok(())
    }
}

/// A loader that makes the one input `x` of each chunk, and no outputs.
pub struct Input<F>(pub F);

impl<F: Fn(&[Record]) -> Result<Column> + Send + Sync> Loader for Input<F> {
    fn load(&self, records: &[Record], _: Mode) -> Result<DataRecords> {
        let x = vec![("x".into(), (self.0)(records)?)];
        Ok(DataRecords::Columns(DataColumns { len: records.len(), x, y: Some(Vec::new()), w: None }))
    }
}
