//! Which hyperparameters a search tries: grids, products, unions and draws.

use serde_json::{Map, Value};

use super::draw::Draw;
use crate::error::{Error, Result};
use crate::random::{Random, Stream};

/// The most trials of one search: more is a product that got out of hand.
const MOST: usize = 100_000;

/// One value of one hyperparameter, given or still to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A value.
    Value(Value),
    /// A draw, made anew for each trial.
    Draw(Draw),
    /// Hyperparameters within one: a map with draws in it.
    Map(Row),
}

/// Hyperparameters by name, in order.
pub type Row = Vec<(String, Cell)>;

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
            let drawn = draw(&self.rows[chosen as usize], seed, &[2, number as u64]);
            drawn.into_iter().map(|(name, value)| (name, Cell::Value(value))).collect()
        };
        Ok(Domain { rows: (0..count).map(row).collect(), repetitions: self.repetitions })
    }

    /// Returns what is tried, in order: the repetitions of a row stand together.
    pub fn configs(&self, seed: u64) -> Vec<Config> {
        let configs = |(number, row): (usize, &Row)| {
            let values = draw(row, seed, &[0, number as u64]);
            (0..self.repetitions).map(move |repetition| Config { repetition, values: values.clone() })
        };
        self.rows.iter().enumerate().flat_map(configs).collect()
    }

    /// Returns the hyperparameters of one trial of many that are drawn at random: a row, and the draws in it. `attempt`
    /// counts draws that took the place of ones that were invalid, from 0.
    ///
    /// # Errors
    /// No row to draw from.
    pub fn random(&self, seed: u64, number: usize, attempt: usize) -> Result<Map<String, Value>> {
        let (number, attempt) = (number as u64, attempt as u64);
        let chosen = Random::new(seed, Stream::Search, &[4, number, attempt]).below(self.rows.len().max(1) as u64);
        let row = self.rows.get(chosen as usize);
        let row = row.ok_or_else(|| Error::script("a domain without rows has nothing to draw from"))?;
        Ok(draw(row, seed, &[5, number, attempt]))
    }

    /// Returns the domain in which every draw has become all values that a grid takes of it ([`Draw`] with a count, or a
    /// choice); of several in a row the first varies slowest.
    ///
    /// # Errors
    /// A draw without a count; too many trials.
    pub fn spread(&self) -> Result<Domain> {
        let mut rows = Vec::new();
        for row in &self.rows {
            rows.extend(spread(row)?);
            check_length(rows.len().checked_mul(self.repetitions))?;
        }
        Ok(Domain { rows, repetitions: self.repetitions })
    }

    /// Returns the name of the first hyperparameter that is drawn.
    pub fn drawn(&self) -> Option<&str> {
        fn is_drawn(cell: &Cell) -> bool {
            match cell {
                Cell::Value(_) => false,
                Cell::Draw(_) => true,
                Cell::Map(row) => row.iter().any(|(_, cell)| is_drawn(cell)),
            }
        }
        self.rows.iter().flatten().find(|(_, cell)| is_drawn(cell)).map(|(name, _)| name.as_str())
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

/// Returns a row with its draws made; `key` tells the draws of one purpose and row from those of others.
fn draw(row: &Row, seed: u64, key: &[u64]) -> Map<String, Value> {
    fn each(row: &Row, next: &mut u64, make: &dyn Fn(&Draw, u64) -> Value) -> Map<String, Value> {
        let mut value = |(name, cell): &(String, Cell)| {
            let at = *next;
            let value = match cell {
                Cell::Map(row) => return (name.clone(), Value::Object(each(row, next, make))),
                Cell::Value(value) => value.clone(),
                Cell::Draw(draw) => make(draw, at),
            };
            *next += 1;
            (name.clone(), value)
        };
        row.iter().map(&mut value).collect()
    }
    let make = |draw: &Draw, at: u64| draw.value(&mut Random::new(seed, Stream::Search, &[key, &[at]].concat()));
    each(row, &mut 0, &make)
}

/// Returns the rows of all combinations of what a grid takes of a row's cells.
fn spread(row: &Row) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = vec![Vec::new()];
    for (name, cell) in row {
        let cells: Vec<Cell> = match cell {
            Cell::Value(_) => vec![cell.clone()],
            Cell::Draw(draw) => draw.grid(name)?.into_iter().map(Cell::Value).collect(),
            Cell::Map(inner) => spread(inner)?.into_iter().map(Cell::Map).collect(),
        };
        check_length(rows.len().checked_mul(cells.len()))?;
        let with = |row: &Row, cell: &Cell| row.iter().cloned().chain([(name.clone(), cell.clone())]).collect();
        rows = rows.iter().flat_map(|row| cells.iter().map(move |cell| with(row, cell))).collect();
    }
    Ok(rows)
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
    use crate::search::Distribution;

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
            Draw::from(Distribution::Uniform(1.0, 2.0)),
            Draw::from(Distribution::LogUniform(1e-4, 1e-1)),
            Draw::from(Distribution::Integers(3, 5)),
            Draw::from(Distribution::Choice(vec!["x".into(), "y".into()])),
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
        let domain =
            Domain::grid(vec![("a".into(), vec![Cell::Draw(Distribution::Uniform(0.0, 1.0).into())])]).unwrap();
        let configs = domain.union(&domain).unwrap().repeat(2).unwrap().configs(1);
        assert_eq!(configs[0].values, configs[1].values);
        assert_ne!(configs[1].values, configs[2].values);
    }

    #[test]
    fn a_grid_takes_of_each_draw_what_its_count_says() {
        let log = Draw { of: Distribution::Power { base: 10.0, low: -2.0, high: 0.0 }, count: Some(2) };
        let whole = Draw { of: Distribution::Integers(1, 2), count: Some(5) };
        let nested = Cell::Map(vec![("units".into(), Cell::Draw(whole)), ("act".into(), Cell::Value("relu".into()))]);
        let axes = vec![("a".into(), vec![Cell::Draw(log)]), ("net".into(), vec![nested])];
        let domain = Domain::grid(axes).unwrap();
        assert_eq!((domain.len(), domain.drawn()), (1, Some("a")));
        let grid = domain.spread().unwrap();
        assert_eq!((grid.len(), grid.drawn()), (4, None));
        assert_eq!(
            shown(&grid),
            [
                r#"{"a":0.01,"net":{"units":1,"act":"relu"}}"#,
                r#"{"a":0.01,"net":{"units":2,"act":"relu"}}"#,
                r#"{"a":1.0,"net":{"units":1,"act":"relu"}}"#,
                r#"{"a":1.0,"net":{"units":2,"act":"relu"}}"#
            ]
        );
    }

    #[test]
    fn a_random_trial_is_a_function_of_seed_number_and_attempt() {
        let cell = || Cell::Draw(Distribution::Uniform(0.0, 1.0).into());
        let domain = Domain::grid(vec![("a".into(), vec![cell()])]).unwrap();
        let of = |seed, number, attempt| domain.random(seed, number, attempt).unwrap()["a"].as_f64().unwrap();
        assert_eq!(of(1, 2, 3), of(1, 2, 3));
        let all = [of(1, 2, 3), of(2, 2, 3), of(1, 3, 3), of(1, 2, 0)];
        assert!(all.iter().enumerate().all(|(at, value)| !all[..at].contains(value)), "{all:?}");
    }
}
