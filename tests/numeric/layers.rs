//! Every built-in layer against the table of Keras's outputs and gradients in `layers.json`.

#![allow(clippy::unwrap_used, reason = "a table that cannot be read fails the test")]

use barrage::network::{FlatWeights, Network, Pass, Plan, Symbol, WeightInfo, layers};
use barrage::random::{Random, Stream};
use barrage::tensor::{Array, Device, Dtype, Graph, device};
use candle_core::{DType, Var};
use serde_json::{Map, Value, json};

use super::{Case, imports};

pub(super) fn check(case: &Case) -> Result<(), String> {
    run(case.value()).map_err(|errors| errors.join("; "))
}

pub(crate) fn read(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

/// A case as a network.
pub(crate) struct Made {
    pub network: Network,
    /// The names of the weights without the layer's, and their values.
    pub names: Vec<String>,
    pub weights: Vec<Graph>,
    /// The inputs that gradients are expected for, then masks and values given by name.
    pub xs: Vec<Graph>,
    pub more: Vec<Graph>,
    /// How many outputs are values; a mask may follow.
    pub values_of_outputs: usize,
}

pub(crate) fn make(case: &Value) -> Result<Made, Vec<String>> {
    let failed = |error: barrage::Error| vec![error.to_string()];
    let (inputs, expected) = (&case["inputs"], &case["expected"]);
    let xs: Vec<Graph> = each(&inputs["x"]).into_iter().map(tensor).collect();
    let mut call = inputs["call_kwargs"].as_object().unwrap().clone();
    // Masks and named values are further inputs of the network, which no gradient is expected for.
    let mut more: Vec<(Symbol, Graph)> = Vec::new();
    let mut further = |value: &Value| {
        let value = tensor(value);
        more.push((input(&value), value));
        more[more.len() - 1].0.clone()
    };
    let masks: Vec<Option<Symbol>> = match call.remove("mask") {
        None => Vec::new(),
        Some(masks) => each(&masks).into_iter().map(|mask| (!mask.is_null()).then(|| further(mask))).collect(),
    };
    let masked = |(at, x): (usize, &Graph)| input(x).with_mask(masks.get(at).cloned().flatten());
    let symbols: Vec<Symbol> = xs.iter().enumerate().map(masked).collect();
    let mut named: Vec<(&str, Vec<Symbol>)> = Vec::new();
    for name in ["initial_state", "attention_mask"] {
        if let Some(value) = call.remove(name) {
            named.push((name, each(&value).into_iter().map(&mut further).collect()));
        }
    }
    let mut parameters = params(&case["params"]);
    parameters.extend(call.into_iter().filter(|(name, _)| name != "training"));
    let layer = layers::find(case["component"].as_str().unwrap()).map_err(failed)?;
    // Every layer takes `trainable`; with false no weight of it is trained.
    let mut frozen = parameters.clone();
    frozen.insert("trainable".into(), json!(false));
    let still = layer.make(&frozen).map_err(failed)?.apply_with(&symbols, &named).map_err(failed)?;
    let inputs_of_all: Vec<Symbol> = symbols.iter().cloned().chain(more.iter().map(|(own, _)| own.clone())).collect();
    let still = Network::new(&inputs_of_all, &still).map_err(failed)?;
    if let Some(weight) = still.weights().iter().find(|weight| weight.trainable) {
        return Err(vec![format!("`trainable: false` trains {}", weight.name)]);
    }
    let mut outputs = layer.make(&parameters).map_err(failed)?.apply_with(&symbols, &named).map_err(failed)?;
    let values_of_outputs = outputs.len();
    if !expected["mask"].is_null() {
        outputs.push(outputs[0].mask().ok_or(vec!["no mask".to_owned()])?.clone());
    }
    let all: Vec<Symbol> = symbols.iter().cloned().chain(more.iter().map(|(symbol, _)| symbol.clone())).collect();
    let network = Network::new(&all, &outputs).map_err(failed)?;

    let given = inputs["weights"].as_object().unwrap();
    let own = |weight: &WeightInfo| weight.name.split_once('/').unwrap().1.to_owned();
    let names: Vec<String> = network.weights().iter().map(own).collect();
    if names.len() != given.len() || names.iter().any(|name| !given.contains_key(name)) {
        return Err(vec![format!("weights {names:?}, expected {:?}", given.keys().collect::<Vec<_>>())]);
    }
    let weights = names.iter().map(|name| tensor(&given[name])).collect();
    let more = more.into_iter().map(|(_, value)| value).collect();
    Ok(Made { network, names, weights, xs, more, values_of_outputs })
}

fn run(case: &Value) -> Result<(), Vec<String>> {
    let failed = |error: barrage::Error| vec![error.to_string()];
    let (inputs, expected) = (&case["inputs"], &case["expected"]);
    let Made { network, names, weights, xs, more, values_of_outputs } = make(case)?;
    let weights: Vec<Var> = weights.iter().map(|weight| Var::from_tensor(weight).unwrap()).collect();
    let weights: Vec<Graph> = weights.iter().map(|weight| weight.as_tensor().clone()).collect();
    let variable = |x: &Graph| match x.dtype().is_float() {
        true => Var::from_tensor(x).unwrap().as_tensor().clone(),
        false => x.clone(),
    };
    let xs: Vec<Graph> = xs.iter().map(variable).collect();
    // Where the table says nothing, training makes no difference.
    let training = inputs["call_kwargs"]["training"].as_bool();
    let mut pass = Pass::new(training.unwrap_or(false), Random::new(0, Stream::Dropout, &[]));
    let all: Vec<Graph> = xs.iter().cloned().chain(more).collect();
    let mut ys = network.forward(&weights, &all, &mut pass).map_err(failed)?;
    let mask = ys.split_off(values_of_outputs);

    let planned = planned(&network, &all, &weights, training.unwrap_or(true), inputs).map_err(failed)?;

    let mut errors = Vec::new();
    let tolerance = (case["tolerance"]["abs"].as_f64().unwrap(), case["tolerance"]["rel"].as_f64().unwrap());
    let mut compare = |what: &str, found: Option<&Graph>, expected: &Value| {
        let expected = tensor(expected);
        let Some(found) = found else {
            errors.push(format!("{what} is missing"));
            return;
        };
        if found.dims() != expected.dims() {
            errors.push(format!("{what} has shape {:?}, expected {:?}", found.dims(), expected.dims()));
            return;
        }
        let pairs = values(found).into_iter().zip(values(&expected));
        let worst = pairs.map(|(f, e)| ((f - e).abs() - tolerance.0 - tolerance.1 * e.abs(), f, e));
        // Not a number compares with nothing, so it must be asked for.
        if let Some((_, f, e)) = worst.into_iter().find(|(excess, _, _)| *excess > 0.0 || excess.is_nan()) {
            errors.push(format!("{what} is {f}, expected {e}"));
        }
    };
    let penalty =
        pass.penalties.iter().fold(Graph::zeros((), DType::F32, &device::cpu()).unwrap(), |a, b| (a + b).unwrap());
    if !expected["penalty"].is_null() {
        let by_kernels = Graph::new(planned.penalty as f32, &device::cpu()).unwrap();
        compare("penalty", Some(&penalty), &expected["penalty"]);
        compare("penalty by kernels", Some(&by_kernels), &expected["penalty"]);
    }
    let mut loss = penalty;
    let outputs = ys.iter().zip(each(&expected["y"])).zip(each(&inputs["upstream"]));
    for (((y, expected), upstream), by_kernels) in outputs.zip(&planned.ys) {
        compare("y", Some(y), expected);
        compare("y by kernels", Some(by_kernels), expected);
        loss = loss.add(&y.mul(&tensor(upstream)).unwrap().sum_all().unwrap()).unwrap();
    }
    if let Some(mask) = mask.first() {
        compare("mask", Some(mask), &expected["mask"]);
    }
    let gradients = loss.backward().unwrap();
    for (x, expected) in xs.iter().zip(each(&expected["grad_x"])) {
        if !expected.is_null() {
            compare("grad_x", gradients.get(x), expected);
        }
    }
    for (name, expected) in expected["grad_weights"].as_object().unwrap_or(&Map::new()) {
        let index = names.iter().position(|found| found == name).unwrap();
        compare(&format!("gradient of {name}"), gradients.get(&weights[index]), expected);
        if !planned.gradients.is_empty() {
            compare(&format!("gradient of {name} by kernels"), Some(&planned.gradients[index]), expected);
        }
    }
    for (name, expected) in expected["updated_weights"].as_object().unwrap_or(&Map::new()) {
        let index = names.iter().position(|found| found == name).unwrap();
        let update = pass.updates.iter().find(|(updated, _)| *updated == index).map(|(_, value)| value);
        compare(&format!("updated {name}"), update, expected);
        compare(&format!("updated {name} by kernels"), Some(&planned.weights[index]), expected);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// What a plan gives: the output, the gradients of the weights (none where nothing is trained), the weights after the
/// pass. Gradients of inputs are the composed test's: a plan computes none of the batch.
pub(crate) struct Planned {
    pub ys: Vec<Graph>,
    pub gradients: Vec<Graph>,
    pub weights: Vec<Graph>,
    /// The sum of the penalties on values.
    pub penalty: f64,
}

pub(crate) fn planned(
    network: &Network,
    xs: &[Graph],
    weights: &[Graph],
    training: bool,
    inputs: &Value,
) -> barrage::Result<Planned> {
    let arrays = |graphs: &[Graph]| graphs.iter().map(Array::from_graph).collect::<barrage::Result<Vec<Array>>>();
    let (xs, rows) = (arrays(xs)?, xs[0].dims()[0]);
    let mut flat = FlatWeights::new(network, &arrays(weights)?)?;
    let shapes: Vec<Vec<usize>> = xs.iter().map(|x| x.shape()[1..].to_vec()).collect();
    let mut plan = Plan::new(network, &shapes, &device::cpu())?;
    plan.begin(rows).unwrap();
    xs.iter().enumerate().try_for_each(|(at, x)| plan.feed(at, x))?;
    let random = Random::new(0, Stream::Dropout, &[]);
    let graph = |values: &[f32], shape: &[usize]| Graph::from_slice(values, shape, &device::cpu()).unwrap();
    let mut gradients = Vec::new();
    match training {
        false => plan.forward(&flat, &random)?,
        true => {
            plan.train_forward(&mut flat, &random)?;
            for (at, upstream) in each(&inputs["upstream"]).into_iter().enumerate() {
                let upstream: Vec<f32> = values(&tensor(upstream)).into_iter().map(|value| value as f32).collect();
                plan.loss(at, |_, _, place| place.map(|place| place.put(&upstream)));
            }
            plan.backward(&mut flat)?;
            let ranges = flat.ranges().to_vec();
            let infos = network.weights();
            let all = flat.trained().1;
            let own = ranges.iter().zip(infos).map(|(range, info)| match info.trainable {
                true => graph(&all[range.clone()], &info.shape),
                false => graph(&[], &[0]),
            });
            gradients = own.collect();
        }
    }
    let output = |at: usize| graph(plan.output(at), &[&[rows], plan.output_shape(at)].concat());
    let ys = (0..network.outputs().len()).map(output).collect();
    let weights = network.weights().iter().enumerate().map(|(at, info)| graph(flat.get(at), &info.shape)).collect();
    Ok(Planned { ys, gradients, weights, penalty: plan.penalty() })
}

/// Parameters as recipes write them: nested components, and the arguments of an activation, which the table has beside its
/// name.
pub(super) fn params(params: &Value) -> Map<String, Value> {
    let mut params = params.clone();
    imports(&mut params);
    let mut params = params.as_object().unwrap().clone();
    if let Some(arguments) = params.remove("kwargs") {
        let name = params["activation"].clone();
        params.insert("activation".into(), json!({"import": name, "params": arguments}));
    }
    params
}

fn input(x: &Graph) -> Symbol {
    let shape: Vec<Option<usize>> = x.dims()[1..].iter().map(|length| Some(*length)).collect();
    let dtype = if x.dtype().is_float() { Dtype::F32 } else { Dtype::I64 };
    Symbol::input(None, &shape, dtype).unwrap()
}

pub(crate) fn each(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}

pub(crate) fn tensor(value: &Value) -> Graph {
    let shape: Vec<usize> = value["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let number = |item: &Value| match item.as_str() {
        None if item.is_boolean() => f64::from(u8::from(item.as_bool().unwrap())),
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        Some(_) => f64::NAN,
        None => item.as_f64().unwrap(),
    };
    let data: Vec<f64> = value["data"].as_array().unwrap().iter().map(number).collect();
    let dtype = if value["dtype"] == "float32" { DType::F32 } else { DType::I64 };
    let cpu: Device = device::cpu();
    Graph::from_vec(data, shape, &cpu).unwrap().to_dtype(dtype).unwrap()
}

pub(crate) fn values(tensor: &Graph) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}
