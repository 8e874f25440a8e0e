//! Named expressions: values that are computed anew for each batch, when a pipeline runs.

mod draw;
mod save;
mod shown;

use std::sync::Arc;

use rhai::{Array as List, Dynamic, Map, NativeCallContext, Position};

use crate::error::{Error, Result};
use crate::random::Random;
use crate::script::batches::flow::{Flow, Mode};
use crate::script::batches::{Batch, convert};
use crate::script::callable::Callable;
use crate::script::cast;
use crate::script::host::Host;
use crate::script::traceback::{self, type_phrase};

pub use draw::{Draw, Kind};
pub use save::save;

/// An expression; cheap to clone.
#[derive(Clone)]
pub struct Expr(pub Arc<Node>);

/// What an expression stands for.
pub enum Node {
    /// A value as it is.
    Constant(Dynamic),
    /// A component of the batch, or the batch itself.
    Batch(Option<String>),
    /// The items of a component as an array.
    Items(String),
    /// A variable of the pipeline, and how it is saved to.
    Variable(String, Mode),
    /// A value of the pipeline's config, by its path, and what stands for a missing one.
    Config(String, Option<Dynamic>),
    /// An attribute of the data set, or the data set itself.
    Dataset(Option<String>),
    /// A model of the pipeline.
    Model(String),
    /// How far the run is: `current`, `max` or `ratio`.
    Iteration(String),
    /// A random draw, once for each batch.
    Random(Draw),
    /// A value for each item, from one evaluation.
    PerItem(Dynamic),
    /// A value for each item, from as many evaluations.
    EachItem(Dynamic),
    /// A function of a script, with arguments; without, it gets the batch.
    Call(Callable, Option<List>),
    /// An expression that is handed on as it is.
    Whole(Expr),
    /// One of two.
    If(Dynamic, Dynamic, Dynamic),
    /// A native function or operator of evaluated arguments.
    Native(String, Vec<Dynamic>),
    /// A field of a value.
    Field(Dynamic, String),
}

/// A value for each item of a batch.
#[derive(Clone)]
pub struct PerItem(pub List);

impl Expr {
    /// Creates an expression.
    pub fn new(node: Node) -> Expr {
        Expr(Arc::new(node))
    }

    /// Returns whether the value depends on what other steps of a run write.
    pub fn follows(&self) -> bool {
        let any = |value: &Dynamic| follows(value);
        match &*self.0 {
            Node::Variable(..) | Node::Model(_) => true,
            Node::PerItem(value) | Node::EachItem(value) | Node::Field(value, _) => any(value),
            Node::Native(_, values) => values.iter().any(any),
            Node::Call(_, Some(values)) => values.iter().any(any),
            Node::If(a, b, c) => [a, b, c].into_iter().any(any),
            _ => false,
        }
    }
}

/// Returns whether a value has an expression in it that depends on what other steps of a run write.
pub fn follows(value: &Dynamic) -> bool {
    if let Some(expression) = value.read_lock::<Expr>() {
        return expression.follows();
    }
    if let Some(list) = value.read_lock::<List>() {
        return list.iter().any(follows);
    }
    value.read_lock::<Map>().is_some_and(|map| map.values().any(follows))
}

/// Puts expressions in the place of functions, so that a closure may stand wherever an expression may.
pub fn prepare(context: &NativeCallContext, value: Dynamic) -> std::result::Result<Dynamic, Box<rhai::EvalAltResult>> {
    if let Some(pointer) = value.read_lock::<rhai::FnPtr>() {
        return Ok(Dynamic::from(Expr::new(Node::Call(Callable::new(context, pointer.clone())?, None))));
    }
    if value.is_array() {
        let list = value.into_array().unwrap_or_default();
        return Ok(Dynamic::from(
            list.into_iter().map(|value| prepare(context, value)).collect::<std::result::Result<List, _>>()?,
        ));
    }
    if value.is_map() {
        let map = value.try_cast::<Map>().unwrap_or_default();
        let entry = |(name, value)| Ok((name, prepare(context, value)?));
        return Ok(Dynamic::from(
            map.into_iter().map(entry).collect::<std::result::Result<Map, Box<rhai::EvalAltResult>>>()?,
        ));
    }
    Ok(value)
}

/// Where expressions are evaluated.
#[derive(Clone)]
pub struct At<'a> {
    /// The host.
    pub host: &'a Host,
    /// The batch, while there is one.
    pub batch: Option<&'a Batch>,
    /// The run, while there is one.
    pub flow: Option<&'a Flow>,
}

/// Evaluates the expressions in a value, for a batch.
///
/// # Errors
/// What an expression names and is not there; whatever a function raises.
pub fn resolve(host: &Host, batch: &Batch, value: Dynamic) -> Result<Dynamic> {
    At { host, batch: Some(batch), flow: batch.about().flow.as_deref() }.value(value)
}

impl At<'_> {
    /// Evaluates the expressions in a value.
    ///
    /// # Errors
    /// See [`resolve`].
    pub fn value(&self, value: Dynamic) -> Result<Dynamic> {
        let expression = value.read_lock::<Expr>().map(|expression| expression.clone());
        if let Some(expression) = expression {
            return self.evaluate(&expression).map_err(|error| error.within(format!("the value of {expression}")));
        }
        if value.is_array() {
            let list = value.into_array().unwrap_or_default();
            return Ok(Dynamic::from(list.into_iter().map(|value| self.value(value)).collect::<Result<List>>()?));
        }
        if value.is_map() {
            let map = value.try_cast::<Map>().unwrap_or_default();
            let entry = |(name, value)| Ok((name, self.value(value)?));
            return Ok(Dynamic::from(map.into_iter().map(entry).collect::<Result<Map>>()?));
        }
        Ok(value)
    }

    fn batch(&self) -> Result<&Batch> {
        self.batch.ok_or_else(|| {
            Error::script("there is no batch yet")
                .hint("before the first batch, expressions may use `C`, `D` and `V` only")
        })
    }

    fn flow(&self) -> Result<&Flow> {
        self.flow.ok_or_else(|| Error::script("the batch is not in a pipeline"))
    }

    fn evaluate(&self, expression: &Expr) -> Result<Dynamic> {
        Ok(match &*expression.0 {
            Node::Constant(value) => value.clone(),
            Node::Batch(None) => Dynamic::from(self.batch()?.clone()),
            Node::Batch(Some(name)) => self.field(Dynamic::from(self.batch()?.clone()), name)?,
            Node::Items(name) => {
                let items = self.batch()?.component(name).items()?;
                Dynamic::from((0..items.len()).map(|at| items.get(at).map(cast::from_value)).collect::<Result<List>>()?)
            }
            Node::Variable(name, _) => self.flow()?.variable(name)?,
            Node::Config(path, otherwise) => match (self.flow()?.setting(path), otherwise) {
                (Some(value), _) => value,
                (None, Some(otherwise)) => otherwise.clone(),
                (None, None) => {
                    return Err(Error::script(format!("the config of the pipeline has no `{path}`"))
                        .hint(format!("give a default: `C(\"{path}\", …)`")));
                }
            },
            Node::Dataset(name) => {
                let set = self.batch()?.about().dataset.clone();
                let set = set.ok_or_else(|| Error::script("the batch was made from no data set"))?;
                match name {
                    None => Dynamic::from(set),
                    Some(name) => set.attribute(name)?,
                }
            }
            Node::Model(name) => Dynamic::from(self.flow()?.model(name)?),
            Node::Iteration(what) => self.iteration(what)?,
            Node::Random(draw) => {
                let mut random = self.random(draw)?;
                match &draw.size {
                    None => draw.kind.one(&mut random),
                    Some(size) => draw.kind.many(&mut random, size)?,
                }
            }
            Node::PerItem(value) => Dynamic::from(PerItem(self.per_item(value)?)),
            Node::EachItem(value) => {
                let count = self.batch()?.lock().len();
                Dynamic::from(PerItem((0..count).map(|_| self.value(value.clone())).collect::<Result<_>>()?))
            }
            Node::Call(function, arguments) => {
                let arguments = match arguments {
                    Some(list) => list.iter().map(|value| self.value(value.clone())).collect::<Result<Vec<_>>>()?,
                    None if function.takes(0) && !function.takes(1) => Vec::new(),
                    None => vec![Dynamic::from(self.batch()?.clone())],
                };
                function.call(arguments)?
            }
            Node::Whole(inner) => Dynamic::from(inner.clone()),
            Node::If(condition, yes, no) => {
                let condition = self.value(condition.clone())?;
                let condition = condition.as_bool().map_err(|found| {
                    Error::script(format!("`IF`: expected true or false, found {}", type_phrase(found)))
                })?;
                self.value(if condition { yes.clone() } else { no.clone() })?
            }
            Node::Native(name, arguments) => {
                let arguments = arguments.iter().map(|value| self.value(value.clone())).collect::<Result<Vec<_>>>()?;
                self.native(name, arguments)?
            }
            Node::Field(value, name) => {
                let value = self.value(value.clone())?;
                self.field(value, name)?
            }
        })
    }

    fn iteration(&self, what: &str) -> Result<Dynamic> {
        let current = self.batch()?.about().iteration as i64;
        let total = || {
            self.flow.and_then(Flow::total).ok_or_else(|| {
                Error::script(format!("`I(\"{what}\")`: the run has no known number of batches"))
                    .hint("give it `n_epochs` or `n_iters`")
            })
        };
        match what {
            what if "current".starts_with(what) => Ok(Dynamic::from(current)),
            what if "max".starts_with(what) => Ok(Dynamic::from(total()? as i64)),
            what if "ratio".starts_with(what) => Ok(Dynamic::from(current as f64 / total()?.max(1) as f64)),
            _ => Err(Error::script(format!("`I` knows `current`, `max` and `ratio`, found `{what}`"))),
        }
    }

    fn random(&self, draw: &Draw) -> Result<Random> {
        match draw.seed {
            Some(seed) => Ok(Random::new(seed, crate::random::Stream::Script, &[])),
            None => Ok(self.batch()?.draw()),
        }
    }

    fn per_item(&self, value: &Dynamic) -> Result<List> {
        let count = self.batch()?.lock().len();
        let draw = value.read_lock::<Expr>().and_then(|expression| match &*expression.0 {
            Node::Random(draw) => Some(draw.clone()),
            _ => None,
        });
        if let Some(draw) = draw {
            let mut random = self.random(&draw)?;
            let one = |_| match &draw.size {
                None => Ok(draw.kind.one(&mut random)),
                Some(size) => draw.kind.many(&mut random, size),
            };
            return (0..count).map(one).collect();
        }
        let value = self.value(value.clone())?;
        let list: List = match value.is_array() {
            true => value.into_array().unwrap_or_default(),
            false => {
                let items = convert::to_items(&value).map_err(|error| error.within("`P`"))?;
                (0..items.len()).map(|at| items.get(at).map(cast::from_value)).collect::<Result<_>>()?
            }
        };
        match list.len() == count {
            true => Ok(list),
            false => {
                Err(Error::script(format!("`P`: expected {count} values, one for each item, found {}", list.len())))
            }
        }
    }

    /// Calls a native function or operator.
    fn native(&self, name: &str, mut arguments: Vec<Dynamic>) -> Result<Dynamic> {
        // Arrays are indexed by the language itself, not by a function.
        if let ("index$get$", [list, position]) = (name, arguments.as_slice())
            && let (Some(list), Ok(position)) = (list.read_lock::<List>(), position.as_int())
        {
            let at = if position < 0 { position.saturating_add(list.len() as i64) } else { position };
            let item = usize::try_from(at).ok().and_then(|at| list.get(at).cloned());
            return item.ok_or_else(|| {
                Error::script(format!("index {position} is out of range for an array of {}", list.len()))
            });
        }
        let global = self.host.engine().new_global_runtime_state();
        let context = NativeCallContext::new_with_all_fields(self.host.engine(), name, None, &global, Position::NONE);
        let mut places: Vec<&mut Dynamic> = arguments.iter_mut().collect();
        context.call_native_fn_raw(name, true, &mut places).map_err(|error| traceback::explain(self.host, *error, ""))
    }

    /// Reads a field: of a map, a property, or by a text as index.
    fn field(&self, value: Dynamic, name: &str) -> Result<Dynamic> {
        if let Some(map) = value.read_lock::<Map>() {
            return map.get(name).cloned().ok_or_else(|| Error::script(format!("unknown field `{name}`")));
        }
        match self.native(&format!("get${name}"), vec![value.clone()]) {
            Ok(value) => Ok(value),
            Err(error) => match self.native("index$get$", vec![value, Dynamic::from(name.to_owned())]) {
                Ok(value) => Ok(value),
                Err(other) if other.message().starts_with('`') => Err(error),
                Err(other) => Err(other),
            },
        }
    }
}
