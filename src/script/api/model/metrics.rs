//! Metrics that are gathered over batches.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Map};

use crate::error::{Error, Result as Outcome};
use crate::pipeline::{Average, Confusion, Format, Next};
use crate::script::api::arguments::{Answer, texts};
use crate::script::api::options::Options;
use crate::script::batches::convert;
use crate::script::batches::expression::{prepare, resolve};
use crate::script::batches::metrics::Metrics;
use crate::script::batches::pipeline::{Pipeline, save_for};
use crate::script::cast;
use crate::script::host::Host;
use crate::script::traceback::raise;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

/// Counts one batch.
fn gather(kind: &str, mut given: Options) -> Answer<Metrics> {
    let name =
        ["classification", "segmentation", "mask", "regression", "loss"].into_iter().find(|known| kind.contains(known));
    let need = |given: &mut Options, name: &'static str| {
        given.take(name).ok_or_else(|| raise(Error::script(format!("`gather_metrics` needs `{name}`"))))
    };
    let array = |value: Dynamic, what: &str| -> Answer<crate::tensor::Array> {
        let tensor = cast::to_tensor(&value).or_else(|_| convert::to_items(&value).and_then(|items| items.to_tensor()));
        tensor.and_then(|tensor| tensor.to_host()).map_err(|error| raise(error.within(format!("`{what}`"))))
    };
    let metrics = match name {
        Some("loss") => {
            let losses = array(need(&mut given, "predictions")?, "predictions")?.to_f64_vec();
            Metrics::Loss { sum: losses.iter().sum(), count: losses.len() as u64 }
        }
        Some("regression") => {
            let targets = array(need(&mut given, "targets")?, "targets")?.to_f64_vec();
            let predictions = array(need(&mut given, "predictions")?, "predictions")?.to_f64_vec();
            if targets.len() != predictions.len() {
                return Err(raise(Error::data(format!(
                    "{} targets, {} predictions",
                    targets.len(),
                    predictions.len()
                ))));
            }
            let differences = || targets.iter().zip(&predictions).map(|(a, b)| a - b);
            Metrics::Regression {
                absolute: differences().map(f64::abs).sum(),
                squared: differences().map(|d| d * d).sum(),
                count: targets.len() as u64,
            }
        }
        Some(_) => {
            let targets = array(need(&mut given, "targets")?, "targets")?;
            let predictions = array(need(&mut given, "predictions")?, "predictions")?;
            let format =
                given.text("fmt")?.map_or(Ok(Format::Labels), |format| Format::parse(&format)).map_err(raise)?;
            let classes = given.whole("num_classes")?.map(|classes| classes as usize);
            let threshold = given.take("threshold").and_then(|value| value.as_float().ok()).unwrap_or(0.5);
            Metrics::Classes(Confusion::count(&targets, &predictions, format, classes, threshold).map_err(raise)?)
        }
        None => {
            let kinds = ["classification", "segmentation", "regression", "loss"];
            return Err(raise(
                Error::script(format!("unknown kind of metrics `{kind}`"))
                    .maybe_hint(crate::error::did_you_mean(kind, kinds))
                    .hint(format!("kinds: {}", crate::error::list(kinds))),
            ));
        }
    };
    given.finish()?;
    Ok(metrics)
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the pipeline with metrics of each batch: `"classification"` and `"segmentation"` (by elements) count which
    /// class was taken for which, `"regression"` measures differences, `"loss"` averages. Options: `targets`,
    /// `predictions`, `fmt` (`"labels"`, `"proba"`, `"logits"`), `num_classes`, `threshold`, and `save_to`: `"w"` keeps
    /// those of the last batch, `"a"` all of them, `"u"` adds them up.
    ///
    /// # Errors
    /// An unknown kind; when it runs, shapes that do not go together.
    ///
    /// ```rhai
    /// let ds = dataset(4, #{ preloaded: #{ y: [1, 0, 1, 0], p: [1, 0, 0, 0] } });
    /// let p = ds.pipeline().gather_metrics("classification", #{ targets: B("y"), predictions: B("p"), save_to: V("m", "u") });
    /// p.run(2);
    /// p.v("m").evaluate(["accuracy", "precision", "recall"]) // => #{"accuracy": 0.75, "precision": 1.0, "recall": 0.5}
    /// ```
    #[rhai_fn(name = "gather_metrics", return_raw)]
    pub fn gather_metrics(
        context: NativeCallContext,
        pipeline: Pipeline,
        kind: &str,
        options: Map,
    ) -> Answer<Pipeline> {
        let host = Host::of(&context)?;
        let mut options = options;
        let save_to = options.remove("save_to").ok_or_else(|| {
            raise(
                Error::script("`gather_metrics` needs `save_to`")
                    .hint("`save_to: V(\"metrics\", \"u\")` adds up those of all batches"),
            )
        })?;
        let (save_to, options) = (prepare(&context, save_to)?, prepare(&context, Dynamic::from(options))?);
        let kind = kind.to_owned();
        Ok(pipeline.step("gather_metrics", true, move |batch| {
            let given = resolve(&host, &batch, options.clone())?.try_cast::<Map>().unwrap_or_default();
            let metrics = gather(&kind, Options::new("gather_metrics", given));
            let metrics = metrics.map_err(|error| crate::script::traceback::explain(&host, *error, ""))?;
            save_for(&host, &batch, &save_to, Dynamic::from(metrics))?;
            Ok(Next::On(batch))
        }))
    }

    /// Returns values of metrics by name, a map: `accuracy`, `precision`, `recall`, `f1`, `iou` and others of classes; `mae`,
    /// `mse`, `rmse` of a regression; `loss`. Options: `multiclass`, `"micro"` or `"macro"` (the default), how
    /// values of more than two classes become one; of two classes, they are those of the second.
    ///
    /// # Errors
    /// An unknown name.
    ///
    /// ```rhai
    /// let p = dataset(2, #{ preloaded: #{ y: [1.0, 2.0], p: [1.5, 2.5] } }).pipeline()
    ///     .gather_metrics("regression", #{ targets: B("y"), predictions: B("p"), save_to: V("m", "u") });
    /// p.run(1);
    /// p.v("m").evaluate(["mae"]) // => #{"mae": 0.5}
    /// ```
    #[rhai_fn(name = "evaluate", return_raw)]
    pub fn evaluate(metrics: Metrics, names: List) -> Answer<Map> {
        evaluate_with(metrics, names, Map::new())
    }

    #[rhai_fn(name = "evaluate", return_raw)]
    pub fn evaluate_with(metrics: Metrics, names: List, options: Map) -> Answer<Map> {
        let mut options = Options::new("evaluate", options);
        let average = match options.text("multiclass")?.as_deref() {
            None => None,
            Some("micro") => Some(Average::Micro),
            Some("macro") => Some(Average::Macro),
            Some(other) => {
                return Err(raise(Error::script(format!(
                    "`multiclass`: expected `micro` or `macro`, found `{other}`"
                ))));
            }
        };
        options.finish()?;
        let names = texts(&names, "`names` of `evaluate`")?;
        let value = |name: &String| Ok((name.as_str().into(), Dynamic::from(metrics.value(name, average)?)));
        names.iter().map(value).collect::<Outcome<Map>>().map_err(raise)
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn metrics_to_string(metrics: Metrics) -> String {
        match metrics {
            Metrics::Classes(confusion) => {
                format!("Metrics({} classes, {} items)", confusion.classes(), confusion.counts().iter().sum::<u64>())
            }
            Metrics::Loss { count, .. } => format!("Metrics({count} losses)"),
            Metrics::Regression { count, .. } => format!("Metrics({count} numbers)"),
        }
    }
}
