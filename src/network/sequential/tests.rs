use serde_json::json;

use super::*;

fn params(value: Value) -> Params {
    value.as_object().unwrap().clone()
}

#[test]
fn placeholders_take_the_type_of_the_parameter() {
    let layers = json!([
        {"import": "Input", "params": {"shape": "{{shape}}", "name": "x"}},
        {"import": "Dense", "params": {"units": "{{units}}", "activation": "relu"}},
        {"import": "Dense", "params": {"units": 3, "name": "class"}},
    ]);
    let before = layers.clone();
    let network = sequential_from_config(&layers, &params(json!({"shape": [4], "units": 25}))).unwrap();
    assert_eq!(layers, before);
    assert_eq!(&*network.inputs()[0].name, "x");
    assert_eq!(&*network.outputs()[0].name, "class");
    let weights: Vec<(&str, &[usize])> = network.weights().iter().map(|w| (&*w.name, w.shape.as_slice())).collect();
    assert_eq!(
        weights,
        [("dense/kernel", &[4, 25][..]), ("dense/bias", &[25]), ("class/kernel", &[25, 3]), ("class/bias", &[3])]
    );
    let network = sequential_from_config(&layers, &params(json!({"shape": 4, "units": 2}))).unwrap();
    assert_eq!(network.inputs()[0].shape, [Some(4)]);
}

#[test]
fn only_whole_texts_are_placeholders() {
    let rendered =
        render(&json!({"{{a}}": ["{{a}}", " {{a}}", "x{{a}}", "{{ a }}", "{{b}}"]}), &params(json!({"a": [1, null]})));
    assert_eq!(rendered, json!({"{{a}}": [[1, null], " {{a}}", "x{{a}}", "{{ a }}", "{{b}}"]}));
}

#[test]
fn refusals_name_the_layer_and_the_cause() {
    let input = json!({"import": "Input", "params": {"shape": [4]}});
    let cases = [
        (json!({}), "`layers`: expected a list of import blocks, found a map"),
        (json!([]), "`layers` is empty"),
        (json!([input]), "`layers` has an `Input` and no layer after it"),
        (
            json!([{"import": "Dense", "params": {"units": 3}}]),
            "the first layer must be `Input` (layer 1 of 1, `Dense`)",
        ),
        (json!([input, input]), "`Input` can only be the first layer (layer 2 of 2, `Input`)"),
        (json!([input, "Dense"]), "expected an import block, found the text \"Dense\" (layer 2 of 2)"),
        (
            json!([input, {"import": "Dense", "param": {}}]),
            "unknown key `param` in the import block of the layer (layer 2 of 2, `Dense`)",
        ),
        (
            json!([input, {"params": {}}]),
            "the import block of the layer needs `import`: the name of the layer (layer 2 of 2)",
        ),
        (
            json!([input, {"import": "Dense", "params": {"units": "{{unit}}"}}]),
            "no parameter for the placeholder `{{unit}}` (layer 2 of 2, `Dense`)",
        ),
        (
            json!([input, {"import": "Dense", "params": {"units": "3"}}]),
            "parameter `units` of `Dense`: expected a whole number, found the text \"3\" (layer 2 of 2, `Dense`)",
        ),
        (
            json!([input, {"import": "Conv2D", "params": {"filters": 3, "kernel_size": 3}}]),
            "expected an input of shape [height, width, channels], found [4] (layer `Conv2D`, layer 2 of 2)",
        ),
        (json!([input, {"import": "Add"}]), "expected at least two inputs, found 1 (layer `Add`, layer 2 of 2)"),
        (
            json!([{"import": "Input", "params": {"shape": [0]}}]),
            "parameter `shape` of `Input`: expected a length or a list of lengths of at least 1, found a list of 1 (layer 1 of 1, `Input`)",
        ),
    ];
    for (layers, message) in cases {
        let error = sequential_from_config(&layers, &params(json!({"units": 3, "other": 1}))).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let layers = json!([input, {"import": "Dense", "params": {"units": "{{unit}}"}}]);
    let error = sequential_from_config(&layers, &params(json!({"units": 3, "other": 1}))).unwrap_err();
    assert_eq!(error.hints(), ["did you mean `units`?", "parameters: `units`, `other`"]);
}
