//! Values and gradients of losses.

use std::sync::atomic::{AtomicUsize, Ordering};

use barrage::loss;
use barrage::tensor::{Array, Dtype, Graph, device};
use candle_core::{DType, Var};
use serde_json::Value;

use super::{Case, numbers};

pub fn check(case: &Case) -> Result<(), String> {
    values_and_gradients(case).map_err(|error| error.to_string())
}

fn values_and_gradients(case: &Case) -> Result<(), Box<dyn std::error::Error>> {
    let loss = loss::make(case.component(), &case.params())?;
    let y_true = graph(case.input("y_true"))?;
    let y_pred = Var::from_tensor(&graph(case.input("y_pred"))?)?;
    let weight = case.input("sample_weight");
    let weight = if weight.is_null() { None } else { Some(graph(weight)?) };

    let value = loss.value(&y_true, y_pred.as_tensor(), weight.as_ref())?;
    let shape = numbers(case.expected("loss")).shape;
    if value.dims() != shape {
        return Err(format!("expected a loss of shape {shape:?}, found {:?}", value.dims()).into());
    }
    case.compare("loss", &flat(&value)?, case.expected("loss"))?;
    let gradients = value.sum_all()?.backward()?;
    let gradient = gradients.get(&y_pred).ok_or("no gradient reached the prediction")?;
    case.compare("gradient", &flat(gradient)?, case.expected("grad"))?;
    by_kernels(case, &*loss)
}

/// Cases that ran fused.
static FUSED: AtomicUsize = AtomicUsize::new(0);

/// Returns how many cases ran fused so far.
pub fn fused() -> usize {
    FUSED.load(Ordering::Relaxed)
}

/// The same on slices, in one pass, where the loss can: stored, and added to what is there.
fn by_kernels(case: &Case, loss: &dyn loss::Loss) -> Result<(), Box<dyn std::error::Error>> {
    let array = |value: &Value| {
        let numbers = numbers(value);
        let wide = Array::from_f64(numbers.data, &numbers.shape)?;
        Ok::<_, barrage::Error>(wide.cast(if numbers.dtype == "float32" { Dtype::F32 } else { Dtype::I64 }))
    };
    let (labels, predictions) = (array(case.input("y_true"))?, array(case.input("y_pred"))?);
    let weight = case.input("sample_weight");
    let weight = if weight.is_null() { None } else { Some(array(weight)?) };
    let values = predictions.as_f32().into_owned();
    for add in [false, true] {
        let mut gradient = vec![if add { 1.0 } else { f32::NAN }; values.len()];
        let found = loss.fused(&mut loss::Fused {
            labels: &labels,
            predictions: &values,
            shape: &predictions.shape()[1..],
            weight: weight.as_ref(),
            gradient: Some(&mut gradient),
            add,
            share: 1.0,
            values: None,
            memory: &mut Default::default(),
        });
        let Some(found) = found else { return Ok(()) };
        case.compare("loss by kernels", &[found], case.expected("loss"))?;
        let start = if add { 1.0 } else { 0.0 };
        let gradient: Vec<f64> = gradient.into_iter().map(|value| f64::from(value) - start).collect();
        match add {
            false => case.compare("gradient by kernels", &gradient, case.expected("grad"))?,
            // A sum with 1 has the digits of 1.
            true => {
                let expected = numbers(case.expected("grad")).data;
                if gradient.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 1e-5 + 1e-5 * b.abs()) {
                    return Err(format!("added gradient by kernels: {gradient:?}, expected {expected:?}").into());
                }
            }
        }
    }
    let _ = FUSED.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn graph(value: &Value) -> candle_core::Result<Graph> {
    let numbers = numbers(value);
    let dtype = if numbers.dtype == "float32" { DType::F32 } else { DType::I64 };
    Graph::from_vec(numbers.data, numbers.shape, &device::cpu())?.to_dtype(dtype)
}

fn flat(values: &Graph) -> candle_core::Result<Vec<f64>> {
    values.flatten_all()?.to_dtype(DType::F64)?.to_vec1()
}
