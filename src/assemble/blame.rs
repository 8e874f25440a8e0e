//! Where in the recipe an error of the check stands: the rooms that check names, shapes and monitors do not
//! know the recipe; they say what an error is about ([`Subject`]), and here is where that is written.

use crate::error::{Error, Place, Subject};
use crate::recipe::{Import, Recipe};

/// Adds the place of a key to errors that have none.
pub fn key(recipe: &Recipe, error: Error, path: &str) -> Error {
    match recipe.place(path) {
        Some(place) => error.at(place),
        None => error,
    }
}

/// Adds to each error of a check the place in the recipe that it is about, where that is known.
pub fn blame(recipe: &Recipe, error: Error) -> Error {
    let placed = error.split().into_iter().map(|error| match error.place() {
        Some(_) => error,
        None => match place(recipe, &error) {
            Some(place) => error.at(place),
            None => error,
        },
    });
    // Splitting an error gives at least itself.
    Error::join(placed.collect()).unwrap_or_else(|| Error::recipe("the recipe was refused"))
}

fn place(recipe: &Recipe, error: &Error) -> Option<Place> {
    let outputs = &recipe.model.outputs;
    let named = |name: &str| outputs.iter().position(|output| output.name == name);
    let (mut output, mut metric) = (None, None);
    for subject in error.subjects() {
        match subject {
            Subject::Service(name) => {
                let monitor = recipe.place(&format!("services.{name}.monitor"));
                return monitor.or_else(|| recipe.place(&format!("solver.{name}.monitor")));
            }
            Subject::Loader => return spot(&recipe.dataset.loader, error),
            Subject::Network => return spot(&recipe.model.network, error),
            Subject::Outputs => return recipe.place("model.outputs"),
            Subject::Name(name) => return recipe.place(&format!("model.outputs[{}].name", named(name)?)),
            Subject::Output(name) => output = output.or(Some(named(name)?)),
            // Whatever is wrong with the only loss.
            Subject::Loss => output = output.or((outputs.len() == 1).then_some(0)),
            Subject::Metric(name) => metric = Some(name),
        }
    }
    let output = &outputs[output?];
    match metric {
        Some(metric) => {
            let last = |import: &&Import| import.path.rsplit('.').next() == Some(metric.as_str());
            output.metrics.iter().chain(&output.weighted_metrics).find(last).and_then(|import| import.place.clone())
        }
        None => output.loss.place.clone(),
    }
}

/// Returns the place of the parameter, or the text in one, that an error names, else that of the import.
fn spot(import: &Import, error: &Error) -> Option<Place> {
    import.locate(Error::recipe(error.message())).place().cloned()
}
