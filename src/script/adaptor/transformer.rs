//! A scripted transformer: `fit(records)`, or `fit_partial(records)`, `merge(a, b)` and `finish(state)`, which fit in
//! parts; `transform(data_record)`, `postprocess(score)`.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use rhai::Dynamic;

use crate::error::{Error, Result, codes};
use crate::record::{DataRecord, DataRecords, Fields, Loader, Mode, Records, Transformer};
use crate::registry::Params;
use crate::script::api::loader::LoaderHandle;
use crate::script::vectorise::{Argument, Calls, Chunk, Follower};
use crate::script::{Component, cast, state};

/// Records of a part when a transformer is fitted in parts: how records are cut depends on nothing else, so that the
/// number of threads shows in no bit.
const PART: usize = 4096;

/// A script behind the trait of transformers.
pub struct ScriptTransformer {
    component: Component,
    follower: Arc<Follower>,
}

impl ScriptTransformer {
    /// Wraps a component and gives it its loader; `init` runs once, before anything else.
    ///
    /// # Errors
    /// A script without `transform(data_record)`, a path that names a function, whatever `init` raises.
    pub fn new(component: Component, loader: Arc<dyn Loader>, mode: Mode) -> Result<Self> {
        component.slot("transform", 1..=1, "fn transform(data_record) { data_record }")?;
        component.set("loader", Dynamic::from(LoaderHandle::new(loader, mode)));
        if component.has("fit_partial") {
            check_parts(&component)?;
        }
        component.init(mode)?;
        let follower = Follower::new(&component, "transformer", "transform", 1);
        Ok(ScriptTransformer { component, follower })
    }

    /// Returns what one part of the records tells.
    fn part(&self, records: &Records) -> Result<Dynamic> {
        self.component.call("fit_partial", Mode::Train, &mut [Dynamic::from(records.clone())])
    }

    /// Returns what all records tell: parts of them are looked at side by side, and put together in order.
    fn parts(&self, records: &Records) -> Result<Dynamic> {
        let starts: Vec<usize> = (0..records.len()).step_by(PART).collect();
        let part = |start: &usize| {
            let end = records.len().min(start + PART);
            self.part(&records.take(&(*start..end).collect::<Vec<_>>())?)
        };
        let parts: Vec<Result<Dynamic>> = match starts.len() {
            0 | 1 => starts.iter().map(part).collect(),
            _ => starts.par_iter().map(part).collect(),
        };
        self.together(parts)
    }

    fn together(&self, parts: impl IntoIterator<Item = Result<Dynamic>>) -> Result<Dynamic> {
        let mut parts = parts.into_iter();
        let first = parts.next().ok_or_else(|| Error::data("there are no records to fit to"))??;
        parts.try_fold(first, |all, part| self.component.call("merge", Mode::Train, &mut [all, part?]))
    }

    fn stored(&self, parts: &[Vec<u8>]) -> Result<Dynamic> {
        let damaged = || Error::artifact("what was fitted in parts is damaged").hint("fit the parts again");
        self.together(parts.iter().map(|part| state::from_bytes(part).ok_or_else(damaged)))
    }

    fn interpret(&self, mut rows: Vec<DataRecord>, mode: Mode) -> Result<Vec<DataRecord>> {
        let mut session = self.component.session(Some(mode));
        for row in &mut rows {
            let record = cast::from_data_record(std::mem::take(row));
            let value = session.call("transform", &mut [record])?;
            *row = cast::to_data_record(value).map_err(|error| self.component.returned("transform", error))?;
        }
        Ok(rows)
    }
}

impl Transformer for ScriptTransformer {
    fn fit(&mut self, records: &Records, loader: &dyn Loader) -> Result<()> {
        // The script reaches the same loader as `this.loader`.
        let _ = loader;
        if self.component.has("fit_partial") {
            let state = self.parts(records)?;
            return self.component.change("finish", Mode::Train, &mut [state]).map(drop);
        }
        match self.component.has("fit") {
            true => self.component.change("fit", Mode::Train, &mut [Dynamic::from(records.clone())]).map(drop),
            false => Ok(()),
        }
    }

    fn fit_part(&self, records: &Records) -> Result<Option<Vec<u8>>> {
        match self.component.has("fit_partial") {
            true => {
                let state = self.parts(records)?;
                state::to_bytes(&state).map(Some).map_err(|error| self.component.returned("fit_partial", error))
            }
            false => Ok(None),
        }
    }

    fn merge_parts(&self, parts: &[Vec<u8>]) -> Result<Vec<u8>> {
        state::to_bytes(&self.stored(parts)?).map_err(|error| self.component.returned("merge", error))
    }

    fn fit_parts(&mut self, parts: &[Vec<u8>]) -> Result<()> {
        let state = self.stored(parts)?;
        self.component.change("finish", Mode::Train, &mut [state]).map(drop)
    }

    fn transform(&self, chunk: DataRecords, mode: Mode) -> Result<DataRecords> {
        let chunk = Chunk::new(chunk);
        let Some(columns) = chunk.columns() else {
            let all: Vec<usize> = (0..chunk.len()).collect();
            self.follower.note_interpreted(all.len());
            return Ok(DataRecords::Rows(self.interpret(chunk.rows(&all)?, mode)?));
        };
        let interpret = |at: &[usize]| self.interpret(chunk.rows(at)?, mode);
        let calls = Calls { finish: &Ok, interpret: &interpret, place: &|at| format!("record {at} of its chunk") };
        self.follower.run(&self.component, mode, &[Argument::DataRecords(columns)], chunk.len(), &calls)
    }

    fn postprocess(&self, score: Fields) -> Result<Fields> {
        if !self.has_postprocess() {
            return Ok(score);
        }
        let value = self.component.call("postprocess", Mode::Score, &mut [cast::from_fields(score)])?;
        cast::to_fields(value, "a score").map_err(|error| self.component.returned("postprocess", error))
    }

    fn has_postprocess(&self) -> bool {
        self.component.has("postprocess")
    }

    fn network_params(&self) -> Params {
        self.component
            .state()
            .get("network_params")
            .and_then(|value| cast::to_json(value).ok())
            .and_then(|value| value.as_object().cloned())
            .unwrap_or_default()
    }

    fn save(&self, folder: &Path) -> Result<()> {
        match self.component.arities("save").contains(&1) {
            true => {
                let path = folder.to_string_lossy().into_owned();
                self.component.call("save", Mode::Train, &mut [path.into()]).map(drop)
            }
            false => state::save(&self.component.state(), folder),
        }
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        match self.component.arities("load").contains(&1) {
            true => {
                let path = folder.to_string_lossy().into_owned();
                self.component.change("load", Mode::Score, &mut [path.into()]).map(drop)
            }
            false => {
                for (name, value) in state::load(folder)? {
                    self.component.set(&name, value);
                }
                Ok(())
            }
        }
    }

    fn check_storable(&self) -> Result<()> {
        let state = self.component.state();
        if let Some(params) = state.get("network_params") {
            match cast::to_json(params) {
                Ok(serde_json::Value::Object(_)) => (),
                Ok(_) => {
                    return Err(Error::script("`this.network_params` is not a map")
                        .hint("set `this.network_params = #{ name: value }`"));
                }
                Err(error) => {
                    return Err(error.within(format!("`this.network_params` of `{}`", self.component.import())));
                }
            }
        }
        match self.component.arities("save").contains(&1) {
            true => Ok(()),
            false => state::check(&state)
                .map_err(|error| error.within(format!("the state of `{}`", self.component.import()))),
        }
    }
}

/// Checks that a transformer that is fitted in parts has all that takes.
fn check_parts(component: &Component) -> Result<()> {
    for (name, count, wanted) in [
        ("fit_partial", 1, "fn fit_partial(records) { … }"),
        ("merge", 2, "fn merge(a, b) { … }"),
        ("finish", 1, "fn finish(state) { this.… = …; }"),
    ] {
        if !component.arities(name).contains(&count) {
            return Err(Error::recipe(format!(
                "a transformer that is fitted in parts needs `{wanted}`, `{}` has none",
                component.script().label
            ))
            .coded(codes::NO_FUNCTION)
            .hint("`fit_partial` looks at some records, `merge` puts two results together, `finish` keeps the last one")
            .within(format!("import `{}`", component.import())));
        }
    }
    Ok(())
}
