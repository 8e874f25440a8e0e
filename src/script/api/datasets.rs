//! Published data sets.

use rhai::plugin::*;
use rhai::{Dynamic, Engine, Map};

use crate::record::published::Published;
use crate::script::api::Page;
use crate::script::api::arguments::Answer;
use crate::script::host::Host;
use crate::script::traceback::raise;

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "datasets",
    title: "Published data sets",
    intro: "Data sets that everyone knows, read from the files their publishers ship. They are never downloaded: fetch \
            and unpack them into a folder of the project first. Needs a binary built with the cargo feature `datasets`: \
            `cargo build --release --features datasets`.\n\n\
            ```text\n\
            let mnist = read_dataset(\"mnist\", \"downloads/mnist\");\n\
            print(mnist.train.len);\n\
            ```",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(functions).into());
}

#[export_module]
mod functions {
    /// Returns a data set from the files in a folder: `#{ train, test }`, two tables of records with an
    /// `image` and a whole number as `label`. Images are f32 from 0 to 1, of shape rows, columns, channels.
    /// The folder's name is relative to the project root.
    ///
    /// - `"mnist"`, `[28, 28, 1]`: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
    ///   `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, unpacked. `"fashion_mnist"` has the same files.
    /// - `"cifar10"`, `[32, 32, 3]`: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, the binary
    ///   version. Reading it takes up to 2 GB of memory, keeping it 0.75 GB.
    ///
    /// # Errors
    /// An unknown name, a missing, compressed or damaged file, a folder outside the project, a binary without
    /// the feature `datasets`.
    #[rhai_fn(name = "read_dataset", return_raw)]
    pub fn read_dataset(context: NativeCallContext, name: &str, folder: &str) -> Answer<Map> {
        let set = Published::find(name).map_err(raise)?;
        let roots = Host::of(&context)?.roots().clone();
        let place = roots.readable(folder).map_err(raise)?;
        // A link inside the folder may lead out of the project; what is missing is told by the reader.
        for file in set.files().iter().filter(|file| place.join(file).exists()) {
            roots.readable(&format!("{folder}/{file}")).map_err(raise)?;
        }
        let parts = set.read(&place).map_err(raise)?;
        Ok(Map::from([("train".into(), Dynamic::from(parts.train)), ("test".into(), Dynamic::from(parts.test))]))
    }
}
