//! Operators of which a side is a tensor, and `where`.

use crate::error::Result;
use crate::script::vectorise::halt::{Halt, Outcome};
use crate::script::vectorise::program::Operator;
use crate::script::vectorise::value::{Value, repeated};
use crate::tensor::{Arithmetic, Array, Comparison, Dtype, Number, Operand, Tensor, batched};

use super::arguments::number;

/// What an operator does to tensors.
#[derive(Clone, Copy)]
enum Does {
    Compute(Arithmetic),
    Compare(Comparison),
}

impl Does {
    fn of(operator: Operator) -> Option<Does> {
        Some(match operator {
            Operator::Add => Does::Compute(Arithmetic::Add),
            Operator::Sub => Does::Compute(Arithmetic::Sub),
            Operator::Mul => Does::Compute(Arithmetic::Mul),
            Operator::Div => Does::Compute(Arithmetic::Div),
            Operator::Rem => Does::Compute(Arithmetic::Rem),
            Operator::Pow => Does::Compute(Arithmetic::Pow),
            Operator::Equal => Does::Compare(Comparison::Equal),
            Operator::NotEqual => Does::Compare(Comparison::NotEqual),
            Operator::Less => Does::Compare(Comparison::Less),
            Operator::LessEqual => Does::Compare(Comparison::LessEqual),
            Operator::Greater => Does::Compare(Comparison::Greater),
            Operator::GreaterEqual => Does::Compare(Comparison::GreaterEqual),
            Operator::Other(_) => return None,
        })
    }

    fn apply<'a>(self, left: impl Into<Operand<'a>>, right: impl Into<Operand<'a>>) -> Result<Tensor> {
        match self {
            Does::Compute(operation) => operation.apply(left, right),
            Does::Compare(comparison) => comparison.apply(left, right),
        }
    }

    /// Returns the dtype in which a tensor meets a number.
    fn with_number(self, tensor: Dtype, whole: bool) -> Dtype {
        let number = if whole { Number::Int(1) } else { Number::Float(1.0) };
        match (self, tensor.with_number(number)) {
            (Does::Compute(Arithmetic::Div), Dtype::I64) => Dtype::F32,
            (Does::Compute(_), dtype) => dtype,
            (Does::Compare(_), _) => match (tensor, whole) {
                (Dtype::F32, _) => Dtype::F32,
                (Dtype::F64, _) | (_, false) => Dtype::F64,
                _ => Dtype::I64,
            },
        }
    }
}

/// A side of an operator.
enum Side {
    /// Lanes on axis 0.
    Batch(Array),
    One(Array),
    Number(Number),
    /// A number a lane, of shape `[lanes]`, and whether they are whole.
    Numbers(Array, bool),
}

fn side(value: &Value) -> Option<Side> {
    Some(match value {
        Value::Tensors(array) => Side::Batch(array.clone()),
        Value::Ints(values) => Side::Numbers(Array::from_i64(values.to_vec(), &[values.len()]).ok()?, true),
        Value::Floats(values) => Side::Numbers(Array::from_f64(values.to_vec(), &[values.len()]).ok()?, false),
        Value::Same(one) => match (one.as_int(), one.as_float(), value.same_tensor()) {
            (Ok(value), ..) => Side::Number(Number::Int(value)),
            (_, Ok(value), _) => Side::Number(Number::Float(value)),
            (.., Some(Tensor::Host(array))) => Side::One(array),
            _ => return None,
        },
        _ => return None,
    })
}

/// Applies an operator of which a side is a tensor; `None` when there is no column form.
pub fn operate(operator: Operator, left: &Value, right: &Value, len: usize) -> Outcome<Option<Value>> {
    let (Some(does), Some(left), Some(right)) = (Does::of(operator), side(left), side(right)) else { return Ok(None) };
    let host = |array: Array| Tensor::Host(array);
    let done = match (left, right) {
        (Side::Batch(a), Side::Number(b)) => does.apply(&host(a), b)?,
        (Side::Number(a), Side::Batch(b)) => does.apply(a, &host(b))?,
        // A power of 2 is a product; which power it is differs from lane to lane.
        (Side::Numbers(..), _) | (_, Side::Numbers(..)) if operator == Operator::Pow => return Ok(None),
        (Side::Numbers(a, whole), Side::Batch(b)) => with_numbers(does, &a, whole, &b, true)?,
        (Side::Batch(a), Side::Numbers(b, whole)) => with_numbers(does, &b, whole, &a, false)?,
        (Side::Numbers(a, whole), Side::One(b)) => match repeated(&b, len) {
            Some(b) => with_numbers(does, &a, whole, &b, true)?,
            None => return Ok(None),
        },
        (Side::One(a), Side::Numbers(b, whole)) => match repeated(&a, len) {
            Some(a) => with_numbers(does, &b, whole, &a, false)?,
            None => return Ok(None),
        },
        (Side::Batch(a), Side::Batch(b)) => {
            let (a, b) = alike(&a, &b)?;
            does.apply(&host(a), &host(b))?
        }
        (Side::Batch(a), Side::One(b)) => match a.shape()[1..].ends_with(b.shape()) {
            true => does.apply(&host(a), &host(b))?,
            false => {
                let b = repeated(&b, len).ok_or_else(|| Halt::new("a tensor that is too large"))?;
                let (a, b) = alike(&a, &b)?;
                does.apply(&host(a), &host(b))?
            }
        },
        (Side::One(a), Side::Batch(b)) => match b.shape()[1..].ends_with(a.shape()) {
            true => does.apply(&host(a), &host(b))?,
            false => {
                let a = repeated(&a, len).ok_or_else(|| Halt::new("a tensor that is too large"))?;
                let (a, b) = alike(&a, &b)?;
                does.apply(&host(a), &host(b))?
            }
        },
        _ => return Ok(None),
    };
    Ok(Some(Value::Tensors(done.to_host()?)))
}

/// Applies an operator to tensors and one number a lane, which stands on the left when `reversed`. The number
/// takes the dtype that it would take alone.
fn with_numbers(does: Does, numbers: &Array, whole: bool, batch: &Array, reversed: bool) -> Result<Tensor> {
    let dtype = does.with_number(batch.dtype(), whole);
    let (batch, numbers) = (batch.cast(dtype), numbers.cast(dtype));
    let numbers = batched::stretched(&numbers, batch.shape().get(1..).unwrap_or(&[]))?;
    let (batch, numbers) = (Tensor::Host(batch), Tensor::Host(numbers));
    match reversed {
        true => does.apply(&numbers, &batch),
        false => does.apply(&batch, &numbers),
    }
}

/// Brings the lanes of two arrays to one shape, by the rule that holds for a single lane.
fn alike(a: &Array, b: &Array) -> Result<(Array, Array)> {
    if a.shape() == b.shape() {
        return Ok((a.clone(), b.clone()));
    }
    let shape = batched::common(a.shape().get(1..).unwrap_or(&[]), b.shape().get(1..).unwrap_or(&[]))?;
    Ok((batched::stretched(a, &shape)?, batched::stretched(b, &shape)?))
}

/// Returns the arithmetic of an operator; `None` for one that compares.
pub fn arithmetic(operator: Operator) -> Option<Arithmetic> {
    match Does::of(operator)? {
        Does::Compute(arithmetic) => Some(arithmetic),
        Does::Compare(_) => None,
    }
}

/// The functions that are operators by another name.
pub(super) fn named(name: &str) -> Option<Operator> {
    Some(match name {
        "equal" => Operator::Equal,
        "not_equal" => Operator::NotEqual,
        "less" => Operator::Less,
        "less_equal" => Operator::LessEqual,
        "greater" => Operator::Greater,
        "greater_equal" => Operator::GreaterEqual,
        "pow" => Operator::Pow,
        _ => return None,
    })
}

/// `where(condition, yes, no)`.
pub(super) fn choose(condition: &Value, yes: &Value, no: &Value, len: usize) -> Outcome<Option<Value>> {
    let batch = |value: &Value| match side(value)? {
        Side::Batch(array) => Some(array),
        Side::One(array) => repeated(&array, len),
        _ => None,
    };
    let Some(mask) = batch(condition) else { return Ok(None) };
    let done = match (number(yes), number(no)) {
        (Some(yes), Some(no)) => Tensor::Host(mask).r#where(yes, no)?,
        (None, Some(no)) => {
            let Some(yes) = batch(yes) else { return Ok(None) };
            let (mask, yes) = alike(&mask, &yes)?;
            Tensor::Host(mask).r#where(&Tensor::Host(yes), no)?
        }
        (Some(yes), None) => {
            let Some(no) = batch(no) else { return Ok(None) };
            let (mask, no) = alike(&mask, &no)?;
            Tensor::Host(mask).r#where(yes, &Tensor::Host(no))?
        }
        (None, None) => {
            let (Some(yes), Some(no)) = (batch(yes), batch(no)) else { return Ok(None) };
            let (yes, no) = alike(&yes, &no)?;
            let (mask, yes) = alike(&mask, &yes)?;
            let (mask, no) = alike(&mask, &no)?;
            Tensor::Host(mask).r#where(&Tensor::Host(yes), &Tensor::Host(no))?
        }
    };
    Ok(Some(Value::Tensors(done.to_host()?)))
}
