//! Gradients of the graph against finite differences of the host, in f64; and at the kinks.

use candle_core::Var;

use super::*;

/// Returns the gradient of the sum of an operation's result, each element weighted differently.
fn gradient(x: &Tensor, operation: impl Fn(&Tensor) -> Result<Tensor>) -> Vec<f64> {
    let variable = Var::from_tensor(&x.to_graph(&device::cpu()).unwrap()).unwrap();
    let loss = weighted(&operation(&Tensor::Graph(variable.as_tensor().clone())).unwrap());
    let Tensor::Graph(loss) = loss else { panic!("the graph's result left the graph") };
    let gradients = loss.backward().unwrap();
    match gradients.get(variable.as_tensor()) {
        Some(gradient) => Array::from_graph(gradient).unwrap().to_f64_vec(),
        None => vec![0.0; x.size()],
    }
}

/// Returns the same gradient by central differences on the host.
fn differences(x: &Tensor, operation: impl Fn(&Tensor) -> Result<Tensor>) -> Vec<f64> {
    let values = x.to_host().unwrap().to_f64_vec();
    let loss = |values: Vec<f64>| {
        let x = Tensor::Host(Array::from_f64(values, x.shape()).unwrap());
        weighted(&operation(&x).unwrap()).item().unwrap().to_f64()
    };
    let step = 1e-6;
    let moved = |i: usize, by: f64| {
        let mut values = values.clone();
        values[i] += by;
        loss(values)
    };
    (0..values.len()).map(|i| (moved(i, step) - moved(i, -step)) / (2.0 * step)).collect()
}

fn weighted(result: &Tensor) -> Tensor {
    let weights: Vec<f64> = (0..result.size()).map(|i| 1.0 + 0.3 * i as f64).collect();
    let weights = Tensor::Host(Array::from_f64(weights, result.shape()).unwrap());
    result.to_f64().unwrap().mul(&weights).unwrap().sum(None, false).unwrap()
}

#[test]
fn gradients_agree_with_finite_differences() {
    // All different, none at a kink or a jump of any operation below.
    let x = f64s(&[0.31, -1.22, 2.13, 0.74, -0.45, 1.66], &[2, 3]);
    let positive = x.abs().unwrap();
    let cases: Vec<(&Tensor, Unary)> = vec![
        (&x, ("abs", |x| x.abs())),
        (&x, ("exp", |x| x.exp())),
        (&positive, ("log", |x| x.log())),
        (&positive, ("sqrt", |x| x.sqrt())),
        (&x, ("sigmoid", |x| x.sigmoid())),
        (&x, ("tanh", |x| x.tanh())),
        (&x, ("relu", |x| x.relu())),
        (&x, ("round", |x| x.round())),
        (&x, ("floor", |x| x.floor())),
        (&x, ("neg", |x| x.neg())),
        (&x, ("clip", |x| x.clip(-1, 1.5))),
        (&x, ("softmax 0", |x| x.softmax(0))),
        (&x, ("softmax -1", |x| x.softmax(-1))),
        (&x, ("sum", |x| x.sum(Some(&[0]), false))),
        (&x, ("mean", |x| x.mean(Some(&[-1]), true))),
        (&x, ("variance", |x| x.variance(Some(&[1]), false))),
        (&x, ("std", |x| x.std(None, false))),
        (&x, ("norm", |x| x.norm(Some(&[0]), false))),
        (&x, ("min", |x| x.min(Some(&[0]), false))),
        (&x, ("max", |x| x.max(None, true))),
        (&x, ("max -1", |x| x.max(Some(&[-1]), false))),
        (&x, ("sort", |x| x.sort(Some(0), true))),
        (&x, ("take", |x| x.take(&i64s(&[0, 2, 0, -1], &[2, 2]), 1))),
        (&x, ("gather", |x| x.gather(&i64s(&[2, 1], &[2]), -1))),
        (&x, ("pad", |x| x.pad(&[(1, 0), (0, 2)], 3))),
        (&x, ("reshape", |x| x.reshape(&[3, -1]))),
        (&x, ("transpose", |x| x.transpose(None))),
        (&x, ("expand", |x| x.expand(1)?.squeeze(None))),
        (&x, ("index", |x| x.index(-1))),
        (&x, ("slice", |x| x.slice(1, 1, None))),
        (&x, ("stack", |x| Tensor::stack(&[x.clone(), x.mul(2)?], -1))),
        (&x, ("concat", |x| Tensor::concat(&[x.clone(), x.exp()?], 1))),
        (&x, ("add", |x| x.add(&x.index(0)?))),
        (&x, ("sub", |x| super::super::Arithmetic::Sub.apply(1, x))),
        (&x, ("mul", |x| x.mul(&x.slice(1, 0, Some(1))?))),
        (&x, ("div", |x| x.index(0)?.div(x))),
        (&x, ("div 3", |x| x.div(3))),
        (&x, ("1 /", |x| super::super::Arithmetic::Div.apply(1, x))),
        (&x, ("rem", |x| x.rem(0.5))),
        (&x, ("rem by", |x| super::super::Arithmetic::Rem.apply(7, x))),
        (&x, ("pow 2", |x| x.pow(2))),
        (&x, ("pow 3", |x| x.pow(3))),
        (&x, ("pow -1", |x| x.pow(-1))),
        (&positive, ("pow 0.5", |x| x.pow(0.5))),
        (&positive, ("pow itself", |x| x.pow(x))),
        (&x, ("pow of negatives", |x| x.pow(&f64s(&[3.0, 2.0, -1.0], &[3])))),
        (&x, ("2 **", |x| super::super::Arithmetic::Pow.apply(2, x))),
        (&x, ("where", |x| x.greater(0)?.r#where(x, &x.mul(-3)?))),
        (&x, ("matmul", |x| x.matmul(&x.transpose(None)?))),
        (&x, ("matmul of batches", |x| Tensor::stack(&[x.clone(), x.exp()?], 0)?.matmul(&x.transpose(None)?))),
        (&x, ("dot", |x| x.index(0)?.dot(&x.index(1)?))),
        (&x, ("to_f32", |x| x.mul(0)?.add(x))),
        (
            &x,
            ("log_softmax", |x| match x {
                Tensor::Graph(graph) => Ok(Tensor::Graph(super::super::graph::log_softmax(graph, 1)?)),
                host => host.softmax(1)?.log(),
            }),
        ),
    ];
    for (x, (name, operation)) in cases {
        let (found, expected) = (gradient(x, operation), differences(x, operation));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{name}: {found} instead of {expected}");
        }
    }
}

#[test]
fn gradients_at_the_kinks_are_those_of_keras() {
    let sum = |operation: fn(&Tensor) -> Result<Tensor>| move |x: &Tensor| operation(x)?.sum(None, false);
    for (name, x, operation, expected) in [
        ("relu at 0", &[0.0, 1.0][..], sum(|x| x.relu()), &[0.0, 1.0][..]),
        ("abs at 0", &[0.0, -2.0], sum(|x| x.abs()), &[0.0, -1.0]),
        ("clip at its borders", &[0.0, 1.0, 2.0], sum(|x| x.clip(0, 1)), &[1.0, 1.0, 0.0]),
        ("max of equals", &[3.0, 1.0, 3.0], sum(|x| x.max(None, false)), &[1.0, 0.0, 0.0]),
        ("std of equals", &[3.0, 3.0], sum(|x| x.std(None, false)), &[0.0, 0.0]),
        ("norm of nothing", &[0.0, 0.0], sum(|x| x.norm(None, false)), &[0.0, 0.0]),
        ("pow 1 at 0", &[0.0, 2.0], sum(|x| x.pow(1)), &[1.0, 1.0]),
        ("pow 0 at 0", &[0.0, 2.0], sum(|x| x.pow(0)), &[0.0, 0.0]),
        ("sigmoid far out", &[-200.0, 200.0], sum(|x| x.sigmoid()), &[0.0, 0.0]),
        ("softmax far out", &[-1000.0, 1000.0], sum(|x| x.softmax(0)), &[0.0, 0.0]),
    ] {
        let x = f32s(&x.iter().map(|&x: &f64| x as f32).collect::<Vec<_>>(), &[x.len()]);
        assert_eq!(gradient(&x, operation), expected, "{name}");
    }
}
