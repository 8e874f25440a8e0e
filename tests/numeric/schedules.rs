//! Learning rates of schedules.

use barrage::schedule;

use super::{Case, numbers};

pub fn check(case: &Case) -> Result<(), String> {
    let schedule = schedule::make(case.component(), &case.params()).map_err(|error| error.to_string())?;
    let rates: Result<Vec<f64>, _> =
        numbers(case.input("steps")).data.iter().map(|step| schedule.learning_rate(*step as u64)).collect();
    case.compare("learning rate", &rates.map_err(|error| error.to_string())?, case.expected("learning_rate"))
}
