//! Values and gradients of losses.

use barrage::loss;
use barrage::tensor::{Graph, device};
use candle_core::{DType, Var};
use serde_json::Value;

use super::{Case, check_table, numbers};

#[test]
fn values_and_gradients_are_those_of_keras() {
    check_table("losses.json", |case| check(case).map_err(|error| error.to_string()));
}

fn check(case: &Case) -> Result<(), Box<dyn std::error::Error>> {
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
