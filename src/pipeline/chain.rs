//! Chains of steps that batches go through, one after another or several ahead.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::pipeline::ahead::Ahead;

/// Where a batch goes after a step.
pub enum Next<B> {
    /// On to the next step.
    On(B),
    /// Out of the run, which goes on with the next batch.
    Skip,
    /// Nowhere: the run is done.
    Stop,
}

/// What a step does with a batch.
pub type Act<B> = Arc<dyn Fn(B) -> Result<Next<B>> + Send + Sync>;
/// What is asked about a batch before a part of a chain.
pub type Ask<B, T> = Arc<dyn Fn(&B) -> Result<T> + Send + Sync>;
/// Puts batches together: one of the wanted size, and a rest; `None` while there are too few items.
pub type Regroup<B> = Arc<dyn Fn(Vec<B>, usize, bool) -> Result<(Option<B>, Option<B>)> + Send + Sync>;

/// A step of a chain.
pub enum Step<B> {
    /// Does something.
    Do {
        /// What errors and lists call it.
        name: String,
        /// Whether batches have to come here in their order, one after another: what they see or leave behind is
        /// shared.
        ordered: bool,
        /// What it does.
        act: Act<B>,
    },
    /// Goes through a chain so many times.
    Repeat(Chain<B>, Ask<B, usize>),
    /// Goes through a chain, or not.
    Maybe(Chain<B>, Ask<B, bool>),
    /// Makes batches of another size.
    Rebatch(usize, Regroup<B>),
}

impl<B> Clone for Step<B> {
    fn clone(&self) -> Self {
        match self {
            Step::Do { name, ordered, act } => Step::Do { name: name.clone(), ordered: *ordered, act: act.clone() },
            Step::Repeat(chain, times) => Step::Repeat(chain.clone(), times.clone()),
            Step::Maybe(chain, chance) => Step::Maybe(chain.clone(), chance.clone()),
            Step::Rebatch(size, regroup) => Step::Rebatch(*size, regroup.clone()),
        }
    }
}

impl<B> Step<B> {
    fn ordered(&self) -> bool {
        match self {
            Step::Do { ordered, .. } => *ordered,
            Step::Repeat(chain, _) | Step::Maybe(chain, _) => chain.0.iter().any(Step::ordered),
            Step::Rebatch(..) => true,
        }
    }
}

/// Steps, one after another.
pub struct Chain<B>(pub Vec<Step<B>>);

impl<B> Clone for Chain<B> {
    fn clone(&self) -> Self {
        Chain(self.0.clone())
    }
}

impl<B> Default for Chain<B> {
    fn default() -> Self {
        Chain(Vec::new())
    }
}

impl<B: Clone + Send + 'static> Chain<B> {
    /// Returns whether batches come out of other sizes than they went in.
    pub fn regroups(&self) -> bool {
        self.0.iter().any(|step| match step {
            Step::Rebatch(..) => true,
            Step::Repeat(chain, _) | Step::Maybe(chain, _) => chain.regroups(),
            Step::Do { .. } => false,
        })
    }

    /// Returns the names of the steps, parts in brackets.
    pub fn names(&self) -> Vec<String> {
        let name = |step: &Step<B>| match step {
            Step::Do { name, .. } => name.clone(),
            Step::Repeat(chain, _) => format!("repeat({})", chain.names().join(", ")),
            Step::Maybe(chain, _) => format!("maybe({})", chain.names().join(", ")),
            Step::Rebatch(size, _) => format!("rebatch({size})"),
        };
        self.0.iter().map(name).collect()
    }

    /// Sends a batch through all steps; a chain that regroups needs a run.
    ///
    /// # Errors
    /// Whatever a step raises, with its name.
    pub fn go(&self, batch: B) -> Result<Next<B>> {
        let mut batch = batch;
        for step in &self.0 {
            let next = match step {
                Step::Do { name, act, .. } => act(batch).map_err(|error| error.within(format!("step `{name}`")))?,
                Step::Repeat(chain, times) => {
                    let times = times(&batch)?;
                    let mut next = Next::On(batch);
                    for _ in 0..times {
                        next = match next {
                            Next::On(batch) => chain.go(batch)?,
                            other => other,
                        };
                    }
                    next
                }
                Step::Maybe(chain, chance) => match chance(&batch)? {
                    true => chain.go(batch)?,
                    false => Next::On(batch),
                },
                Step::Rebatch(..) => {
                    return Err(Error::script("`rebatch` cannot be repeated or left to chance")
                        .hint("put it behind the repeated part: `(a * 2).rebatch(32)`"));
                }
            };
            match next {
                Next::On(next) => batch = next,
                other => return Ok(other),
            }
        }
        Ok(Next::On(batch))
    }
}

/// Batches that are made when they are asked for.
pub type Source<B> = Box<dyn Iterator<Item = Result<B>> + Send>;

/// How a chain is run.
#[derive(Clone, Default)]
pub struct Run {
    /// How many batches are made ahead of the one that is asked for; 0 makes each when it is asked for.
    pub prefetch: usize,
    /// Is told of each batch that fails and is left out; without it the run ends with the error.
    pub skip_failed: Option<std::sync::Arc<dyn Fn(&Error) + Send + Sync>>,
}

/// Runs a chain over batches: they come out in the order in which they went in. With `prefetch`, the steps before
/// the first ordered one run on threads of their own; `enter` marks a batch that goes on to the others.
///
/// # Errors
/// The system refuses to start a thread.
pub fn run<B: Clone + Send + 'static>(
    chain: &Chain<B>,
    source: Source<B>,
    how: Run,
    mark: impl Fn(B, bool) -> B + Send + Sync + Clone + 'static,
) -> Result<Source<B>> {
    let cut = chain.0.iter().position(Step::ordered).unwrap_or(chain.0.len());
    let (free, rest) = chain.0.split_at(cut);
    let mut source: Box<dyn Iterator<Item = Result<Next<B>>> + Send> = match how.prefetch {
        0 => {
            let free = Chain(free.to_vec());
            Box::new(source.map(move |batch| batch.and_then(|batch| free.go(batch))))
        }
        ahead => {
            let (free, mark) = (Chain(free.to_vec()), mark.clone());
            let work = move |batch: B| free.go(mark(batch, true));
            Box::new(Ahead::start(source, ahead, work)?)
        }
    };
    let mut segments: Vec<(Vec<Step<B>>, Option<(usize, Regroup<B>)>)> = vec![(Vec::new(), None)];
    for step in rest {
        match step {
            Step::Rebatch(size, regroup) => {
                if let Some(last) = segments.last_mut() {
                    last.1 = Some((*size, regroup.clone()));
                }
                segments.push((Vec::new(), None));
            }
            other => {
                if let Some(last) = segments.last_mut() {
                    last.0.push(other.clone());
                }
            }
        }
    }
    for (steps, regroup) in segments {
        let (chain, mark) = (Chain(steps), mark.clone());
        let through = move |next: Result<Next<B>>| match next? {
            Next::On(batch) => chain.go(mark(batch, false)),
            other => Ok(other),
        };
        source = Box::new(source.map(through));
        if let Some((size, regroup)) = regroup {
            source = Box::new(Rebatched {
                source: settled(source, how.clone()),
                size,
                regroup,
                held: Vec::new(),
                done: false,
            });
        }
    }
    Ok(settled(source, how))
}

/// Leaves skipped batches out and ends where the run was stopped, or where a batch failed.
fn settled<B: Send + 'static>(mut source: Box<dyn Iterator<Item = Result<Next<B>>> + Send>, how: Run) -> Source<B> {
    let mut over = false;
    Box::new(std::iter::from_fn(move || {
        while !over {
            match source.next()? {
                Ok(Next::On(batch)) => return Some(Ok(batch)),
                Ok(Next::Skip) => (),
                Ok(Next::Stop) => over = true,
                Err(error) => match &how.skip_failed {
                    Some(tell) if error.kind() != crate::error::Kind::Interrupted => tell(&error),
                    _ => {
                        over = true;
                        return Some(Err(error));
                    }
                },
            }
        }
        None
    }))
}

struct Rebatched<B> {
    source: Source<B>,
    size: usize,
    regroup: Regroup<B>,
    held: Vec<B>,
    done: bool,
}

impl<B: Send> Iterator for Rebatched<B> {
    type Item = Result<Next<B>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.done && self.held.is_empty() {
                return None;
            }
            match (self.regroup)(std::mem::take(&mut self.held), self.size, self.done) {
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
                Ok((Some(batch), rest)) => {
                    self.held.extend(rest);
                    return Some(Ok(Next::On(batch)));
                }
                Ok((None, rest)) => self.held.extend(rest),
            }
            match self.source.next() {
                Some(Ok(batch)) => self.held.push(batch),
                Some(Err(error)) => {
                    self.done = true;
                    self.held.clear();
                    return Some(Err(error));
                }
                None => self.done = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(ordered: bool, act: impl Fn(Vec<u32>) -> Result<Next<Vec<u32>>> + Send + Sync + 'static) -> Step<Vec<u32>> {
        Step::Do { name: "step".to_owned(), ordered, act: Arc::new(act) }
    }

    fn regroup() -> Regroup<Vec<u32>> {
        Arc::new(|parts, size, end| {
            let mut all: Vec<u32> = parts.concat();
            if all.is_empty() {
                return Ok((None, None));
            }
            if all.len() < size && !end {
                return Ok((None, Some(all)));
            }
            let rest = all.split_off(size.min(all.len()));
            Ok((Some(all), (!rest.is_empty()).then_some(rest)))
        })
    }

    fn all(chain: &Chain<Vec<u32>>, prefetch: usize) -> Result<Vec<Vec<u32>>> {
        let source = (0..10u32).collect::<Vec<_>>().chunks(3).map(<[u32]>::to_vec).map(Ok).collect::<Vec<_>>();
        run(chain, Box::new(source.into_iter()), Run { prefetch, ..Run::default() }, |batch, _| batch)?.collect()
    }

    #[test]
    fn batches_come_out_in_order_however_many_are_made_ahead() {
        for prefetch in [0, 1, 3] {
            let slow_first = step(false, |batch| {
                std::thread::sleep(std::time::Duration::from_millis(if batch[0] == 0 { 20 } else { 0 }));
                Ok(Next::On(batch.iter().map(|x| x * 2).collect()))
            });
            assert_eq!(
                all(&Chain(vec![slow_first]), prefetch).unwrap(),
                [vec![0, 2, 4], vec![6, 8, 10], vec![12, 14, 16], vec![18]]
            );
        }
    }

    #[test]
    fn skipped_batches_are_left_out_and_a_stop_ends_the_run() {
        for prefetch in [0, 2] {
            for ordered in [false, true] {
                let skip = step(ordered, |batch| Ok(if batch[0] == 3 { Next::Skip } else { Next::On(batch) }));
                assert_eq!(all(&Chain(vec![skip]), prefetch).unwrap(), [vec![0, 1, 2], vec![6, 7, 8], vec![9]]);
                let stop = step(ordered, |batch| Ok(if batch[0] == 6 { Next::Stop } else { Next::On(batch) }));
                assert_eq!(all(&Chain(vec![stop]), prefetch).unwrap(), [vec![0, 1, 2], vec![3, 4, 5]]);
                let fail = step(ordered, |batch| match batch[0] {
                    6 => Err(Error::run("no")),
                    _ => Ok(Next::On(batch)),
                });
                let error = all(&Chain(vec![fail]), prefetch).unwrap_err();
                assert_eq!((error.message(), error.context()), ("no", &["step `step`".to_owned()][..]));
            }
        }
    }

    #[test]
    fn ten_items_in_batches_of_three_become_batches_of_four() {
        let chain = Chain(vec![step(false, |batch| Ok(Next::On(batch))), Step::Rebatch(4, regroup())]);
        for prefetch in [0, 2] {
            assert_eq!(all(&chain, prefetch).unwrap(), [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
        }
    }
}
