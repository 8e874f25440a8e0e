//! Operators and comparisons, each between tensors, and between a tensor and a number on either side.

use rhai::plugin::*;
use rhai::{Dynamic, Module};

use crate::error::{Error, codes};
use crate::script::api::arguments::{Answer, operand};
use crate::script::api::table::{NUMBER, TENSOR, TENSOR_OR_NUMBER, TENSOR_TOO, register as add};
use crate::script::traceback::{raise, type_phrase};
use crate::tensor::{Arithmetic, Comparison, Number, Operand, Tensor};

/// An operator, the operation, what it returns, and an example.
type Computed = (&'static str, Arithmetic, &'static str, &'static str);

const ARITHMETIC: [Computed; 6] = [
    ("+", Arithmetic::Add, "Returns the sum", "tensor([1, 2]) + 1 // => tensor([2, 3])"),
    (
        "-",
        Arithmetic::Sub,
        "Returns the difference",
        "tensor([1.5, 2.0]) - tensor([0.5, 1.0]) // => tensor([1.0, 1.0])\n1 - tensor([0.25]) // => tensor([0.75])",
    ),
    ("*", Arithmetic::Mul, "Returns the product", "2 * tensor([1.0, 2.0]) // => tensor([2.0, 4.0])"),
    ("/", Arithmetic::Div, "Returns the quotient (at least f32)", "tensor([1, 2]) / 2 // => tensor([0.5, 1.0])"),
    (
        "%",
        Arithmetic::Rem,
        "Returns the remainder, with the sign of the dividend",
        "tensor([5, -5]) % 3 // => tensor([2, -2])",
    ),
    ("**", Arithmetic::Pow, "Returns the power", "tensor([2.0]) ** 3 // => tensor([8.0])"),
];

/// A comparison: operator, name as a function, when it holds, and an example: elements, number, result.
type Compared = (&'static str, &'static str, Comparison, &'static str, (&'static str, &'static str, &'static str));

const COMPARISONS: [Compared; 6] = [
    ("==", "equal", Comparison::Equal, "both are equal", ("[1, 2]", "2", "[0, 1]")),
    ("!=", "not_equal", Comparison::NotEqual, "they differ", ("[1, 2]", "2", "[1, 0]")),
    ("<", "less", Comparison::Less, "the left one is less", ("[1, 2]", "2", "[1, 0]")),
    ("<=", "less_equal", Comparison::LessEqual, "the left one is not greater", ("[1, 3]", "2", "[1, 0]")),
    (">", "greater", Comparison::Greater, "the left one is greater", ("[1, 3]", "2", "[0, 1]")),
    (">=", "greater_equal", Comparison::GreaterEqual, "the left one is not less", ("[1, 3]", "3", "[0, 1]")),
];

/// Registers the operators.
pub fn register(module: &mut Module) {
    for (symbol, operation, says, example) in ARITHMETIC {
        let text = format!("{says}, element by element; one side may be a number.\n\n```rhai\n{example}\n```");
        for (left, right) in [(TENSOR, TENSOR_TOO), (TENSOR, TENSOR_OR_NUMBER), (NUMBER, TENSOR)] {
            add(module, symbol, &text, &[("left", left), ("right", right)], "Tensor", move |_, arguments| {
                both(symbol, arguments, |left, right| operation.apply(left, right)).map(Dynamic::from)
            });
        }
    }
    for (symbol, name, comparison, says, (elements, number, result)) in COMPARISONS {
        let rule = format!("Returns 1 where {says}, else 0 (u8), element by element; one side may be a number");
        // `weight == ()` asks whether there is one.
        let of_nothing = match comparison {
            Comparison::Equal => Some(false),
            Comparison::NotEqual => Some(true),
            _ => None,
        };
        let aside = if of_nothing.is_some() { " Against `()` it gives true or false." } else { "" };
        let value = format!("// => tensor({result}).to_u8()");
        let example = format!("```rhai\ntensor({elements}) {symbol} {number} {value}\n```");
        let text = format!("{rule}.{aside}\n\n{example}");
        for (left, right) in [(TENSOR, TENSOR_TOO), (TENSOR, TENSOR_OR_NUMBER), (NUMBER, TENSOR)] {
            add(module, symbol, &text, &[("left", left), ("right", right)], "Tensor", move |_, arguments| {
                match of_nothing.filter(|_| arguments.iter().any(|side| side.is_unit())) {
                    Some(answer) => Ok(answer.into()),
                    None => both(symbol, arguments, |left, right| comparison.apply(left, right)).map(Dynamic::from),
                }
            });
        }
        let example = format!("```rhai\ntensor({elements}).{name}({number}) {value}\n```");
        let text = format!("{rule}; the same as `{symbol}`.\n\n{example}").replace("one side", "`other`");
        for other in [TENSOR_TOO, TENSOR_OR_NUMBER] {
            add(module, name, &text, &[("tensor", TENSOR), ("other", other)], "Tensor", move |_, arguments| {
                both(name, arguments, |left, right| comparison.apply(left, right)).map(Dynamic::from)
            });
        }
    }
    module.combine_flatten(exported_module!(functions));
    let text = "Returns whether any element equals a number: `number in tensor`.\n\n```rhai\n\
                2 in tensor([1, 2]) // => true\n5 in tensor([[1, 2], [3, 4]]) // => false\n```";
    add(module, "contains", text, &[("tensor", TENSOR), ("number", NUMBER)], "bool", |_, arguments| {
        let found = both("in", arguments, |left, right| Comparison::Equal.apply(left, right))?;
        let any = found.any(None, false).and_then(|any| any.item()).map_err(raise)?;
        Ok((any != Number::Int(0)).into())
    });
}

/// Applies an operation to two sides, one of which is a tensor.
fn both(
    symbol: &str,
    arguments: &[&mut Dynamic],
    run: impl FnOnce(Operand, Operand) -> crate::Result<Tensor>,
) -> Answer<Tensor> {
    let (mut hold_left, mut hold_right) = (None, None);
    let sides = (operand(arguments[0], &mut hold_left), operand(arguments[1], &mut hold_right));
    match sides {
        (Ok(left), Ok(right)) => run(left, right).map_err(raise),
        _ => Err(raise(
            Error::script(format!(
                "`{symbol}` does not work between {} and {}",
                type_phrase(arguments[0].type_name()),
                type_phrase(arguments[1].type_name())
            ))
            .coded(codes::WRONG_OPERANDS)
            .hint("a tensor goes with a tensor or a number"),
        )),
    }
}

#[export_module]
mod functions {
    /// Returns the elements with the other sign.
    ///
    /// ```rhai
    /// -tensor([1, -2]) // => tensor([-1, 2])
    /// ```
    #[rhai_fn(name = "-", return_raw)]
    pub fn neg(tensor: Tensor) -> Answer<Tensor> {
        tensor.neg().map_err(raise)
    }

    /// Returns 1 where an element is 0, else 0 (u8).
    ///
    /// ```rhai
    /// !(tensor([1, 3]) > 2) // => tensor([1, 0]).to_u8()
    /// ```
    #[rhai_fn(name = "!", return_raw)]
    pub fn not(tensor: Tensor) -> Answer<Tensor> {
        tensor.equal(0).map_err(raise)
    }
}
