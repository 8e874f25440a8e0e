//! Data sets in the files their publishers ship: MNIST and its kin, CIFAR-10. Read from a folder, never
//! downloaded, with the cargo feature `datasets`.

#[cfg(feature = "datasets")]
mod check;
#[cfg(feature = "datasets")]
mod load;

use std::path::Path;

use crate::error::{Error, Result, did_you_mean, list};
use crate::record::Records;

/// A data set in the files its publisher ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Handwritten digits, or another set in the same four IDX files (Fashion-MNIST, KMNIST).
    Mnist,
    /// Photographs of ten kinds of things, in the six files of the binary version.
    Cifar10,
}

/// The records of a published data set, in the order of the files.
#[derive(Clone, Debug)]
pub struct TrainTest {
    /// What to learn from.
    pub train: Records,
    /// What to be measured on.
    pub test: Records,
}

impl Published {
    /// The names, as scripts write them.
    pub const NAMES: [(&'static str, Published); 3] =
        [("mnist", Published::Mnist), ("fashion_mnist", Published::Mnist), ("cifar10", Published::Cifar10)];

    /// Finds a data set by its name.
    ///
    /// # Errors
    /// An unknown name, with the nearest one.
    pub fn find(name: &str) -> Result<Published> {
        let names = || Published::NAMES.iter().map(|(name, _)| *name);
        Published::NAMES.iter().find(|(known, _)| *known == name).map(|(_, set)| *set).ok_or_else(|| {
            Error::data(format!("unknown data set `{name}`"))
                .maybe_hint(did_you_mean(name, names()))
                .hint(format!("data sets: {}", list(names())))
        })
    }

    /// Returns the names of the files that have to be in the folder.
    pub fn files(self) -> &'static [&'static str] {
        match self {
            Published::Mnist => &[
                "train-images-idx3-ubyte",
                "train-labels-idx1-ubyte",
                "t10k-images-idx3-ubyte",
                "t10k-labels-idx1-ubyte",
            ],
            Published::Cifar10 => &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
                "test_batch.bin",
            ],
        }
    }

    /// Reads the data set from a folder: the columns `image` (f32 from 0 to 1; `[28, 28, 1]` for MNIST,
    /// `[32, 32, 3]` for CIFAR-10: rows, columns, channels) and `label` (a whole number).
    ///
    /// All numbers are held in memory: 0.2 GB for MNIST, 0.75 GB for CIFAR-10; reading it takes up to 2 GB.
    ///
    /// # Errors
    /// A missing, compressed or foreign file, one of another length than it says; a binary that was built
    /// without the feature `datasets`.
    pub fn read(self, folder: &Path) -> Result<TrainTest> {
        self.read_files(folder).map_err(|error| error.within(folder.display().to_string()))
    }

    #[cfg(feature = "datasets")]
    fn read_files(self, folder: &Path) -> Result<TrainTest> {
        match self {
            Published::Mnist => {
                let size = check::mnist(folder, self.files())?;
                load::mnist(folder, size)
            }
            Published::Cifar10 => {
                check::cifar10(folder, self.files())?;
                load::cifar10(folder)
            }
        }
    }

    #[cfg(not(feature = "datasets"))]
    fn read_files(self, _folder: &Path) -> Result<TrainTest> {
        Err(Error::data("cannot read the data set: this binary was built without the feature `datasets`")
            .hint("build it with `cargo build --release --features datasets`"))
    }
}

#[cfg(test)]
#[cfg(feature = "datasets")]
mod tests;
