//! Network, losses, metrics, optimizer and schedule of a recipe.

use std::sync::Arc;

use crate::assemble::faults::Faults;
use crate::assemble::stations::{self, choose};
use crate::error::{Error, Result, codes};
use crate::loss::{self, Loss};
use crate::metric::{self, MetricTarget};
use crate::network::{self, Network};
use crate::optimizer::{self, Clip, Configured};
use crate::recipe::{self, ClassWeight, Import, Output};
use crate::record::Name;
use crate::registry::{self, Params};
use crate::schedule;
use crate::script::Host;
use crate::script::adaptor::{ScriptLoss, ScriptMetric, ScriptSchedule, build_network};
use crate::trainer::{ClassWeights, MetricSpec, OutputSpec, Rate};

/// The name of the network that is declared rather than scripted.
const SEQUENTIAL: &str = "sequential_from_config";

/// Builds the network from the recipe's parameters and those of the transformer.
///
/// # Errors
/// A parameter given by both; whatever building raises.
pub fn network(host: &Host, import: &Import, from_transformer: &Params) -> Result<Arc<Network>> {
    let build = || {
        for name in from_transformer.keys() {
            if import.params.contains_key(name) {
                return Err(Error::recipe(format!("the network's parameter `{name}` is given twice"))
                    .coded(codes::GIVEN_TWICE)
                    .hint("the transformer sets it in `network_params`: leave it out of the recipe"));
            }
        }
        if import.path.trim_start_matches("barrage.model.") == SEQUENTIAL {
            return sequential(&import.params, from_transformer);
        }
        let component = host.component_with(&import.path, &import.params, from_transformer);
        build_network(&component.map_err(|error| set_by_transformer(error, from_transformer))?)
    };
    build().map(Arc::new).map_err(|error| import.locate(error))
}

/// Looks the network up without building it, where what it is built from is not known.
///
/// # Errors
/// A path that leads to no script, a script that does not compile, and parameters of the recipe that are wrong
/// whatever the transformer adds.
pub fn find_network(host: &Host, import: &Import) -> Result<()> {
    match import.path.trim_start_matches("barrage.model.") {
        SEQUENTIAL => Ok(()),
        _ => host.check_given(&import.path, &import.params).map_err(|error| import.locate(error)),
    }
}

/// Says of parameters that the recipe does not give who gives them.
fn set_by_transformer(error: Error, from_transformer: &Params) -> Error {
    let said = error.split().into_iter().map(|error| {
        let about = |name: &String| error.message().starts_with(&format!("parameter `{name}` of"));
        match from_transformer.keys().any(about) {
            true => error.hint("the transformer sets it in `network_params`"),
            false => error,
        }
    });
    // Splitting an error gives at least itself.
    Error::join(said.collect()).unwrap_or_else(|| Error::recipe("the parameters were refused"))
}

fn sequential(params: &Params, from_transformer: &Params) -> Result<Network> {
    const LAYERS: &str = "layers";
    let layers = params.get(LAYERS).ok_or_else(|| {
        Error::recipe(format!("`{SEQUENTIAL}` needs the parameter `{LAYERS}`"))
            .coded(codes::MISSING_PARAMETER)
            .hint("a list of import blocks, one for each layer")
    })?;
    // Other parameters of the recipe fill placeholders as those of the transformer do.
    let mut placeholders = from_transformer.clone();
    placeholders
        .extend(params.iter().filter(|(name, _)| *name != LAYERS).map(|(name, value)| (name.clone(), value.clone())));
    network::sequential_from_config(layers, &placeholders)
}

/// Makes losses and metrics of each output.
///
/// # Errors
/// Every loss and every metric that cannot be made, at once.
pub fn outputs(host: &Host, outputs: &[Output]) -> Result<Vec<OutputSpec>> {
    let mut faults = Faults::default();
    let mut specs = Vec::with_capacity(outputs.len());
    for output in outputs {
        let loss = faults.take(loss(host, &output.loss));
        let lists = [(&output.metrics, false), (&output.weighted_metrics, true)];
        let all = lists.iter().flat_map(|(list, weighted)| list.iter().map(|import| (import, *weighted)));
        let metrics = all.filter_map(|(import, weighted)| faults.take(metric_spec(host, import, weighted))).collect();
        let classes: &[(u32, f64)] = match &output.class_weight {
            ClassWeight::Given(classes) => classes,
            // What is balanced takes the records: see `class_weights`.
            ClassWeight::Equal | ClassWeight::Balanced => &[],
        };
        if let Some(loss) = loss {
            specs.push(OutputSpec {
                name: Name::from(output.name.as_str()),
                loss,
                loss_weight: output.loss_weight,
                class_weights: ClassWeights::new(
                    classes.iter().map(|(class, weight)| (i64::from(*class), *weight as f32)).collect(),
                ),
                metrics,
            });
        }
    }
    faults.finish()?;
    Ok(specs)
}

fn loss(host: &Host, import: &Import) -> Result<Box<dyn Loss>> {
    choose(host, import, "loss", loss::LIST, None, |component| Ok(Box::new(ScriptLoss::new(component)?) as _))
}

/// What a metric's name means may depend on shapes, so it is made when they are known; its name and
/// parameters are checked here.
fn metric_spec(host: &Host, import: &Import, weighted: bool) -> Result<MetricSpec> {
    let own = import.clone();
    let make: crate::trainer::MetricFactory = match is_built_in(&import.path) {
        true => {
            if !by_shape(&import.path) {
                // Any shapes do: they say nothing about its name and parameters, which are looked at with the others.
                let any = MetricTarget { labels: &[1], output: &[1] };
                metric::make(&own.path, &own.params, &any).map_err(|error| own.locate(error))?;
            }
            Box::new(move |target: &MetricTarget| {
                metric::make(&own.path, &own.params, target).map_err(|error| own.locate(error))
            })
        }
        false => {
            // Made once here, so that a mistake is found before any data is read.
            scripted_metric(host, import)?;
            let host = host.clone();
            Box::new(move |_: &MetricTarget| scripted_metric(&host, &own))
        }
    };
    Ok(MetricSpec { make, weighted })
}

/// Whether shapes decide what a metric's name means.
fn by_shape(path: &str) -> bool {
    let short = path.strip_prefix("barrage.metrics.").unwrap_or(path);
    matches!(short, "accuracy" | "acc" | "crossentropy" | "ce")
}

/// Whether a name is a built-in metric, a built-in loss, or one that shapes decide about.
fn is_built_in(path: &str) -> bool {
    by_shape(path) || registry::lookup(metric::LIST, path).is_some() || registry::lookup(loss::LIST, path).is_some()
}

fn scripted_metric(host: &Host, import: &Import) -> Result<Box<dyn metric::Metric>> {
    let make = || {
        let component = host.component(&import.path, &import.params).map_err(|error| {
            // Any loss is a metric too.
            let names = registry::names(metric::LIST).chain(registry::names(loss::LIST));
            let main = metric::LIST.iter().map(|entry| entry.name).chain(loss::LIST.iter().map(|entry| entry.name));
            stations::unknown(error, import, "metric", names.chain(["accuracy", "crossentropy"]), main)
        })?;
        Ok(Box::new(ScriptMetric::new(component)?) as Box<dyn metric::Metric>)
    };
    make().map_err(|error| import.locate(error))
}

/// Makes the optimizer, with what the solver says of gradients and averages.
pub fn optimizer(solver: &recipe::Solver) -> Result<Configured> {
    let import = &solver.optimizer.import;
    let mut made = optimizer::make(&import.path, &import.params).map_err(|error| import.locate(error))?;
    let common = &mut made.common;
    if let Some(clip) = solver.gradient_clip {
        common.clip = match clip {
            recipe::Clip::Norm(limit) => Clip::Norm(limit as f32),
            recipe::Clip::Value(limit) => Clip::Value(limit as f32),
            recipe::Clip::GlobalNorm(limit) => Clip::GlobalNorm(limit as f32),
        };
    }
    if let Some(batches) = solver.accumulate {
        common.gradient_accumulation_steps = batches as u64;
    }
    if let Some(ema) = solver.ema {
        common.ema_momentum = Some(ema.momentum as f32);
        common.ema_overwrite_frequency = ema.overwrite_every.map(|updates| updates as u64);
    }
    Ok(made)
}

/// Makes the learning rate.
pub fn rate(host: &Host, rate: &recipe::Rate) -> Result<Rate> {
    match rate {
        recipe::Rate::Constant(rate) => Ok(Rate::Constant(*rate)),
        recipe::Rate::Schedule(import) => {
            let made = match registry::lookup(schedule::LIST, &import.path) {
                Some(_) => schedule::make(&import.path, &import.params).map_err(|error| import.locate(error)),
                None => choose(host, import, "schedule", schedule::LIST, None, |component| {
                    Ok(Box::new(ScriptSchedule::new(component)?) as _)
                }),
            };
            made.map(Rate::Schedule)
        }
    }
}
