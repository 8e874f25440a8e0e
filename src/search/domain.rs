//! Which hyperparameters a search tries: grids, products, unions and draws.

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::random::{Random, Stream};

/// The most trials of one search: more is a product that got out of hand.
const MOST: usize = 100_000;

/// A distribution that values of a hyperparameter are drawn from.
#[derive(Clone, Debug, PartialEq)]
pub enum Draw {
    /// Each number from `low` (included) to `high` (excluded), equally likely.
    Uniform(f64, f64),
    /// As `Uniform`, of the logarithm: each power of ten between them is as likely.
    LogUniform(f64, f64),
    /// Each whole number from `low` to `high`, both included.
    Integers(i64, i64),
    /// Each of the values.
    Choice(Vec<Value>),
}

impl Draw {
    /// Returns a value.
    fn value(&self, random: &mut Random) -> Value {
        let float = |value: f64| serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number);
        match self {
            Draw::Uniform(low, high) => float(random.uniform_between(*low, *high)),
            Draw::LogUniform(low, high) => float(random.uniform_between(low.ln(), high.ln()).exp()),
            Draw::Integers(low, high) => {
                // Bounds are checked to be in order where draws are made.
                Value::from(low.saturating_add_unsigned(random.below(high.abs_diff(*low).saturating_add(1))))
            }
            Draw::Choice(values) => {
                values.get(random.below(values.len().max(1) as u64) as usize).cloned().unwrap_or_default()
            }
        }
    }

    /// Returns the call that makes it, as scripts write it.
    pub fn expression(&self) -> String {
        match self {
            Draw::Uniform(low, high) => format!("between({low:?}, {high:?})"),
            Draw::LogUniform(low, high) => format!("log_between({low:?}, {high:?})"),
            Draw::Integers(low, high) => format!("integers({low}, {high})"),
            Draw::Choice(values) => format!("choice({})", Value::from(values.clone())),
        }
    }
}

/// One value of one hyperparameter, given or still to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A value.
    Value(Value),
    /// A draw, made anew for each trial.
    Draw(Draw),
}

/// Hyperparameters by name, in order.
type Row = Vec<(String, Cell)>;

/// A list of rows of hyperparameters, each tried as often as there are repetitions.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    rows: Vec<Row>,
    repetitions: usize,
}

/// The hyperparameters of one trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Which of the repetitions it is, from 0.
    pub repetition: usize,
    /// The hyperparameters.
    pub values: Map<String, Value>,
}

impl Domain {
    /// Creates the grid of all combinations: each axis is a name with its cells. The first axis varies slowest.
    ///
    /// # Errors
    /// An axis without values; more combinations than a search can try.
    pub fn grid(axes: Vec<(String, Vec<Cell>)>) -> Result<Domain> {
        let mut domain = Domain { rows: vec![Vec::new()], repetitions: 1 };
        for (name, cells) in axes {
            if cells.is_empty() {
                return Err(Error::script(format!("the hyperparameter `{name}` has no values"))
                    .hint("give an array of at least one value, or a draw such as `between(0.0, 1.0)`"));
            }
            let rows = cells.into_iter().map(|cell| vec![(name.clone(), cell)]).collect();
            domain = domain.product(&Domain { rows, repetitions: 1 })?;
        }
        Ok(domain)
    }

    /// Returns the number of trials.
    pub fn len(&self) -> usize {
        self.rows.len() * self.repetitions
    }

    /// Returns whether there is nothing to try.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how often each row is tried.
    pub fn repetitions(&self) -> usize {
        self.repetitions
    }

    /// Returns the names of all hyperparameters, in the order in which they appear first.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.rows.iter().flatten() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// Returns every row of this domain with every row of the other; the other's vary fastest. Repetitions
    /// multiply.
    ///
    /// # Errors
    /// A hyperparameter that both have; too many rows.
    pub fn product(&self, other: &Domain) -> Result<Domain> {
        self.disjoint(other)?;
        let count = self.rows.len().checked_mul(other.rows.len());
        check_length(count.and_then(|count| count.checked_mul(self.repetitions * other.repetitions)))?;
        let join = |left: &Row, right: &Row| left.iter().chain(right).cloned().collect();
        let rows = self.rows.iter().flat_map(|left| other.rows.iter().map(move |right| join(left, right))).collect();
        Ok(Domain { rows, repetitions: self.repetitions * other.repetitions })
    }

    /// Returns the rows of both, one after the other.
    ///
    /// # Errors
    /// Domains that are repeated a different number of times; too many rows.
    pub fn union(&self, other: &Domain) -> Result<Domain> {
        self.same_repetitions(other)?;
        check_length(self.len().checked_add(other.len()))?;
        let rows = self.rows.iter().chain(&other.rows).cloned().collect();
        Ok(Domain { rows, repetitions: self.repetitions })
    }

    /// Returns the first row with the first, the second with the second, and so on.
    ///
    /// # Errors
    /// Domains of different length, or with a name in common.
    pub fn zip(&self, other: &Domain) -> Result<Domain> {
        self.disjoint(other)?;
        self.same_repetitions(other)?;
        if self.rows.len() != other.rows.len() {
            return Err(Error::script(format!(
                "`zip`: expected as many rows in both domains, found {} and {}",
                self.rows.len(),
                other.rows.len()
            )));
        }
        let pairs = self.rows.iter().zip(&other.rows);
        let rows = pairs.map(|(left, right)| left.iter().chain(right).cloned().collect()).collect();
        Ok(Domain { rows, repetitions: self.repetitions })
    }

    /// Returns the domain with each row tried `times` as often; draws are the same in all repetitions of a row.
    ///
    /// # Errors
    /// 0 times; too many trials.
    pub fn repeat(&self, times: usize) -> Result<Domain> {
        if times == 0 {
            return Err(Error::script("a domain is repeated at least once, found 0"));
        }
        check_length(self.len().checked_mul(times))?;
        Ok(Domain { rows: self.rows.clone(), repetitions: self.repetitions * times })
    }

    /// Returns `count` rows, each drawn at random from the rows, with what is drawn in it.
    ///
    /// # Errors
    /// Too many rows; no row to draw from.
    pub fn sample(&self, count: usize, seed: u64) -> Result<Domain> {
        check_length(count.checked_mul(self.repetitions))?;
        if self.rows.is_empty() {
            return Err(Error::script("a domain without rows has nothing to draw from"));
        }
        let row = |number: usize| {
            let chosen = Random::new(seed, Stream::Search, &[1, number as u64]).below(self.rows.len() as u64);
            let drawn = draw(&self.rows[chosen as usize], seed, 2, number);
            drawn.into_iter().map(|(name, value)| (name, Cell::Value(value))).collect()
        };
        Ok(Domain { rows: (0..count).map(row).collect(), repetitions: self.repetitions })
    }

    /// Returns what is tried, in order: the repetitions of a row stand together.
    pub fn configs(&self, seed: u64) -> Vec<Config> {
        let configs = |(number, row): (usize, &Row)| {
            let values = draw(row, seed, 0, number);
            (0..self.repetitions).map(move |repetition| Config { repetition, values: values.clone() })
        };
        self.rows.iter().enumerate().flat_map(configs).collect()
    }

    fn disjoint(&self, other: &Domain) -> Result<()> {
        let names = other.names();
        match self.names().into_iter().find(|name| names.contains(name)) {
            None => Ok(()),
            Some(name) => Err(Error::script(format!("both domains have the hyperparameter `{name}`"))
                .hint("`+` puts domains one after the other; `*` and `zip` are for different hyperparameters")),
        }
    }

    fn same_repetitions(&self, other: &Domain) -> Result<()> {
        match self.repetitions == other.repetitions {
            true => Ok(()),
            false => Err(Error::script(format!(
                "one domain is repeated {} times, the other {}",
                self.repetitions, other.repetitions
            ))
            .hint("repeat the whole: `(a + b).repeat(3)`")),
        }
    }
}

/// Returns a row with its draws made; `part` keeps rows of a sample apart from those of a search.
fn draw(row: &Row, seed: u64, part: u64, number: usize) -> Map<String, Value> {
    let value = |(at, (name, cell)): (usize, &(String, Cell))| {
        let value = match cell {
            Cell::Value(value) => value.clone(),
            Cell::Draw(draw) => draw.value(&mut Random::new(seed, Stream::Search, &[part, number as u64, at as u64])),
        };
        (name.clone(), value)
    };
    row.iter().enumerate().map(value).collect()
}

fn check_length(count: Option<usize>) -> Result<()> {
    match count {
        Some(count) if count <= MOST => Ok(()),
        _ => Err(Error::script(format!("a domain has at most {MOST} trials, found more"))
            .hint("draw some of them: `domain.sample(100)`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(name: &str, values: &[i64]) -> Domain {
        let cells = values.iter().map(|value| Cell::Value(Value::from(*value))).collect();
        Domain::grid(vec![(name.to_owned(), cells)]).unwrap()
    }

    fn shown(domain: &Domain) -> Vec<String> {
        let config = |config: Config| Value::Object(config.values).to_string() + "'".repeat(config.repetition).as_str();
        domain.configs(7).into_iter().map(config).collect()
    }

    #[test]
    fn the_first_axis_of_a_grid_varies_slowest() {
        let domain = axis("a", &[1, 2]).product(&axis("b", &[3, 4])).unwrap();
        assert_eq!(shown(&domain), [r#"{"a":1,"b":3}"#, r#"{"a":1,"b":4}"#, r#"{"a":2,"b":3}"#, r#"{"a":2,"b":4}"#]);
        assert_eq!(domain.names(), ["a", "b"]);
    }

    #[test]
    fn domains_are_added_zipped_and_repeated() {
        let (a, b) = (axis("a", &[1, 2]), axis("b", &[3, 4]));
        assert_eq!(shown(&a.union(&b).unwrap()), [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"b":3}"#, r#"{"b":4}"#]);
        assert_eq!(shown(&a.zip(&b).unwrap()), [r#"{"a":1,"b":3}"#, r#"{"a":2,"b":4}"#]);
        assert_eq!(shown(&axis("a", &[1]).repeat(2).unwrap()), [r#"{"a":1}"#, r#"{"a":1}'"#]);
        assert_eq!(a.product(&b.repeat(3).unwrap()).unwrap().len(), 12);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let a = axis("a", &[1, 2]);
        let refused = |domain: Result<Domain>| domain.unwrap_err().message().to_owned();
        assert_eq!(refused(a.product(&a)), "both domains have the hyperparameter `a`");
        assert_eq!(refused(a.zip(&axis("b", &[1]))), "`zip`: expected as many rows in both domains, found 2 and 1");
        assert_eq!(refused(a.repeat(0)), "a domain is repeated at least once, found 0");
        assert_eq!(refused(a.repeat(usize::MAX)), "a domain has at most 100000 trials, found more");
        assert_eq!(
            refused(a.union(&axis("b", &[1]).repeat(2).unwrap())),
            "one domain is repeated 1 times, the other 2"
        );
        assert_eq!(refused(Domain::grid(vec![("a".into(), vec![])])), "the hyperparameter `a` has no values");
    }

    #[test]
    fn draws_are_functions_of_the_seed_and_stay_in_their_range() {
        let draws = [
            Draw::Uniform(1.0, 2.0),
            Draw::LogUniform(1e-4, 1e-1),
            Draw::Integers(3, 5),
            Draw::Choice(vec!["x".into(), "y".into()]),
        ];
        let axes = draws.iter().enumerate().map(|(at, draw)| (at.to_string(), vec![Cell::Draw(draw.clone())]));
        let domain = Domain::grid(axes.collect()).unwrap().sample(200, 3).unwrap();
        assert_eq!(
            domain,
            Domain::sample(
                &Domain::grid(
                    draws
                        .iter()
                        .enumerate()
                        .map(|(at, draw)| (at.to_string(), vec![Cell::Draw(draw.clone())]))
                        .collect()
                )
                .unwrap(),
                200,
                3
            )
            .unwrap()
        );
        let (mut small, mut whole) = (0, [0; 3]);
        for Config { values, .. } in domain.configs(0) {
            let float = |name: &str| values[name].as_f64().unwrap();
            assert!((1.0..2.0).contains(&float("0")) && (1e-4..1e-1).contains(&float("1")));
            small += usize::from(float("1") < 1e-3);
            whole[values["2"].as_i64().unwrap() as usize - 3] += 1;
        }
        assert!((40..95).contains(&small), "a third lies in each power of ten: {small}");
        assert!(whole.iter().all(|count| (40..95).contains(count)), "{whole:?}");
    }

    #[test]
    fn repetitions_of_a_row_draw_once() {
        let domain = Domain::grid(vec![("a".into(), vec![Cell::Draw(Draw::Uniform(0.0, 1.0))])]).unwrap();
        let configs = domain.union(&domain).unwrap().repeat(2).unwrap().configs(1);
        assert_eq!(configs[0].values, configs[1].values);
        assert_ne!(configs[1].values, configs[2].values);
    }
}
