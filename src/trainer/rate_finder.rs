//! The learning-rate range test: one step at each of a series of growing rates, and where the loss falls fastest.
//!
//! The test is Smith's ("Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3), run as fastai
//! runs it (`LRFinder` and `lr_find` in `fastai/callback/schedule.py`): 100 rates from 1e-7 to 10 grow
//! exponentially, and the test ends when the loss, smoothed by a moving average with weight 0.98 that is freed of its
//! start at 0, exceeds 4 times its least. Two rates are read off, as by `SuggestionMethod` there: where the loss
//! falls fastest per decade (`steep`), and a tenth of where it is least (`minimum`).
//!
//! They are read off another smoothing than fastai's, whose average looks back only: it lags by a decade and more, and
//! begins with the noise of single batches, which was taken for the steepest fall in four of six small data
//! sets. Here each loss is averaged with its neighbours to both sides, with weights that fall linearly to 0
//! over 8 % of the range; the smaller of the two rates is the suggestion.

use super::Trainer;
use crate::error::Result;

/// The weight of the past in the smoothed loss.
const SMOOTHING: f64 = 0.98;

/// The test ends when the smoothed loss is this many times its least.
const DIVERGED: f64 = 4.0;

/// A curve whose smoothed loss falls by less than this share tells nothing.
const FALL: f64 = 0.02;

/// How far to each side a loss is averaged with others, as a share of the range.
const REACH: f64 = 0.08;

/// The rates that are tried: from the first to the last, each the same factor above the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The first rate.
    pub first: f64,
    /// The last rate.
    pub last: f64,
    /// The number of rates.
    pub steps: usize,
}

impl Default for Range {
    /// The range of fastai: 100 rates from 1e-7 to 10.
    fn default() -> Self {
        Range { first: 1e-7, last: 10.0, steps: 100 }
    }
}

impl Range {
    /// Returns the rate of a step, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        let share = step as f64 / self.steps.saturating_sub(1).max(1) as f64;
        self.first * (self.last / self.first).powf(share)
    }
}

/// One step of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// The learning rate.
    pub rate: f64,
    /// The loss of the batch before the step with this rate; what earlier rates led to.
    pub loss: f64,
}

/// What the test found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateCurve {
    /// The steps in order; all losses are numbers.
    pub trials: Vec<Trial>,
    /// Whether the test ended because the loss diverged, rather than at the last rate.
    pub diverged: bool,
    /// How many losses to each side are averaged.
    reach: usize,
    /// The moving average of the losses so far, and its least.
    average: f64,
    least: f64,
}

/// Learning rates that the curve suggests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suggestion {
    /// Where the smoothed loss falls fastest.
    pub steepest: f64,
    /// A tenth of the rate with the least smoothed loss.
    pub tenth_of_least: f64,
}

impl Suggestion {
    /// Returns the rate to train with: the smaller of the two.
    pub fn rate(&self) -> f64 {
        self.steepest.min(self.tenth_of_least)
    }
}

impl RateCurve {
    fn new(steps: usize) -> Self {
        let reach = ((REACH * steps as f64).round() as usize).max(1);
        RateCurve { reach, least: f64::INFINITY, ..RateCurve::default() }
    }

    /// Takes in a loss; returns whether the test goes on.
    fn push(&mut self, rate: f64, loss: f64) -> bool {
        if !loss.is_finite() {
            self.diverged = true;
            return false;
        }
        self.trials.push(Trial { rate, loss });
        self.average = SMOOTHING * self.average + (1.0 - SMOOTHING) * loss;
        let smoothed = self.average / (1.0 - SMOOTHING.powi(self.trials.len() as i32));
        self.least = self.least.min(smoothed);
        // No multiple of a loss below 0 means anything: what it rose is measured by what it fell then.
        let limit = match self.least > 0.0 {
            true => DIVERGED * self.least,
            false => self.least + DIVERGED * (self.trials[0].loss - self.least).max(f64::EPSILON),
        };
        self.diverged = smoothed > limit;
        !self.diverged
    }

    /// Returns each loss averaged with its neighbours.
    pub fn smoothed(&self) -> Vec<f64> {
        let one = |at: usize| {
            let near = at.saturating_sub(self.reach)..(at + self.reach + 1).min(self.trials.len());
            let weighted = near.map(|other| ((self.reach + 1 - other.abs_diff(at)) as f64, self.trials[other].loss));
            let (weights, sum) = weighted.fold((0.0, 0.0), |(w, s), (weight, loss)| (w + weight, s + weight * loss));
            sum / weights
        };
        (0..self.trials.len()).map(one).collect()
    }

    /// Returns what the curve suggests; `None` when the loss never fell.
    pub fn suggestion(&self) -> Option<Suggestion> {
        let smoothed = self.smoothed();
        let least = (0..smoothed.len()).min_by(|a, b| smoothed[*a].total_cmp(&smoothed[*b]))?;
        let start = smoothed[..=least].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if start - smoothed[least] < FALL * start.abs() {
            return None;
        }
        // Rates are the same factor apart, so the fall from one to the next is that per decade. The first losses
        // are averaged to one side only, which leaves their noise.
        let fall = |at: &usize| smoothed[*at + 1] - smoothed[*at];
        let steepest = (self.reach.min(least.saturating_sub(1))..least).min_by(|a, b| fall(a).total_cmp(&fall(b)))?;
        Some(Suggestion { steepest: self.trials[steepest].rate, tenth_of_least: self.trials[least].rate / 10.0 })
    }
}

impl Trainer {
    /// Runs the range test on the training data, in the order of the first epochs. The trainer is used up: the
    /// weights of a run are not touched by it. `tell` sees each step's number and loss.
    ///
    /// # Errors
    /// Whatever a step raises, and that someone asked to stop. A loss that is no number ends the test and is no
    /// error.
    pub fn find_rate(mut self, range: Range, tell: &mut dyn FnMut(usize, f64)) -> Result<RateCurve> {
        let mut curve = RateCurve::new(range.steps);
        let batches = self.train_data().batches().max(1);
        for step in 0..range.steps {
            self.go_on()?;
            // The permutation of an epoch is made anew at each batch, which is cheap beside a step.
            let batch = self.train_data().epoch((step / batches) as u64).batch(step % batches)?;
            let rate = range.rate(step);
            let loss = self.learn(&batch, rate)?;
            tell(step, loss);
            if !curve.push(rate, loss) {
                break;
            }
        }
        Ok(curve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(losses: impl Fn(f64) -> f64) -> RateCurve {
        let range = Range::default();
        let mut curve = RateCurve::new(range.steps);
        let _ = (0..range.steps).all(|step| curve.push(range.rate(step), losses(range.rate(step))));
        curve
    }

    /// The numbers are those of the same formulas written in another language; where the test ends is fastai's.
    #[test]
    fn the_curve_and_what_is_read_off_it() {
        let fast = |rate: f64| {
            let rise = if rate > 0.1 { 30.0 * rate * rate } else { 0.0 };
            2.0 / (1.0 + rate / 1e-3) + 0.05 + rise + 0.01 * (10.0 * rate.ln()).sin()
        };
        let stepped = |rate: f64| match rate {
            rate if rate < 1e-4 => 1.1,
            rate if rate < 0.3 => (1.1 - 0.08 * (rate / 1e-4).log10().powi(2)).max(0.2),
            rate => 50.0 * rate,
        };
        let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        for (curve, steps, steepest, tenth, least, last) in [
            (curve(fast), 89, 0.0009111627561154895, 0.0031257158496882354, 0.14264947821871096, 24.60363528695198),
            (curve(stepped), 86, 0.054622772176843366, 0.006579332246575682, 0.45880306998152115, 21.624321639947443),
        ] {
            assert_eq!((curve.trials.len(), curve.diverged), (steps, true));
            let suggestion = curve.suggestion().unwrap();
            near(suggestion.steepest, steepest);
            near(suggestion.tenth_of_least, tenth);
            assert_eq!(suggestion.rate(), suggestion.steepest.min(suggestion.tenth_of_least));
            let smoothed = curve.smoothed();
            near(smoothed.iter().copied().fold(f64::INFINITY, f64::min), least);
            near(*smoothed.last().unwrap(), last);
        }
    }

    #[test]
    fn a_loss_that_never_falls_suggests_nothing() {
        let flat = curve(|_| 0.7);
        assert_eq!((flat.trials.len(), flat.diverged, flat.suggestion()), (100, false, None));
        assert_eq!(curve(|rate| 1.0 + rate).suggestion(), None);
        let broken = curve(|rate| if rate > 1e-3 { f64::NAN } else { 1.0 });
        assert!(broken.diverged && broken.trials.iter().all(|trial| trial.loss == 1.0));
        assert_eq!(RateCurve::default().suggestion(), None);
    }

    #[test]
    fn a_loss_below_zero_has_a_curve_too() {
        let falling = curve(|rate| if rate < 0.1 { -0.9 * (rate / 1e-7).log10() / 6.0 } else { 20.0 * rate });
        assert!(falling.diverged && falling.suggestion().unwrap().steepest < 0.1, "{:?}", falling.suggestion());
    }
}
