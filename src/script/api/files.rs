//! Files: listed as records, and read one by one in a loader.

use std::path::PathBuf;

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, Map};

use crate::error::Error;
use crate::media::{self, Channels};
use crate::record::{Declared, Dialect, Files, Name, ReadOptions, Records, read_array, read_bytes, read_text};
use crate::script::api::arguments::{Answer, FileOrBytes, sizes, texts};
use crate::script::api::{Page, options::Options};
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};
use crate::tensor::{Dtype, Filter, Tensor};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "files",
    title: "Files",
    intro: "Data in many small files becomes records with their paths; the loader reads each file when it is its turn, so \
            that a folder may be larger than the memory. Names are relative to the project root. `barrage pack` turns a \
            folder into one file, which is many times faster to read in random order.\n\n\
            ```rhai\n\
            let pictures = files(\"images/*/*.png\", #{ label: \"folder\" });\n\
            fn load(record) {\n    \
                let x = #{ picture: image(record.path, #{ size: [32, 32], channels: 3 }).to_f32() / 255.0 };\n    \
                if this.mode == \"score\" { return [x]; }\n    \
                [x, #{ animal: record[\"class\"] }]\n\
            }\n\
            ```",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(functions).into());
}

fn file(context: &NativeCallContext, name: &str) -> Answer<PathBuf> {
    Host::of(context)?.roots().readable(name).map_err(raise)
}

/// Returns the bytes of a file, or those that a tensor holds, and what errors call them.
fn bytes(context: &NativeCallContext, source: &Dynamic) -> Answer<(Vec<u8>, Option<String>)> {
    if let Ok(name) = source.as_immutable_string_ref() {
        return Ok((read_bytes(&file(context, &name)?).map_err(raise)?, Some(name.to_string())));
    }
    match source.read_lock::<Tensor>() {
        Some(tensor) if tensor.dtype() == Dtype::U8 && tensor.rank() == 1 => {
            Ok((tensor.to_host().map_err(raise)?.as_u8().into_owned(), None))
        }
        Some(tensor) => Err(raise(Error::data(format!(
            "expected the bytes of a file, a u8 tensor with one axis, found {} of shape {:?}",
            tensor.dtype(),
            tensor.shape()
        )))),
        None => Err(raise(Error::script(format!(
            "expected the name of a file or its bytes, found {}",
            type_phrase(source.type_name())
        )))),
    }
}

fn within(error: Error, name: Option<String>) -> Box<rhai::EvalAltResult> {
    raise(match name {
        Some(name) => error.within(name),
        None => error,
    })
}

/// Takes the options of reading records that the file itself does not tell.
pub fn read_options(host: &Host, options: &mut Options) -> Answer<ReadOptions> {
    let format = options.text("format")?;
    let shape = options.take("shape").map(|shape| sizes(&shape)).transpose()?;
    let dtype = options.text("dtype")?;
    let skip = options.whole("skip")?.unwrap_or(0) as usize;
    let map = options.flag("mmap")?.unwrap_or(true) && host.map();
    let raw = match (shape, dtype) {
        (Some(shape), Some(dtype)) => Some(Declared { shape, dtype, skip }),
        _ => None,
    };
    let dialect = dialect(options)?;
    Ok(ReadOptions { schema: None, format, map, raw, dialect })
}

/// Takes the options that say how a table of separated values is written.
fn dialect(options: &mut Options) -> Answer<Dialect> {
    Ok(Dialect {
        delimiter: options.delimiter("delimiter")?,
        header: options.flag("header")?.unwrap_or(true),
        names: options.texts("names")?,
        missing: options.texts("missing")?,
    })
}

#[export_module]
mod functions {
    /// Returns the files that match a pattern as records, sorted by path: the column `path`. `*` stands for any part
    /// of a name, `?` for one character, `[ab]` for one of several, `**` for any folders. Links and hidden files are
    /// left out. Options: `label`, `"folder"` for the columns `label`, the name of the folder a file lies in, and
    /// `class`, its number; `classes`, the labels in the order of their numbers (else those found, sorted), so that
    /// other files get the same numbers. (`class` is a plain name in a record: `record["class"]` always works.)
    ///
    /// # Errors
    /// A pattern that matches nothing, a folder outside the project, a folder that is not among `classes`.
    ///
    /// ```rhai
    /// let pictures = files("images/*/*.png", #{ label: "folder" });
    /// [pictures.len, pictures[0].path, pictures.texts("label")] // => [4, "images/cat/0.png", ["cat", "cat", "dog", "dog"]]
    /// pictures.column("class") // => tensor([0, 0, 1, 1])
    /// ```
    #[rhai_fn(name = "files", return_raw)]
    pub fn files(context: NativeCallContext, pattern: &str) -> Answer<Records> {
        files_with(context, pattern, Map::new())
    }

    #[rhai_fn(name = "files", return_raw)]
    pub fn files_with(context: NativeCallContext, pattern: &str, options: Map) -> Answer<Records> {
        let mut options = Options::new("files", options);
        let label = match options.text("label")?.as_deref() {
            None => false,
            Some("folder") => true,
            Some(other) => {
                return Err(raise(
                    Error::script(format!("option `label` of `files`: expected \"folder\", found {other:?}"))
                        .hint("other labels are made with `map`: `files(…).map(|file| #{ path: file.path, … })`"),
                ));
            }
        };
        let classes = options.take("classes");
        options.finish()?;
        let classes = match classes {
            Some(classes) => match classes.read_lock::<List>() {
                Some(list) => Some(texts(&list, "`classes` of `files`")?),
                None => return Err(raise(Error::script("option `classes` of `files`: expected an array of texts"))),
            },
            None => None,
        };
        let roots = Host::of(&context)?.roots().clone();
        // The folders that the pattern names in full are where the walk begins: they have to be readable.
        let parts: Vec<&str> = pattern.split('/').collect();
        let named = parts.iter().take_while(|part| !part.contains(['*', '?', '['])).count().min(parts.len() - 1);
        let folder = parts[..named].join("/");
        let folder = match (folder.is_empty(), pattern.starts_with('/')) {
            (true, true) => "/".to_owned(),
            _ => folder,
        };
        let start = roots.readable(if folder.is_empty() { "." } else { &folder }).map_err(raise)?;
        let rest = parts[named..].join("/");
        let found = Records::files(&start, &rest, &Files { label, classes }).map_err(raise)?;
        found.below(&folder, pattern).map_err(raise)
    }

    /// Returns a picture (PNG, JPEG, WebP, GIF, BMP, TIFF or PNM; of several frames or pages the first) as u8 of shape
    /// `[height, width, channels]`, from a file or from the bytes that a record holds. Options: `size`,
    /// `[height, width]` to bring it to; `method` of that, `"bilinear"` (the default), `"nearest"` or `"box"`;
    /// `antialias`, false to let `"bilinear"` look at two neighbours only, as `tf.image.resize` does; `channels`, 1 for
    /// grey, 3 for colour, 4 with opacity (as stored by default).
    ///
    /// # Errors
    /// A file that is missing, damaged or of another format.
    ///
    /// ```rhai
    /// image("images/cat/0.png").shape // => [3, 4, 3]
    /// image("images/cat/0.png", #{ size: [2, 2], channels: 1 }).flatten() // => tensor([78, 110, 128, 152]).to_u8()
    /// ```
    #[rhai_fn(name = "image", return_raw)]
    pub fn image(context: NativeCallContext, file: FileOrBytes) -> Answer<Tensor> {
        image_with(context, file, Map::new())
    }

    #[rhai_fn(name = "image", return_raw)]
    pub fn image_with(context: NativeCallContext, file: FileOrBytes, options: Map) -> Answer<Tensor> {
        let mut options = Options::new("image", options);
        let size = options.take("size").map(|size| sizes(&size)).transpose()?;
        let method = options.text("method")?;
        let antialias = options.flag("antialias")?.unwrap_or(true);
        let channels = options.whole("channels")?;
        options.finish()?;
        let filter = Filter::parse(method.as_deref().unwrap_or("bilinear"), antialias).map_err(raise)?;
        let channels = channels.map_or(Ok(Channels::AsStored), Channels::of).map_err(raise)?;
        let (bytes, name) = bytes(&context, &file)?;
        let picture = media::picture(&bytes, channels);
        let resized = picture.and_then(|picture| match size.as_deref() {
            None => Ok(picture),
            Some([height, width]) => picture.resize(*height, *width, filter),
            Some(other) => Err(Error::data(format!("`size` of `image`: expected [height, width], found {other:?}"))),
        });
        resized.map_err(|error| within(error, name))
    }

    /// Returns a sound (WAV) as a map: `samples`, f32 from -1 to 1 of shape `[samples, channels]`, and `rate`, samples a
    /// second.
    ///
    /// # Errors
    /// A file that is missing, damaged, compressed or of another format.
    ///
    /// ```rhai
    /// let tone = sound("tone.wav");
    /// [tone.rate, tone.samples.shape, tone.samples[0]] // => [8000, [4, 2], tensor([0.0, 0.5])]
    /// ```
    #[rhai_fn(name = "sound", return_raw)]
    pub fn sound(context: NativeCallContext, file: FileOrBytes) -> Answer<Map> {
        let (bytes, name) = bytes(&context, &file)?;
        let sound = media::sound(&bytes).map_err(|error| within(error, name))?;
        Ok(Map::from([
            ("samples".into(), Dynamic::from(sound.samples)),
            ("rate".into(), Dynamic::from(i64::from(sound.rate))),
        ]))
    }

    /// Returns the text of a file in UTF-8.
    ///
    /// # Errors
    /// A file that is missing or not UTF-8.
    ///
    /// ```rhai
    /// text("note.txt").split("\n")[0] // => "First line"
    /// ```
    #[rhai_fn(name = "text", return_raw)]
    pub fn text(context: NativeCallContext, name: &str) -> Answer<String> {
        read_text(&file(&context, name)?).map_err(raise)
    }

    /// Returns the array in a `.npy` file of NumPy as a tensor.
    ///
    /// # Errors
    /// A file that is missing or damaged, or holds texts or Python objects.
    ///
    /// ```rhai
    /// array("matrix.npy") // => tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    /// ```
    #[rhai_fn(name = "array", return_raw)]
    pub fn array(context: NativeCallContext, name: &str) -> Answer<Tensor> {
        let map = Host::of(&context)?.map();
        read_array(&file(&context, name)?, map).map(Tensor::Host).map_err(raise)
    }

    /// Returns records whose columns are files of one array each (`.npy`, or `.idx` as MNIST has them), with the
    /// records on axis 0; large files are mapped. Options as for `read_records`.
    ///
    /// # Errors
    /// Files with different numbers of rows, or with several columns.
    ///
    /// ```rhai
    /// let digits = read_columns(#{ image: "pixels-idx3-ubyte", label: "labels-idx1-ubyte" });
    /// [digits.len, digits[1].label, digits[0].image.shape] // => [2, 9, [2, 2]]
    /// ```
    #[rhai_fn(name = "read_columns", return_raw)]
    pub fn read_columns(context: NativeCallContext, columns: Map) -> Answer<Records> {
        read_columns_with(context, columns, Map::new())
    }

    #[rhai_fn(name = "read_columns", return_raw)]
    pub fn read_columns_with(context: NativeCallContext, columns: Map, options: Map) -> Answer<Records> {
        let mut options = Options::new("read_columns", options);
        let read = read_options(&Host::of(&context)?, &mut options)?;
        options.finish()?;
        let mut files: Vec<(Name, PathBuf)> = Vec::new();
        for (name, path) in &columns {
            let path = path.as_immutable_string_ref().map_err(|found| {
                raise(Error::script(format!("column `{name}`: expected a file's name, found {}", type_phrase(found))))
            })?;
            files.push((name.as_str().into(), file(&context, &path)?));
        }
        let files: Vec<_> = files.iter().map(|(name, path)| (name.clone(), path.as_path())).collect();
        Records::read_columns(&files, &read).map_err(raise)
    }
}
