//! How a tensor prints: as the expression that makes it, long data shortened.

use std::fmt::{self, Write};

use super::array::{self, each};
use super::element::Element;
use super::{Array, Tensor};

/// So many elements are printed whole; of a longer axis, the ends.
const WHOLE: usize = 24;
const ENDS: usize = 3;

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tensor::Host(array) => array.fmt(f),
            Tensor::Graph(graph) => match Array::from_graph(graph) {
                Ok(array) => array.fmt(f),
                Err(_) => write!(f, "tensor of shape {:?}", graph.dims()),
            },
        }
    }
}

impl fmt::Display for Array {
    /// Prints `tensor([[1.0, 2.0], [3.0, 4.0]])`; the dtypes that a list does not give are converted to:
    /// `tensor([0, 1]).to_u8()`. Long data is shortened, and then the shape follows in a comment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.size() == 0 {
            return write!(f, "zeros({:?}, \"{}\")", self.shape(), self.dtype());
        }
        let short = self.size() <= WHOLE;
        let mut text = String::new();
        each!(self, typed => level(&mut text, &array::slice(typed), typed.shape(), short)?);
        write!(f, "tensor({text})")?;
        match self {
            Array::F32(_) | Array::I64(_) => {}
            Array::F64(_) => f.write_str(".to_f64()")?,
            Array::U8(_) => f.write_str(".to_u8()")?,
        }
        if short { Ok(()) } else { write!(f, " /* shape {:?} */", self.shape()) }
    }
}

fn level<T: Element>(text: &mut String, contents: &[T], shape: &[usize], whole: bool) -> fmt::Result {
    let [length, inner @ ..] = shape else {
        return contents.first().map_or(Ok(()), |x| write!(text, "{x:?}"));
    };
    let run: usize = inner.iter().product();
    text.push('[');
    for i in 0..*length {
        let omitted = !whole && *length > 2 * ENDS && (ENDS..*length - ENDS).contains(&i);
        if omitted && i > ENDS {
            continue;
        }
        if i > 0 {
            text.push_str(", ");
        }
        match omitted {
            true => text.push('…'),
            false => level(text, &contents[i * run..(i + 1) * run], inner, whole)?,
        }
    }
    text.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Dtype;

    #[test]
    fn a_tensor_prints_as_the_expression_that_makes_it() {
        for (tensor, expected) in [
            (Tensor::from_nested(&vec![vec![1.0, 2.5], vec![3.0, 4.0]].into()), "tensor([[1.0, 2.5], [3.0, 4.0]])"),
            (Tensor::from_nested(&vec![1, -2].into()), "tensor([1, -2])"),
            (Tensor::scalar(0.1), "tensor(0.1)"),
            (Tensor::ones(&[2], Dtype::U8), "tensor([1, 1]).to_u8()"),
            (Tensor::ones(&[1], Dtype::F64), "tensor([1.0]).to_f64()"),
            (Tensor::zeros(&[2, 0], Dtype::I64), "zeros([2, 0], \"i64\")"),
            (Tensor::range(0, 100, 1), "tensor([0, 1, 2, …, 97, 98, 99]) /* shape [100] */"),
        ] {
            assert_eq!(tensor.unwrap().to_string(), expected);
        }
    }
}
