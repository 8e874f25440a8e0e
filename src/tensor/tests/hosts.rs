//! One host against the other: the same dtype, shape and values, or the same error; and no panic.

use super::*;

fn compare(host: Result<Tensor>, graph: Result<Tensor>, what: &str) {
    match (host, graph) {
        (Ok(host), Ok(graph)) => {
            assert!(matches!(host, Tensor::Host(_)), "{what}: the host's result left the host");
            assert_close(&graph, &host, what);
        }
        (Err(host), Err(graph)) => assert_eq!(graph.message(), host.message(), "{what}"),
        (host, graph) => panic!("{what}: host {host:?}, graph {graph:?}"),
    }
}

#[test]
fn both_hosts_agree_on_every_operation_of_one_tensor() {
    for (shape, tensor) in odd() {
        let graph = on_graph(&tensor);
        for (name, operation) in unary() {
            compare(operation(&tensor), operation(&graph), &format!("{name} of {shape}"));
        }
    }
}

#[test]
fn both_hosts_agree_on_every_operation_of_two_tensors() {
    let odd = odd();
    for (left_name, left) in &odd {
        for (right_name, right) in &odd {
            for (name, operation) in binary() {
                let what = format!("{left_name} {name} {right_name}");
                // Whether a product overflows before it is added depends on the machine's fused instructions.
                if name == "matmul" && (left_name.contains("special") || right_name.contains("special")) {
                    let _ = (operation(left, right), operation(&on_graph(left), &on_graph(right)));
                    continue;
                }
                let host = operation(left, right);
                compare(host.clone(), operation(&on_graph(left), &on_graph(right)), &what);
                // Where the two meet, the result is the graph's.
                let mixed = operation(left, &on_graph(right));
                if let (Ok(mixed), Ok(host)) = (mixed, host) {
                    assert_close(&mixed, &host, &what);
                }
            }
        }
    }
}

#[test]
fn values_that_share_a_graph_layout_are_read_in_order() {
    let cube = on_graph(&Tensor::range(0, 24, 1).unwrap().to_f32().unwrap().reshape(&[2, 3, 4]).unwrap());
    let turned = cube.transpose(None).unwrap();
    for (name, operation) in unary() {
        compare(
            operation(&Tensor::Host(turned.to_host().unwrap())),
            operation(&turned),
            &format!("{name} of a turned graph"),
        );
    }
}

#[test]
fn no_odd_size_panics() {
    let empty = Tensor::zeros(&[1 << 40, 0], Dtype::F32).unwrap();
    assert!(empty.sum(Some(&[1]), false).is_err());
    assert!(empty.norm(Some(&[1]), false).is_err());
    assert!(empty.count(None, Some(&[1]), false).is_err());
    assert!(empty.to_array().is_err());
    assert!(Tensor::zeros(&[1 << 30, 1 << 30], Dtype::U8).is_err());
    assert!(Tensor::ones(&[usize::MAX], Dtype::F64).is_err());
    assert!(Tensor::one_hot(&i64s(&[0, 1], &[2]), usize::MAX).is_err());
    assert!(Tensor::range(0, i64::MAX, 1).is_err());
    assert!(Tensor::range(i64::MIN, i64::MAX, 1).is_err());
    assert!(Tensor::range(0.0, f64::INFINITY, 1.0).is_err());
    assert!(Tensor::range(0.0, 1.0, f64::NAN).is_err());
    assert!(Tensor::concat(&vec![Tensor::zeros(&[0, 1 << 58], Dtype::U8).unwrap(); 64], 1).is_err());
    let mut deep = Tensor::scalar(1).unwrap();
    while let Ok(deeper) = deep.expand(0) {
        deep = deeper;
    }
    assert_eq!(deep.rank(), 32);
}
