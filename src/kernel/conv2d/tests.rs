//! Convolutions against the definition, in 64 bits, for odd sizes.

use super::*;
use crate::kernel::pool::Pool;

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
}

/// Calls with the place of the output, that of the input and that of the weight of each product.
fn products(g: &Geometry, mut product: impl FnMut(usize, usize, usize)) {
    let (own, filters) = (g.channels / g.groups, g.filters / g.groups);
    for r in 0..g.output[0] {
        for c in 0..g.output[1] {
            for i in 0..g.kernel[0] {
                for j in 0..g.kernel[1] {
                    let row = (r * g.strides[0] + i * g.dilation[0]).checked_sub(g.before[0]);
                    let column = (c * g.strides[1] + j * g.dilation[1]).checked_sub(g.before[1]);
                    let (Some(row), Some(column)) = (row, column) else { continue };
                    if row >= g.input[0] || column >= g.input[1] {
                        continue;
                    }
                    for f in 0..g.filters {
                        for k in 0..own {
                            let y = (r * g.output[1] + c) * g.filters + f;
                            let x = (row * g.input[1] + column) * g.channels + f / filters * own + k;
                            product(y, x, ((i * g.kernel[1] + j) * own + k) * g.filters + f);
                        }
                    }
                }
            }
        }
    }
}

fn close(found: &[f32], expected: &[f64], what: &str, g: &Geometry) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-5 * largest, "{what} {found} {expected} {g:?}");
    }
}

fn check(g: Geometry, images: usize) {
    let (x, y) = (numbers(images * g.input_len(), 1), numbers(images * g.output_len(), 2));
    let (w, bias) = (numbers(g.weights(), 3), numbers(g.filters.max(g.channels), 4));
    let mut of_y: Vec<f64> = (0..y.len()).map(|at| f64::from(bias[at % g.filters])).collect();
    let mut of_x = vec![0.0; x.len()];
    let mut of_w = vec![0.0; w.len()];
    for image in 0..images {
        let (from, to) = (image * g.input_len(), image * g.output_len());
        products(&g, |a, b, c| {
            of_y[to + a] += f64::from(x[from + b]) * f64::from(w[c]);
            of_x[from + b] += f64::from(y[to + a]) * f64::from(w[c]);
            of_w[c] += f64::from(y[to + a]) * f64::from(x[from + b]);
        });
    }
    let results = [1, 3].map(|threads| Pool::new(threads).unwrap().run(|| run(g, images, &x, &y, &w, &bias)));
    assert!(results[0] == results[1], "threads show: {g:?}");
    let [y1, x1, x2, w1, w2] = &results[0];
    close(y1, &of_y, "output", &g);
    let transposed: Vec<f64> =
        of_x.iter().enumerate().map(|(at, x)| (x + f64::from(bias[at % g.channels])).max(0.0)).collect();
    close(x1, &transposed, "transposed", &g);
    let twice: Vec<f64> = of_x.iter().map(|x| x * 2.0).collect();
    close(x2, &twice, "gradient of the input", &g);
    let twice: Vec<f64> = of_w.iter().map(|w| w * 2.0).collect();
    close(w1, &twice, "gradient of the weights", &g);
    close(w2, &twice, "gradient of the transposed weights", &g);
}

/// Output, transposed output after relu, twice the gradient of the input, twice those of the weights.
fn run(g: Geometry, images: usize, x: &[f32], y: &[f32], w: &[f32], bias: &[f32]) -> [Vec<f32>; 5] {
    let mut conv = Conv2d::new(g);
    let mut out = vec![f32::NAN; y.len()];
    conv.forward(Forward { images, x, weights: w, bias: Some(&bias[..g.filters]), relu: false }, &mut out);
    let mut back = vec![f32::NAN; x.len()];
    conv.transposed(Forward { images, x: y, weights: w, bias: Some(&bias[..g.channels]), relu: true }, &mut back);
    let mut of_x = vec![f32::NAN; x.len()];
    let (mut of_w, mut of_w2) = (vec![f32::NAN; w.len()], vec![f32::NAN; w.len()]);
    let (mut of_bias, mut ignored) = (vec![f32::NAN; g.filters], vec![f32::NAN; y.len()]);
    for add in [false, true] {
        let (mut gradient, mut other) = (y.to_vec(), x.to_vec());
        conv.backward(Back {
            images,
            x,
            weights: w,
            relu: None,
            gradient: &mut gradient,
            of_x: Some((&mut of_x, add)),
            of_weights: true,
            of_bias: true,
        });
        conv.weight_gradient(&mut of_w, add);
        conv.bias_gradient(&mut of_bias, add);
        conv.transposed_backward(Back {
            images,
            x: y,
            weights: w,
            relu: None,
            gradient: &mut other,
            of_x: Some((&mut ignored, add)),
            of_weights: true,
            of_bias: false,
        });
        conv.weight_gradient(&mut of_w2, add);
    }
    let sums: Vec<f32> = (0..g.filters).map(|f| y.iter().skip(f).step_by(g.filters).sum::<f32>() * 2.0).collect();
    assert!(sums.iter().zip(&of_bias).all(|(a, b)| (a - b).abs() < 1e-3));
    [out, back, of_x, of_w, of_w2]
}

fn geometry(input: [usize; 2], channels: usize, filters: usize, kernel: [usize; 2]) -> Geometry {
    let output = [input[0] + 1 - kernel[0], input[1] + 1 - kernel[1]];
    let ones = [1, 1];
    Geometry { input, channels, output, filters, kernel, strides: ones, dilation: ones, before: [0, 0], groups: 1 }
}

#[test]
fn convolutions_are_those_of_the_definition() {
    for (channels, filters) in [(1, 16), (3, 5), (16, 32), (32, 3), (17, 49), (40, 24)] {
        check(geometry([5, 15], channels, filters, [3, 3]), 3);
    }
    for width in [1, 2, 5, 11, 12, 13, 25, 33] {
        check(geometry([1, width], 4, 40, [1, 1]), 2);
        check(Geometry { before: [0, 2], output: [1, width], ..geometry([1, width + 2], 2, 16, [1, 3]) }, 18);
    }
}

#[test]
fn strides_dilation_and_padding_are_those_of_the_definition() {
    for strides in [[1, 1], [2, 1], [2, 3], [4, 4]] {
        for dilation in [[1, 1], [2, 1], [1, 3]] {
            for before in [[0, 0], [1, 2], [5, 1]] {
                for output in [[1, 1], [2, 3], [4, 2]] {
                    let g = geometry([6, 7], 4, 6, [3, 2]);
                    check(Geometry { strides, dilation, before, output, ..g }, 2);
                }
            }
        }
    }
}

#[test]
fn groups_are_those_of_the_definition() {
    for (channels, filters, groups) in [(4, 4, 2), (4, 8, 4), (32, 64, 2), (6, 3, 3)] {
        let g = geometry([6, 7], channels, filters, [3, 2]);
        check(Geometry { groups, ..g }, 2);
        check(Geometry { groups, strides: [2, 2], before: [1, 1], output: [3, 4], ..g }, 2);
    }
}

#[test]
fn a_window_of_one_place_may_have_strides() {
    let g = geometry([5, 7], 3, 20, [1, 1]);
    check(g, 3);
    check(Geometry { strides: [2, 2], output: [3, 4], ..g }, 3);
}

#[test]
fn the_shorter_way_is_that_of_the_definition() {
    let sizes = [([8, 8], 16, 16), ([7, 9], 20, 37), ([26, 26], 32, 64), ([14, 11], 48, 17), ([6, 40], 16, 33)];
    for (input, channels, filters) in sizes {
        for before in [[0, 0], [1, 1], [2, 0], [1, 2]] {
            let output = [0, 1].map(|axis| input[axis] + before[axis] - 2 + before[axis].min(1));
            let g = Geometry { before, output, ..geometry(input, channels, filters, [3, 3]) };
            assert!(Winograd::of(&g).is_some());
            check(g, 3);
        }
    }
    for g in [geometry([5, 5], 16, 16, [3, 3]), geometry([8, 8], 15, 16, [3, 3]), geometry([8, 8], 16, 16, [3, 2])] {
        assert!(Winograd::of(&g).is_none());
    }
}
