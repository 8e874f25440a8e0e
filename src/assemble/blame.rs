//! Where in the recipe an error of the check stands: the rooms that check names, shapes and monitors do not
//! know the recipe, so their words are matched with its keys here.

use crate::error::{Error, Place, codes};
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
    let placed = coded(error).split().into_iter().map(|error| match error.place() {
        Some(_) => error,
        None => match place(recipe, &error) {
            Some(place) => error.at(place),
            None => error,
        },
    });
    // Splitting an error gives at least itself.
    Error::join(placed.collect()).unwrap_or_else(|| Error::recipe("the recipe was refused"))
}

/// Words of the rooms that check a run, and the codes that they have for the reader of a recipe.
const WORDS: &[(&str, &str)] = &[
    ("unknown activation", codes::UNKNOWN_COMPONENT),
    ("unknown layer", codes::UNKNOWN_COMPONENT),
    ("no parameter for the placeholder", codes::NO_PLACEHOLDER),
    ("the network takes shape", codes::INPUT_SHAPE),
    ("the network has no output", codes::NAMES),
    ("the network needs a", codes::NAMES),
    ("the loader gives", codes::NAMES),
    ("of the network has no loss", codes::NAMES),
    ("nothing is reported as", codes::UNKNOWN_MONITOR),
    ("received no gradient", codes::NO_GRADIENT),
    ("in the first step", codes::NOT_FINITE),
];

/// Adds to errors of a check the codes that tell them apart.
pub fn coded(error: Error) -> Error {
    let all = error.split().into_iter().map(|error| {
        let code = WORDS.iter().find(|(words, _)| error.message().contains(words)).map(|(_, code)| *code);
        match code {
            Some(code) => error.coded(code),
            None => error,
        }
    });
    // Splitting an error gives at least itself.
    Error::join(all.collect()).unwrap_or_else(|| Error::recipe("the recipe was refused"))
}

fn place(recipe: &Recipe, error: &Error) -> Option<Place> {
    let message = error.message();
    // What was being worked on says more than the message.
    let said = |start: &str| {
        let context = error.context().iter().rev().map(String::as_str);
        context.chain([message]).find_map(|text| named(text, start)).map(str::to_owned)
    };
    if let Some(service) = said("service `") {
        let monitor = recipe.place(&format!("services.{service}.monitor"));
        return monitor.or_else(|| recipe.place(&format!("solver.{service}.monitor")));
    }
    if message.starts_with("the loader gives") {
        return spot(&recipe.dataset.loader, error);
    }
    if message.starts_with("the network needs") || message.starts_with("input `") {
        return spot(&recipe.model.network, error);
    }
    if let Some(name) = named(message, "the network has no output `") {
        let at = recipe.model.outputs.iter().position(|output| output.name == name)?;
        return recipe.place(&format!("model.outputs[{at}].name"));
    }
    if message.contains("of the network has no loss") {
        return recipe.place("model.outputs");
    }
    let outputs = &recipe.model.outputs;
    let at = match said("output `") {
        Some(name) => outputs.iter().position(|output| output.name == name)?,
        // Whatever is wrong with the only loss.
        None if outputs.len() == 1 && message.contains("gradient") => 0,
        None => return None,
    };
    let output = &outputs[at];
    match said("metric `") {
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

/// Returns the name after `start`, up to the closing backtick.
fn named<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split('`').next()
}
