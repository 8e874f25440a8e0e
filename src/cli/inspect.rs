//! `barrage inspect`: what is in an artifact folder, a checkpoint, a weights file, a data file, a config or a recipe.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::artifact::{self, Checkpoint, Folder, checkpoint, layout, weights};
use crate::assemble::Fitted;
use crate::cli::options::{Json, Scripts};
use crate::cli::{events, signals, terminal, trial};
use crate::error::{codes, list, near_file};
use crate::network::{LayerInfo, Network};
use crate::recipe::{Recipe, Written};
use crate::record::{ColumnSummary, Records};
use crate::script::host::{Host, Wanted};
use crate::script::resolver::Roots;
use crate::tensor::Array;
use crate::{Error, Result, assemble};

/// Show what is in a run, a checkpoint, a data file or a recipe
///
/// A recipe is run up to its training: shown is what it would train, and nothing is written.
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage inspect artifacts\n          barrage inspect train.csv --json\n          \
                        barrage inspect artifacts/best_checkpoint")]
pub struct Args {
    /// A run's folder, a checkpoint, `.safetensors`, records, a config, a recipe
    path: PathBuf,

    #[command(flatten)]
    scripts: Scripts,

    #[command(flatten)]
    json: Json,
}

/// Of a recipe's records so many columns are named.
const COLUMNS: usize = 16;

/// What was found, for a person and for a program.
struct Found {
    text: String,
    json: Value,
}

/// Shows it.
pub fn run(args: Args) -> Result<()> {
    signals::end_at_once(None);
    let (path, scripts) = (&args.path, &args.scripts);
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    if ending == "rhai" {
        return recipe(path, scripts, args.json.json);
    }
    let found = match (path.is_dir(), ending.as_str()) {
        (true, _) if path.join(layout::STATE).exists() && path.join(layout::MODEL).exists() => saved(path)?,
        (true, _) => run_folder(path, scripts)?,
        (false, _) if !path.exists() => {
            let error = Error::artifact(format!("there is no `{}`", path.display())).coded(codes::WRONG_FILE);
            return Err(error.maybe_hint(near_file(path)));
        }
        (false, "safetensors") => weights_file(path)?,
        (false, "json") if begins_a_list(path)? => records(path)?,
        (false, "json" | "json5" | "jsonc" | "toml" | "yaml" | "yml") => config(path)?,
        (false, _) if Records::format_of(path).is_some() => records(path)?,
        (false, _) => {
            return Err(Error::artifact(format!("`{}`: nothing is known about such files", path.display()))
                .coded(codes::WRONG_FILE)
                .hint("a run's folder, a checkpoint in it, `.safetensors`, records (`.csv`, `.json`, `.jsonl`, `.parquet`, `.arrow`, `.npy`, `.tar` …), a config (`.json`, `.toml`, `.yaml`), or a recipe (`.rhai`)"));
        }
    };
    print(&found, args.json.json);
    Ok(())
}

fn print(found: &Found, json: bool) {
    match json {
        true => terminal::data(&format!("{:#}\n", found.json)),
        false => terminal::data(&format!("{}\n", found.text.trim_end())),
    }
}

fn run_folder(path: &Path, scripts: &Scripts) -> Result<Found> {
    let folder = Folder::open(path)?;
    let host = scripts.host(folder.join(layout::SCRIPTS)).build()?;
    let mut text = format!("run `{}`\n\n", path.display());

    let report = artifact::read_text(&folder.join(layout::REPORT)).unwrap_or_default();
    let mut lines = report.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let epochs = lines.clone().count();
    let last: Vec<&str> = lines.next_back().unwrap_or_default().split(',').collect();
    let _ = writeln!(text, "epochs: {epochs}");
    let mut values = Map::new();
    for (name, value) in header.iter().zip(&last).skip(1) {
        let _ = writeln!(text, "last {name}: {value}");
        values.insert((*name).to_owned(), value.parse().map_or(Value::Null, events::number));
    }

    let best = checkpoint::read_best(&folder.join(layout::BEST_CHECKPOINT)).ok().map(|(_, best)| best);
    if let Some(best) = &best {
        let _ = writeln!(text, "best: epoch {}, {} {}", best.epoch + 1, best.monitor, best.value);
    }
    let kept = folder.checkpoints()?;
    let newest = kept.last().map(|(position, _)| format!(", the newest {position}")).unwrap_or_default();
    let _ = writeln!(text, "checkpoints to resume from: {}{newest}", kept.len());

    // A run that cannot score still has a past.
    let network = match assemble::load(&host, path) {
        Ok(model) => {
            let _ = writeln!(text, "\n{}", model.summary());
            layers(model.network())
        }
        Err(error) => {
            let _ = writeln!(text, "\nit cannot score: {error}");
            Value::Null
        }
    };
    let json = json!({
        "kind": "run",
        "path": path.display().to_string(),
        "epochs": epochs,
        "last": values,
        "best": best.map(|best| json!({
            "epoch": best.epoch, "step": best.step, "monitor": best.monitor, "value": events::number(best.value),
        })),
        "checkpoints": kept.iter().map(|(position, path)| json!({
            "epochs": position.epochs, "batches": position.batches, "path": path.display().to_string(),
        })).collect::<Vec<_>>(),
        "layers": network,
    });
    Ok(Found { text, json })
}

fn layers(network: &Network) -> Value {
    let layer = |layer: LayerInfo| {
        let inputs: Vec<&str> = layer.inputs.iter().map(|name| &**name).collect();
        json!({ "name": &*layer.name, "type": layer.kind, "inputs": inputs, "shape": layer.shape })
    };
    network.layers().into_iter().map(layer).collect()
}

/// The best weights, or a checkpoint to resume from.
fn saved(path: &Path) -> Result<Found> {
    if let Ok((named, best)) = checkpoint::read_best(path) {
        let text = format!(
            "the best weights of a run: of epoch {}, after step {}, {} {}\n\n{}",
            best.epoch + 1,
            best.step,
            best.monitor,
            best.value,
            arrays(&named)
        );
        let json = json!({
            "kind": "best",
            "epoch": best.epoch,
            "step": best.step,
            "monitor": best.monitor,
            "value": events::number(best.value),
            "weights": array_list(&named),
        });
        return Ok(Found { text, json });
    }
    let Checkpoint { weights, optimizer, services, state, .. } = Checkpoint::read(path)?;
    let names: Vec<&String> = state.services.keys().collect();
    let text = format!(
        "checkpoint {}, step {}, seed {}, learning rate {}\nwritten on {}\nservices: {}\n\nweights\n{}\noptimizer\n{}",
        state.position(),
        state.step,
        state.seed,
        state.learning_rate,
        state.cpu,
        if names.is_empty() { "none has a state".to_owned() } else { list(names.iter().map(|name| name.as_str())) },
        arrays(&weights),
        arrays(&optimizer)
    );
    let json = json!({
        "kind": "checkpoint",
        "epochs": state.epoch,
        "batches": state.data_position,
        "step": state.step,
        "seed": state.seed,
        "learning_rate": events::number(state.learning_rate),
        "cpu": state.cpu,
        "services": names,
        "weights": array_list(&weights),
        "optimizer": array_list(&optimizer),
        "service_arrays": array_list(&services),
    });
    Ok(Found { text, json })
}

fn weights_file(path: &Path) -> Result<Found> {
    let named = weights::load(path)?;
    Ok(Found { text: arrays(&named), json: json!({ "kind": "weights", "weights": array_list(&named) }) })
}

fn arrays(arrays: &[(String, Array)]) -> String {
    let width = arrays.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, array) in arrays {
        let _ = writeln!(text, "{name:<width$}  {}  {:?}", array.dtype().name(), array.shape());
    }
    let numbers: usize = arrays.iter().map(|(_, array)| array.size()).sum();
    let _ = writeln!(text, "{} arrays, {numbers} numbers", arrays.len());
    text
}

fn array_list(arrays: &[(String, Array)]) -> Value {
    let one = |(name, array): &(String, Array)| json!({ "name": name, "dtype": array.dtype().name(), "shape": array.shape() });
    arrays.iter().map(one).collect()
}

fn begins_a_list(path: &Path) -> Result<bool> {
    Ok(artifact::read_text(path)?.trim_start_matches('\u{feff}').trim_start().starts_with('['))
}

fn records(path: &Path) -> Result<Found> {
    let records = Records::read(path)?;
    let mut json = json!({ "kind": "records", "path": path.display().to_string() });
    json["format"] = Records::format_of(path).into();
    json["records"] = records.len().into();
    json["columns"] = columns(&records);
    Ok(Found { text: records.describe(), json })
}

fn columns(records: &Records) -> Value {
    let one = |column: ColumnSummary| {
        let [min, mean, max] = column.range.map_or([const { Value::Null }; 3], |range| range.map(events::number));
        json!({
            "name": &*column.name,
            "type": column.kind.to_string(),
            "missing": column.missing,
            "min": min,
            "mean": mean,
            "max": max,
            "distinct": column.distinct,
        })
    };
    records.summary().into_iter().map(one).collect()
}

fn config(path: &Path) -> Result<Found> {
    let (recipe, notes) = Recipe::resolve(&Written::read(path)?)?;
    let config = recipe.to_json();
    let text = notes.iter().fold(format!("{config:#}"), |text, note| format!("{text}\nnote: {note}"));
    Ok(Found { text, json: json!({ "kind": "config", "config": config, "notes": notes }) })
}

/// Makes the network of a run that is not started.
fn network(host: &Host, wanted: &Wanted) -> Result<Arc<Network>> {
    let mut recipe = wanted.recipe.clone();
    recipe.dataset.seed.get_or_insert(0);
    let run = assemble::assemble(host, &recipe, Fitted::Afresh, wanted.train, wanted.validation, wanted.folder)?;
    Ok(run.trainer.network().clone())
}

/// Runs a recipe up to its training, and shows what that would be.
fn recipe(path: &Path, scripts: &Scripts, json: bool) -> Result<()> {
    let name = path.display().to_string();
    trial::run_recipe(scripts.host(Roots::project_of(path)), path, move |host, wanted| {
        let network = network(host, wanted)?;
        let folder = host.roots().label(wanted.folder);
        let used: Vec<String> = host.sources().all().iter().map(|script| script.label.to_string()).collect();
        let config = wanted.recipe.to_json();
        let mut text = format!("recipe `{name}` trains into `{folder}`\n\n");
        for (what, records) in [("training", wanted.train), ("validation", wanted.validation)] {
            let _ = writeln!(text, "{what} records: {} of {}", records.len(), records.source());
        }
        let columns_shown = wanted.train.columns().iter().take(COLUMNS).map(|name| &**name);
        let more = match wanted.train.columns().len().saturating_sub(COLUMNS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(text, "columns: {}{more}", list(columns_shown));
        let _ =
            writeln!(text, "scripts: {}\n\n{}\n{config:#}", list(used.iter().map(String::as_str)), network.summary());
        for note in wanted.notes {
            let _ = writeln!(text, "note: {note}");
        }
        let found = json!({
            "kind": "recipe",
            "path": name,
            "folder": folder,
            "train": { "source": wanted.train.source(), "records": wanted.train.len(), "columns": columns(wanted.train) },
            "validation": {
                "source": wanted.validation.source(), "records": wanted.validation.len(),
                "columns": columns(wanted.validation),
            },
            "scripts": used,
            "layers": layers(&network),
            "config": config,
            "notes": wanted.notes,
        });
        print(&Found { text, json: found }, json);
        Ok(())
    })
}
