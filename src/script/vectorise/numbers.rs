//! Operators, and functions of numbers, on columns. The formulas are Rhai's own, comparisons of numbers with a
//! fraction included, which count as equal what differs in the last bit only.

use std::sync::Arc;

use super::call;
use super::halt::{Halt, Outcome};
use super::program::Operator;
use super::run::Run;
use super::value::Value;
use super::{tensors, texts};

/// Applies an operator.
pub(super) fn operate(run: &mut Run, operator: Operator, left: Value, right: Value, len: usize) -> Outcome<Value> {
    let of_tensors = |value: &Value| matches!(value, Value::Tensors(_)) || value.same_tensor().is_some();
    if let Some(value) = on_columns(operator, &left, &right)? {
        return Ok(value);
    }
    let left = match (left, tensors::number(&right), tensors::arithmetic(operator)) {
        // Its memory becomes that of the result when nobody else holds the array.
        (Value::Tensors(array), Some(number), Some(arithmetic)) => {
            return Ok(Value::Tensors(arithmetic.apply_to(array, number)?.to_host()?));
        }
        (left, ..) => left,
    };
    if (of_tensors(&left) || of_tensors(&right))
        && !(left.is_uniform() && right.is_uniform())
        && let Some(value) = tensors::operate(operator, &left, &right, len)?
    {
        return Ok(value);
    }
    call::each(run, operator.symbol(), &mut [left, right], len)
}

/// One side of an operator: a column, or a number for all lanes.
enum Side<T> {
    Column(Arc<Vec<T>>),
    One(T),
}

fn on_columns(operator: Operator, left: &Value, right: &Value) -> Outcome<Option<Value>> {
    if let (Some(a), Some(b)) = (ints(left), ints(right)) {
        return on_ints(operator, &a, &b);
    }
    if let (Some(a), Some(b)) = (floats(left), floats(right)) {
        return Ok(on_floats(operator, &a, &b));
    }
    if let (Value::Bools(a), Value::Bools(b)) = (left, right) {
        let both = a.iter().zip(b.iter());
        return Ok(match operator {
            Operator::Equal => Some(Value::bools(both.map(|(a, b)| a == b).collect())),
            Operator::NotEqual => Some(Value::bools(both.map(|(a, b)| a != b).collect())),
            _ => None,
        });
    }
    Ok(texts::compare(operator, left, right))
}

/// Applies an operator to two numbers of which one has a fraction; `None` when neither is a column.
pub(super) fn with_fraction(operator: Operator, left: &Value, right: &Value) -> Option<Value> {
    on_floats(operator, &floats(left)?, &floats(right)?)
}

fn ints(value: &Value) -> Option<Side<i64>> {
    match value {
        Value::Ints(values) => Some(Side::Column(values.clone())),
        value => value.same_int().map(Side::One),
    }
}

/// Numbers of either kind, as an operator with a fraction on the other side takes them.
fn floats(value: &Value) -> Option<Side<f64>> {
    match value {
        Value::Floats(values) => Some(Side::Column(values.clone())),
        Value::Ints(values) => Some(Side::Column(Arc::new(values.iter().map(|&value| value as f64).collect()))),
        Value::Same(value) => {
            value.as_float().or_else(|_| value.as_int().map(|value| value as f64)).ok().map(Side::One)
        }
        _ => None,
    }
}

/// Two numbers for all lanes are left to the engine.
fn zip<T: Copy, U>(a: &Side<T>, b: &Side<T>, f: impl Fn(T, T) -> U) -> Option<Vec<U>> {
    Some(match (a, b) {
        (Side::Column(a), Side::Column(b)) => a.iter().zip(b.iter()).map(|(&a, &b)| f(a, b)).collect(),
        (Side::Column(a), Side::One(b)) => a.iter().map(|&a| f(a, *b)).collect(),
        (Side::One(a), Side::Column(b)) => b.iter().map(|&b| f(*a, b)).collect(),
        (Side::One(_), Side::One(_)) => return None,
    })
}

fn on_ints(operator: Operator, a: &Side<i64>, b: &Side<i64>) -> Outcome<Option<Value>> {
    let checked = |f: fn(i64, i64) -> Option<i64>| match zip(a, b, f) {
        None => Ok(None),
        Some(values) => match values.into_iter().collect::<Option<Vec<i64>>>() {
            Some(values) => Ok(Some(Value::ints(values))),
            None => Err(Halt::new(format!("`{}` of whole numbers raises an error", operator.symbol()))),
        },
    };
    let compared = |f: fn(&i64, &i64) -> bool| Ok(zip(a, b, |a, b| f(&a, &b)).map(Value::bools));
    match operator {
        Operator::Add => checked(i64::checked_add),
        Operator::Sub => checked(i64::checked_sub),
        Operator::Mul => checked(i64::checked_mul),
        Operator::Div => checked(i64::checked_div),
        Operator::Rem => checked(i64::checked_rem),
        Operator::Pow => checked(|a, b| u32::try_from(b).ok().and_then(|b| a.checked_pow(b))),
        Operator::Equal => compared(i64::eq),
        Operator::NotEqual => compared(i64::ne),
        Operator::Less => compared(i64::lt),
        Operator::LessEqual => compared(i64::le),
        Operator::Greater => compared(i64::gt),
        Operator::GreaterEqual => compared(i64::ge),
        Operator::Other(_) => Ok(None),
    }
}

fn on_floats(operator: Operator, a: &Side<f64>, b: &Side<f64>) -> Option<Value> {
    let computed = |f: fn(f64, f64) -> f64| zip(a, b, f).map(Value::floats);
    match operator {
        Operator::Add => zip(a, b, |a, b| a + b).map(Value::floats),
        Operator::Sub => zip(a, b, |a, b| a - b).map(Value::floats),
        Operator::Mul => zip(a, b, |a, b| a * b).map(Value::floats),
        Operator::Div => zip(a, b, |a, b| a / b).map(Value::floats),
        Operator::Rem => computed(|a, b| a % b),
        Operator::Pow => computed(f64::powf),
        Operator::Equal => {
            zip(a, b, |a, b| nearly(a, b, true, |d, max| d.abs() / max <= f64::EPSILON)).map(Value::bools)
        }
        Operator::NotEqual => {
            zip(a, b, |a, b| nearly(a, b, false, |d, max| d.abs() / max > f64::EPSILON)).map(Value::bools)
        }
        Operator::Greater => zip(a, b, |a, b| nearly(a, b, false, |d, max| d / max > f64::EPSILON)).map(Value::bools),
        Operator::GreaterEqual => {
            zip(a, b, |a, b| nearly(a, b, true, |d, max| d / max > -f64::EPSILON)).map(Value::bools)
        }
        Operator::Less => zip(a, b, |a, b| nearly(b, a, false, |d, max| d / max > f64::EPSILON)).map(Value::bools),
        Operator::LessEqual => zip(a, b, |a, b| nearly(b, a, true, |d, max| d / max > -f64::EPSILON)).map(Value::bools),
        Operator::Other(_) => None,
    }
}

/// How Rhai compares numbers with a fraction: by their difference, relative to the larger one.
#[inline]
fn nearly(x: f64, y: f64, of_zeros: bool, holds: impl Fn(f64, f64) -> bool) -> bool {
    let max = if x * y == 0.0 { 1.0 } else { x.abs().max(y.abs()) };
    if max == 0.0 {
        return of_zeros;
    }
    holds(x - y, max)
}

/// Functions of one number, or of two.
pub(super) fn call(name: &str, arguments: &[Value]) -> Option<Value> {
    match arguments {
        [Value::Floats(values)] => {
            let map = |f: fn(f64) -> f64| Some(Value::floats(values.iter().map(|&x| f(x)).collect()));
            match name {
                "-" => map(|x| -x),
                "abs" => map(f64::abs),
                "sqrt" => map(f64::sqrt),
                "exp" => map(f64::exp),
                "ln" => map(f64::ln),
                "log10" => map(f64::log10),
                "sin" => map(f64::sin),
                "cos" => map(f64::cos),
                "floor" => map(f64::floor),
                "ceiling" => map(f64::ceil),
                "to_float" => Some(Value::Floats(values.clone())),
                _ => None,
            }
        }
        [Value::Ints(values)] => match name {
            "to_float" => Some(Value::floats(values.iter().map(|&x| x as f64).collect())),
            "to_int" => Some(Value::Ints(values.clone())),
            _ => None,
        },
        [Value::Bools(values)] if name == "!" => Some(Value::bools(values.iter().map(|x| !x).collect())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rhai::{Dynamic, Engine, Scope};

    use super::*;

    /// Columns against the engine, operator by operator, on numbers that are near, far, zero and not finite.
    #[test]
    fn operators_are_those_of_the_engine() {
        let odd = [0.0, -0.0, 1.0, 1.0 + 1e-16, 0.1 + 0.2, 0.3, -2.5, 1e300, f64::INFINITY, f64::NAN, 5e-324];
        let engine = Engine::new();
        let symbols = ["+", "-", "*", "/", "%", "**", "==", "!=", "<", "<=", ">", ">="];
        for symbol in symbols {
            let operator = Operator::of(symbol).unwrap();
            let ast = engine.compile(format!("a {symbol} b")).unwrap();
            let answer = |a: Dynamic, b: Dynamic| {
                let mut scope = Scope::new();
                scope.push_dynamic("a", a).push_dynamic("b", b);
                engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast)
            };
            for a in odd {
                for b in odd {
                    let ours = on_floats(operator, &Side::Column(Arc::new(vec![a])), &Side::One(b)).unwrap();
                    let (ours, theirs) = (ours.lane(0).unwrap(), answer(a.into(), b.into()).unwrap());
                    let same = match (ours.as_float(), theirs.as_float()) {
                        (Ok(x), Ok(y)) => x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan(),
                        _ => ours.as_bool().unwrap() == theirs.as_bool().unwrap(),
                    };
                    assert!(same, "{a:?} {symbol} {b:?}: {ours} instead of {theirs}");
                }
            }
            for a in [0, 1, -1, 7, i64::MAX, i64::MIN] {
                for b in [0, 1, -1, 3, 64, i64::MAX, i64::MIN] {
                    let ours = on_ints(operator, &Side::Column(Arc::new(vec![a])), &Side::One(b));
                    match (ours, answer(a.into(), b.into())) {
                        (Ok(Some(ours)), Ok(theirs)) => {
                            assert_eq!(ours.lane(0).unwrap().to_string(), theirs.to_string(), "{a} {symbol} {b}");
                        }
                        (Err(_), Err(_)) => (),
                        (ours, theirs) => panic!("{a} {symbol} {b}: {ours:?} instead of {theirs:?}"),
                    }
                }
            }
        }
    }
}
