//! The same functions on both hosts of a tensor: the cases of tensors, on values of a training step.

use std::fs;

use barrage::loss::Loss;
use barrage::record::Mode;
use barrage::script::Host;
use barrage::script::adaptor::ScriptLoss;
use barrage::script::cast;
use barrage::tensor::{Device, Tensor, device};
use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration};

use super::{Project, differences, folder, run};

fn lift(tensor: Tensor) -> Result<Tensor, Box<EvalAltResult>> {
    // An empty tensor has no place in a graph.
    match tensor.size() {
        0 => Ok(tensor),
        _ => tensor.to_graph(&cpu()).map(Tensor::Graph).map_err(|error| error.to_string().into()),
    }
}

fn cpu() -> Device {
    device::cpu()
}

/// `tensor` makes graph tensors here, and all that is made of them stays in the graph.
fn graph(engine: &mut Engine) {
    let make = |values: Dynamic| -> Result<Tensor, Box<EvalAltResult>> {
        lift(cast::to_tensor(&values).map_err(barrage::script::traceback::raise)?)
    };
    FuncRegistration::new("tensor").with_params_info(["values: Numbers", "Tensor"]).register_into_engine(engine, make);
}

#[test]
fn tensors_of_a_graph_behave_like_those_of_the_host() {
    let mut wrong = Vec::new();
    for name in ["tensor_make", "tensor_shape", "tensor_elements", "tensor_operators", "tensor_reduce"] {
        let file = folder().join(format!("{name}.rhai"));
        let text = fs::read_to_string(&file).unwrap();
        let found = run(&text, |project: &Project| project.host().extend(graph).build().unwrap());
        wrong.extend(differences(&file, &text, &found));
    }
    assert!(wrong.is_empty(), "on graph tensors\n{}", wrong.join("\n"));
}

/// Each of these is a loss; its gradient is compared with finite differences.
const LOSSES: &[&str] = &[
    "(y_true - y_pred).pow(2).mean(-1)",
    "(y_true - y_pred).abs().sum(1)",
    "-(y_true * (y_pred.softmax() + 1e-7).log()).sum(-1)",
    "where(y_pred > 0.3, y_pred * 2.0, y_pred.exp()).mean(-1)",
    "(y_pred.sigmoid() * y_pred.tanh() + y_pred.relu().sqrt()).mean(-1)",
    "y_pred.clip(-0.5, 0.5).sum(-1) + y_pred.max(-1) - y_pred.min(-1)",
    "y_pred.norm(-1) + y_pred.std(-1) + y_pred.variance(-1)",
    "y_pred.matmul(y_true.transpose()).sum(-1)",
    "y_pred.slice(1, 0, 2).mean(-1) + y_pred.take([2, 0], 1).sum(-1)",
    "concat([y_pred, y_true], 1).pow(2).sum(-1)",
    "y_pred.gather(tensor([[0], [2]]), 1).squeeze(1)",
    "y_pred.reshape([2, 3, 1]).expand(0).squeeze(0).flatten().reshape([2, 3]).sum(-1)",
    "y_pred.pad([[0, 0], [1, 0]], 0.0).sum(-1) + y_pred[0].sum()",
    "(1.0 / (y_pred + 3.0)).sum(-1) - 2 ** y_pred.mean(-1)",
    "let total = 0.0; for column in 0..3 { total += y_pred.slice(1, column, column + 1).squeeze(1) ** 2 } total",
    "stack([y_pred, y_true], 1).sum([1, 2]) * (y_pred.argmax(-1) + 1)",
];

#[test]
fn scripted_losses_have_gradients() {
    let project = Project::new();
    for formula in LOSSES {
        fs::write(project.0.path().join("own.rhai"), format!("fn loss(y_true, y_pred) {{ {formula} }}")).unwrap();
        let host = project.host().build().unwrap();
        let component = host.component("own", &Default::default()).unwrap();
        let loss = ScriptLoss::new(component).unwrap_or_else(|error| panic!("{formula}: {error}"));
        check_gradient(formula, &loss);
    }
}

fn check_gradient(formula: &str, loss: &ScriptLoss) {
    use candle_core::{Tensor as Graph, Var};
    let y_true = Graph::new(&[[0.2f32, 0.7, 0.1], [0.9, 0.05, 0.05]], &cpu()).unwrap();
    let start = [[0.35f32, -0.2, 0.8], [0.1, 0.6, -0.45]];
    let y_pred = Var::new(&start, &cpu()).unwrap();
    let total = |y_pred: &Graph| loss.per_sample(&y_true, y_pred).unwrap_or_else(|error| panic!("{formula}: {error}"));
    let sum = total(y_pred.as_tensor()).sum_all().unwrap();
    let gradient =
        sum.backward().unwrap().get(&y_pred).unwrap_or_else(|| panic!("{formula}: no gradient")).to_vec2::<f32>();
    let gradient = gradient.unwrap();
    let value = |moved: [[f32; 3]; 2]| {
        let sum = total(&Graph::new(&moved, &cpu()).unwrap()).to_vec1::<f32>().unwrap();
        sum.iter().map(|value| f64::from(*value)).sum::<f64>()
    };
    for (row, column) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
        let step = 1e-2f32;
        let (mut up, mut down) = (start, start);
        up[row][column] += step;
        down[row][column] -= step;
        let expected = (value(up) - value(down)) / f64::from(2.0 * step);
        let found = f64::from(gradient[row][column]);
        assert!(
            (found - expected).abs() < 0.02 * expected.abs().max(1.0),
            "{formula}: at [{row}, {column}] the gradient is {found}, by differences {expected}"
        );
    }
}

#[test]
fn what_a_scripted_loss_returns_is_checked() {
    let project = Project::new();
    let y = candle_core::Tensor::zeros((2, 3), candle_core::DType::F32, &cpu()).unwrap();
    for (formula, expected) in [
        ("1.0", "expected a Tensor, found a number with a fraction (what `loss` of `own` returned)"),
        (
            "y_pred.sum()",
            "expected one value for each of the 2 records, found shape [] (what `loss` of `own` returned)",
        ),
        (
            "tensor([1.0, 2.0])",
            "the loss does not depend on `y_pred`, so nothing can be learned from it (what `loss` of `own` returned)",
        ),
        ("this.seen = 1; y_pred.mean(-1)", "`this` cannot be changed in `loss`, which sets `this.seen`"),
    ] {
        fs::write(project.0.path().join("own.rhai"), format!("fn loss(y_true, y_pred) {{ {formula} }}")).unwrap();
        let host = project.host().build().unwrap();
        let loss = ScriptLoss::new(host.component("own", &Default::default()).unwrap()).unwrap();
        assert_eq!(loss.per_sample(&y, &y).unwrap_err().to_string(), expected);
    }
}

/// Every function of the API that takes a value of ours works on a field of a read-only `this`.
#[test]
fn methods_work_on_a_read_only_state() {
    let project = Project::new();
    let script = r#"
        fn init() {
            this.x = tensor([[1.0, 2.0], [3.0, 4.0]]);
            this.table = records([#{ a: 1 }, #{ a: 2 }]);
            this.row = this.table[0];
            this.rng = rng(1);
            this.list = [1, 2];
            this.map = #{ a: 1 };
        }
        fn read() {
            [this.x.sum(), this.x.shape, this.x[0], this.x.to_array(), this.x + 1, this.x == this.x, this.x.reshape([4]),
             this.x.argmax(1), this.x.clip(0, 1), this.x.len(), this.table.len, this.table.column("a"), this.table[1].a,
             this.table.head(1).len, this.table.split(0.5)[0].len, this.table.filter(|r| r.a > 1).len, this.row.a,
             this.row.get("b", 0), this.row.gather(["a"]), this.row.keys(), this.rng.below(1), this.rng.normal(0, 0),
             this.list.index_of(2), 2 in this.list, this.list == [1, 2], this.list.map(|v| v + 1), this.map.get("b", 5),
             this.map.keys(), this.params.get("c", 7), this.table.describe().len() > 0, `${this.x}`]
        }
        fn change_list() { this.list.push(3) }
        fn change_map() { this.map.b = 3 }
        fn change_field() { this.x = 3 }
        fn help() { this["b"] = 3 }
        fn change_through() { this.help() }
        fn change_deep() { this.map.remove("a") }
    "#;
    fs::write(project.0.path().join("state.rhai"), script).unwrap();
    let host: Host = project.host().build().unwrap();
    let component = host.component("state", &Default::default()).unwrap();
    component.init(Mode::Train).unwrap();
    let read = component.call("read", Mode::Score, &mut []);
    assert!(read.is_ok(), "{read:?}");
    for (function, expected) in [
        ("change_list", "`push` would change a value that cannot be changed here"),
        ("change_map", "`this` cannot be changed in `change_map`, which sets a field of `this.map`"),
        ("change_field", "`this` cannot be changed in `change_field`, which sets `this.x`"),
        ("change_through", "`this` cannot be changed in `change_through`, which sets a field of `this`"),
        ("change_deep", "`remove` would change a value that cannot be changed here"),
    ] {
        let error = component.call(function, Mode::Score, &mut []).unwrap_err();
        assert_eq!(error.message(), expected);
        assert!(error.hints()[0].contains("`init` and `fit` only"), "{error:?}");
    }
}
