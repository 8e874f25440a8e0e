//! Values worked out by hand, or with numpy.

use super::*;

/// Prints a result, or the message of the error.
fn shown(result: Result<Tensor>) -> String {
    match result {
        Ok(tensor) => tensor.to_string(),
        Err(error) => format!("error: {}", error.message()),
    }
}

#[test]
fn operations_give_the_known_values() {
    let m = f32s(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    let n = i64s(&[3, 1, 2, 2], &[4]);
    let pixels = u8s(&[0, 128, 255], &[3]);
    let cases: Vec<(Result<Tensor>, &str)> = vec![
        // Dtypes.
        (n.add(1), "tensor([4, 2, 3, 3])"),
        (n.add(0.5), "tensor([3.5, 1.5, 2.5, 2.5])"),
        (n.div(2), "tensor([1.5, 0.5, 1.0, 1.0])"),
        (n.div(&n), "tensor([1.0, 1.0, 1.0, 1.0])"),
        (pixels.add(&pixels), "tensor([0, 256, 510])"),
        (pixels.sub(1), "tensor([-1, 127, 254])"),
        (pixels.div(255), "tensor([0.0, 0.5019608, 1.0])"),
        (pixels.mul(&f64s(&[0.5], &[]).squeeze(None).unwrap()), "tensor([0.0, 64.0, 127.5]).to_f64()"),
        (m.add(&m.to_f64().unwrap()), "error: an f32 and an f64 tensor do not combine"),
        (i64s(&[i64::MAX], &[1]).add(1), "error: integer overflow: 9223372036854775807 + 1 does not fit i64"),
        (i64s(&[i64::MIN], &[]).neg(), "error: integer overflow: 0 - -9223372036854775808 does not fit i64"),
        (n.rem(0), "error: remainder of 3 by 0"),
        (i64s(&[-7, 7], &[2]).rem(3), "tensor([-1, 1])"),
        (n.pow(2), "tensor([9, 1, 4, 4])"),
        (n.pow(-1), "tensor([0.33333334, 1.0, 0.5, 0.5])"),
        (i64s(&[2], &[1]).pow(63), "error: integer overflow: 2 ** 63 does not fit i64"),
        (n.pow(&i64s(&[-1], &[])), "error: an integer to a negative power: 3 ** -1"),
        (Tensor::full(&[2], 300, Some(Dtype::U8)), "error: u8 cannot hold 300"),
        (f32s(&[f32::NAN], &[1]).to_i64(), "error: i64 cannot hold NaN"),
        (f32s(&[-1.0], &[1]).to_u8(), "error: u8 holds 0 to 255, found -1"),
        (f32s(&[-0.5, 255.9], &[2]).to_u8(), "tensor([0, 255]).to_u8()"),
        // Large integers are told apart from floats near them.
        (i64s(&[16_777_217], &[1]).equal(16_777_216.0), "tensor([0]).to_u8()"),
        (i64s(&[16_777_217], &[1]).equal(&f32s(&[16_777_216.0], &[1])), "tensor([0]).to_u8()"),
        (f32s(&[0.1], &[1]).equal(0.1), "tensor([1]).to_u8()"),
        // Shapes.
        (m.add(&f32s(&[10.0, 20.0, 30.0], &[3])), "tensor([[11.0, 22.0, 33.0], [14.0, 25.0, 36.0]])"),
        (m.mul(&f32s(&[1.0, -1.0], &[2, 1])), "tensor([[1.0, 2.0, 3.0], [-4.0, -5.0, -6.0]])"),
        (m.add(&f32s(&[1.0, 2.0], &[2])), "error: shapes [2, 3] and [2] do not combine"),
        (m.add(&f32s(&[1.0, 2.0, 3.0], &[1, 3])), "error: shapes [2, 3] and [1, 3] do not combine"),
        (m.reshape(&[3, -1]), "tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])"),
        (m.reshape(&[4, -1]), "error: cannot reshape [2, 3] to [4, -1]: it has 6 elements"),
        (m.transpose(None), "tensor([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])"),
        (m.index(-1), "tensor([4.0, 5.0, 6.0])"),
        (n.index(1), "tensor(1)"),
        (n.index(4), "error: index 4 is out of range for an axis of length 4"),
        (m.slice(1, -2, None), "tensor([[2.0, 3.0], [5.0, 6.0]])"),
        (m.slice(1, 0, Some(4)), "error: slice 0 to 4 is out of range for an axis of length 3"),
        (m.take(&i64s(&[2, 0], &[2]), 1), "tensor([[3.0, 1.0], [6.0, 4.0]])"),
        (m.gather(&i64s(&[2, 0], &[2]), 1), "tensor([3.0, 4.0])"),
        (m.gather(&i64s(&[2, 2, 0, 1], &[2, 2]), 1), "tensor([[3.0, 3.0], [4.0, 5.0]])"),
        (n.pad(&[(1, 2)], 7), "tensor([7, 3, 1, 2, 2, 7, 7])"),
        (Tensor::concat(&[n.clone(), i64s(&[9], &[1])], 0), "tensor([3, 1, 2, 2, 9])"),
        (Tensor::stack(&[n.clone(), n.clone()], 1), "tensor([[3, 3], [1, 1], [2, 2], [2, 2]])"),
        (Tensor::one_hot(&i64s(&[1, 0], &[2]), 2), "tensor([[0.0, 1.0], [1.0, 0.0]])"),
        (Tensor::range(0, 5, 2), "tensor([0, 2, 4])"),
        (Tensor::range(5, 0, -2), "tensor([5, 3, 1])"),
        (Tensor::range(0, 1, 0.25), "tensor([0.0, 0.25, 0.5, 0.75])"),
        (Tensor::range(0, 1, 0), "error: `range` needs a step other than 0"),
        // Reductions.
        (m.sum(None, false), "tensor(21.0)"),
        (m.sum(Some(&[0]), false), "tensor([5.0, 7.0, 9.0])"),
        (m.mean(Some(&[-1]), true), "tensor([[2.0], [5.0]])"),
        (n.mean(None, false), "tensor(2.0)"),
        (m.variance(Some(&[0]), false), "tensor([2.25, 2.25, 2.25])"),
        (n.std(None, false), "tensor(0.70710677)"),
        (m.max(Some(&[0]), false), "tensor([4.0, 5.0, 6.0])"),
        (n.min(None, false), "tensor(1)"),
        (f32s(&[1.0, f32::NAN, 3.0], &[3]).max(None, false), "tensor(NaN)"),
        (n.argmin(None, false), "tensor(1)"),
        (m.argmax(Some(1), false), "tensor([2, 2])"),
        (n.sort(None, true), "tensor([3, 2, 2, 1])"),
        (f32s(&[f32::NAN, 2.0, -1.0], &[3]).sort(None, true), "tensor([2.0, -1.0, NaN])"),
        (n.unique(), "tensor([1, 2, 3])"),
        (n.count(Some(Number::Int(2)), None, false), "tensor(2)"),
        (n.equal(2).unwrap().any(None, false), "tensor(1).to_u8()"),
        (n.greater(1).unwrap().all(None, false), "tensor(0).to_u8()"),
        (f32s(&[3.0, 4.0], &[2]).norm(None, false), "tensor(5.0)"),
        (
            i64s(&[i64::MAX, 1], &[2]).sum(None, false),
            "error: integer overflow: the sum 9223372036854775808 does not fit i64",
        ),
        (f32s(&[], &[0]).mean(None, false), "error: `mean` of no elements: the shape is [0]"),
        (f32s(&[], &[0]).sum(None, false), "tensor(0.0)"),
        // Elements.
        (f32s(&[-0.5, 0.5, 1.5, -2.5], &[4]).round(), "tensor([-1.0, 1.0, 2.0, -3.0])"),
        (f32s(&[1000.0, 1000.0], &[2]).softmax(0), "tensor([0.5, 0.5])"),
        (f32s(&[-200.0, 0.0, 200.0], &[3]).sigmoid(), "tensor([0.0, 0.5, 1.0])"),
        (pixels.clip(10, 1000), "tensor([10, 128, 255]).to_u8()"),
        (n.greater(1).unwrap().r#where(&n, 0), "tensor([3, 0, 2, 2])"),
        // Products.
        (m.matmul(&m.transpose(None).unwrap()), "tensor([[14.0, 32.0], [32.0, 77.0]])"),
        (n.dot(&n), "tensor(18)"),
        (m.matmul(&m), "error: `matmul` of shapes [2, 3] and [2, 3]"),
        (m.dot(&n), "error: `dot` needs two vectors of one length, found shapes [2, 3] and [4]"),
    ];
    for (i, (result, expected)) in cases.into_iter().enumerate() {
        assert_eq!(shown(result), expected, "case {i}");
    }
}

#[test]
fn a_scalar_is_read_as_a_number() {
    assert_eq!(i64s(&[3], &[1, 1]).item().unwrap(), Number::Int(3));
    assert_eq!(f32s(&[0.5], &[]).item().unwrap(), Number::Float(0.5));
    assert_eq!(
        f32s(&[0.5, 1.0], &[2]).item().unwrap_err().message(),
        "`item` reads a tensor with one element; this one has shape [2]"
    );
}

#[test]
fn nested_lists_come_back() {
    let lists: Nested = vec![vec![1, 2], vec![3, 4]].into();
    for tensor in [Tensor::from_nested(&lists).unwrap(), on_graph(&Tensor::from_nested(&lists).unwrap())] {
        assert_eq!(tensor.to_array().unwrap(), lists);
    }
    assert_eq!(f32s(&[], &[2, 0]).to_array().unwrap(), Nested::List(vec![Nested::List(vec![]), Nested::List(vec![])]));
    assert_eq!(serde_json::Value::from(lists).to_string(), "[[1,2],[3,4]]");
}

#[test]
fn sums_and_deviations_keep_their_precision() {
    let many = Tensor::full(&[1_000_000], 0.1, None).unwrap();
    assert_eq!(many.mean(None, false).unwrap().to_string(), "tensor(0.1)");
    assert_eq!(many.std(None, false).unwrap().to_string(), "tensor(0.0)");
    let far = f64s(&[1e9, 1e9 + 1.0, 1e9 + 2.0], &[3]);
    assert_eq!(far.variance(None, false).unwrap().item().unwrap(), Number::Float(2.0 / 3.0));
    let column = far.expand(1).unwrap();
    assert_eq!(column.variance(Some(&[0]), false).unwrap().to_array().unwrap(), vec![2.0 / 3.0].into());
}

#[test]
fn views_share_their_data() {
    let Tensor::Host(array) = f32s(&[0.0; 12], &[3, 4]) else { panic!("on the host") };
    let at = |array: &Array| array.as_f32().as_ptr();
    let base = at(&array);
    let part = Tensor::from(array.clone()).slice(0, 1, None).unwrap().to_host().unwrap();
    assert_eq!(at(&part), base.wrapping_add(4));
    assert_eq!(at(&array.row(2)), base.wrapping_add(8));
    assert_eq!(at(&Tensor::from(array).reshape(&[2, 6]).unwrap().to_host().unwrap()), base);
}

#[test]
fn a_half_precision_graph_is_read_as_f32() {
    let half = Tensor::Graph(
        f32s(&[0.5, 2.0], &[2]).to_graph(&device::cpu()).unwrap().to_dtype(candle_core::DType::BF16).unwrap(),
    );
    assert_eq!(half.dtype(), Dtype::F32);
    assert_close(&half.add(1).unwrap(), &f32s(&[1.5, 3.0], &[2]), "bf16");
    let index =
        Tensor::Graph(i64s(&[1, 0], &[2]).to_graph(&device::cpu()).unwrap().to_dtype(candle_core::DType::U32).unwrap());
    assert_eq!(half.take(&index, 0).unwrap().to_string(), "tensor([2.0, 0.5])");
}

/// A view that does not lie in row-major order is reduced in the same order as a copy that does.
#[test]
fn reductions_do_not_depend_on_how_an_array_lies_in_memory() {
    let values: Vec<f32> = (0..7 * 33).map(|i| ((i * 7919) % 1009) as f32 * 0.37 + 1e-4).collect();
    let lying = Tensor::Host(Array::from_f32(values, &[33, 7]).unwrap()).transpose(None).unwrap();
    let copied = Tensor::Host(lying.to_host().unwrap().to_contiguous());
    for axes in [&[0][..], &[1], &[0, 1]] {
        assert!(lying.sum(Some(axes), false).unwrap().same(&copied.sum(Some(axes), false).unwrap()).unwrap());
        assert!(lying.std(Some(axes), false).unwrap().same(&copied.std(Some(axes), false).unwrap()).unwrap());
    }
}
