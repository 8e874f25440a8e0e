//! The whole vocabulary at once: known values, one host against the other on ordinary and odd input, and
//! gradients against finite differences. What concerns one file alone is tested in it.

mod gradients;
mod hosts;
mod known;

use super::{Array, Dtype, Nested, Number, Tensor, device};
use crate::error::Result;

/// An operation of one tensor, with a name for messages.
type Unary = (&'static str, fn(&Tensor) -> Result<Tensor>);
/// An operation of two tensors.
type Binary = (&'static str, fn(&Tensor, &Tensor) -> Result<Tensor>);

fn f32s(data: &[f32], shape: &[usize]) -> Tensor {
    Array::from_f32(data.to_vec(), shape).unwrap().into()
}

fn f64s(data: &[f64], shape: &[usize]) -> Tensor {
    Array::from_f64(data.to_vec(), shape).unwrap().into()
}

fn i64s(data: &[i64], shape: &[usize]) -> Tensor {
    Array::from_i64(data.to_vec(), shape).unwrap().into()
}

fn u8s(data: &[u8], shape: &[usize]) -> Tensor {
    Array::from_u8(data.to_vec(), shape).unwrap().into()
}

/// The same tensor as a value of a graph.
fn on_graph(tensor: &Tensor) -> Tensor {
    Tensor::Graph(tensor.to_graph(&device::cpu()).unwrap())
}

/// Fails unless both have the same dtype and shape, and values that differ by at most 1e-6 (relative to
/// numbers above 1; NaN equals NaN).
fn assert_close(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(found.dtype(), expected.dtype(), "{what}: dtype\n  {found}\n  {expected}");
    assert_eq!(found.shape(), expected.shape(), "{what}: shape\n  {found}\n  {expected}");
    let (a, b) = (found.to_host().unwrap().to_f64_vec(), expected.to_host().unwrap().to_f64_vec());
    for (x, y) in a.iter().zip(&b) {
        let same = x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= 1e-6 * y.abs().max(1.0);
        assert!(same, "{what}: {x} instead of {y}\n  {found}\n  {expected}");
    }
}

/// Operations of one tensor, right and wrong.
fn unary() -> Vec<Unary> {
    vec![
        ("abs", |x| x.abs()),
        ("exp", |x| x.exp()),
        ("log", |x| x.log()),
        ("sqrt", |x| x.sqrt()),
        ("sigmoid", |x| x.sigmoid()),
        ("tanh", |x| x.tanh()),
        ("relu", |x| x.relu()),
        ("round", |x| x.round()),
        ("floor", |x| x.floor()),
        ("neg", |x| x.neg()),
        ("clip", |x| x.clip(-1, 2)),
        ("clip floats", |x| x.clip(-0.5, 0.75)),
        ("clip wrong", |x| x.clip(2, 1)),
        ("softmax -1", |x| x.softmax(-1)),
        ("softmax 0", |x| x.softmax(0)),
        ("softmax wrong", |x| x.softmax(7)),
        ("sum", |x| x.sum(None, false)),
        ("sum keep", |x| x.sum(None, true)),
        ("sum nothing", |x| x.sum(Some(&[]), false)),
        ("sum 0", |x| x.sum(Some(&[0]), false)),
        ("sum -1 keep", |x| x.sum(Some(&[-1]), true)),
        ("sum 0 -1", |x| x.sum(Some(&[0, -1]), false)),
        ("sum twice", |x| x.sum(Some(&[0, 0]), false)),
        ("mean", |x| x.mean(None, false)),
        ("mean 0", |x| x.mean(Some(&[0]), true)),
        ("mean 1", |x| x.mean(Some(&[1]), false)),
        ("std", |x| x.std(None, false)),
        ("std 0", |x| x.std(Some(&[0]), false)),
        ("variance", |x| x.variance(None, true)),
        ("variance -1", |x| x.variance(Some(&[-1]), false)),
        ("min", |x| x.min(None, false)),
        ("min 0", |x| x.min(Some(&[0]), false)),
        ("max", |x| x.max(None, true)),
        ("max -1", |x| x.max(Some(&[-1]), true)),
        ("max nothing", |x| x.max(Some(&[]), true)),
        ("argmin", |x| x.argmin(None, true)),
        ("argmin 0", |x| x.argmin(Some(0), false)),
        ("argmax", |x| x.argmax(None, false)),
        ("argmax -1", |x| x.argmax(Some(-1), true)),
        ("any", |x| x.any(None, false)),
        ("any 0", |x| x.any(Some(&[0]), false)),
        ("all", |x| x.all(None, true)),
        ("all -1", |x| x.all(Some(&[-1]), false)),
        ("count", |x| x.count(None, None, false)),
        ("count 1", |x| x.count(Some(Number::Int(1)), Some(&[0]), false)),
        ("count 0.5", |x| x.count(Some(Number::Float(0.5)), None, true)),
        ("norm", |x| x.norm(None, false)),
        ("norm -1", |x| x.norm(Some(&[-1]), true)),
        ("sort", |x| x.sort(None, false)),
        ("sort 0 down", |x| x.sort(Some(0), true)),
        ("argsort", |x| x.argsort(None, false)),
        ("unique", |x| x.unique()),
        ("reshape -1", |x| x.reshape(&[-1])),
        ("reshape 2 -1", |x| x.reshape(&[2, -1])),
        ("reshape two unknown", |x| x.reshape(&[-1, -1])),
        ("reshape wrong", |x| x.reshape(&[7, 5])),
        ("reshape huge", |x| x.reshape(&[isize::MAX, isize::MAX])),
        ("reshape none", |x| x.reshape(&[])),
        ("reshape 0", |x| x.reshape(&[0, -1])),
        ("flatten", |x| x.flatten()),
        ("transpose", |x| x.transpose(None)),
        ("transpose 1 0", |x| x.transpose(Some(&[1, 0]))),
        ("transpose wrong", |x| x.transpose(Some(&[0, 0]))),
        ("expand", |x| x.expand(0)),
        ("expand -1", |x| x.expand(-1)),
        ("expand wrong", |x| x.expand(9)),
        ("squeeze", |x| x.squeeze(None)),
        ("squeeze 0", |x| x.squeeze(Some(0))),
        ("index 0", |x| x.index(0)),
        ("index -1", |x| x.index(-1)),
        ("index wrong", |x| x.index(isize::MIN)),
        ("slice 0 1 end", |x| x.slice(0, 1, None)),
        ("slice -1 0 -1", |x| x.slice(-1, 0, Some(-1))),
        ("slice empty", |x| x.slice(0, 1, Some(1))),
        ("slice wrong", |x| x.slice(0, 2, Some(1))),
        ("slice far", |x| x.slice(0, isize::MIN, Some(isize::MAX))),
        ("pad", |x| x.pad(&vec![(1, 2); x.rank()], 3)),
        ("pad wrong", |x| x.pad(&[(1, 1); 9], 0)),
        ("pad huge", |x| x.pad(&vec![(usize::MAX, 1); x.rank()], 0)),
        ("take", |x| x.take(&i64s(&[1, 0, -1], &[3]), 0)),
        ("take matrix", |x| x.take(&i64s(&[0, -1], &[2, 1]), -1)),
        ("take none", |x| x.take(&i64s(&[], &[0]), 0)),
        ("take floats", |x| x.take(&f32s(&[0.0], &[1]), 0)),
        ("take far", |x| x.take(&i64s(&[i64::MIN], &[1]), 0)),
        ("one_hot", |x| Tensor::one_hot(x, 6)),
        ("to_f32", |x| x.to_f32()),
        ("to_f64", |x| x.to_f64()),
        ("to_i64", |x| x.to_i64()),
        ("to_u8", |x| x.to_u8()),
        ("add 1", |x| x.add(1)),
        ("add 0.5", |x| x.add(0.5)),
        ("add max", |x| x.add(i64::MAX)),
        ("sub 2", |x| x.sub(2)),
        ("mul 3", |x| x.mul(3)),
        ("mul 0", |x| x.mul(0)),
        ("div 3", |x| x.div(3)),
        ("div 0", |x| x.div(0)),
        ("rem 3", |x| x.rem(3)),
        ("rem -1", |x| x.rem(-1)),
        ("rem 0", |x| x.rem(0)),
        ("rem 0.3", |x| x.rem(0.3)),
        ("pow 2", |x| x.pow(2)),
        ("pow 0", |x| x.pow(0)),
        ("pow 3", |x| x.pow(3)),
        ("pow -1", |x| x.pow(-1)),
        ("pow 0.5", |x| x.pow(0.5)),
        ("pow far", |x| x.pow(i64::MAX)),
        ("1 -", |x| super::Arithmetic::Sub.apply(1, x)),
        ("1 /", |x| super::Arithmetic::Div.apply(1.0, x)),
        ("7 %", |x| super::Arithmetic::Rem.apply(7, x)),
        ("2 **", |x| super::Arithmetic::Pow.apply(2, x)),
        ("equal 1", |x| x.equal(1)),
        ("less 0.5", |x| x.less(0.5)),
        ("greater -300", |x| x.greater(-300)),
        ("1 <", |x| super::Comparison::Less.apply(1, x)),
        ("where", |x| x.greater(0)?.r#where(x, 0)),
        ("where floats", |x| x.r#where(0.5, x)),
        ("where scalars", |x| x.r#where(1, 0)),
        ("where 300", |x| x.r#where(300, x)),
        ("stack", |x| Tensor::stack(&[x.clone(), x.clone()], 0)),
        ("stack -1", |x| Tensor::stack(&[x.clone(), x.clone()], -1)),
        ("stack nothing", |_| Tensor::stack(&[], 0)),
        ("concat", |x| Tensor::concat(&[x.clone(), x.clone(), x.clone()], 0)),
        ("concat -1", |x| Tensor::concat(&[x.clone(), x.clone()], -1)),
        ("concat nothing", |_| Tensor::concat(&[], 0)),
        ("own transpose", |x| x.matmul(&x.transpose(None)?)),
        ("gather argmax", |x| x.gather(&x.argmax(Some(-1), false)?, -1)),
        ("gather argsort", |x| x.gather(&x.argsort(Some(0), true)?, 0)),
    ]
}

/// Operations of two tensors.
fn binary() -> Vec<Binary> {
    vec![
        ("add", |a, b| a.add(b)),
        ("sub", |a, b| a.sub(b)),
        ("mul", |a, b| a.mul(b)),
        ("div", |a, b| a.div(b)),
        ("rem", |a, b| a.rem(b)),
        ("pow", |a, b| a.pow(b)),
        ("equal", |a, b| a.equal(b)),
        ("not_equal", |a, b| a.not_equal(b)),
        ("less", |a, b| a.less(b)),
        ("less_equal", |a, b| a.less_equal(b)),
        ("greater", |a, b| a.greater(b)),
        ("greater_equal", |a, b| a.greater_equal(b)),
        ("where", |a, b| a.r#where(b, a)),
        ("matmul", |a, b| a.matmul(b)),
        ("dot", |a, b| a.dot(b)),
        ("concat", |a, b| Tensor::concat(&[a.clone(), b.clone()], 0)),
        ("concat -1", |a, b| Tensor::concat(&[a.clone(), b.clone()], -1)),
        ("stack", |a, b| Tensor::stack(&[a.clone(), b.clone()], 0)),
        ("take", |a, b| a.take(b, 0)),
        ("gather", |a, b| a.gather(b, -1)),
    ]
}

/// Tensors of every dtype, shape and layout that may make trouble.
fn odd() -> Vec<(String, Tensor)> {
    let specials = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MAX, f32::MIN_POSITIVE];
    let grid: Vec<f32> = (0..24).map(|i| ((i * 7) % 11) as f32 * 0.5 - 2.5).collect();
    let bases = [
        ("scalar", f32s(&[0.5], &[])),
        ("vector", f32s(&[1.0, -2.5, 0.0, 1.0], &[4])),
        ("one", f32s(&[3.0], &[1])),
        ("none", f32s(&[], &[0])),
        ("no rows", f32s(&[], &[0, 3])),
        ("no columns", f32s(&[], &[2, 0])),
        ("no middle", f32s(&[], &[2, 0, 3])),
        ("row", f32s(&[1.0, 1.0, 4.0], &[1, 3])),
        ("column", f32s(&[2.0, 0.5], &[2, 1])),
        ("matrix", f32s(&grid[..6], &[2, 3])),
        ("square", f32s(&grid[..9], &[3, 3])),
        ("cube", f32s(&grid, &[2, 3, 4])),
        ("deep", f32s(&grid, &[2, 1, 3, 1, 2, 2])),
        ("pixels", f32s(&[0.0, 255.0, 1.0, 200.0, 1.0, 7.0], &[2, 3])),
        ("whole", f32s(&[0.0, 1.0, 2.0, 3.0, 1.0, 2.0], &[2, 3])),
    ];
    let mut all: Vec<(String, Tensor)> = Vec::new();
    for (name, tensor) in bases {
        for dtype in [Dtype::F64, Dtype::I64] {
            all.push((format!("{name} {dtype}"), tensor.to_dtype(dtype).unwrap()));
        }
        let small = tensor.clip(0, 255).unwrap();
        all.push((format!("{name} u8"), small.to_u8().unwrap()));
        all.push((format!("{name} f32"), tensor));
    }
    all.push(("specials".into(), f32s(&specials, &[6])));
    all.push(("specials as matrix".into(), f32s(&specials, &[2, 3])));
    all.push(("extremes".into(), i64s(&[i64::MIN, i64::MAX, -1, 0, 1, i64::MIN], &[2, 3])));
    let cube = f32s(&grid, &[2, 3, 4]);
    all.push(("turned".into(), cube.transpose(None).unwrap()));
    all.push(("inner".into(), cube.slice(2, 1, Some(3)).unwrap().slice(1, 1, None).unwrap()));
    all.push(("turned whole".into(), i64s(&[2, 0, 1, 1, 0, 2], &[2, 3]).transpose(None).unwrap()));
    all
}
