//! Reductions, and what is computed row by row.

use rhai::Dynamic;

use super::arguments::{place, sizes};
use crate::error::Result;
use crate::script::vectorise::halt::Outcome;
use crate::script::vectorise::value::{Value, stacked};
use crate::tensor::{Array, Tensor};

/// A reduction: at once where every lane's elements are then folded in the same order as alone.
pub(super) fn reduced(name: &str, array: &Array, rest: &[Value], len: usize) -> Outcome<Option<Value>> {
    let rank = array.rank() - 1;
    let keep = match rest.get(1) {
        None => false,
        Some(Value::Same(keep)) if keep.is_bool() => keep.as_bool() == Ok(true),
        Some(_) => return Ok(None),
    };
    let over: Vec<usize> = match rest.first() {
        None => (0..rank).collect(),
        Some(axes) => {
            let axes =
                sizes(axes).and_then(|axes| axes.iter().map(|&axis| place(axis, rank)).collect::<Option<Vec<_>>>());
            let Some(mut axes) = axes else { return Ok(None) };
            axes.sort_unstable();
            if axes.windows(2).any(|pair| pair[0] == pair[1]) {
                return Ok(None);
            }
            axes
        }
    };
    let reduce = |tensor: &Tensor, over: &[isize]| match name {
        "sum" => tensor.sum(Some(over), keep),
        "mean" => tensor.mean(Some(over), keep),
        "std" => tensor.std(Some(over), keep),
        "variance" => tensor.variance(Some(over), keep),
        "min" => tensor.min(Some(over), keep),
        "max" => tensor.max(Some(over), keep),
        "any" => tensor.any(Some(over), keep),
        "all" => tensor.all(Some(over), keep),
        _ => tensor.norm(Some(over), keep),
    };
    // Leading axes of a lane are folded row by row, which they are not when the lanes stand before them.
    let leading = over.len() < rank && over.iter().enumerate().all(|(at, &axis)| at == axis) && !over.is_empty();
    if leading {
        let axes: Vec<isize> = over.iter().map(|&axis| axis as isize).collect();
        return by_row(len, |lane| reduce(&Tensor::Host(array.row(lane)), &axes)).map(Some);
    }
    let axes: Vec<isize> = over.iter().map(|&axis| axis as isize + 1).collect();
    Ok(Some(Value::Tensors(reduce(&Tensor::Host(array.clone()), &axes)?.to_host()?)))
}

/// Computes row by row, natively.
pub(super) fn by_row(len: usize, row: impl Fn(usize) -> Result<Tensor>) -> Outcome<Value> {
    let rows = (0..len).map(row).collect::<Result<Vec<Tensor>>>()?;
    Ok(match stacked(&rows) {
        Some(array) => Value::Tensors(array),
        None => Value::Each(std::sync::Arc::new(rows.into_iter().map(Dynamic::from).collect())),
    })
}
