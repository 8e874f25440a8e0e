//! The JSON Schema against the parser, over every case of `verdicts.txt`.

use barrage::recipe::{Recipe, Written, json_schema};
use serde_json::{Value, json};

use super::{compare, folder, verdict_cases};

/// The schema refuses what the parser refuses, but for the cases in `schema_unsaid.txt`, and accepts the rest.
#[test]
fn the_schema_says_what_the_parser_says() {
    let schema = json_schema();
    let mut unsaid = String::new();
    for (case, config, _) in verdict_cases() {
        let refused = Recipe::resolve(&Written::from_value(&config)).is_err();
        match (holds(&schema, &config, &schema), refused) {
            (true, true) => unsaid.push_str(&format!("{case}\n")),
            (false, false) => panic!("the schema refuses what is right: {case}"),
            _ => {}
        }
    }
    if let Some(difference) = compare("unsaid", &unsaid, &folder().join("schema_unsaid.txt")) {
        panic!("{difference}");
    }
}

#[test]
fn a_config_that_extends_another_may_be_a_part() {
    let schema = json_schema();
    for (config, right) in [
        (json!({"extends": "base.json"}), true),
        (json!({"extends": "base.json", "solver": {"epochs": 3}, "model": {"network": {"import": "n"}}}), true),
        (json!({"extends": "base.json", "solver": {"learning_rate_reducer": null}}), true),
        (json!({"extends": "base.json", "dataset": {"loader": null}}), false),
        (json!({"extends": "base.json", "solver": {"optimizer": {"learning_rate": 0.1}}}), false),
        (json!({"extends": "base.json", "solver": {"epoch": 3}}), false),
        (json!({"extends": 1}), false),
        (json!({"solver": {"epochs": 3}}), false),
    ] {
        assert_eq!(holds(&schema, &config, &schema), right, "{config}");
    }
}

#[test]
fn every_key_is_described() {
    let schema = json_schema();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for (key, value) in definition["properties"].as_object().unwrap() {
            assert!(value["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}.{key}");
        }
    }
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

/// Returns whether a value holds to a schema: the part of draft 2020-12 that ours uses, and nothing else.
pub(crate) fn holds(schema: &Value, value: &Value, root: &Value) -> bool {
    let Value::Object(keywords) = schema else { panic!("not a schema: {schema}") };
    let number = || value.as_f64();
    let conditional = match keywords.get("if") {
        None => true,
        Some(condition) => {
            let branch = if holds(condition, value, root) { "then" } else { "else" };
            keywords.get(branch).is_none_or(|schema| holds(schema, value, root))
        }
    };
    conditional
        && keywords.iter().all(|(keyword, argument)| match keyword.as_str() {
            "type" => match argument.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "null" => value.is_null(),
                "number" => value.is_number(),
                // By the standard `3.0` is an integer.
                "integer" => number().is_some_and(|number| number.fract() == 0.0),
                other => panic!("type {other}"),
            },
            "properties" => argument
                .as_object()
                .unwrap()
                .iter()
                .all(|(key, schema)| value.get(key).is_none_or(|value| holds(schema, value, root))),
            "required" => {
                !value.is_object()
                    || argument.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some())
            }
            "additionalProperties" => {
                assert_eq!(argument, false);
                let known = schema["properties"].as_object().unwrap();
                value.as_object().is_none_or(|map| map.keys().all(|key| known.contains_key(key)))
            }
            "items" => value.as_array().is_none_or(|items| items.iter().all(|item| holds(argument, item, root))),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= argument.as_u64().unwrap()),
            "minimum" => number().is_none_or(|number| number >= argument.as_f64().unwrap()),
            "maximum" => number().is_none_or(|number| number <= argument.as_f64().unwrap()),
            "exclusiveMinimum" => number().is_none_or(|number| number > argument.as_f64().unwrap()),
            "exclusiveMaximum" => number().is_none_or(|number| number < argument.as_f64().unwrap()),
            "enum" => argument.as_array().unwrap().contains(value),
            "const" => argument == value,
            "anyOf" => argument.as_array().unwrap().iter().any(|schema| holds(schema, value, root)),
            "not" => !holds(argument, value, root),
            "$ref" => {
                let name = argument.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                holds(&root["$defs"][name], value, root)
            }
            "pattern" => {
                // The one pattern there is.
                assert_eq!(argument, "^(auto|cpu|cuda:[0-9]{1,4})$");
                value.as_str().is_none_or(|text| barrage::recipe::Device::parse(text).is_some())
            }
            "$schema" | "$comment" | "$defs" | "title" | "description" | "default" | "if" | "then" | "else" => true,
            other => panic!("the test does not know the keyword `{other}`"),
        })
}
