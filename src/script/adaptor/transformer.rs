//! A scripted transformer: `fit(records)`, `transform(data_record)`, `postprocess(score)`.

use std::path::Path;
use std::sync::Arc;

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::record::{DataRecord, DataRecords, Fields, Loader, Mode, Records, Transformer};
use crate::registry::Params;
use crate::script::api::loader::LoaderHandle;
use crate::script::vectorise::{Argument, Calls, Chunk, Follower};
use crate::script::{Component, cast, state};

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
        component.init(mode)?;
        let follower = Follower::new(&component, "transformer", "transform", 1);
        Ok(ScriptTransformer { component, follower })
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
        match self.component.has("fit") {
            true => self.component.change("fit", Mode::Train, &mut [Dynamic::from(records.clone())]).map(drop),
            false => Ok(()),
        }
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
