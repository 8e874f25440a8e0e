//! What a program that embeds this one needs, in one line: `use barrage::prelude::*;`.

pub use crate::error::{Error, Kind, Result, draw};
pub use crate::random::Random;
pub use crate::record::{
    Augmentor, Column, Columns, DataColumns, DataRecord, DataRecords, Field, Fields, Loader, Mode, Name, Record,
    Records, Transformer, Value,
};
pub use crate::registry::Params;
pub use crate::script::{Builder, Dynamic, Engine, EvalAltResult, Host, Limits, Map, Scope};
pub use crate::tensor::{Array, Dtype, Tensor};
pub use crate::trainer::Progress;
