//! Random numbers for scripts: seeded streams, never a global generator.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::plugin::*;
use rhai::{Dynamic, Engine};

use crate::error::Error;
use crate::random::{Random, Stream};
use crate::script::api::Page;
use crate::script::api::arguments::{Answer, Num, Shape, float, sizes};
use crate::script::traceback::raise;
use crate::tensor::{Array, Tensor};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "random",
    title: "Random numbers",
    intro: "An augmentor's third parameter is an `Rng`: a stream of random numbers that depends only on the seed, \
            the epoch, the record and the augmentor, so that runs repeat bit for bit on any number of workers. \
            A recipe makes its own with `rng(seed)`.",
    register,
};

/// A stream of random numbers; copies share it.
#[derive(Clone)]
pub struct Rng(Arc<Mutex<Random>>);

impl Rng {
    /// Wraps a stream.
    pub fn new(random: Random) -> Self {
        Rng(Arc::new(Mutex::new(random)))
    }

    /// Returns a copy of the stream as it stands.
    pub(crate) fn state(&self) -> Random {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Random> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of values of one draw that a script may ask for.
const MOST: usize = 1 << 28;

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Rng>("Rng");
    engine.register_global_module(exported_module!(functions).into());
}

fn draw(rng: &Rng, shape: &Dynamic, mut one: impl FnMut(&mut Random) -> f64) -> Answer<Tensor> {
    let sizes = sizes(shape)?;
    let count = sizes.iter().try_fold(1usize, |all, size| all.checked_mul(*size)).filter(|count| *count <= MOST);
    let count = count.ok_or_else(|| {
        raise(Error::script(format!("a draw of shape {sizes:?} is too large: at most {MOST} numbers at once")))
    })?;
    let mut random = rng.lock();
    let values = (0..count).map(|_| one(&mut random) as f32).collect();
    Array::from_f32(values, &sizes).map(Tensor::Host).map_err(raise)
}

#[export_module]
mod functions {
    /// Returns a stream of random numbers for a seed (a whole number of at least 0).
    ///
    /// ```rhai
    /// let a = rng(7);
    /// let b = rng(7);
    /// a.uniform() == b.uniform() // => true
    /// ```
    #[rhai_fn(name = "rng", return_raw)]
    pub fn rng(seed: i64) -> Answer<Rng> {
        let seed = u64::try_from(seed)
            .map_err(|_| raise(Error::script(format!("expected a seed of at least 0, found {seed}"))))?;
        Ok(Rng::new(Random::new(seed, Stream::Script, &[])))
    }

    /// Returns a number from 0 (included) to 1 (excluded), each equally likely.
    ///
    /// ```rhai
    /// let x = rng(1).uniform();
    /// x >= 0.0 && x < 1.0 // => true
    /// ```
    #[rhai_fn(name = "uniform", volatile)]
    pub fn uniform(rng: Rng) -> f64 {
        rng.lock().uniform()
    }

    /// Returns a number from `low` (included) to `high` (excluded), or a tensor of a shape of them (f32).
    ///
    /// ```rhai
    /// let x = rng(1).uniform(-2, 2);
    /// x >= -2.0 && x < 2.0 // => true
    /// rng(1).uniform(0, 1, [2, 3]).shape // => [2, 3]
    /// ```
    #[rhai_fn(name = "uniform", volatile, return_raw)]
    pub fn uniform_between(rng: Rng, low: Num, high: Num) -> Answer<f64> {
        let (low, high) = (float(&low, "`low` of `uniform`")?, float(&high, "`high` of `uniform`")?);
        Ok(rng.lock().uniform_between(low, high))
    }

    #[rhai_fn(name = "uniform", volatile, return_raw)]
    pub fn uniform_tensor(rng: Rng, low: Num, high: Num, shape: Shape) -> Answer<Tensor> {
        let (low, high) = (float(&low, "`low` of `uniform`")?, float(&high, "`high` of `uniform`")?);
        draw(&rng, &shape, |random| random.uniform_between(low, high))
    }

    /// Returns a draw from the normal distribution of mean 0 and standard deviation 1.
    ///
    /// ```rhai
    /// rng(3).normal() == rng(3).normal() // => true
    /// ```
    #[rhai_fn(name = "normal", volatile)]
    pub fn normal(rng: Rng) -> f64 {
        rng.lock().normal()
    }

    /// Returns a draw from the normal distribution of a mean and a standard deviation, or a tensor of a shape
    /// of them (f32).
    ///
    /// ```rhai
    /// rng(3).normal(5, 0) // => 5.0
    /// rng(3).normal(0, 1, [4]).shape // => [4]
    /// ```
    #[rhai_fn(name = "normal", volatile, return_raw)]
    pub fn normal_with(rng: Rng, mean: Num, deviation: Num) -> Answer<f64> {
        let (mean, deviation) = (float(&mean, "`mean` of `normal`")?, float(&deviation, "`deviation` of `normal`")?);
        Ok(mean + deviation * rng.lock().normal())
    }

    #[rhai_fn(name = "normal", volatile, return_raw)]
    pub fn normal_tensor(rng: Rng, mean: Num, deviation: Num, shape: Shape) -> Answer<Tensor> {
        let (mean, deviation) = (float(&mean, "`mean` of `normal`")?, float(&deviation, "`deviation` of `normal`")?);
        draw(&rng, &shape, |random| mean + deviation * random.normal())
    }

    /// Returns a whole number from 0 to `n - 1`, each equally likely.
    ///
    /// # Errors
    /// `n` must be at least 1.
    ///
    /// ```rhai
    /// rng(3).below(1) // => 0
    /// ```
    #[rhai_fn(name = "below", volatile, return_raw)]
    pub fn below(rng: Rng, n: i64) -> Answer<i64> {
        match u64::try_from(n) {
            Ok(n) if n > 0 => Ok(rng.lock().below(n) as i64),
            _ => Err(raise(Error::script(format!("`below` needs a whole number of at least 1, found {n}")))),
        }
    }

    /// Returns true with the given probability.
    ///
    /// # Errors
    /// A probability outside 0 to 1.
    ///
    /// ```rhai
    /// [rng(3).chance(0), rng(3).chance(1)] // => [false, true]
    /// ```
    #[rhai_fn(name = "chance", volatile, return_raw)]
    pub fn chance(rng: Rng, probability: Num) -> Answer<bool> {
        let probability = float(&probability, "`probability` of `chance`")?;
        match (0.0..=1.0).contains(&probability) {
            true => Ok(rng.lock().uniform() < probability),
            false => {
                Err(raise(Error::script(format!("`chance` needs a probability from 0 to 1, found {probability}"))))
            }
        }
    }

    /// Returns a draw from the beta distribution, a number from 0 to 1; `rng.beta(0.2, 0.2)` is the share of a mixup.
    ///
    /// # Errors
    /// Parameters that are not above 0.
    ///
    /// ```rhai
    /// let share = rng(3).beta(0.2, 0.2);
    /// share >= 0.0 && share <= 1.0 // => true
    /// ```
    #[rhai_fn(name = "beta", volatile, return_raw)]
    pub fn beta(rng: Rng, a: Num, b: Num) -> Answer<f64> {
        let (a, b) = (float(&a, "`a` of `beta`")?, float(&b, "`b` of `beta`")?);
        match a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite() {
            true => Ok(rng.lock().beta(a, b)),
            false => Err(raise(Error::script(format!("`beta` needs two numbers above 0, found {a} and {b}")))),
        }
    }

    /// Returns one element of an array, each equally likely.
    ///
    /// # Errors
    /// The array must not be empty.
    ///
    /// ```rhai
    /// rng(3).choice(["a"]) // => "a"
    /// ```
    #[rhai_fn(name = "choice", volatile, return_raw)]
    pub fn choice(rng: Rng, items: rhai::Array) -> Answer<Dynamic> {
        match items.len() {
            0 => Err(raise(Error::script("`choice` needs an array with at least one element"))),
            count => Ok(items[rng.lock().below(count as u64) as usize].clone()),
        }
    }

    /// Returns the elements of an array in random order.
    ///
    /// ```rhai
    /// rng(3).shuffled([1, 2, 3]).len() // => 3
    /// ```
    #[rhai_fn(name = "shuffled", volatile)]
    pub fn shuffled(rng: Rng, items: rhai::Array) -> rhai::Array {
        let mut items = items;
        rng.lock().shuffle(&mut items);
        items
    }

    /// Returns the name of the type; a stream's numbers are not shown.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(_rng: Rng) -> String {
        "Rng".to_owned()
    }
}
