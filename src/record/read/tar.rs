//! Shards of samples in a tar file, as WebDataset has them: files of one name up to its first dot are one record
//! (`cat/0001.jpg`, `cat/0001.cls`), and what follows the dot is the column. Numbers and texts are read, everything
//! else (pictures, sound) stays in the file as bytes.

use std::collections::HashMap;
use std::sync::Arc;

use super::formats::Opened;
use super::{ReadResult, npy};
use crate::error::{Error, Result};
use crate::record::block::{RaggedBlock, Stored};
use crate::record::cells::{Cells, Data};
use crate::record::{Name, Value};

const BLOCK: usize = 512;

pub(super) fn read(source: &Opened) -> ReadResult {
    let members = members(&source.bytes).map_err(|error| error.within(source.name.clone()))?;
    let mut keys: Vec<Arc<str>> = Vec::new();
    let mut endings: Vec<(String, Vec<Option<usize>>)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (at, member) in members.iter().enumerate() {
        let Some((key, ending)) = member.key() else { continue };
        let row = *known.entry(key).or_insert_with(|| {
            keys.push(key.into());
            keys.len() - 1
        });
        let column = match endings.iter().position(|(name, _)| name == ending) {
            Some(column) => column,
            None => {
                endings.push((ending.to_owned(), Vec::new()));
                endings.len() - 1
            }
        };
        let cells = &mut endings[column].1;
        if cells.len() < row + 1 {
            cells.resize(row + 1, None);
        }
        if cells[row].replace(at).is_some() {
            return Err(source.broken(format!("`{}` is in the archive twice", member.name)));
        }
    }
    let len = keys.len();
    if len == 0 {
        return Err(source.broken("the archive holds no files").hint("a sample is named `KEY.ENDING`, as `0001.jpg`"));
    }
    let mut columns: Vec<(Name, Cells)> = vec![("key".into(), Cells::new(Data::Text(keys), vec![false; len]))];
    for (ending, mut rows) in endings {
        rows.resize(len, None);
        columns.push((ending.as_str().into(), column(source, &ending, &rows, &members)?));
    }
    source.table(len, columns)
}

/// Makes the column of one ending.
fn column(source: &Opened, ending: &str, rows: &[Option<usize>], members: &[Member]) -> Result<Cells> {
    let kind = ending.rsplit('.').next().unwrap_or(ending);
    if matches!(kind, "cls" | "cls2" | "index" | "id" | "txt" | "text" | "json" | "npy") {
        let value = |row: &Option<usize>| {
            let Some(member) = row.map(|at| &members[at]) else { return Ok(Value::Null) };
            value(source, kind, member).map_err(|error| error.within(format!("`{}` of {}", member.name, source.name)))
        };
        let values = rows.iter().map(value).collect::<Result<Vec<_>>>()?;
        return Cells::from_values(values, None)
            .map_err(|misfit| source.broken(format!("record {}: expected {}", misfit.row, misfit.expected)));
    }
    let found = |row: &Option<usize>| row.map_or((0, 0), |at| (members[at].start as u64, members[at].size as u64));
    let (starts, sizes) = rows.iter().map(found).unzip();
    let block = RaggedBlock::new(source.bytes.clone(), Stored::U8, starts, sizes, 1)?;
    Ok(Cells::new(Data::MappedRagged(block), rows.iter().map(Option::is_none).collect()))
}

fn value(source: &Opened, kind: &str, member: &Member) -> Result<Value> {
    let end = member.start + member.size;
    if kind == "npy" {
        return npy::array(&source.bytes, member.start, end).map(Value::from);
    }
    let text = source.bytes.get(member.start..end).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| Error::data("the file is not UTF-8 text"))?;
    match kind {
        "json" => {
            let json = serde_json::from_str(text).map_err(|error| Error::data(format!("not valid JSON: {error}")))?;
            Ok(Value::from_json(&json))
        }
        "txt" | "text" => Ok(Value::from(text)),
        _ => {
            let number = text.trim();
            let whole = number.parse().map(Value::Int);
            Ok(whole.unwrap_or_else(|_| Value::from(number)))
        }
    }
}

/// A file in the archive.
#[derive(Debug)]
struct Member {
    name: String,
    start: usize,
    size: usize,
}

impl Member {
    /// Returns the name up to the first dot after the folder, and what follows; `None` for hidden files.
    fn key(&self) -> Option<(&str, &str)> {
        let file = self.name.rfind('/').map_or(0, |slash| slash + 1);
        let dot = self.name[file..].find('.').filter(|&dot| dot > 0)? + file;
        Some((&self.name[..dot], &self.name[dot + 1..]))
    }
}

/// Returns the files of an archive in order.
fn members(bytes: &[u8]) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    let mut at = 0;
    // The name of the next file, when it is too long for its own header.
    let mut long: Option<String> = None;
    while let Some(header) = bytes.get(at..at + BLOCK) {
        if header.iter().all(|&byte| byte == 0) {
            return Ok(members);
        }
        check(header, at)?;
        let size = number(&header[124..136]).ok_or_else(|| broken(at, "its size is no number"))?;
        let start = at + BLOCK;
        let Some(content) = start.checked_add(size).and_then(|end| bytes.get(start..end)) else {
            return Err(Error::data(format!(
                "the archive is cut off: the file that begins at byte {at} has {size} bytes, {} are left",
                bytes.len() - start
            ))
            .hint("copy, download or write it again"));
        };
        match header[156] {
            b'0' | 0 | b'7' => {
                let name = long.take().unwrap_or_else(|| match text(&header[345..500]) {
                    prefix if header[257..].starts_with(b"ustar\0") && !prefix.is_empty() => {
                        format!("{prefix}/{}", text(&header[..100]))
                    }
                    _ => text(&header[..100]),
                });
                members.push(Member { name: name.trim_start_matches("./").to_owned(), start, size });
            }
            b'L' => long = Some(text(content)),
            b'x' => long = path_of(content).or(long),
            // Folders, links and whatever else is no sample.
            _ => long = None,
        }
        at = start + size.next_multiple_of(BLOCK);
    }
    match members.is_empty() {
        true => Err(Error::data("not a tar archive: it has fewer bytes than one header")),
        // Some writers leave out the empty blocks at the end.
        false => Ok(members),
    }
}

fn broken(at: usize, what: &str) -> Error {
    Error::data(format!("the header at byte {at} is damaged: {what}")).hint("copy, download or write it again")
}

/// Checks the sum of a header's bytes, its own field taken as spaces.
fn check(header: &[u8], at: usize) -> Result<()> {
    let byte = |(place, &byte): (usize, &u8)| if (148..156).contains(&place) { 32 } else { usize::from(byte) };
    let sum: usize = header.iter().enumerate().map(byte).sum();
    match number(&header[148..156]) {
        Some(known) if known == sum => Ok(()),
        _ if at == 0 => Err(Error::data("not a tar archive: the sum of its first header is wrong")),
        _ => Err(broken(at, "its sum is wrong")),
    }
}

/// Returns an octal number, or a binary one whose first bit is set.
fn number(field: &[u8]) -> Option<usize> {
    match field.first()? {
        0x80 => field[1..].iter().try_fold(0usize, |sum, &byte| sum.checked_mul(256)?.checked_add(byte.into())),
        _ => {
            let digits = text(field);
            let digits = digits.trim();
            if digits.is_empty() { Some(0) } else { usize::from_str_radix(digits, 8).ok() }
        }
    }
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// Returns the path in the lines of an extended header: `LENGTH path=NAME`.
fn path_of(content: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(content);
    text.lines().find_map(|line| line.split_once(' ')?.1.strip_prefix("path=").map(str::to_owned))
}
