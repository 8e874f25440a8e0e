//! A scripted service: any of `on_train_begin(logs)`, `on_epoch_begin(logs)`, `on_batch_end(logs)`,
//! `on_epoch_end(logs)`, `on_train_end(logs)`.
//!
//! `logs` is a map of the values so far, with `epoch` (from 0), `step` and `learning_rate`. A function
//! may return a map with any of `stop` (true or the reason), `learning_rate` and `message`.

use rhai::{Dynamic, Map};
use serde_json::Value;

use crate::artifact::weights::Named;
use crate::error::{self, Error, Result, codes};
use crate::record::Mode;
use crate::script::{Component, state};
use crate::service::{Moment, Service};

/// A script behind the trait of services.
pub struct ScriptService {
    component: Component,
}

const HOOKS: [&str; 5] = ["on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_train_end"];

impl ScriptService {
    /// Wraps a component, running its `init`.
    ///
    /// # Errors
    /// A script with none of the functions, or with one that takes another number of parameters.
    pub fn new(component: Component) -> Result<Self> {
        if !HOOKS.iter().any(|hook| component.has(hook)) {
            return Err(Error::recipe(format!("`{}` has none of a service's functions", component.script().label))
                .coded(codes::NO_FUNCTION)
                .hint(format!("write any of {}", error::list(HOOKS)))
                .within(format!("import `{}`", component.import())));
        }
        for hook in HOOKS {
            if component.has(hook) {
                component.slot(hook, 1..=1, &format!("fn {hook}(logs) {{ … }}"))?;
            }
        }
        component.init(Mode::Train)?;
        Ok(ScriptService { component })
    }

    fn call(&self, hook: &str, moment: &mut Moment) -> Result<()> {
        if !self.component.has(hook) {
            return Ok(());
        }
        let mut logs = Map::new();
        logs.insert("epoch".into(), Dynamic::from(moment.epoch as i64));
        logs.insert("step".into(), Dynamic::from(moment.step as i64));
        logs.insert("learning_rate".into(), Dynamic::from(moment.control.learning_rate));
        for (name, value) in moment.logs {
            logs.insert(name.as_str().into(), Dynamic::from(*value));
        }
        // A service keeps what it has seen: its functions may change `this`.
        let answer = self.component.change(hook, Mode::Train, &mut [Dynamic::from(logs)])?;
        let within = |error: Error| self.component.returned(hook, error);
        let Some(answer) = answer.try_cast::<Map>() else { return Ok(()) };
        for (name, value) in answer {
            match name.as_str() {
                "stop" => match (value.as_bool(), value.clone().into_string()) {
                    (Ok(false), _) => (),
                    (Ok(true), _) => moment.control.stop = Some(format!("`{}` asked to stop", self.component.import())),
                    (_, Ok(reason)) => moment.control.stop = Some(reason),
                    _ => return Err(within(Error::script("`stop` is neither true, false nor a text"))),
                },
                "learning_rate" => match value.as_float() {
                    Ok(rate) if rate.is_finite() && rate >= 0.0 => moment.control.learning_rate = rate,
                    _ => {
                        return Err(within(Error::script(format!(
                            "`learning_rate`: expected a number of at least 0, found `{value}`"
                        ))));
                    }
                },
                "message" => moment.control.messages.push(value.to_string()),
                other => {
                    return Err(within(
                        Error::script(format!("a service cannot answer `{other}`"))
                            .hint("it may answer `stop`, `learning_rate` and `message`"),
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Service for ScriptService {
    fn name(&self) -> &str {
        self.component.import()
    }

    fn on_train_begin(&mut self, moment: &mut Moment) -> Result<()> {
        self.call("on_train_begin", moment)
    }

    fn on_epoch_begin(&mut self, moment: &mut Moment) -> Result<()> {
        self.call("on_epoch_begin", moment)
    }

    fn on_batch_end(&mut self, moment: &mut Moment) -> Result<()> {
        self.call("on_batch_end", moment)
    }

    fn on_epoch_end(&mut self, moment: &mut Moment) -> Result<()> {
        self.call("on_epoch_end", moment)
    }

    fn on_train_end(&mut self, moment: &mut Moment) -> Result<()> {
        self.call("on_train_end", moment)
    }

    fn state(&self) -> Result<Value> {
        Ok(state::gather(&self.component.state())?.0)
    }

    fn arrays(&self) -> Named {
        // What cannot be stored is told by `state`, which is asked first.
        state::gather(&self.component.state()).map(|(_, arrays)| arrays).unwrap_or_default()
    }

    fn restore(&mut self, state: &Value, arrays: Named) -> Result<()> {
        let fields = state::put_back(state, &arrays).ok_or_else(|| {
            Error::artifact(format!("the checkpoint's state of `{}` cannot be understood", self.component.import()))
                .coded(codes::DAMAGED)
        })?;
        for (name, value) in fields {
            self.component.set(&name, value);
        }
        Ok(())
    }
}
