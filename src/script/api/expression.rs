//! Named expressions.

use std::any::TypeId;

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, FnPtr, ImmutableString, Map};

use crate::error::Error;
use crate::script::api::arguments::{Answer, float, sizes};
use crate::script::api::{Page, options::Options, table};
use crate::script::batches::expression::{Draw, Expr, Kind, Node, PerItem, prepare};
use crate::script::batches::flow::Mode;
use crate::script::callable::Callable;
use crate::script::traceback::{raise, type_phrase};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "expression",
    title: "Named expressions",
    intro: "A named expression stands for a value that is computed anew for each batch, when a pipeline runs: `B(\"images\")` is \
            that batch's component, `V(\"loss\")` a variable of the pipeline. Expressions calculate (`C(\"lr\") * 0.5`), have \
            fields (`B(\"images\").shape`), and stand in arrays and maps, wherever a pipeline takes a value. A function of the \
            batch may stand in their place: `|batch| batch.images.shape[0]`.\n\n\
            | expression | value | can be saved to |\n|---|---|---|\n\
            | `B(name)`, `B()` | a component of the batch, the batch itself | yes |\n\
            | `L(name)` | the items of a component as an array | yes |\n\
            | `V(name, mode)` | a variable; the mode says how it is saved to | yes |\n\
            | `C(path, default)` | a value of the pipeline's config | yes |\n\
            | `D(name)`, `D()` | an attribute of the data set, the data set itself | |\n\
            | `M(name)` | a model | |\n\
            | `I(what)` | `\"current\"` batch, `\"max\"`, `\"ratio\"` | |\n\
            | `R(…)` | a random draw, once for each batch | |\n\
            | `P(value)`, `PP(value)` | a value for each item, from one evaluation or from as many | |\n\
            | `F(function, arguments)` | what a function returns | |\n\
            | `W(expression)` | the expression itself | |\n\
            | `IF(condition, a, b)` | one of two | to that one |",
    register,
};

/// Operators that make a bigger expression.
const OPERATORS: [&str; 11] = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">="];

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Expr>("Expr");
    engine.register_type_with_name::<PerItem>("PerItem");
    let mut module = exported_module!(functions);
    let expr = table::Kind::of::<Expr>("Expr");
    for operator in OPERATORS {
        let text = "Returns an expression that calculates with what both sides stand for.\n\n```rhai\nlet p = \
                    dataset(2).pipeline(#{ lr: 0.5 }).init_variable(\"half\", C(\"lr\") * 0.5);\np.v(\"half\") // => 0.25\n```";
        for sides in [[expr, table::ANY], [table::ANY, expr], [expr, expr]] {
            let parameters = [("left", sides[0]), ("right", sides[1])];
            table::register(&mut module, operator, text, &parameters, "Expr", move |context, arguments| {
                let side = |at: usize| prepare(context, arguments[at].clone());
                Ok(Dynamic::from(Expr::new(Node::Native(operator.to_owned(), vec![side(0)?, side(1)?]))))
            });
        }
    }
    let _ = TypeId::of::<Expr>();
    engine.register_global_module(module.into());
}

fn named(node: Node) -> Expr {
    Expr::new(node)
}

/// Reads a distribution and what follows its name.
fn kind(name: &str, values: &[Dynamic]) -> Answer<Kind> {
    let number = |at: usize, otherwise: f64| match values.get(at) {
        Some(value) => float(value, &format!("`R(\"{name}\", …)`")),
        None => Ok(otherwise),
    };
    let positive = |low: f64, high: f64| match low < high {
        true => Ok(()),
        false => Err(raise(Error::script(format!("`R(\"{name}\", …)`: expected a range, found {low:?} to {high:?}")))),
    };
    match name {
        "uniform" => {
            let (low, high) = (number(0, 0.0)?, number(1, 1.0)?);
            positive(low, high)?;
            Ok(Kind::Uniform(low, high))
        }
        "normal" => Ok(Kind::Normal(number(0, 0.0)?, number(1, 1.0)?)),
        "integers" | "randint" => {
            let whole = |at: usize| values.get(at).and_then(|value| value.as_int().ok());
            match (whole(0), whole(1), values.len()) {
                (Some(high), None, 1) if high > 0 => Ok(Kind::Integers(0, high)),
                (Some(low), Some(high), 2) if low < high => Ok(Kind::Integers(low, high)),
                _ => Err(raise(
                    Error::script(format!(
                        "`R(\"{name}\", …)`: expected two whole numbers, the first below the second"
                    ))
                    .hint("`R(\"integers\", -2, 3)` draws -2, -1, 0, 1 or 2"),
                )),
            }
        }
        _ => Err(raise(
            Error::script(format!("unknown distribution `{name}`"))
                .maybe_hint(crate::error::did_you_mean(name, ["uniform", "normal", "integers"]))
                .hint(
                    "distributions: `uniform`, `normal`, `integers`; `R([\"a\", \"b\"])` chooses one of several values",
                ),
        )),
    }
}

/// Makes a draw of a distribution, or of an array of values, with the options of its last argument.
fn draw(what: &Dynamic, mut values: Vec<Dynamic>) -> Answer<Expr> {
    let options = match values.last().is_some_and(Dynamic::is_map) {
        true => values.pop().and_then(|value| value.try_cast::<Map>()).unwrap_or_default(),
        false => Map::new(),
    };
    let mut options = Options::new("R", options);
    let size = options.take("size").map(|size| sizes(&size)).transpose()?;
    let seed = options.whole("seed")?;
    let shares = options.take("p");
    options.finish()?;
    let kind = match what.read_lock::<List>() {
        Some(list) if list.is_empty() => {
            return Err(raise(Error::script("`R` needs at least one value to choose from")));
        }
        Some(list) => {
            let shares = match shares {
                None => None,
                Some(shares) => {
                    let numbers = shares.into_array().unwrap_or_default();
                    let numbers = numbers.iter().map(|p| float(p, "`p` of `R`")).collect::<Answer<Vec<f64>>>()?;
                    let fits = numbers.len() == list.len() && numbers.iter().all(|p| p.is_finite() && *p >= 0.0);
                    if !fits || numbers.iter().sum::<f64>() <= 0.0 {
                        return Err(raise(Error::script(format!(
                            "`p` of `R`: expected {} probabilities, one for each value",
                            list.len()
                        ))));
                    }
                    Some(numbers)
                }
            };
            Kind::Choice(list.clone(), shares)
        }
        None => {
            let name = what.as_immutable_string_ref().map_err(|found| {
                raise(Error::script(format!("`R`: expected a distribution or an array, found {}", type_phrase(found))))
            })?;
            kind(&name, &values)?
        }
    };
    Ok(named(Node::Random(Draw { kind, size, seed })))
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
#[allow(non_snake_case, reason = "the names that users of BatchFlow know")]
mod functions {
    /// Returns the expression of a component of the batch, or of the batch itself.
    ///
    /// ```rhai
    /// let p = dataset(3, #{ preloaded: #{ x: [1, 2, 3] } }).pipeline().update(V("sum"), B("x").invoke("sum").item);
    /// p.run(3);
    /// p.v("sum") // => 6
    /// ```
    #[rhai_fn(name = "B")]
    pub fn batch(name: &str) -> Expr {
        named(Node::Batch(Some(name.to_owned())))
    }

    #[rhai_fn(name = "B")]
    pub fn whole_batch() -> Expr {
        named(Node::Batch(None))
    }

    /// Returns the expression of the items of a component as an array.
    ///
    /// ```rhai
    /// let p = dataset(2, #{ preloaded: #{ x: [1, 2] } }).pipeline().update(V("all", "e"), L("x"));
    /// p.run(1);
    /// p.v("all") // => [1, 2]
    /// ```
    #[rhai_fn(name = "L")]
    pub fn items(component: &str) -> Expr {
        named(Node::Items(component.to_owned()))
    }

    /// Returns the expression of a variable of the pipeline. The mode says how it is saved to: `"w"` writes (the default),
    /// `"a"` appends to an array, `"e"` extends one by all elements, `"u"` updates a map or metrics. A variable without
    /// a value is first made: by `"a"` an array of the value, by others the value.
    ///
    /// # Errors
    /// An unknown mode.
    ///
    /// ```rhai
    /// let p = dataset(4).pipeline().update(V("seen", "a"), |batch| batch.ids);
    /// p.run(2);
    /// p.v("seen") // => [[0, 1], [2, 3]]
    /// ```
    #[rhai_fn(name = "V")]
    pub fn variable(name: &str) -> Expr {
        named(Node::Variable(name.to_owned(), Mode::Write))
    }

    #[rhai_fn(name = "V", return_raw)]
    pub fn variable_with(name: &str, mode: &str) -> Answer<Expr> {
        Ok(named(Node::Variable(name.to_owned(), Mode::parse(mode).map_err(raise)?)))
    }

    /// Returns the expression of a value of the pipeline's config by its path, and what stands for a missing one.
    ///
    /// ```rhai
    /// let p = dataset(2).pipeline(#{ model: #{ lr: 0.1 } });
    /// p.init_variable("lr", C("model/lr")).init_variable("size", C("model/size", 3));
    /// p.init_variable("lr", C("model/lr")).v("lr") // => 0.1
    /// p.init_variable("size", C("model/size", 3)).v("size") // => 3
    /// ```
    #[rhai_fn(name = "C")]
    pub fn config(path: &str) -> Expr {
        named(Node::Config(path.to_owned(), None))
    }

    #[rhai_fn(name = "C")]
    pub fn config_or(path: &str, otherwise: Dynamic) -> Expr {
        named(Node::Config(path.to_owned(), Some(otherwise)))
    }

    /// Returns the expression of an attribute of the data set, or of the data set itself.
    ///
    /// ```rhai
    /// let p = dataset(2, #{ attrs: #{ classes: 7 } }).pipeline().update(V("n"), D("classes") + 1);
    /// p.run(2);
    /// p.v("n") // => 8
    /// ```
    #[rhai_fn(name = "D")]
    pub fn dataset(name: &str) -> Expr {
        named(Node::Dataset(Some(name.to_owned())))
    }

    #[rhai_fn(name = "D")]
    pub fn whole_dataset() -> Expr {
        named(Node::Dataset(None))
    }

    /// Returns the expression of a model of the pipeline.
    ///
    /// ```rhai
    /// M("net") // => M("net")
    /// ```
    #[rhai_fn(name = "M")]
    pub fn model(name: &str) -> Expr {
        named(Node::Model(name.to_owned()))
    }

    /// Returns the expression of how far the run is: `"current"`, the number of the batch, from 1; `"max"`, that of the
    /// last one; `"ratio"`, the part of the run that this batch ends. Prefixes do.
    ///
    /// ```rhai
    /// let p = dataset(4).pipeline().update(V("r", "a"), I("ratio"));
    /// p.run(1);
    /// p.v("r") // => [0.25, 0.5, 0.75, 1.0]
    /// ```
    #[rhai_fn(name = "I")]
    pub fn iteration(what: &str) -> Expr {
        named(Node::Iteration(what.to_owned()))
    }

    #[rhai_fn(name = "I")]
    pub fn current() -> Expr {
        named(Node::Iteration("current".to_owned()))
    }

    /// Returns the expression of a random draw, made once for each batch: `"uniform"` from low to high, `"normal"` of a
    /// mean and a deviation, `"integers"` from low to before high; or one of an array of values. Options, last: `size`,
    /// the shape of a draw; `seed`, so that each batch draws the same; `p`, probabilities of the values.
    ///
    /// # Errors
    /// An unknown distribution, a range without numbers.
    ///
    /// ```rhai
    /// R("uniform", -30, 30) // => R("uniform", -30.0, 30.0)
    /// R(["left", "right"], #{ p: [0.2, 0.8] }) // => R(["left", "right"])
    /// let p = dataset(3).pipeline().update(V("shape"), R("normal", 0, 1, #{ size: [2, 2] }).shape);
    /// p.run(3);
    /// p.v("shape") // => [2, 2]
    /// ```
    #[rhai_fn(name = "R", return_raw)]
    pub fn random(what: Dynamic) -> Answer<Expr> {
        draw(&what, Vec::new())
    }

    #[rhai_fn(name = "R", return_raw)]
    pub fn random_1(what: Dynamic, a: Dynamic) -> Answer<Expr> {
        draw(&what, vec![a])
    }

    #[rhai_fn(name = "R", return_raw)]
    pub fn random_2(what: Dynamic, a: Dynamic, b: Dynamic) -> Answer<Expr> {
        draw(&what, vec![a, b])
    }

    #[rhai_fn(name = "R", return_raw)]
    pub fn random_3(what: Dynamic, a: Dynamic, b: Dynamic, options: Dynamic) -> Answer<Expr> {
        draw(&what, vec![a, b, options])
    }

    /// Returns the expression of a value for each item: of a draw, as many draws; of an array or a tensor, its elements,
    /// as many as the batch has items.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ x: [1, 2] });
    /// batch.apply(|x, k| x * k, #{ src: "x", args: [P([10, 100])] }).x // => tensor([10, 200])
    /// ```
    #[rhai_fn(name = "P")]
    pub fn per_item(value: Dynamic) -> Expr {
        named(Node::PerItem(value))
    }

    /// Returns the expression of a value for each item, from an evaluation of its own for each.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ x: [1, 2] });
    /// batch.apply(|x, k| k.len, #{ src: "x", args: [PP(R("normal", 0, 1, #{ size: 3 }))] }).x // => tensor([3, 3])
    /// ```
    #[rhai_fn(name = "PP")]
    pub fn each_item(value: Dynamic) -> Expr {
        named(Node::EachItem(value))
    }

    /// Returns the expression of what a function returns: of the batch, or of an array of arguments.
    ///
    /// ```rhai
    /// fn double(x) { 2 * x }
    /// let p = dataset(3).pipeline().update(V("n"), F(double, [I("current")])).update(V("len"), F(|batch| batch.len));
    /// p.run(3);
    /// [p.v("n"), p.v("len")] // => [2, 3]
    /// ```
    #[rhai_fn(name = "F", return_raw)]
    pub fn function(context: NativeCallContext, function: FnPtr) -> Answer<Expr> {
        Ok(named(Node::Call(Callable::new(&context, function)?, None)))
    }

    #[rhai_fn(name = "F", return_raw)]
    pub fn function_of(context: NativeCallContext, function: FnPtr, arguments: List) -> Answer<Expr> {
        Ok(named(Node::Call(Callable::new(&context, function)?, Some(arguments))))
    }

    /// Returns the expression that stands for an expression itself, unevaluated.
    ///
    /// ```rhai
    /// let p = dataset(3).pipeline().update(V("e"), W(B("x")));
    /// p.run(3);
    /// p.v("e") // => B("x")
    /// ```
    #[rhai_fn(name = "W")]
    pub fn whole(expression: Expr) -> Expr {
        named(Node::Whole(expression))
    }

    /// Returns the expression of one of two values.
    ///
    /// ```rhai
    /// let p = dataset(4).pipeline().update(V("half", "a"), IF(I("ratio") > 0.5, "second", "first"));
    /// p.run(2);
    /// p.v("half") // => ["first", "second"]
    /// ```
    #[rhai_fn(name = "IF", return_raw)]
    pub fn either(context: NativeCallContext, condition: Dynamic, yes: Dynamic, no: Dynamic) -> Answer<Expr> {
        let part = |value: Dynamic| prepare(&context, value);
        Ok(named(Node::If(part(condition)?, part(yes)?, part(no)?)))
    }

    /// Returns the expression of a field of what an expression stands for: `B("images").shape`.
    ///
    /// ```rhai
    /// B("images").shape // => B("images").shape
    /// ```
    #[rhai_fn(index_get, pure)]
    pub fn field(expr: &mut Expr, name: ImmutableString) -> Expr {
        named(Node::Field(Dynamic::from(expr.clone()), name.to_string()))
    }

    #[rhai_fn(index_get, pure)]
    pub fn element(expr: &mut Expr, position: i64) -> Expr {
        named(Node::Native("index$get$".to_owned(), vec![Dynamic::from(expr.clone()), Dynamic::from(position)]))
    }

    /// Returns the expression of what a method gives that is called on what an expression stands for, with an array of
    /// arguments.
    ///
    /// ```rhai
    /// B("x").invoke("mean") // => B("x").mean()
    /// B("x").invoke("mean", [0]) // => B("x").mean(0)
    /// ```
    #[rhai_fn(name = "invoke")]
    pub fn invoke(expr: Expr, method: &str) -> Expr {
        invoke_with(expr, method, List::new())
    }

    #[rhai_fn(name = "invoke")]
    pub fn invoke_with(expr: Expr, method: &str, arguments: List) -> Expr {
        let all = std::iter::once(Dynamic::from(expr)).chain(arguments).collect();
        named(Node::Native(method.to_owned(), all))
    }

    /// Returns the expression of the text of what an expression stands for.
    ///
    /// ```rhai
    /// let p = dataset(1).pipeline().update(V("name"), I("current").str() + ". batch");
    /// p.run(1);
    /// p.v("name") // => "1. batch"
    /// ```
    #[rhai_fn(name = "str")]
    pub fn text(expr: Expr) -> Expr {
        named(Node::Native("to_string".to_owned(), vec![Dynamic::from(expr)]))
    }

    /// Returns the expression as it is written.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(expr: Expr) -> String {
        expr.to_string()
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn values_to_string(values: PerItem) -> String {
        format!("PerItem({})", Dynamic::from(values.0))
    }
}
