//! Learning rates of schedules.

use barrage::schedule;

use super::{check_table, numbers};

#[test]
fn learning_rates_are_those_of_keras() {
    check_table("schedules.json", |case| {
        let schedule = schedule::make(case.component(), &case.params()).map_err(|error| error.to_string())?;
        let rates: Result<Vec<f64>, _> =
            numbers(case.input("steps")).data.iter().map(|step| schedule.learning_rate(*step as u64)).collect();
        case.compare("learning rate", &rates.map_err(|error| error.to_string())?, case.expected("learning_rate"))
    });
}
