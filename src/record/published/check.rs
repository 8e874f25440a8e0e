//! Checks files before they are read: the reader takes the lengths it is told on trust.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result, list};
use crate::record::read::{reason, unreadable};

/// How many bytes an image of CIFAR-10 takes: the label, then 32 by 32 red, green and blue values.
const CIFAR10_IMAGE: u64 = 1 + 3 * 32 * 32;
/// How many images each file of CIFAR-10 has.
const CIFAR10_IMAGES: u64 = 10_000;

/// What the first numbers of an IDX file say.
struct Idx {
    count: u64,
    /// Rows and columns of an image; of a label 1 and 1.
    size: [u64; 2],
}

/// Checks the four files of MNIST; returns rows and columns of an image.
pub(super) fn mnist(folder: &Path, files: &[&str]) -> Result<[usize; 2]> {
    let mut sizes = Vec::new();
    for pair in files.chunks(2) {
        let [images, labels] = pair else { continue };
        let image = idx(folder, images, 3)?;
        let label = idx(folder, labels, 1)?;
        if image.count != label.count {
            return Err(Error::data(format!(
                "`{images}` has {} images, `{labels}` has {} labels",
                image.count, label.count
            ))
            .hint("both files have to be of the same data set"));
        }
        sizes.push((images, image.size));
    }
    match sizes[..] {
        [(_, train), (_, test)] if train == test => Ok([train[0] as usize, train[1] as usize]),
        [(one, [a, b]), (other, [c, d])] => {
            Err(Error::data(format!("the images of `{one}` have shape [{a}, {b}], those of `{other}` [{c}, {d}]")))
        }
        _ => Err(Error::data("expected two pairs of files")),
    }
}

/// Checks the six files of CIFAR-10.
pub(super) fn cifar10(folder: &Path, files: &[&str]) -> Result<()> {
    for name in files {
        let (_, length) = open(folder, name)?;
        let expected = CIFAR10_IMAGE * CIFAR10_IMAGES;
        if length != expected {
            return Err(Error::data(format!(
                "`{name}` is no file of CIFAR-10: expected {expected} bytes ({CIFAR10_IMAGES} images of \
                 {CIFAR10_IMAGE}), found {length}"
            ))
            .hint("use the binary version, `cifar-10-binary.tar.gz`; copy or unpack it again if it is cut off"));
        }
    }
    Ok(())
}

/// Checks an IDX file of unsigned bytes (`axes` is 3 for images, 1 for labels) against its length.
fn idx(folder: &Path, name: &str, axes: usize) -> Result<Idx> {
    let (mut file, length) = open(folder, name)?;
    let mut bytes = Vec::new();
    let header = 4 + 4 * axes as u64;
    file.by_ref().take(header).read_to_end(&mut bytes).map_err(|error| unreadable(&folder.join(name), &error))?;
    let numbers: Vec<u64> =
        bytes.chunks_exact(4).map(|four| four.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))).collect();
    // Two zeros, the element type 8 (unsigned bytes), the number of axes.
    let magic = 0x0800 + axes as u64;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Error::data(format!("`{name}` is compressed")).hint("unpack it with `gunzip` first"));
    }
    if numbers.first() != Some(&magic) {
        let found = numbers.first().map_or("nothing".to_owned(), u64::to_string);
        return Err(Error::data(format!(
            "`{name}` is no IDX file of {}: expected {magic} in its first four bytes, found {found}",
            if axes == 3 { "images" } else { "labels" },
        )));
    }
    let (count, size) = match numbers[1..] {
        [count] if axes == 1 => (count, [1, 1]),
        [count, rows, columns] => (count, [rows, columns]),
        _ => return Err(Error::data(format!("`{name}` is cut off within its first {header} bytes"))),
    };
    let expected = u128::from(count) * u128::from(size[0]) * u128::from(size[1]) + u128::from(header);
    if expected != u128::from(length) {
        let shape = [&[count][..], if axes == 3 { &size } else { &[] }].concat();
        return Err(Error::data(format!(
            "`{name}` holds shape {shape:?} and so should have {expected} bytes, found {length}"
        ))
        .hint("copy or unpack it again"));
    }
    match count == 0 || size.contains(&0) {
        true => Err(Error::data(format!("`{name}` is empty: shape [{count}, {}, {}]", size[0], size[1]))),
        false => Ok(Idx { count, size }),
    }
}

/// Opens a file; returns its length too.
fn open(folder: &Path, name: &str) -> Result<(File, u64)> {
    let path = folder.join(name);
    let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
    match opened {
        Ok((data, file)) if data.is_file() => Ok((file, data.len())),
        Ok(_) => Err(Error::data(format!("`{name}` is not a file"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut names: Vec<String> = std::fs::read_dir(folder)
                .map_err(|error| Error::data(format!("cannot read the folder: {}", reason(&error))))?
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort_unstable();
            Err(missing(name, &names))
        }
        Err(error) => Err(unreadable(&path, &error)),
    }
}

/// Says which file is missing, and what lies there instead.
fn missing(name: &str, names: &[String]) -> Error {
    let error = Error::data(format!("there is no file `{name}` in the folder"));
    // The same file under the names it has elsewhere: packed, with a dot, without an ending.
    let plain = |text: &str| text.trim_end_matches(".gz").trim_end_matches(".bin").replace('.', "-");
    match names.iter().find(|other| plain(other) == plain(name)) {
        Some(packed) if packed.ends_with(".gz") => error.hint(format!("unpack `{packed}` with `gunzip` first")),
        Some(other) if name.ends_with(".bin") => error
            .hint(format!("`{other}` is of the version for Python; use the binary version, `cifar-10-binary.tar.gz`")),
        Some(other) => error.hint(format!("rename `{other}` to `{name}`")),
        None if names.is_empty() => error.hint("the folder is empty; data sets are read, never downloaded"),
        None => error.hint(format!("the folder has {}", list(names.iter().take(8).map(String::as_str)))),
    }
}
