//! `SpatialDropout1D`, `SpatialDropout2D`, `GaussianDropout`, `GaussianNoise`: noise while training.

use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::gradient::define;
use super::super::onnx::Step;
use super::super::window::{self, DATA_FORMAT};
use super::super::{Layer, Pass, Shape, Weight, shape};
use super::{LayerEntry, NAME, SEED, seed};

pub(super) const SPATIAL_DROPOUT_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "SpatialDropout1D",
        aliases: &[],
        doc: "Sets whole channels to 0 at random while training and scales the others by 1 / (1 - rate): neighbouring \
              steps are too alike for dropping single values (Tompson and others, 2015). Otherwise it does nothing.\n\n\
              Input and output `[batch, steps, channels]`.",
        parameters: &[RATE, SEED, NAME],
        build: |a| spatial("SpatialDropout1D", 1, a),
    },
    script_name: "spatial_dropout1d",
    positional: &["rate"],
    merges: false,
};

pub(super) const SPATIAL_DROPOUT_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "SpatialDropout2D",
        aliases: &[],
        doc: "Sets whole channels to 0 at random while training and scales the others by 1 / (1 - rate): neighbouring \
              pixels are too alike for dropping single values (Tompson and others, 2015). Otherwise it does nothing.\n\n\
              Input and output `[batch, height, width, channels]`.",
        parameters: &[RATE, SEED, DATA_FORMAT, NAME],
        build: |a| {
            window::check_data_format(a)?;
            spatial("SpatialDropout2D", 2, a)
        },
    },
    script_name: "spatial_dropout2d",
    positional: &["rate"],
    merges: false,
};

pub(super) const GAUSSIAN_DROPOUT: LayerEntry = LayerEntry {
    entry: Entry {
        name: "GaussianDropout",
        aliases: &[],
        doc: "Multiplies with random numbers of mean 1 and deviation √(rate / (1 - rate)) while training (Srivastava and \
              others, 2014). Otherwise it does nothing.\n\nThe output has the shape of the input.",
        parameters: &[
            Parameter::required("rate", Type::Float, "the fraction dropout would drop; at least 0, below 1"),
            SEED,
            NAME,
        ],
        build: |a| {
            let rate = a.within("rate", 0.0, 1.0)?;
            // At 1 the deviation has no end.
            if rate == 1.0 {
                return Err(a.refuse("rate", "a number of at least 0 and below 1"));
            }
            let noise = Kind::Factor { deviation: (rate / (1.0 - rate)).sqrt() };
            Ok(Box::new(Noise { kind: "GaussianDropout", rank: None, noise, seed: seed(a) }))
        },
    },
    script_name: "gaussian_dropout",
    positional: &["rate"],
    merges: false,
};

pub(super) const GAUSSIAN_NOISE: LayerEntry = LayerEntry {
    entry: Entry {
        name: "GaussianNoise",
        aliases: &[],
        doc: "Adds random numbers of mean 0 while training. Otherwise it does nothing.\n\n\
              The output has the shape of the input.",
        parameters: &[
            Parameter::required("stddev", Type::Float, "the deviation of the normal distribution, at least 0"),
            SEED,
            NAME,
        ],
        build: |a| {
            let noise = Kind::Addend { deviation: a.within("stddev", 0.0, f64::INFINITY)? };
            Ok(Box::new(Noise { kind: "GaussianNoise", rank: None, noise, seed: seed(a) }))
        },
    },
    script_name: "gaussian_noise",
    positional: &["stddev"],
    merges: false,
};

const RATE: Parameter =
    Parameter::required("rate", Type::Float, "the fraction of the channels that is dropped, from 0 to 1");

fn spatial(kind: &'static str, rank: usize, a: &Arguments) -> Result<Box<dyn Layer>> {
    let noise = Kind::Channels { rate: a.within("rate", 0.0, 1.0)? };
    Ok(Box::new(Noise { kind, rank: Some(rank), noise, seed: seed(a) }))
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Channels of a record are dropped together.
    Channels {
        rate: f64,
    },
    Factor {
        deviation: f64,
    },
    Addend {
        deviation: f64,
    },
}

#[derive(Debug)]
struct Noise {
    kind: &'static str,
    /// The axes between batch and channels, where that matters.
    rank: Option<usize>,
    noise: Kind,
    seed: Option<u64>,
}

impl Layer for Noise {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn seed(&self) -> Option<u64> {
        self.seed
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        match self.rank {
            None => shape::single(inputs).cloned(),
            Some(1) => shape::single_of_rank(inputs, 2, "steps, channels").cloned(),
            Some(_) => shape::single_of_rank(inputs, 3, "height, width, channels").cloned(),
        }
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        // Nothing happens but in training.
        Ok(step.x(0))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let random = &mut pass.random;
        let mut values = |shape: &[usize], draw: &mut dyn FnMut(&mut crate::random::Random) -> f64| {
            let values: Vec<f64> = (0..shape.iter().product::<usize>()).map(|_| draw(random)).collect();
            Graph::from_vec(values, shape, x.device())?.to_dtype(x.dtype())
        };
        if !pass.training {
            return Ok(x.clone());
        }
        let factor = match self.noise {
            Kind::Channels { rate } if rate > 0.0 => {
                let mut shape = vec![1; x.rank()];
                (shape[0], shape[x.rank() - 1]) = (x.dim(0)?, x.dim(x.rank() - 1)?);
                // As `Dropout` draws.
                let threshold = (rate * f64::from(u32::MAX) + rate) as u64;
                let scale = if rate < 1.0 { 1.0 / (1.0 - rate) } else { 0.0 };
                values(&shape, &mut |random| if u64::from(random.bits()) >= threshold { scale } else { 0.0 })?
            }
            Kind::Factor { deviation } if deviation > 0.0 => {
                values(x.dims(), &mut |random| 1.0 + deviation * random.normal())?
            }
            Kind::Addend { deviation } if deviation > 0.0 => {
                let noise = values(x.dims(), &mut |random| deviation * random.normal())?;
                return Ok(x.add(&noise)?);
            }
            _ => return Ok(x.clone()),
        };
        let again = factor.clone();
        define(x, move |x| x.broadcast_mul(&factor), move |_, _, g| g.broadcast_mul(&again))
    }
}
