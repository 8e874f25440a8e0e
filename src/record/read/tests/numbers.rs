//! Files of numbers good and corrupt: what is read, and the exact message.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Kind;
use crate::record::{Declared, Name, ReadOptions, Records, Value};
use crate::tensor::{Array, Dtype};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> crate::Result<Records> {
    let folder = Folder::new();
    Records::read_with(&folder.file(name, bytes), options)
}

fn format(name: &str) -> ReadOptions {
    ReadOptions { format: Some(name.to_owned()), ..ReadOptions::default() }
}

/// Returns shape, dtype and numbers of a column in short.
fn shown(records: &Records, column: &str) -> String {
    let tensor = records.column(column).unwrap();
    format!("{:?} {} {:?}", tensor.shape(), tensor.dtype(), tensor.to_host().unwrap().to_f64_vec())
}

fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn idx(kind: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|length| length.to_be_bytes()));
    bytes.extend(data);
    bytes
}

/// A zip archive of members that are stored or deflated.
fn zip(members: &[(&str, &[u8], bool)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, data, deflated) in members {
        let packed = match deflated {
            true => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            false => data.to_vec(),
        };
        let at = bytes.len() as u32;
        let mut common = vec![20, 0, 0, 0, if *deflated { 8 } else { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((data.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(&packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend((members.len() as u16).to_le_bytes());
    bytes.extend((members.len() as u16).to_le_bytes());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, data) in members {
        let mut header = vec![0u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend(header);
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

#[test]
fn arrays_of_numpy() {
    let plain = ReadOptions::default();
    let data: Vec<u8> = [1.5f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    for (descr, fortran, shape, data, expected) in [
        ("'<f4'", "False", "(2, 3)", data.clone(), "[2, 3] f32 [1.5, 2.0, 3.0, 4.0, 5.0, 6.0]"),
        ("'<f4'", "True", "(2, 3)", data.clone(), "[2, 3] f32 [1.5, 3.0, 5.0, 2.0, 4.0, 6.0]"),
        ("'|u1'", "False", "(3,)", vec![1, 2, 250], "[3] i64 [1.0, 2.0, 250.0]"),
        ("'|b1'", "False", "(1, 2)", vec![0, 1], "[1, 2] u8 [0.0, 1.0]"),
        ("'>i2'", "False", "(2, 1)", vec![0, 1, 255, 255], "[2, 1] i64 [1.0, -1.0]"),
    ] {
        let records = read("a.npy", &npy(descr, fortran, shape, &data), &plain).unwrap();
        assert_eq!(shown(&records, "value"), expected, "{descr} {fortran}");
    }
    for (bytes, message) in [
        (
            npy("'<f4'", "False", "(2, 3)", &data[..20]),
            "the header says shape [2, 3] of 4 bytes a number, 24 bytes in all, found 20",
        ),
        (
            npy("'<f4'", "False", "(2, 99999999999999)", &data),
            "the header says shape [2, 99999999999999] of 4 bytes a number, too many bytes in all, found 24",
        ),
        (npy("'<f4'", "False", "()", &data[..4]), "the array is a single number: expected records on axis 0"),
        (npy("'|O'", "False", "(1,)", b"x"), "the array holds Python objects, stored as a pickle, which is not read"),
        (npy("'<U3'", "False", "(1,)", b"x"), "the array holds texts"),
        (npy("'<c8'", "False", "(1,)", b"x"), "numbers of type `<c8` are not read"),
        (npy("[('a', '<f4')]", "False", "(1,)", b"x"), "the array has named fields"),
        (
            npy("'<f4'", "False", "(2, 3)", &data)[..40].to_vec(),
            "the file is cut off within its header: it has 40 bytes",
        ),
        (b"PK".to_vec(), "not an array of NumPy: expected `\\x93NUMPY` first, found \"PK\""),
        (b"".to_vec(), "not an array of NumPy: expected `\\x93NUMPY` first, found \"\""),
    ] {
        let error = read("a.npy", &bytes, &plain).unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Data, message));
        assert!(error.context()[0].ends_with("a.npy"), "{error}");
    }
}

#[test]
fn archives_of_numpy() {
    let plain = ReadOptions::default();
    let x = npy("'|u1'", "False", "(2, 2)", &[1, 2, 3, 4]);
    let y = npy("'|u1'", "False", "(2,)", &[7, 8]);
    let short = npy("'|u1'", "False", "(1,)", &[7]);
    for deflated in [false, true] {
        let bytes = zip(&[("x.npy", &x, deflated), ("y.npy", &y, deflated)]);
        let records = read("a.npz", &bytes, &plain).unwrap();
        assert_eq!(shown(&records, "x"), "[2, 2] u8 [1.0, 2.0, 3.0, 4.0]");
        assert_eq!(shown(&records, "y"), "[2] i64 [7.0, 8.0]");
        // Wherever the archive is cut, it is refused.
        for length in 0..bytes.len() {
            assert!(read("a.npz", &bytes[..length], &plain).is_err(), "{length}");
        }
    }
    let error = read("a.npz", &zip(&[("x.npy", &x, false), ("y.npy", &short, true)]), &plain).unwrap_err();
    assert_eq!(error.message(), "`x` has 2 rows, `y` has 1");
}

#[test]
fn idx_files_are_those_of_mnist() {
    let plain = ReadOptions::default();
    let images = idx(8, &[2, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(
        shown(&read("train-images-idx3-ubyte", &images, &plain).unwrap(), "value"),
        "[2, 2, 2] u8 [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]"
    );
    let floats = idx(0x0d, &[1, 1], &1.5f32.to_be_bytes());
    assert_eq!(shown(&read("a.idx", &floats, &plain).unwrap(), "value"), "[1, 1] f32 [1.5]");
    for (bytes, message) in [
        (images[..23].to_vec(), "the header says shape [2, 2, 2], which is 24 bytes in all, found 23"),
        (images[..9].to_vec(), "the file is cut off within its header: 3 axes need 16 bytes, found 9"),
        (
            idx(8, &[u32::MAX; 3], &[]),
            "the header says shape [4294967295, 4294967295, 4294967295], which is too many bytes in all, found 16",
        ),
        (
            b"abcdefgh".to_vec(),
            "not an IDX file: expected two zeros and a type from 8 to 14 in its first bytes, found [97, 98, 99, 100]",
        ),
        (vec![0x1f, 0x8b, 8, 0], "the file is compressed"),
        (vec![], "not an IDX file: expected two zeros and a type from 8 to 14 in its first bytes, found []"),
    ] {
        assert_eq!(read("a.idx", &bytes, &plain).unwrap_err().message(), message);
    }
    let folder = Folder::new();
    let images = folder.file("images-idx3-ubyte", &images);
    let labels = folder.file("labels-idx1-ubyte", &idx(8, &[3], &[1, 2, 3]));
    let files: [(Name, &Path); 2] = [("image".into(), &images), ("label".into(), &labels)];
    let error = Records::read_columns(&files, &plain).unwrap_err();
    assert!(error.message().ends_with("labels-idx1-ubyte has 3"), "{error}");
}

#[test]
fn cifar_files_have_whole_records_and_labels_in_range() {
    let mut bytes: Vec<u8> = Vec::new();
    for label in [3u8, 9] {
        bytes.push(label);
        bytes.extend((0..3072usize).map(|at| (at / 1024 * 100 + at % 7) as u8));
    }
    let records = read("data_batch_1.bin", &bytes, &format("cifar10")).unwrap();
    let image = records.column("image").unwrap().to_host().unwrap();
    assert_eq!(image.shape(), [2, 32, 32, 3]);
    // Planes of 1024 values: 1024 and 2048 leave 2 and 4 when divided by 7.
    assert_eq!(image.as_u8()[..6], [0, 102, 204, 1, 103, 205]);
    assert_eq!(shown(&records, "label"), "[2] i64 [3.0, 9.0]");
    let error = read("a.bin", &bytes[..6000], &format("cifar10")).unwrap_err();
    assert_eq!(error.message(), "no whole records: each has 3073 bytes, the file has 6000, which leaves 2927");
    bytes[3073] = 10;
    let error = read("a.bin", &bytes, &format("cifar10")).unwrap_err();
    assert_eq!(error.message(), "byte 3073, `label` of record 1: expected a class from 0 to 9, found 10");
    let error = read("a.bin", &bytes, &ReadOptions::default()).unwrap_err();
    assert!(error.hints()[1].contains("cifar10"), "{error:?}");
}

#[test]
fn raw_files_are_what_is_declared() {
    let declared = |shape: &[usize], dtype: &str, skip| ReadOptions {
        raw: Some(Declared { shape: shape.to_vec(), dtype: dtype.to_owned(), skip }),
        ..format("raw")
    };
    let bytes: Vec<u8> = std::iter::once(0).chain((1..=4i16).flat_map(|x| x.to_le_bytes())).collect();
    let records = read("a.bin", &bytes, &declared(&[2], "i16", 1)).unwrap();
    assert_eq!(shown(&records, "value"), "[2, 2] i64 [1.0, 2.0, 3.0, 4.0]");
    for (options, message) in [
        (
            declared(&[2], "i16", 0),
            "no whole records of shape [2] and dtype i16: each has 4 bytes, after the first 0 the file has 9",
        ),
        (
            declared(&[0], "i16", 1),
            "no whole records of shape [0] and dtype i16: each has no or too many bytes, after the first 1 the file has 8",
        ),
        (
            declared(&[usize::MAX, 9], "f64", 1),
            "no whole records of shape [18446744073709551615, 9] and dtype f64: each has no or too many bytes, after the first 1 the file has 8",
        ),
        (declared(&[2], "int16", 1), "unknown dtype `int16` of a raw file"),
        (format("raw"), "a raw file does not say what its numbers are"),
        (format("rav"), "unknown format `rav`"),
    ] {
        assert_eq!(read("a.bin", &bytes, &options).unwrap_err().message(), message);
    }
}

#[test]
fn series_of_the_ucr_archive() {
    let plain = ReadOptions::default();
    let text = "#comment\n@problemName x\n@classLabel true a b\n@data\n1,2,3:4,5,?:a\n7,8:9,10:b\n";
    let records = read("x_TRAIN.ts", text.as_bytes(), &plain).unwrap();
    assert_eq!(records.texts("label").unwrap().iter().map(|t| &**t).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(records.record(1).get("series").unwrap().to_json().unwrap().to_string(), "[[7.0,9.0],[8.0,10.0]]");
    let target = read("x.ts", b"@targetLabel true\n@data\n1,2:0.5\n", &plain).unwrap();
    assert_eq!(shown(&target, "target"), "[1] f32 [0.5]");
    for (line, message, place) in [
        ("1,x,3:4,5,6:a", "expected a number, found \"x\"", (3, 3)),
        ("1,2,3:4,5:a", "the first channel has 3 values, channel 2 has 2", (3, 1)),
        ("1,2,3:c", "the label \"c\" is not among those of `@classLabel`: a, b", (3, 7)),
        ("1,2,3", "expected a label after the last colon", (3, 1)),
    ] {
        let error = read("x.ts", format!("@classLabel true a b\n@data\n{line}\n").as_bytes(), &plain).unwrap_err();
        assert!(error.message().ends_with(message), "{error}");
        assert_eq!(error.place().map(|place| place.line_column()), Some(place), "{line}");
    }
    assert!(read("x.ts", b"1,2,3\n", &plain).unwrap_err().message().contains("begins with `@`"));
}

#[test]
fn shards_of_samples() {
    let plain = ReadOptions::default();
    let vector = npy("'<f4'", "False", "(2,)", &[0, 0, 128, 63, 0, 0, 0, 64]);
    let bytes = tar(&[
        ("a/0001.jpg", b"JPEG"),
        ("a/0001.cls", b"3\n"),
        ("a/0002.cls", b"5"),
        ("a/0002.v.npy", &vector),
        ("a/.hidden", b"x"),
    ]);
    let records = read("shard.tar", &bytes, &plain).unwrap();
    assert_eq!(records.texts("key").unwrap().iter().map(|t| &**t).collect::<Vec<_>>(), ["a/0001", "a/0002"]);
    assert_eq!(shown(&records, "cls"), "[2] i64 [3.0, 5.0]");
    assert_eq!(records.record(0).get("jpg").unwrap().to_json().unwrap().to_string(), "[74,80,69,71]");
    assert!(matches!(records.record(1).get_or("jpg"), Ok(None)));
    assert_eq!(records.record(1).get("v.npy").unwrap().to_json().unwrap().to_string(), "[1.0,2.0]");
    for (bytes, message) in [
        (bytes[..514].to_vec(), "the archive is cut off: the file that begins at byte 0 has 4 bytes, 2 are left"),
        (vec![7; 600], "not a tar archive: the sum of its first header is wrong"),
        (vec![7; 5], "not a tar archive: it has fewer bytes than one header"),
        (tar(&[("a.cls", b"1"), ("a.cls", b"2")]), "`a.cls` is in the archive twice"),
        (tar(&[("a.txt", &[0xff])]), "the file is not UTF-8 text"),
    ] {
        assert_eq!(read("a.tar", &bytes, &plain).unwrap_err().message(), message);
    }
}

#[test]
fn what_is_packed_is_read_back() {
    let row = |i: i64| {
        vec![
            ("i".into(), Value::from(i)),
            ("f".into(), if i == 2 { Value::Null } else { Value::from(i as f64 / 2.0) }),
            ("b".into(), Value::from(i % 2 == 0)),
            ("t".into(), Value::from(["", "é", "longer"][i as usize % 3])),
            ("dense".into(), Value::from(Array::from_u8(vec![i as u8; 4], &[2, 2]).unwrap())),
            ("ragged".into(), Value::from(Array::from_f32(vec![i as f32; i as usize], &[i as usize]).unwrap())),
        ]
    };
    let records = Records::from_rows((0..5).map(row).collect(), "made").unwrap();
    let folder = Folder::new();
    let path = folder.0.path().join("made.safetensors");
    records.write(&path).unwrap();
    let back = Records::read(&path).unwrap();
    let json = |records: &Records| {
        let fields = |record: crate::record::Record| {
            let value = |name: &Name| record.get_or(name).unwrap().map(|value| value.to_json().unwrap().to_string());
            record.keys().iter().map(|name| format!("{name}={:?}", value(name))).collect::<Vec<_>>().join(" ")
        };
        records.iter().map(fields).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(json(&back), json(&records));
    assert_eq!(back.schema().columns.len(), 6);
    assert_eq!(format!("{:?}", back.schema()), format!("{:?}", records.schema()));
    assert_eq!(back.column("dense").unwrap().dtype(), Dtype::U8);
    let bytes = std::fs::read(&path).unwrap();
    // Wherever the file is cut, it is refused; whatever byte is changed, nothing panics.
    for length in 0..bytes.len() {
        assert!(read("a.safetensors", &bytes[..length], &ReadOptions::default()).is_err(), "{length}");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x15;
        if let Ok(records) = read("a.safetensors", &changed, &ReadOptions::default()) {
            records.iter().for_each(|record| {
                record.keys().iter().for_each(|name| drop(record.get_or(name)));
            });
        }
    }
}

#[test]
fn a_mapped_file_gives_what_a_read_one_gives() {
    let folder = Folder::new();
    let data: Vec<u8> = (0..2_000_000u32).map(|x| ((x * 7) >> 3) as u8).collect();
    let path = folder.file("big.npy", &npy("'|u1'", "False", "(1000, 2000)", &data));
    let mapped = Records::read(&path).unwrap();
    let held = Records::read_with(&path, &ReadOptions { map: false, ..ReadOptions::default() }).unwrap();
    let rows = |records: &Records| records.take(&[999, 0, 17]).unwrap().column("value").unwrap().to_host().unwrap();
    assert!(rows(&mapped).same(&rows(&held)));
    assert_eq!(rows(&mapped).row(2).as_u8()[..], data[34_000..36_000]);
}

#[test]
fn a_pickle_is_refused_with_a_way_out() {
    for (name, bytes) in [("data_batch_1", &b"\x80\x02}q"[..]), ("x.pkl", b"anything"), ("a.npy", b"\x80\x04")] {
        let error = read(name, bytes, &ReadOptions::default()).unwrap_err();
        assert!(error.message().contains("is a pickle file, which is not read"), "{error}");
        assert!(error.hints()[0].contains("numpy.savez"), "{error:?}");
    }
}

#[test]
fn compressed_files_are_read_by_the_ending_within() {
    let folder = Folder::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"x,y\n1,a\n2,b\n").unwrap();
    let path = folder.file("t.csv.gz", &encoder.finish().unwrap());
    let records = Records::read(&path).unwrap();
    assert_eq!((records.len(), records.source()), (2, "t.csv.gz"));
    let error = Records::read(&folder.file("u.csv.zst", b"x,y\n")).unwrap_err();
    assert_eq!(error.message(), "the file is not compressed with Zstandard, though its ending says so");
}
