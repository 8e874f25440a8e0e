//! Word numbers and padding.

use barrage::media::{Cutting, Padding, Vocabulary, pad_sequences};
use barrage::tensor::{Array, Tensor};
use serde_json::{Value, json};

use super::{Case, numbers};

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn equal(what: &str, found: Value, expected: &Value) -> Result<(), String> {
    if found == *expected { Ok(()) } else { Err(format!("{what}: expected {expected}, found {found}")) }
}

fn tokenizer(case: &Case) -> Result<(), String> {
    let params = case.params();
    let flag = |name: &str, default: bool| params.get(name).map_or(default, |value| value.as_bool().unwrap());
    let text =
        |name: &str, default: String| params.get(name).map_or(default, |value| value.as_str().unwrap().to_owned());
    let plain = Cutting::default();
    let cutting = Cutting {
        lower: flag("lower", true),
        char_level: flag("char_level", false),
        filters: text("filters", plain.filters),
        split: text("split", plain.split),
    };
    let num_words = params.get("num_words").and_then(Value::as_u64).map(|words| words as usize);
    let oov = params.get("oov_token").and_then(Value::as_str);
    let corpus = texts(case.input("fit_texts"));
    let known = Vocabulary::learn(corpus.iter().copied(), cutting, num_words, oov);
    let known = Vocabulary::from_json(&known.to_json()).unwrap();
    // Keras keeps the words beyond `num_words` without using them.
    let mut words = case.expected("words_in_index_order").as_array().unwrap().clone();
    words.truncate(num_words.map_or(usize::MAX, |words| words - 1));
    equal("words", json!(known.words().iter().map(|word| &**word).collect::<Vec<_>>()), &json!(words))?;
    let sequences: Vec<Vec<i64>> = texts(case.input("texts")).iter().map(|text| known.encode(text)).collect();
    equal("sequences", json!(sequences), case.expected("sequences"))
}

fn padded(case: &Case) -> Result<(), String> {
    let params = case.params();
    let before = |name: &str| params.get(name).is_none_or(|value| value == "pre");
    let sequences: Vec<Vec<i64>> = serde_json::from_value(case.input("sequences").clone()).unwrap();
    let padding = Padding {
        maxlen: params.get("maxlen").and_then(Value::as_u64).map(|length| length as usize),
        before: before("padding"),
        cut_before: before("truncating"),
        value: params.get("value").map_or(0, |value| value.as_i64().unwrap()),
    };
    let found = pad_sequences(&sequences, padding).map_err(|error| error.to_string())?;
    case.compare("y", &found.to_host().unwrap().to_f64_vec(), case.expected("y"))
}

fn categorical(case: &Case) -> Result<(), String> {
    let x = numbers(case.input("x"));
    let classes: Vec<i64> = x.data.iter().map(|&value| value as i64).collect();
    let count = case.params().get("num_classes").and_then(Value::as_i64);
    let count = count.unwrap_or_else(|| classes.iter().max().map_or(0, |most| most + 1));
    let indices = Tensor::from(Array::from_i64(classes, &x.shape).unwrap());
    let found = Tensor::one_hot(&indices, count as usize).map_err(|error| error.to_string())?;
    case.compare("y", &found.to_host().unwrap().to_f64_vec(), case.expected("y"))
}

/// Texts become the numbers of Keras.
pub fn check(case: &Case) -> Result<(), String> {
    match case.component() {
        "Tokenizer" => tokenizer(case),
        "pad_sequences" => padded(case),
        "to_categorical" => categorical(case),
        other => Err(format!("no operation `{other}`")),
    }
}
