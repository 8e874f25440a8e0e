//! Optimizers, in Keras vocabulary and to Keras's numbers: in-place updates of parameter slices.
//!
//! A rule ([`Optimizer`]) updates one parameter; what all optimizers share (clipping, weight decay, gradient
//! accumulation, moving averages) is in [`Common`]. A [`Configured`] optimizer has both, and its
//! [`Configured::apply`] does one step of training on all parameters in Keras's order. The learning rate comes from
//! the solver, not from the optimizer's parameters. All parameters stand in one slice, their gradients in another.

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod ftrl;
mod lamb;
mod lion;
mod muon;
mod nadam;
mod rmsprop;
mod schedule_free_adamw;
mod sgd;

mod common;
mod configured;

use crate::kernel::buffer::Buffer;
use crate::registry::Entry;

pub use common::{Clip, Common};
pub use configured::{Configured, Parameter, State, make};

/// One rule that turns gradients into updates.
pub trait Optimizer: Send + Sync {
    /// Returns the Keras name: `Adam`.
    fn name(&self) -> &'static str;

    /// Returns the names of the state arrays kept for each parameter: `["momentum", "velocity"]`.
    fn slots(&self) -> &'static [&'static str];

    /// Returns what a state array holds before the first update: zeros of the parameter's length, unless a rule
    /// needs something else.
    fn slot_start(&self, _slot: usize, _shape: &[usize], parameter: &[f32]) -> Buffer {
        Buffer::zeros(parameter.len())
    }

    /// Returns whether a parameter of this name is updated as a plain list of numbers, whatever its shape is.
    fn takes_as_list(&self, _name: &str) -> bool {
        false
    }

    /// Returns whether each number is updated by itself, so that a parameter may be updated piece by piece.
    fn elementwise(&self) -> bool {
        false
    }

    /// Returns the size below which numbers of a state array are made 0 from time to time: they do not change a parameter any
    /// more, while arithmetic on the smallest numbers there are (below 1.2e-38) is several times slower. What belongs to
    /// weights that get no gradients any more becomes ever smaller, and would stay that small for good. 0 where a rule
    /// makes something of any number, as one that takes its sign does.
    fn negligible(&self, _slot: usize) -> f32 {
        0.0
    }

    /// Returns the weight decay of a parameter of this shape, where the recipe gave `given`.
    fn weight_decay(&self, _shape: &[usize], given: Option<f32>) -> Option<f32> {
        given
    }

    /// Updates one parameter in place. `step` counts updates from 1; `shape` is the parameter's; `slots` are in the
    /// order of [`Optimizer::slots`]. Parameter and gradient have the same length. Where the rule is
    /// [`Optimizer::elementwise`], parameter, gradient and slots may be the same piece of each.
    fn update(
        &self,
        step: u64,
        learning_rate: f32,
        shape: &[usize],
        parameter: &mut [f32],
        gradient: &[f32],
        slots: &mut [&mut [f32]],
    );
}

/// The built-in optimizers.
pub static LIST: &[Entry<dyn Optimizer>] = &[
    sgd::ENTRY,
    adam::ADAM,
    adam::ADAMW,
    adamax::ENTRY,
    nadam::ENTRY,
    rmsprop::ENTRY,
    adagrad::ENTRY,
    adadelta::ENTRY,
    ftrl::ENTRY,
    lion::ENTRY,
    lamb::ENTRY,
    adafactor::ENTRY,
    muon::ENTRY,
    schedule_free_adamw::ENTRY,
];
