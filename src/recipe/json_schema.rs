//! The JSON Schema of a config, made from the table of keys: completion and checks in editors.
//!
//! A config that `extends` another may leave out what the other has, so each section that is merged key by key
//! stands twice: whole, and as a part. A schema cannot say everything that the table and the rules beside it
//! say; [`UNSAID`] lists the rest, and a test finds no other difference.

use serde_json::{Map, Value, json};

use super::keys::ROOT;
use super::schema::{Absent, Bounds, Key, Kind, Section};

/// What the schema accepts and Barrage refuses.
pub const UNSAID: &[&str] = &[
    "a whole number is written without a decimal point: `3.0` is refused",
    "each output of the network has another name",
    "what `extends` names exists, and together the two have every key that is needed",
    "no key is given twice in one map",
];

/// Returns the JSON Schema (draft 2020-12) of a config.
pub fn json_schema() -> Value {
    let mut sections = Sections { made: Vec::new() };
    let (whole, part) = (sections.refer(&ROOT, "config", false), sections.refer(&ROOT, "config", true));
    let mut definitions = Map::new();
    sections.made.sort_by(|a, b| a.0.cmp(&b.0));
    definitions.extend(sections.made.into_iter().map(|(name, _, schema)| (name, schema)));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A config of Barrage",
        "$comment": format!("not said here: {}", UNSAID.join("; ")),
        "if": {"required": ["extends"]},
        "then": part,
        "else": whole,
        "$defs": definitions,
    })
}

/// The sections that have a definition already.
struct Sections {
    made: Vec<(String, *const Section, Value)>,
}

impl Sections {
    /// Returns the reference to a section, which is defined under this name or the next free one.
    fn refer(&mut self, section: &'static Section, name: &str, part: bool) -> Value {
        let part = part && section.merges;
        let name = if part { format!("{name}_part") } else { name.to_owned() };
        let known = |made: &&(String, *const Section, Value)| {
            std::ptr::eq(made.1, section) && made.0.ends_with("_part") == part
        };
        let name = match self.made.iter().find(known) {
            Some((known, ..)) => known.clone(),
            None => {
                self.made.push((name.clone(), section, Value::Null));
                let schema = self.section(section, part);
                if let Some(made) = self.made.iter_mut().find(|made| made.0 == name) {
                    made.2 = schema;
                }
                name
            }
        };
        json!({"$ref": format!("#/$defs/{name}")})
    }

    fn section(&mut self, section: &'static Section, part: bool) -> Value {
        let mut schema = Map::from_iter([("type".to_owned(), json!("object"))]);
        let properties: Map<String, Value> =
            section.keys.iter().map(|key| (key.name.to_owned(), self.key(key, part))).collect();
        schema.insert("properties".to_owned(), Value::Object(properties));
        let needed = section.keys.iter().filter(|key| matches!(key.absent, Absent::Refused) && !part);
        let needed: Vec<&str> = needed.map(|key| key.name).collect();
        if !needed.is_empty() {
            schema.insert("required".to_owned(), json!(needed));
        }
        schema.insert("additionalProperties".to_owned(), json!(false));
        schema.extend(rules(section));
        Value::Object(schema)
    }

    fn key(&mut self, key: &'static Key, part: bool) -> Value {
        let mut schema = self.kind(&key.kind, key.name, part);
        // In a part, `null` takes away what the other config has.
        if part && !matches!(key.absent, Absent::Refused) {
            schema = json!({"anyOf": [schema, {"type": "null"}]});
        }
        let doc = key.doc.trim_end_matches(" (ours)");
        let doc = match key.kind {
            Kind::NoEffect(why) => format!("no effect: {why}"),
            _ => doc.to_owned(),
        };
        if let Value::Object(map) = &mut schema {
            map.insert("description".to_owned(), json!(doc));
            if let Absent::Default(text) = key.absent {
                // A test reads every default.
                map.insert("default".to_owned(), serde_json::from_str(text).unwrap_or_default());
            }
        }
        schema
    }

    fn kind(&mut self, kind: &'static Kind, name: &str, part: bool) -> Value {
        match kind {
            Kind::Flag => json!({"type": "boolean"}),
            Kind::Whole { least, most } => json!({"type": "integer", "minimum": least, "maximum": most}),
            Kind::Number(Bounds::Any) => json!({"type": "number"}),
            Kind::Number(Bounds::NotNegative) => json!({"type": "number", "minimum": 0}),
            Kind::Number(Bounds::Positive) => json!({"type": "number", "exclusiveMinimum": 0}),
            Kind::Number(Bounds::Fraction) => {
                json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})
            }
            Kind::Text => json!({"type": "string"}),
            Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Kind::Choice(choices) => json!({"enum": choices}),
            Kind::Device => json!({"type": "string", "pattern": "^(auto|cpu|cuda:[0-9]{1,4})$"}),
            Kind::Off => json!({"const": false}),
            Kind::Null => json!({"type": "null"}),
            Kind::Map(section) => self.refer(section, definition(section, name), part),
            Kind::Maps { section, least, .. } => {
                let items = self.refer(section, definition(section, name), false);
                json!({"type": "array", "minItems": least, "items": items})
            }
            Kind::Free => json!({"type": "object"}),
            Kind::OneOf(kinds) => {
                let kinds: Vec<Value> = kinds.iter().map(|kind| self.kind(kind, name, part)).collect();
                json!({"anyOf": kinds})
            }
            Kind::NoEffect(_) => json!({}),
        }
    }
}

/// Returns the name of a section's definition: that of the key, but for the sections of several keys.
fn definition<'a>(section: &'static Section, key: &'a str) -> &'a str {
    use super::keys::{EARLY_STOPPING, IMPORT, OUTPUT, SCHEDULE};
    let shared =
        [(&IMPORT, "import"), (&SCHEDULE, "schedule"), (&OUTPUT, "output"), (&EARLY_STOPPING, "early_stopping")];
    shared.iter().find(|(known, _)| std::ptr::eq(*known, section)).map_or(key, |(_, name)| name)
}

/// Returns the rules that stand beside the table and that a schema can say.
fn rules(section: &'static Section) -> Map<String, Value> {
    use super::keys::{MODEL, SOLVER};
    let rule = if std::ptr::eq(section, &MODEL) {
        // Each of several outputs needs a weight.
        json!({
            "if": {"properties": {"outputs": {"type": "array", "minItems": 2}}, "required": ["outputs"]},
            "then": {"properties": {"outputs": {"items": {"required": ["loss_weight"]}}}},
        })
    } else if std::ptr::eq(section, &SOLVER) {
        // A reducer and a schedule exclude each other.
        let schedule = json!({"properties": {"learning_rate": {"type": "object"}}, "required": ["learning_rate"]});
        json!({
            "if": {"properties": {"optimizer": schedule}, "required": ["optimizer"]},
            "then": {"properties": {"learning_rate_reducer": {"type": "null"}}},
        })
    } else {
        return Map::new();
    };
    match rule {
        Value::Object(rule) => rule,
        _ => Map::new(),
    }
}
