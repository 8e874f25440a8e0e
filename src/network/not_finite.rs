//! The first layer of a pass whose values are not finite.

use crate::error::Result;
use crate::record::Name;
use crate::tensor::{Array, Graph};

/// A layer whose values were not finite, where all before it were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFinite {
    /// The layer's name.
    pub layer: Name,
    /// Its Keras name: `Dense`.
    pub kind: &'static str,
    /// The records of the batch, from 0, with such a value.
    pub rows: Vec<usize>,
}

impl NotFinite {
    /// Looks through the values of a layer, those of one record after the other.
    pub(super) fn find(layer: &Name, kind: &'static str, values: &[f32], rows: usize) -> Option<Self> {
        let size = (values.len() / rows.max(1)).max(1);
        let spoilt = |(_, values): &(usize, &[f32])| values.iter().any(|value| !value.is_finite());
        let rows: Vec<usize> = values.chunks(size).enumerate().filter(spoilt).map(|(row, _)| row).collect();
        (!rows.is_empty()).then(|| NotFinite { layer: layer.clone(), kind, rows })
    }

    /// Looks through a composed value, with the batch axis.
    ///
    /// # Errors
    /// None in practice: the value is read from its device.
    pub(super) fn look(layer: &Name, kind: &'static str, value: &Graph) -> Result<Option<Self>> {
        let rows = value.dims().first().copied().unwrap_or(1);
        let values = Array::from_graph(&value.to_dtype(candle_core::DType::F32)?)?;
        Ok(NotFinite::find(layer, kind, &values.as_f32(), rows))
    }
}
