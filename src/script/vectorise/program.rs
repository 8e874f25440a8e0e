//! A script function in the form that is followed: names are slots, calls know what they call, and there is
//! nothing in it that could not be followed at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Identifier, ImmutableString, Position};

use super::value::Value;
use crate::record::Name;

/// A function with all that it calls; the first one is where it begins.
#[derive(Debug)]
pub(super) struct Program {
    pub functions: Vec<Function>,
}

#[derive(Debug)]
pub(super) struct Function {
    pub script: Arc<str>,
    pub parameters: usize,
    /// Names live in slots, those of a block above those around it.
    pub slots: usize,
    pub body: Block,
}

/// Statements; the last one's value is the block's.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub statements: Vec<Statement>,
    /// The slots in use where the block begins.
    pub base: usize,
}

#[derive(Debug)]
pub(super) enum Statement {
    Value(Node),
    Let(usize, Node),
    Assign { place: Place, operator: Option<Operator>, value: Node, at: Position },
    If { condition: Node, yes: Block, no: Block, at: Position },
    While { condition: Option<Node>, body: Block, at: Position },
    For { item: usize, counter: Option<usize>, over: Node, body: Block, at: Position },
    Block(Block),
    Break,
    Continue,
    Return(Option<Node>),
    Throw(Position),
}

/// Something that may be assigned to: a slot, or a part of what is in it.
#[derive(Debug)]
pub(super) struct Place {
    pub slot: usize,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Step {
    Field(Identifier),
    Index(Node),
}

#[derive(Debug)]
pub(super) enum Node {
    Constant(Value),
    Slot(usize),
    /// The component's state.
    This,
    List(Vec<Node>),
    /// A list of fields of the records in a slot that becomes numbers side by side, and the same as a plain list.
    Fields {
        slot: usize,
        names: Vec<Name>,
        list: Vec<Node>,
    },
    Map(BTreeMap<Identifier, Node>),
    Property {
        of: Box<Node>,
        name: ImmutableString,
        at: Position,
    },
    Index {
        of: Box<Node>,
        index: Box<Node>,
        at: Position,
    },
    /// A native function; when it may change its first argument, the place of that.
    Call {
        name: ImmutableString,
        arguments: Vec<Node>,
        place: Option<Box<Place>>,
        at: Position,
    },
    /// A function of a script.
    Script {
        function: usize,
        arguments: Vec<Node>,
        at: Position,
    },
    Operator {
        operator: Operator,
        sides: Box<[Node; 2]>,
        at: Position,
    },
    And(Vec<Node>, Position),
    Or(Vec<Node>, Position),
    Coalesce(Vec<Node>, Position),
    /// Text with values in it.
    Join(Vec<Node>, Position),
    Block(Box<Statement>),
    Closure {
        function: usize,
        captures: Vec<usize>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    /// One that has no column form: bits, shifts, ranges.
    Other(&'static str),
}

impl Operator {
    pub fn of(symbol: &str) -> Option<Operator> {
        const OTHER: [&str; 7] = ["&", "|", "^", "<<", ">>", "..", "..="];
        Some(match symbol {
            "+" => Operator::Add,
            "-" => Operator::Sub,
            "*" => Operator::Mul,
            "/" => Operator::Div,
            "%" => Operator::Rem,
            "**" => Operator::Pow,
            "==" => Operator::Equal,
            "!=" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterEqual,
            other => Operator::Other(OTHER.into_iter().find(|known| *known == other)?),
        })
    }

    pub fn symbol(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Sub => "-",
            Operator::Mul => "*",
            Operator::Div => "/",
            Operator::Rem => "%",
            Operator::Pow => "**",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterEqual => ">=",
            Operator::Other(symbol) => symbol,
        }
    }
}
