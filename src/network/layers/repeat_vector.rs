//! `RepeatVector`: one vector as many steps.

use crate::error::Result;
use crate::registry::{Entry, Parameter, Type};

use super::super::onnx::Step;
use super::super::{Shape, shape};
use super::moved::{Moved, Moves};
use super::{LayerEntry, NAME};

pub(super) const REPEAT_VECTOR: LayerEntry = LayerEntry {
    entry: Entry {
        name: "RepeatVector",
        aliases: &[],
        doc: "Repeats a vector as steps of a sequence.\n\nInput `[batch, features]`, output `[batch, n, features]`.",
        parameters: &[Parameter::required("n", Type::Int, "how often, at least 1"), NAME],
        build: |a| Ok(Box::new(Moved(RepeatVector { n: a.at_least("n", 1)? }))),
    },
    script_name: "repeat_vector",
    positional: &["n"],
    merges: false,
};

#[derive(Debug)]
struct RepeatVector {
    n: usize,
}

impl Moves for RepeatVector {
    fn kind(&self) -> &'static str {
        "RepeatVector"
    }

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        let input = shape::single_of_rank(std::slice::from_ref(input), 1, "features")?;
        Ok(vec![Some(self.n), input[0]])
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let x = step.x(0);
        let x = step.to.unsqueeze(&x, &[1]);
        Ok(step.to.tile(&x, &[1, self.n as i64, 1]))
    }

    fn places(&self, lengths: &[usize]) -> (usize, Vec<Option<usize>>) {
        (lengths[0], vec![Some(0); self.n])
    }
}
