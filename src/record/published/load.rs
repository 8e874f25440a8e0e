//! From what candle-datasets reads to records.

use std::path::Path;

use candle_datasets::vision::{self, Dataset};

use super::TrainTest;
use crate::error::{Error, Result};
use crate::record::Records;
use crate::tensor::{Array, Graph, Tensor};

/// How the values of an image lie in what was read.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    /// One number a pixel; rows and columns are given.
    Grey([usize; 2]),
    /// Channels, rows, columns.
    ChannelsFirst,
}

pub(super) fn mnist(folder: &Path, size: [usize; 2]) -> Result<TrainTest> {
    records(vision::mnist::load_dir(folder).map_err(failed)?, Layout::Grey(size))
}

pub(super) fn cifar10(folder: &Path) -> Result<TrainTest> {
    records(vision::cifar::load_dir(folder).map_err(failed)?, Layout::ChannelsFirst)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::data(format!("cannot read the data set: {error}"))
}

/// Makes records of a data set, channels last as everywhere in this program.
pub(super) fn records(set: Dataset, layout: Layout) -> Result<TrainTest> {
    let Dataset { train_images, train_labels, test_images, test_labels, .. } = set;
    Ok(TrainTest {
        train: part(train_images, &train_labels, layout, "train")?,
        test: part(test_images, &test_labels, layout, "test")?,
    })
}

fn part(images: Graph, labels: &Graph, layout: Layout, source: &str) -> Result<Records> {
    let array = Array::from_graph(&images)?;
    // Given back before the next copy is made.
    drop(images);
    let images = match layout {
        Layout::Grey([rows, columns]) => {
            Tensor::from(array).reshape(&[-1, rows as isize, columns as isize, 1])?.to_host()?
        }
        Layout::ChannelsFirst => Tensor::from(array).transpose(Some(&[0, 2, 3, 1]))?.to_host()?.to_contiguous(),
    };
    Records::from_columns(
        vec![("image".into(), images.into()), ("label".into(), Tensor::from(Array::from_graph(labels)?).to_i64()?)],
        source,
    )
}
