//! Two hundred generated scripts: whatever they do, followed is interpreted, bit for bit.

use barrage::random::{Random, Stream};
use barrage::record::Mode;

use super::{Slot, same, table};

/// Writes a script from a seed.
struct Writer {
    random: Random,
    names: Vec<(String, Kind)>,
    next: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Int,
    Float,
    Bool,
    Text,
    /// A tensor of shape [4].
    Vector,
}

const KINDS: [Kind; 5] = [Kind::Int, Kind::Float, Kind::Bool, Kind::Text, Kind::Vector];

impl Writer {
    fn below(&mut self, n: usize) -> usize {
        self.random.below(n as u64) as usize
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }

    /// An expression; `deep` is how much may still be nested in it.
    fn expression(&mut self, kind: Kind, deep: usize) -> String {
        let known: Vec<String> =
            self.names.iter().filter(|(_, own)| *own == kind).map(|(name, _)| name.clone()).collect();
        if !known.is_empty() && self.below(3) == 0 {
            return known[self.below(known.len())].clone();
        }
        if deep == 0 {
            return match kind {
                Kind::Int => self.pick(&["record.i", "record.j", "3", "-2", "7"]),
                Kind::Float => self.pick(&["record.a", "record.b", "0.5", "-1.25", "3.0"]),
                Kind::Bool => self.pick(&["record.flag", "true", "false", "(record.j == 2)"]),
                Kind::Text => self.pick(&["record.s", "record.t", "record.text", "\"setosa\"", "\"word\""]),
                Kind::Vector => {
                    self.pick(&["record.v", "record.m[0].pad([[0, 1]], 1)", "tensor([0.5, 1.0, -2.0, 0.25])"])
                }
            }
            .to_owned();
        }
        let deep = deep - 1;
        let which = self.below(8);
        match kind {
            Kind::Int => match which {
                0..=2 => {
                    let operator = self.pick(&["+", "-", "*", "/", "%"]);
                    format!("({} {operator} {})", self.expression(Kind::Int, deep), self.expression(Kind::Int, deep))
                }
                3 => format!("{}.len()", self.expression(Kind::Text, deep)),
                4 => format!("[\"setosa\", \"virginica\"].index_of({})", self.expression(Kind::Text, deep)),
                5 => format!("[4, 5, 6][{} % 3]", self.pick(&["record.j", "2", "record.j * record.j"])),
                6 => format!("helper({}, {})", self.expression(Kind::Int, deep), self.expression(Kind::Int, deep)),
                _ => self.choice(Kind::Int, deep),
            },
            Kind::Float => match which {
                0..=2 => {
                    let operator = self.pick(&["+", "-", "*", "/", "%"]);
                    let other = if self.below(2) == 0 { Kind::Int } else { Kind::Float };
                    format!("({} {operator} {})", self.expression(Kind::Float, deep), self.expression(other, deep))
                }
                3 => {
                    let function = self.pick(&["abs", "floor", "sin", "exp", "round"]);
                    format!("{}.{function}()", self.expression(Kind::Float, deep))
                }
                4 => format!("{}.sum().item", self.expression(Kind::Vector, deep)),
                5 => format!("{}[{}]", self.expression(Kind::Vector, deep), self.pick(&["0", "-1", "record.j % 4"])),
                6 => {
                    let function = self.pick(&["min", "max"]);
                    format!(
                        "{function}({}, {})",
                        self.expression(Kind::Float, deep),
                        self.expression(Kind::Float, deep)
                    )
                }
                _ => self.choice(Kind::Float, deep),
            },
            Kind::Bool => match which {
                0..=3 => {
                    let kind = [Kind::Int, Kind::Float, Kind::Text][self.below(3)];
                    let operator = self.pick(&["<", "<=", ">", ">=", "==", "!="]);
                    format!("({} {operator} {})", self.expression(kind, deep), self.expression(kind, deep))
                }
                4 => {
                    let operator = self.pick(&["&&", "||"]);
                    format!("({} {operator} {})", self.expression(Kind::Bool, deep), self.expression(Kind::Bool, deep))
                }
                5 => format!("!{}", self.expression(Kind::Bool, deep)),
                6 => format!("({} in [\"setosa\", \"versicolor\"])", self.expression(Kind::Text, deep)),
                _ => format!("{}.contains(\"o\")", self.expression(Kind::Text, deep)),
            },
            Kind::Text => match which {
                0..=2 => format!("({} + {})", self.expression(Kind::Text, deep), self.expression(Kind::Text, deep)),
                3 => format!("{}.to_lower()", self.expression(Kind::Text, deep)),
                4 => {
                    format!("`<${{{}}} ${{{}}}>`", self.expression(Kind::Int, deep), self.expression(Kind::Text, deep))
                }
                5 => format!("{}.sub_string(1, 4)", self.expression(Kind::Text, deep)),
                _ => self.choice(Kind::Text, deep),
            },
            Kind::Vector => match which {
                0..=2 => {
                    let operator = self.pick(&["+", "-", "*", "/"]);
                    let other = [Kind::Int, Kind::Float, Kind::Vector][self.below(3)];
                    format!("({} {operator} {})", self.expression(Kind::Vector, deep), self.expression(other, deep))
                }
                3 => {
                    let function = self.pick(&[
                        "abs()",
                        "relu()",
                        "tanh()",
                        "clip(-1.0, 1.5)",
                        "floor()",
                        "softmax()",
                        "sort()",
                        "pow(2)",
                        "sigmoid()",
                    ]);
                    format!("{}.{function}", self.expression(Kind::Vector, deep))
                }
                4 => {
                    let numbers: Vec<String> = (0..4).map(|_| self.expression(Kind::Float, deep.min(1))).collect();
                    format!("tensor([{}])", numbers.join(", "))
                }
                5 => format!(
                    "where({}.greater(0.0), {}, {})",
                    self.expression(Kind::Vector, deep),
                    self.expression(Kind::Vector, deep),
                    self.expression(Kind::Float, deep)
                ),
                6 => format!(
                    "concat([{v}.slice(0, 0, 2), {w}.slice(0, -2)])",
                    v = self.expression(Kind::Vector, deep),
                    w = self.expression(Kind::Vector, deep)
                ),
                _ => self.choice(Kind::Vector, deep),
            },
        }
    }

    fn choice(&mut self, kind: Kind, deep: usize) -> String {
        let condition = self.expression(Kind::Bool, deep);
        format!("(if {condition} {{ {} }} else {{ {} }})", self.expression(kind, deep), self.expression(kind, deep))
    }

    fn statements(&mut self, count: usize, deep: usize, indent: usize) -> String {
        let outer = self.names.len();
        let mut text = String::new();
        for _ in 0..count {
            let line = self.statement(deep, indent);
            text += &format!("{}{line}\n", "    ".repeat(indent));
        }
        if indent > 1 {
            self.names.truncate(outer);
        }
        text
    }

    fn statement(&mut self, deep: usize, indent: usize) -> String {
        let kind = KINDS[self.below(5)];
        let known: Vec<(String, Kind)> = self.names.clone();
        match self.below(if deep == 0 { 5 } else { 10 }) {
            0..=2 => {
                let value = self.expression(kind, 2);
                self.next += 1;
                let name = format!("n{}", self.next);
                self.names.push((name.clone(), kind));
                format!("let {name} = {value};")
            }
            3 | 4 if !known.is_empty() => {
                let (name, kind) = known[self.below(known.len())].clone();
                match self.below(2) {
                    0 if matches!(kind, Kind::Int | Kind::Float | Kind::Vector) => {
                        let operator = self.pick(&["+=", "-=", "*="]);
                        format!("{name} {operator} {};", self.expression(kind, 1))
                    }
                    _ => format!("{name} = {};", self.expression(kind, 2)),
                }
            }
            5 | 6 => {
                let condition = self.expression(Kind::Bool, 1);
                let yes = self.statements(2, deep - 1, indent + 1);
                let no = self.statements(1, deep - 1, indent + 1);
                let pad = "    ".repeat(indent);
                format!("if {condition} {{\n{yes}{pad}}} else {{\n{no}{pad}}}")
            }
            7 => {
                let over = self.pick(&["0..3", "[1, 5, 2]", "record.m[0]", "record.text.split()", "0..record.j"]);
                self.next += 1;
                let body = self.statements(2, deep - 1, indent + 1);
                let leave = self.pick(&["", "if record.flag { continue; }", "if record.j == 4 { break; }"]);
                let pad = "    ".repeat(indent);
                format!("for item{} in {over} {{\n{pad}    {leave}\n{body}{pad}}}", self.next)
            }
            8 => {
                let condition = self.expression(Kind::Bool, 1);
                let inner = "    ".repeat(indent + 1);
                let value = self.expression(Kind::Vector, 1);
                let pad = "    ".repeat(indent);
                format!(
                    "if {condition} {{\n{inner}return [#{{ v: {value}, f: 0.5, s: record.s }}, #{{ y: -1 }}];\n{pad}}}"
                )
            }
            9 if self.below(4) == 0 => self
                .pick(&[
                    "let z = switch record.j { 1 => 2, _ => 3 };",
                    "try { record.a } catch { 0 }",
                    "let z = type_of(record.a);",
                ])
                .to_owned(),
            _ => {
                let item = self.expression(Kind::Int, 1);
                self.next += 1;
                let name = format!("n{}", self.next);
                self.names.push((name.clone(), Kind::Int));
                format!("let {name} = [1, 2, {item}].filter(|x| x > {}).len();", self.pick(&["1", "0"]))
            }
        }
    }

    fn script(&mut self) -> String {
        let count = 2 + self.below(5);
        let body = self.statements(count, 2, 1);
        let (v, f, s, y) = (
            self.expression(Kind::Vector, 2),
            self.expression(Kind::Float, 2),
            self.expression(Kind::Text, 1),
            self.expression(Kind::Int, 2),
        );
        format!(
            "fn helper(a, b) {{\n    if a > b {{ return a - b; }}\n    a * 2\n}}\n\n\
             fn load(record) {{\n{body}    [#{{ v: {v}, f: {f}, s: {s} }}, #{{ y: {y} }}]\n}}\n"
        )
    }
}

#[test]
fn generated_scripts_give_the_bits_of_interpretation() {
    const SCRIPTS: u64 = 200;
    let records = table(150);
    let mut refused = Vec::new();
    for seed in 0..SCRIPTS {
        let mut writer = Writer { random: Random::new(seed, Stream::Script, &[17]), names: Vec::new(), next: 0 };
        let script = writer.script();
        if let Some(why) = same(&script, Slot::Loader, &records, Mode::Train) {
            refused.push(format!("{seed}: {why}"));
        }
    }
    let followed = SCRIPTS as usize - refused.len();
    println!("followed: {followed} of {SCRIPTS}");
    assert!(followed * 10 >= SCRIPTS as usize * 7, "{followed} of {SCRIPTS} were followed\n{}", refused.join("\n"));
}
