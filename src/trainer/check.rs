//! What can be known before the first step, and before anything is written: names, shapes, monitors,
//! storable state, and one forward and backward pass on a real batch.

use super::Trainer;
use super::blame;
use super::engine::{Engine, Losses};
use super::feed::{Fed, feed, feed_training, matches, names};
use super::meters::Meters;
use super::parts::{OutputSpec, Rate, Setup};
use crate::dataset::{Arrays, Batch, Dataset};
use crate::error::{self, Error, Result, Subject, codes};
use crate::network::{Network, Port, show_shape};
use crate::random::{Random, Stream};
use crate::record::Mode;
use crate::tensor::Array;

impl Trainer {
    /// Checks the whole run on its first real batches: names and shapes against the network, targets
    /// against losses and metrics, that the loss is a number and reaches every trainable weight, that
    /// services watch values that will exist, and that the transformer can be stored.
    ///
    /// Writes nothing and changes no weight.
    ///
    /// # Errors
    /// Everything that is wrong, as far as one thing does not hide the other, with what was expected and what to do.
    pub fn check(&mut self) -> Result<()> {
        let setup = &self.setup;
        let train = first_batch(&setup.network, &setup.train);
        let validation = setup.validation.as_ref().map(|data| first_batch(&setup.network, data)).transpose();
        let mut errors = Vec::new();
        match (train, validation) {
            (Ok(train), Ok(validation)) => {
                errors.extend(self.audit(&train).err());
                // Validation repeats what is wrong with the network or a loss.
                if let (Some(batch), true) = (&validation, self.meters.is_some()) {
                    errors.extend(self.audit_validation(batch).err().map(|error| error.within("validation")));
                }
                if self.validation_meters.is_some() || (validation.is_none() && self.meters.is_some()) {
                    errors.extend(self.check_services().err());
                }
            }
            (train, validation) => {
                let train = train.err().map(Error::split).unwrap_or_default();
                // What is wrong with all records is said of the training records.
                let new = |error: &Error| !train.iter().any(|known| known.message() == error.message());
                let other: Vec<Error> =
                    validation.err().map(Error::split).unwrap_or_default().into_iter().filter(new).collect();
                errors.extend(train.into_iter().chain(other));
            }
        }
        errors.extend(self.setup.train.stations().transformer.check_storable().err());
        match Error::join(errors) {
            Some(error) => Err(error),
            None => {
                self.checked = true;
                Ok(())
            }
        }
    }

    /// Returns the names that will be reported, in order; empty before [`Trainer::check`].
    pub fn log_names(&self) -> Vec<String> {
        let own = self.meters.iter().chain(&self.validation_meters);
        own.flat_map(Meters::names).map(str::to_owned).collect()
    }

    fn check_services(&self) -> Result<()> {
        let known = self.log_names();
        let mut errors = Vec::new();
        for service in &self.setup.services {
            let subject = || Subject::Service(service.name().to_owned());
            let within = |error: Error| error.within(format!("service `{}`", service.name())).about(subject());
            errors.extend(service.state().err().map(within));
            if let Some(monitor) = service.monitor().filter(|monitor| !known.iter().any(|name| name == monitor)) {
                let mut error =
                    Error::recipe(format!("service `{}`: nothing is reported as `{monitor}`", service.name()))
                        .coded(codes::UNKNOWN_MONITOR)
                        .about(subject())
                        .maybe_hint(error::did_you_mean(monitor, known.iter().map(String::as_str)));
                if monitor.starts_with("val_") && self.setup.validation.is_none() {
                    error = error.hint("there are no validation records, so nothing starts with `val_`");
                }
                errors.push(error.hint(format!("reported: {}", error::list(known.iter().map(String::as_str)))));
            }
            if service.sets_learning_rate() && matches!(self.setup.rate, Rate::Schedule(_)) {
                errors.push(
                    Error::recipe(format!(
                        "service `{}` changes the learning rate, but a schedule sets it",
                        service.name()
                    ))
                    .about(subject())
                    .hint("give the optimizer a constant `learning_rate`, or leave the service out"),
                );
            }
        }
        Error::join(errors).map_or(Ok(()), Err)
    }

    /// Runs one training pass without an update: the losses must be numbers, and backward must reach
    /// every trainable weight.
    fn audit(&mut self, batch: &Batch) -> Result<()> {
        // A pass of training moves statistics.
        let before = self.variables.engine.weights().clone();
        let result = self.try_training(batch);
        self.variables.engine.change(|weights| {
            *weights = before;
            Ok(())
        })?;
        result
    }

    fn try_training(&mut self, batch: &Batch) -> Result<()> {
        let Setup { network, outputs, seed, .. } = &self.setup;
        let engine = &mut self.variables.engine;
        let fed = feed_training(network, outputs, batch)?;
        let random = Random::new(*seed, Stream::Dropout, &[0]);
        engine.forward(&fed.inputs, fed.len, Some(&random))?;
        let losses = engine.losses(outputs, &fed.targets)?;
        let pass = (&*fed.inputs, &random);
        if let Some(error) = not_finite(outputs, &self.setup.train, batch, &losses, engine, pass)? {
            return Err(error);
        }
        // Made before the gradient is looked at: the names of the report are known either way.
        self.meters = Some(tried(outputs, &fed, &losses, engine, "")?);
        let unreached = engine.unreached()?;
        if !unreached.is_empty() {
            let names = error::list(unreached.iter().map(|name| &**name));
            let several = if unreached.len() == 1 { "weight" } else { "weights" };
            return Err(Error::recipe(format!("the trainable {several} {names} received no gradient"))
                .coded(codes::NO_GRADIENT)
                .about(Subject::Loss)
                .hint("no loss depends on them, or an operation on the way has no gradient (`argmax`, `round`, a comparison)")
                .hint("declare a layer that is not to be trained with `trainable: false`"));
        }
        Ok(())
    }

    fn audit_validation(&mut self, batch: &Batch) -> Result<()> {
        let Setup { network, outputs, .. } = &self.setup;
        let engine = &mut self.variables.engine;
        let fed = feed(network, batch)?;
        engine.forward(&fed.inputs, fed.len, None)?;
        let losses = engine.losses(outputs, &fed.targets)?;
        self.validation_meters = Some(tried(outputs, &fed, &losses, engine, "val_")?);
        Ok(())
    }
}

/// Returns fresh meters that have taken in one batch, to see that they can.
fn tried(outputs: &[OutputSpec], fed: &Fed, losses: &Losses, engine: &Engine, prefix: &str) -> Result<Meters> {
    let mut meters = Meters::new(outputs, fed, engine, prefix)?;
    meters.update(outputs, fed, losses, engine)?;
    meters.logs()?;
    // A metric whose state cannot be stored would end the run at its first checkpoint.
    meters.state()?;
    meters.reset();
    Ok(meters)
}

/// Returns the outputs in the network's order.
///
/// # Errors
/// An output without a loss, a loss without an output, and one name given twice.
pub(crate) fn in_network_order(network: &Network, outputs: Vec<OutputSpec>) -> Result<Vec<OutputSpec>> {
    let ports = || names(network.outputs());
    let mut errors = Vec::new();
    for (at, output) in outputs.iter().enumerate() {
        if !ports().any(|port| port == &*output.name) {
            errors.push(
                Error::recipe(format!("the network has no output `{}`", output.name))
                    .coded(codes::NAMES)
                    .about(Subject::Name(output.name.to_string()))
                    .maybe_hint(error::did_you_mean(&output.name, ports()))
                    .hint(format!("its outputs: {}", error::list(ports()))),
            );
        }
        if outputs[..at].iter().any(|earlier| earlier.name == output.name) {
            let subject = Subject::Output(output.name.to_string());
            errors.push(Error::recipe(format!("output `{}` is given twice", output.name)).about(subject));
        }
    }
    for port in ports().filter(|port| !outputs.iter().any(|output| &*output.name == *port)) {
        errors.push(
            Error::recipe(format!("output `{port}` of the network has no loss"))
                .coded(codes::NAMES)
                .about(Subject::Outputs)
                .hint("name it in `model.outputs` with a loss"),
        );
    }
    if let Some(error) = Error::join(errors) {
        return Err(error);
    }
    let position = |output: &OutputSpec| ports().position(|port| port == &*output.name);
    let mut outputs = outputs;
    outputs.sort_by_key(position);
    Ok(outputs)
}

/// Returns a dataset's first batch, its names and shapes checked against the network.
pub(super) fn first_batch(network: &Network, dataset: &Dataset) -> Result<Batch> {
    let batch = dataset.epoch(0).batch(0)?;
    let mut errors = Vec::new();
    check_names(&batch.x, "input", network.inputs(), true, &mut errors);
    for port in network.inputs() {
        if let Some((_, array)) = batch.x.iter().find(|(name, _)| *name == port.name) {
            check_input(port, array, &mut errors);
        }
    }
    match &batch.y {
        Some(y) => check_names(y, "output", network.outputs(), true, &mut errors),
        None => errors.push(
            Error::data("the loader gives no outputs, so there is nothing to train on")
                .coded(codes::NAMES)
                .about(Subject::Loader)
                .hint(format!("it must return values for {}", error::list(names(network.outputs())))),
        ),
    }
    if let Some(w) = &batch.w {
        check_names(w, "sample weight", network.outputs(), false, &mut errors);
    }
    let mode = dataset.mode();
    match Error::join(errors) {
        Some(error) if mode == Mode::Validation => Err(error.within("validation records")),
        Some(error) => Err(error),
        None => Ok(batch),
    }
}

/// Names must be those of the ports; `all` says whether each port needs one.
fn check_names(arrays: &Arrays, what: &str, ports: &[Port], all: bool, errors: &mut Vec<Error>) {
    let given = || arrays.iter().map(|(name, _)| &**name);
    let side = if what == "input" { "input" } else { "output" };
    for name in given().filter(|name| !names(ports).any(|port| port == *name)) {
        errors.push(
            Error::data(format!("the loader gives {} `{name}`, but the network has no {side} of that name", a(what)))
                .coded(codes::NAMES)
                .about(Subject::Loader)
                .maybe_hint(error::did_you_mean(name, names(ports)))
                .hint(format!("the network's {side}s: {}", error::list(names(ports)))),
        );
    }
    for port in names(ports).filter(|port| all && !given().any(|name| name == *port)) {
        errors.push(
            Error::data(format!("the network needs {} `{port}`, but the loader gives none of that name", a(what)))
                .coded(codes::NAMES)
                .about(Subject::Network)
                .maybe_hint(error::did_you_mean(port, given()))
                .hint(match arrays.is_empty() {
                    true => format!("the loader gives no {what}s"),
                    false => format!("the loader gives {}", error::list(given())),
                }),
        );
    }
}

fn check_input(port: &Port, array: &Array, errors: &mut Vec<Error>) {
    let shape = &array.shape()[1..];
    // A scalar a record fits an input of one feature: see `feed`.
    if matches(&port.shape, shape) || (shape.is_empty() && matches(&port.shape, &[1])) {
        return;
    }
    let error = Error::data(format!(
        "input `{}`: the network takes shape {}, the loader gives {shape:?} for each record",
        port.name,
        show_shape(&port.shape)
    ))
    .coded(codes::INPUT_SHAPE)
    .about(Subject::Network);
    let count = |sizes: &mut dyn Iterator<Item = usize>| sizes.product::<usize>();
    let known: Option<Vec<usize>> = port.shape.iter().copied().collect();
    errors.push(match known {
        Some(known) if count(&mut known.iter().copied()) == count(&mut shape.iter().copied()) => {
            error.hint("the number of values is right: reshape them in the loader or the transformer")
        }
        _ => error.hint("change the shape of the network's input, or what the loader and the transformer return"),
    });
}

/// Explains a loss that is no number: the first value of the batch that is none, or else the output.
fn not_finite(
    outputs: &[OutputSpec],
    dataset: &Dataset,
    batch: &Batch,
    losses: &Losses,
    engine: &mut Engine,
    (inputs, random): (&[Array], &Random),
) -> Result<Option<Error>> {
    let bad = match outputs {
        [_] => (!losses.total.is_finite()).then_some((0, losses.total)),
        _ => losses.outputs.iter().copied().enumerate().find(|(_, loss)| !loss.is_finite()),
    };
    let Some((at, loss)) = bad.or_else(|| (!losses.total.is_finite()).then_some((0, losses.total))) else {
        return Ok(None);
    };
    let error = Error::data(format!("the loss of output `{}` is {loss} in the first step", outputs[at].name))
        .coded(codes::NOT_FINITE)
        .about(Subject::Output(outputs[at].name.to_string()));
    if let Some(line) = blame::given(batch, dataset) {
        let remedy = "look for missing values, or a division by zero in the loader or the transformer";
        return Ok(Some(error.hint(line).hint(remedy)));
    }
    Ok(Some(match engine.first_not_finite(inputs, random)? {
        Some(found) => error
            .hint(format!(
                "the inputs are finite, but the values of layer `{}`, `{}`, are not",
                found.layer, found.kind
            ))
            .hint("scale the inputs"),
        None => error.hint("inputs and prediction are finite: the targets may be outside the range of this loss"),
    }))
}

fn a(what: &str) -> String {
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {what}")
}
