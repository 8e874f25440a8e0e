//! The services of a recipe, in the order in which they are called.

use serde_json::Value;

use crate::assemble::faults::Faults;
use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::registry::{self, Params};
use crate::script::Host;
use crate::script::adaptor::ScriptService;
use crate::service::{self, Service};

/// Makes the services: the built-in ones that are not switched off, then those of the recipe.
pub fn services(host: &Host, recipe: &Recipe) -> Result<Vec<Box<dyn Service>>> {
    let json = recipe.to_json();
    let reducer = recipe.solver.learning_rate_reducer.is_some().then(|| &json["solver"]["learning_rate_reducer"]);
    let mut services = Vec::new();
    for entry in service::LIST {
        let params = match entry.name {
            "learning_rate_reducer" => match reducer {
                Some(reducer) => map(reducer),
                None => continue,
            },
            "resume_checkpoint" => match recipe.services.resume_checkpoints {
                true => recipe.services.keep.map(|keep| ("keep".to_owned(), Value::from(keep))).into_iter().collect(),
                false => continue,
            },
            "terminate_on_nan" if !recipe.services.terminate_on_nan => continue,
            // They have no key: a run without its report would be no run.
            "csv_report" | "events" => Params::new(),
            name => match json["services"].get(name) {
                Some(Value::Bool(false)) => continue,
                Some(configured) => map(configured),
                None => return Err(Error::run(format!("the service `{name}` has no key in a recipe"))),
            },
        };
        // A key of the recipe that the service does not take (`verbose`) was checked there.
        let taken: Params = params
            .into_iter()
            .filter(|(name, _)| entry.parameters.iter().any(|parameter| parameter.name == name))
            .collect();
        services.push(entry.make(&taken)?);
    }
    let mut faults = Faults::default();
    for import in &recipe.services.callbacks {
        let made = match registry::lookup(service::LIST, &import.path) {
            Some(entry) => entry.make(&import.params),
            None => host
                .component(&import.path, &import.params)
                .and_then(ScriptService::new)
                .map(|service| Box::new(service) as Box<dyn Service>),
        };
        services.extend(faults.take(made.map_err(|error| import.locate(error))));
    }
    faults.finish()?;
    Ok(services)
}

fn map(value: &Value) -> Params {
    value.as_object().cloned().unwrap_or_default()
}
