//! Small files of the true formats; CIFAR-10 has one length only, so its files are mostly holes.

use std::path::Path;

use candle_datasets::vision::Dataset;

use super::load::{self, Layout};
use super::{Published, TrainTest};
use crate::error::Kind;
use crate::tensor::{Array, device};

fn idx(magic: u32, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = std::iter::once(&magic).chain(shape).flat_map(|number| number.to_be_bytes()).collect();
    bytes.extend(data);
    bytes
}

/// Writes four images of 2 by 3 to learn from, and two to test.
fn mnist(folder: &Path) {
    let pixels: Vec<u8> = (0..24).map(|x| x * 10).collect();
    for (prefix, count) in [("train", 4u32), ("t10k", 2)] {
        let images = idx(2051, &[count, 2, 3], &pixels[..6 * count as usize]);
        std::fs::write(folder.join(format!("{prefix}-images-idx3-ubyte")), images).unwrap();
        let labels = idx(2049, &[count], &[7, 0, 9, 3][..count as usize]);
        std::fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), labels).unwrap();
    }
}

fn shapes(set: &TrainTest) -> String {
    let shape = |records: &crate::record::Records| records.column("image").unwrap().shape().to_vec();
    format!("{:?} {:?}", shape(&set.train), shape(&set.test))
}

#[test]
fn mnist_is_read() {
    let folder = tempfile::tempdir().unwrap();
    mnist(folder.path());
    let set = Published::find("mnist").unwrap().read(folder.path()).unwrap();
    assert_eq!(shapes(&set), "[4, 2, 3, 1] [2, 2, 3, 1]");
    let images = set.train.column("image").unwrap().to_host().unwrap();
    for (value, pixel) in images.as_f32().iter().zip(0..24) {
        assert!((value * 255.0 - pixel as f32 * 10.0).abs() < 1e-4, "{value}");
    }
    let labels = set.train.column("label").unwrap().to_host().unwrap();
    assert_eq!(labels.as_i64().as_ref(), [7, 0, 9, 3]);
    assert_eq!(set.test.record(0).place(), "record 0 of test");
}

/// The reader of another project and ours agree on the same files.
#[test]
fn idx_files_are_read_alike_by_our_own_reader() {
    use crate::record::{ReadOptions, Records};
    let folder = tempfile::tempdir().unwrap();
    mnist(folder.path());
    let theirs = Published::Mnist.read(folder.path()).unwrap();
    for (prefix, theirs) in [("train", &theirs.train), ("t10k", &theirs.test)] {
        let images = folder.path().join(format!("{prefix}-images-idx3-ubyte"));
        let labels = folder.path().join(format!("{prefix}-labels-idx1-ubyte"));
        let files = [("image".into(), images.as_path()), ("label".into(), labels.as_path())];
        let ours = Records::read_columns(&files, &ReadOptions::default()).unwrap();
        let host = |records: &Records, name| records.column(name).unwrap().to_host().unwrap();
        let (pixels, scaled) = (host(&ours, "image"), host(theirs, "image"));
        assert_eq!(pixels.size(), scaled.size());
        for (ours, theirs) in pixels.as_u8().iter().zip(scaled.as_f32().iter()) {
            assert_eq!(f32::from(*ours), (theirs * 255.0).round());
        }
        assert_eq!(host(&ours, "label").as_i64(), host(theirs, "label").as_i64());
    }
}

/// One file of CIFAR-10 as both read it: a few images, and holes up to the one length that theirs takes.
#[test]
fn files_of_cifar10_are_read_alike_by_our_own_reader() {
    use crate::record::{Field, ReadOptions, Records};
    const IMAGES: usize = 10_000;
    const FEW: usize = 5;
    let folder = tempfile::tempdir().unwrap();
    let few: Vec<u8> =
        (0..FEW * 3073).map(|at| if at % 3073 == 0 { (at / 3073) as u8 } else { (at * 7 % 251) as u8 }).collect();
    for name in Published::Cifar10.files() {
        let path = folder.path().join(name);
        std::fs::write(&path, &few).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(3073 * IMAGES as u64).unwrap();
    }
    let theirs = Published::Cifar10.read(folder.path()).unwrap().test;
    let options = ReadOptions { format: Some("cifar10".to_owned()), ..ReadOptions::default() };
    let ours = Records::read_with(&folder.path().join("test_batch.bin"), &options).unwrap();
    assert_eq!((ours.len(), theirs.len()), (IMAGES, IMAGES));
    for at in (0..FEW).chain([IMAGES - 1]) {
        let array = |records: &Records| match records.record(at).field("image").unwrap() {
            Field::Tensor(tensor) => tensor.to_host().unwrap(),
            other => panic!("expected an image, found {other:?}"),
        };
        let (pixels, scaled) = (array(&ours), array(&theirs));
        assert_eq!(pixels.shape(), scaled.shape());
        for (ours, theirs) in pixels.as_u8().iter().zip(scaled.as_f32().iter()) {
            assert_eq!(f32::from(*ours), (theirs * 255.0).round());
        }
        let label = |records: &Records| records.record(at).number("label").unwrap();
        assert_eq!(label(&ours), label(&theirs));
    }
}

#[test]
fn channels_come_last() {
    let images = |count: usize| {
        let values = (0..count * 3 * 4).map(|x| x as f32).collect();
        Array::from_f32(values, &[count, 3, 2, 2]).unwrap().to_graph(&device::cpu()).unwrap()
    };
    let labels = |count: usize| Array::from_u8(vec![3; count], &[count]).unwrap().to_graph(&device::cpu()).unwrap();
    let set = Dataset {
        train_images: images(2),
        train_labels: labels(2),
        test_images: images(1),
        test_labels: labels(1),
        labels: 10,
    };
    let set = load::records(set, Layout::ChannelsFirst).unwrap();
    assert_eq!(shapes(&set), "[2, 2, 2, 3] [1, 2, 2, 3]");
    let image = set.train.record(1).get("image").unwrap().to_json().unwrap();
    assert_eq!(image.to_string(), "[[[12.0,16.0,20.0],[13.0,17.0,21.0]],[[14.0,18.0,22.0],[15.0,19.0,23.0]]]");
}

/// Checks how a folder with one changed file is refused; `None` removes the file.
fn refused(set: Published, prepare: &dyn Fn(&Path), name: &str, bytes: Option<&[u8]>, message: &str, hint: &str) {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    match bytes {
        Some(bytes) => std::fs::write(folder.path().join(name), bytes).unwrap(),
        None => std::fs::remove_file(folder.path().join(name)).unwrap(),
    }
    let error = set.read(folder.path()).unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert_eq!(error.message(), message);
    assert!(error.hints().join("; ").contains(hint), "{hint} not in {:?}", error.hints());
}

#[test]
fn wrong_idx_files_are_refused() {
    let images = "train-images-idx3-ubyte";
    let labels = "t10k-labels-idx1-ubyte";
    for (name, bytes, message, hint) in [
        (images, None, "there is no file `train-images-idx3-ubyte` in the folder", "the folder has `t10k-images"),
        (
            images,
            Some(idx(2051, &[4, 2, 3], &[0; 23])),
            "`train-images-idx3-ubyte` holds shape [4, 2, 3] and so should have 40 bytes, found 39",
            "unpack it again",
        ),
        (
            images,
            Some(idx(2051, &[u32::MAX; 3], &[])),
            "`train-images-idx3-ubyte` holds shape [4294967295, 4294967295, 4294967295] and so should have \
             79228162458924105385300197391 bytes, found 16",
            "",
        ),
        (images, Some(idx(2051, &[4], &[])), "`train-images-idx3-ubyte` is cut off within its first 16 bytes", ""),
        (
            images,
            Some(vec![]),
            "`train-images-idx3-ubyte` is no IDX file of images: expected 2051 in its first four bytes, found nothing",
            "",
        ),
        (images, Some(vec![0x1f, 0x8b, 8, 0]), "`train-images-idx3-ubyte` is compressed", "gunzip"),
        (
            labels,
            Some(idx(2051, &[2], &[0; 2])),
            "`t10k-labels-idx1-ubyte` is no IDX file of labels: expected 2049 in its first four bytes, found 2051",
            "",
        ),
        (
            labels,
            Some(idx(2049, &[3], &[0; 3])),
            "`t10k-images-idx3-ubyte` has 2 images, `t10k-labels-idx1-ubyte` has 3 labels",
            "same data set",
        ),
        (
            "t10k-images-idx3-ubyte",
            Some(idx(2051, &[2, 3, 3], &[0; 18])),
            "the images of `train-images-idx3-ubyte` have shape [2, 3], those of `t10k-images-idx3-ubyte` [3, 3]",
            "",
        ),
        (images, Some(idx(2051, &[0, 2, 3], &[])), "`train-images-idx3-ubyte` is empty: shape [0, 2, 3]", ""),
    ] {
        refused(Published::Mnist, &mnist, name, bytes.as_deref(), message, hint);
    }
}

#[test]
fn files_under_other_names_are_pointed_out() {
    for (other, hint) in [
        ("train-images-idx3-ubyte.gz", "unpack `train-images-idx3-ubyte.gz` with `gunzip` first"),
        ("train-images.idx3-ubyte", "rename `train-images.idx3-ubyte` to `train-images-idx3-ubyte`"),
    ] {
        let prepare = |folder: &Path| {
            mnist(folder);
            std::fs::write(folder.join(other), b"").unwrap();
        };
        let name = "train-images-idx3-ubyte";
        let message = "there is no file `train-images-idx3-ubyte` in the folder";
        refused(Published::Mnist, &prepare, name, None, message, hint);
    }
    let python = |folder: &Path| {
        for name in ["data_batch_1", "data_batch_2.bin"] {
            std::fs::write(folder.join(name), b"").unwrap();
        }
    };
    let message = "there is no file `data_batch_1.bin` in the folder";
    refused(Published::Cifar10, &python, "data_batch_2.bin", None, message, "version for Python");
    let error = Published::find("cifar-10").unwrap_err();
    assert_eq!(error.hints()[0], "did you mean `cifar10`?");
    let error = Published::Mnist.read(Path::new("nowhere")).unwrap_err();
    assert!(error.message().starts_with("cannot read the folder"), "{error}");
}

#[test]
fn wrong_files_of_cifar10_are_refused() {
    let holes = |folder: &Path| {
        for name in Published::Cifar10.files() {
            std::fs::File::create(folder.join(name)).unwrap().set_len(30_730_000).unwrap();
        }
    };
    let message = "`data_batch_3.bin` is no file of CIFAR-10: expected 30730000 bytes (10000 images of 3073), found 3";
    refused(Published::Cifar10, &holes, "data_batch_3.bin", Some(b"abc"), message, "binary version");
}
