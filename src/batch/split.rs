//! Splitting columns into the rows of a chunk.

use crate::record::{Column, Columns, DataColumns, DataRecord, Field, Fields};
use crate::tensor::Tensor;

/// Returns the rows of the columns, in order. Tensors are views of the column's memory until someone
/// writes to them; each column must have `columns.len` rows.
pub fn split(columns: &DataColumns) -> Vec<DataRecord> {
    (0..columns.len)
        .map(|row| DataRecord {
            x: fields(&columns.x, row),
            y: columns.y.as_ref().map(|columns| fields(columns, row)),
            w: columns.w.as_ref().map(|columns| fields(columns, row)),
        })
        .collect()
}

fn fields(columns: &Columns, row: usize) -> Fields {
    columns.iter().map(|(name, column)| (name.clone(), field(column, row))).collect()
}

fn field(column: &Column, row: usize) -> Field {
    match column {
        Column::Dense(Tensor::Host(array)) => Field::Tensor(array.row(row).into()),
        // A row that is there can always be taken.
        Column::Dense(Tensor::Graph(graph)) => {
            Field::Tensor(Tensor::Graph(graph.get(row).unwrap_or_else(|_| graph.clone())))
        }
        Column::Ragged(tensors) => Field::Tensor(tensors[row].clone()),
        Column::Text(texts) => Field::Text(texts[row].clone()),
        Column::Texts(texts) => Field::Texts(texts[row].clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::stack;
    use crate::record::Value;
    use crate::tensor::Array;

    fn json(field: &Field) -> String {
        Value::from(field.clone()).to_json().unwrap().to_string()
    }

    #[test]
    fn split_undoes_stack() {
        let record = |i: usize| DataRecord {
            x: vec![
                ("a".into(), Field::Tensor(Array::from_f32(vec![i as f32, 0.5], &[2]).unwrap().into())),
                ("t".into(), Field::Text(format!("text {i}").into())),
                ("l".into(), Field::Texts(vec![format!("word {i}").into()].into())),
                ("r".into(), Field::Tensor(Array::from_i64(vec![7; i], &[i]).unwrap().into())),
            ],
            y: Some(vec![("y".into(), Field::Tensor(Array::from_i64(vec![i as i64], &[]).unwrap().into()))]),
            w: None,
        };
        let records: Vec<DataRecord> = (0..3).map(record).collect();
        let columns = stack(&records, &|i| format!("record {i}")).unwrap();
        let back = split(&columns);
        assert_eq!(back.len(), 3);
        for (one, other) in records.iter().zip(&back) {
            for ((name, a), (_, b)) in
                one.x.iter().zip(&other.x).chain(one.y.iter().flatten().zip(other.y.iter().flatten()))
            {
                assert_eq!(json(a), json(b), "{name}");
            }
            assert!(other.w.is_none());
        }
    }
}
