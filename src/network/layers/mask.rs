//! Masks as values of the network: which steps of a record count, 1 or 0 each.

use std::sync::Arc;

use candle_core::DType;

use crate::error::Result;
use crate::network::kernel::{Backward, Forward, Kernel};
use crate::tensor::Graph;

use super::super::{Integers, Layer, Pass, Shape, Symbol, Weight, shape};

/// 1 where a value differs from a number, 0 elsewhere; along the last axis, where any does.
#[derive(Debug)]
pub(super) struct NotEqual {
    number: f64,
    any: bool,
}

impl NotEqual {
    /// Returns the mask of numbers of which 0 is padding.
    pub(super) fn to_zero(ids: &Symbol) -> Result<Symbol> {
        Symbol::apply(Arc::new(NotEqual { number: 0.0, any: false }), None, std::slice::from_ref(ids))
    }

    /// Returns the mask of steps of which some value differs from a number.
    pub(super) fn anywhere(number: f64, x: &Symbol) -> Result<Symbol> {
        Symbol::apply(Arc::new(NotEqual { number, any: true }), None, std::slice::from_ref(x))
    }
}

impl Layer for NotEqual {
    fn kind(&self) -> &'static str {
        "NotEqual"
    }

    fn integers(&self) -> Integers {
        Integers::Indices
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let mut shape = shape::single(inputs)?.clone();
        if self.any {
            shape.pop();
        }
        Ok(shape)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = inputs[0].detach();
        let same = x.ne(self.number)?;
        let mask = if self.any { same.max(same.rank() - 1)? } else { same };
        Ok(mask.to_dtype(if x.dtype().is_float() { x.dtype() } else { DType::F32 })?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let width = if self.any { *inputs[0].last()? } else { 1 };
        (width > 0).then(|| Box::new(Compare { number: self.number as f32, width }) as Box<dyn Kernel>)
    }
}

struct Compare {
    number: f32,
    width: usize,
}

impl Kernel for Compare {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        for (mask, values) in step.output.iter_mut().zip(step.inputs.get(0).chunks_exact(self.width)) {
            *mask = if values.iter().any(|value| *value != self.number) { 1.0 } else { 0.0 };
        }
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        if let Some(target) = step.input_gradients.take(0)
            && !target.add
        {
            target.values.fill(0.0);
        }
        Ok(())
    }
}

/// 1 where any of several masks is 1.
#[derive(Debug)]
pub(super) struct Any;

impl Any {
    /// Returns the mask of what is made of several values step by step, as Keras makes it: a step counts where it does in
    /// any of them; `None` where all steps of one value count.
    pub(super) fn of(values: &[Symbol]) -> Result<Option<Symbol>> {
        let masks: Option<Vec<Symbol>> = values.iter().map(|value| value.mask().cloned()).collect();
        let mut distinct: Vec<Symbol> = Vec::new();
        for mask in masks.unwrap_or_default() {
            if !distinct.iter().any(|known| known.is(&mask)) {
                distinct.push(mask);
            }
        }
        match &*distinct {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            several if several.windows(2).all(|pair| pair[0].shape() == pair[1].shape()) => {
                Symbol::apply(Arc::new(Any), None, several).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl Layer for Any {
    fn kind(&self) -> &'static str {
        "LogicalOr"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        inputs.first().cloned().ok_or_else(|| crate::error::Error::recipe("expected masks"))
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let mut all = inputs[0].detach();
        for mask in &inputs[1..] {
            all = all.maximum(&mask.detach().to_dtype(all.dtype())?)?;
        }
        Ok(all)
    }

    fn kernel(&self, _: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Largest))
    }
}

struct Largest;

impl Kernel for Largest {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        step.output.copy_from_slice(step.inputs.get(0));
        for at in 1..step.inputs.len() {
            step.output.iter_mut().zip(step.inputs.get(at)).for_each(|(all, mask)| *all = all.max(*mask));
        }
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        for at in 0..step.inputs.len() {
            if let Some(target) = step.input_gradients.take(at)
                && !target.add
            {
                target.values.fill(0.0);
            }
        }
        Ok(())
    }
}
