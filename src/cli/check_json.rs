//! The report of `barrage check` for machines: one JSON object.

use serde_json::{Value, json};

use crate::assemble::{Facts, Report, Values};
use crate::error::Error;

/// Returns the report as an object with the keys `file`, `ok`, `errors`, `warnings`, and `run` when there are no
/// errors that hide it.
pub fn object(file: &str, report: &Report) -> Value {
    let all = |errors: &[Error], coded: bool| -> Vec<Value> { errors.iter().map(|one| finding(one, coded)).collect() };
    let mut object = json!({
        "file": file,
        "ok": report.errors.is_empty(),
        "errors": all(&report.errors, true),
        "warnings": all(&report.warnings, false),
    });
    if let Some(facts) = &report.facts {
        object["run"] = run(facts);
    }
    object
}

/// An error or a warning; `null` where nothing is known. Columns count characters, from 1; the end is the column
/// after the last character, when it is in the same line.
fn finding(error: &Error, coded: bool) -> Value {
    let place = error.place().map(|place| {
        let (line, column) = place.line_column();
        let marked = place.text.get(place.span.clone()).unwrap_or("");
        let end = (!marked.contains('\n')).then(|| column + marked.chars().count());
        json!({"file": &*place.file, "line": line, "column": column, "end_column": end})
    });
    json!({
        "code": error.code().filter(|_| coded),
        "message": error.message(),
        "hints": error.hints(),
        "within": error.context(),
        "place": place,
    })
}

fn run(facts: &Facts) -> Value {
    let values = |values: &[Values]| -> Vec<Value> {
        let one = |value: &Values| json!({"name": value.name, "dtype": value.dtype, "shape": value.shape});
        values.iter().map(one).collect()
    };
    let time = &facts.time;
    let gradients = facts.gradients.iter().map(|check| {
        json!({"of": check.what, "numbers": check.numbers, "worst_relative_error": check.worst, "right": check.disagreement.is_none()})
    });
    json!({
        "records": {"train": facts.records, "validation": facts.validation_records},
        "batch_size": facts.batch_size,
        "steps": facts.steps,
        "epochs": facts.epochs,
        "inputs": values(&facts.inputs),
        "outputs": values(&facts.outputs),
        "parameters": {"trainable": facts.trainable, "fixed": facts.fixed},
        "memory_bytes": {
            "weights_and_gradients": facts.memory.weights,
            "optimizer": facts.memory.optimizer,
            "layers": facts.memory.activations,
            "records": facts.records_bytes,
        },
        "estimated_seconds": {
            "first_batch": time.first_load,
            "making_a_batch": time.load,
            "computing_a_step": time.compute,
            "epoch": time.epoch,
            "run": time.epoch * facts.epochs as f64 + time.first_load,
            "steps_measured": time.measured,
        },
        "gradients": if facts.gradients.is_empty() { Value::Null } else { gradients.collect() },
        "bound_by": if time.is_data_bound() { "data" } else { "compute" },
    })
}
