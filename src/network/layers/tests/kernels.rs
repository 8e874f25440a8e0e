//! Kernels against the operations they stand for, with masks and named values.

use super::super::super::kernel::testing;
use super::*;

/// Applies a layer to inputs of which some bring masks or have names, and checks what then runs.
fn check_bound(layer: &str, options: Value, shapes: &[&[usize]], masks: &[Option<usize>], named: &[(&str, &[usize])]) {
    let input = |shape: &[usize]| {
        Symbol::input(None, &shape.iter().map(|length| Some(*length)).collect::<Vec<_>>(), Dtype::F32).unwrap()
    };
    let inputs: Vec<Symbol> = shapes
        .iter()
        .enumerate()
        .map(|(at, shape)| input(shape).with_mask(masks.get(at).copied().flatten().map(|steps| input(&[steps]))))
        .collect();
    let mut values: Vec<(&str, Vec<Symbol>)> = Vec::new();
    for (name, shape) in named {
        match values.iter_mut().find(|(own, _)| own == name) {
            Some((_, all)) => all.push(input(shape)),
            None => values.push((name, vec![input(shape)])),
        }
    }
    let layer = find(layer).unwrap().make(&params(options)).unwrap();
    let bound = layer.layer().bind(&inputs, &values).unwrap();
    let (layer, inputs) = bound.map_or((layer.layer().clone(), inputs), |bound| (bound.layer, bound.inputs));
    let shapes: Vec<Vec<usize>> =
        inputs.iter().map(|input| input.shape().iter().map(|axis| axis.unwrap()).collect()).collect();
    let shapes: Vec<&[usize]> = shapes.iter().map(|shape| &**shape).collect();
    let masks: Vec<bool> =
        inputs.iter().enumerate().map(|(at, _)| at >= inputs.len() - masks.iter().flatten().count()).collect();
    for rows in [1, 9, 18] {
        testing::check(&*layer, &shapes, rows, |input, at| match masks[input] {
            true => f32::from(testing::noise(input, at) > -0.4),
            false => testing::noise(input, at),
        });
    }
}

#[test]
fn kernels_of_recurrent_layers_give_what_the_steps_give() {
    let variants = [
        ("SimpleRNN", json!({"units": 5})),
        ("SimpleRNN", json!({"units": 17, "activation": "relu", "use_bias": false})),
        ("LSTM", json!({"units": 17})),
        ("LSTM", json!({"units": 3, "activation": "softsign", "recurrent_activation": "hard_sigmoid"})),
        ("LSTM", json!({"units": 16, "use_bias": false})),
        ("GRU", json!({"units": 17})),
        ("GRU", json!({"units": 3, "use_bias": false, "activation": "linear"})),
        ("GRU", json!({"units": 17, "reset_after": false})),
        ("GRU", json!({"units": 3, "reset_after": false, "use_bias": false})),
    ];
    let modes = [
        json!({}),
        json!({"return_sequences": true}),
        json!({"return_sequences": true, "return_state": true, "go_backwards": true}),
        json!({"return_state": true}),
        json!({"return_sequences": true, "zero_output_for_mask": true, "go_backwards": true}),
    ];
    for (layer, own) in &variants {
        for mode in &modes {
            let mut options = own.clone();
            options.as_object_mut().unwrap().extend(mode.as_object().unwrap().clone());
            let units = own["units"].as_u64().unwrap() as usize;
            let state = [units];
            let states = vec![("initial_state", &state[..]); if *layer == "LSTM" { 2 } else { 1 }];
            check_bound(layer, options.clone(), &[&[7, 3]], &[], &[]);
            check_bound(layer, options.clone(), &[&[4, 300]], &[Some(4)], &[]);
            check_bound(layer, options, &[&[5, 2]], &[Some(5)], &states);
        }
    }
}

#[test]
fn kernels_of_normalisation_and_embedding_give_what_their_operations_give() {
    for shape in [&[5usize][..], &[7, 33], &[3, 4, 16]] {
        for options in [json!({}), json!({"center": false, "epsilon": 1e-5}), json!({"scale": false})] {
            check_bound("LayerNormalization", options, &[shape], &[], &[]);
        }
    }
    check_bound("LayerNormalization", json!({"axis": [1, 2]}), &[&[7, 33]], &[], &[]);
    let layer = find("Embedding").unwrap().make(&params(json!({"input_dim": 7, "output_dim": 37}))).unwrap();
    testing::check(&**layer.layer(), &[&[11]], 40, |_, at| (at * 5 % 7) as f32);
}

#[test]
fn kernels_of_attention_give_what_its_operations_give() {
    let variants = [
        json!({"num_heads": 2, "key_dim": 5}),
        json!({"num_heads": 1, "key_dim": 3, "value_dim": 4, "use_bias": false, "output_shape": 7}),
        json!({"num_heads": 3, "key_dim": 16, "use_causal_mask": true, "dropout": 0.2}),
        json!({"num_heads": 2, "key_dim": 4, "return_attention_scores": true, "dropout": 0.2}),
        json!({"num_heads": 2, "key_dim": 3, "value_dim": 5, "use_gate": true}),
        json!({"num_heads": 3, "key_dim": 4, "use_gate": true, "use_bias": false, "return_attention_scores": true}),
    ];
    let pairs: (&str, &[usize]) = ("attention_mask", &[7, 5]);
    for options in variants {
        check_bound("MultiHeadAttention", options.clone(), &[&[7, 6]], &[], &[]);
        check_bound("MultiHeadAttention", options.clone(), &[&[19, 6]], &[Some(19)], &[]);
        check_bound("MultiHeadAttention", options.clone(), &[&[7, 6], &[5, 3]], &[], &[]);
        check_bound(
            "MultiHeadAttention",
            options.clone(),
            &[&[7, 6], &[5, 3], &[5, 2]],
            &[None, Some(5), Some(5)],
            &[],
        );
        check_bound("MultiHeadAttention", options, &[&[7, 6], &[5, 3]], &[Some(7), Some(5)], &[pairs]);
    }
}

#[test]
fn kernels_of_wrappers_give_what_their_layers_give() {
    let inner = json!({"units": 3});
    let sequences = json!({"units": 5, "return_sequences": true});
    let states = json!({"units": 3, "return_sequences": true, "return_state": true});
    let backwards = json!({"units": 3, "go_backwards": true});
    for merge in [json!("concat"), json!("sum"), json!("mul"), json!("ave"), json!(null)] {
        for (kind, params) in [("LSTM", &inner), ("GRU", &sequences), ("LSTM", &states), ("SimpleRNN", &backwards)] {
            let options = json!({"layer": {"import": kind, "params": params}, "merge_mode": merge});
            check_bound("Bidirectional", options.clone(), &[&[5, 2]], &[], &[]);
            check_bound("Bidirectional", options, &[&[5, 2]], &[Some(5)], &[]);
        }
    }
    let options = json!({
        "layer": {"import": "LSTM", "params": {"units": 3}},
        "backward_layer": {"import": "GRU", "params": {"units": 2, "go_backwards": true}},
    });
    check_bound("Bidirectional", options, &[&[5, 2]], &[Some(5)], &[]);
    let options = json!({"layer": {"import": "LSTM", "params": {"units": 3}}});
    check_bound("TimeDistributed", options, &[&[4, 5, 2]], &[], &[]);
    check_bound("PositionEmbedding", json!({"sequence_length": 9}), &[&[7, 3]], &[], &[]);
    let layer = find("Masking").unwrap().make(&params(json!({"mask_value": 0.5}))).unwrap();
    testing::check(&**layer.layer(), &[&[6, 2]], 5, |_, at| if at / 2 % 3 == 1 { 0.5 } else { at as f32 });
}
