//! Records in each text format, with and without a schema; what was read is read again from what is written.

use std::fs;
use std::path::Path;

use barrage::Result;
use barrage::record::Records;

use super::{Target, fuzz, outcome};

#[test]
fn records() {
    let flowers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/script/files/flowers.csv");
    fuzz(Tables { folder: tempfile::tempdir().unwrap(), like: Records::read(&flowers).unwrap() });
}

struct Tables {
    folder: tempfile::TempDir,
    like: Records,
}

impl Target for Tables {
    const NAME: &'static str = "records";
    const WORDS: &'static [&'static str] = &[
        "length,width,species\n",
        "1.5,2,\"a, b\"\n",
        ",,\n",
        "\"\"",
        "NA",
        "NaN",
        "null",
        "true",
        "-0.0",
        "1e400",
        "9223372036854775808",
        "0x10",
        "+1",
        " 1 ",
        "\r\n",
        "\n\n",
        "\u{feff}",
        "{\"length\": 1, \"species\": \"a\"}\n",
        "[{\"x\": [[1, 2], [3, 4]]}]",
        "[1, [2]]",
        "\"x\": {\"y\": null}",
        "\\u0000",
        "\\ud83e\\udd8a",
        "å",
        "$tensor",
    ];

    fn seeds(&self) -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let head = |name: &str| {
            let text = fs::read_to_string(root.join(name)).unwrap();
            text.lines().take(6).map(|line| format!("{line}\n")).collect::<String>().into_bytes()
        };
        let mut seeds: Vec<Vec<u8>> =
            ["iris/iris.csv", "penguins/penguins.csv", "sms_spam/sms-spam.csv", "weather/seattle-weather.csv"]
                .map(|name| head(&format!("examples/{name}")))
                .into();
        seeds.push(fs::read(root.join("tests/script/files/flowers.json")).unwrap());
        seeds.push(b"{\"a\": 1, \"b\": [1, 2.5]}\n{\"a\": null, \"b\": [3, 4], \"c\": {\"d\": true}}\n".to_vec());
        seeds.push(b"a\n1\n2.5\n\nNA\n".to_vec());
        seeds
    }

    fn run(&mut self, input: &[u8]) -> String {
        ["csv", "json", "jsonl"].map(|ending| self.one(input, ending)).join("; ")
    }
}

impl Tables {
    fn one(&self, input: &[u8], ending: &str) -> String {
        let file = self.folder.path().join(format!("table.{ending}"));
        fs::write(&file, input).unwrap();
        let _ = outcome(Records::read_as(&file, self.like.schema()));
        outcome(Records::read(&file).and_then(|records| self.use_up(&records, ending)))
    }

    fn use_up(&self, records: &Records, ending: &str) -> Result<()> {
        let _ = records.describe();
        for record in records.iter() {
            for name in record.keys() {
                if let Some(value) = record.get_or(name)? {
                    let _ = value.to_json();
                }
            }
        }
        for name in records.columns() {
            let _ = records.column(name);
        }
        // Writing waits for the disk, so only some tables are written. A byte order mark that begins the first name
        // is taken off the file again.
        let marked = records.columns().first().is_some_and(|name| name.starts_with('\u{feff}'));
        if marked || !super::hash(format!("{:?}", records.columns()).as_bytes()).is_multiple_of(8) {
            return Ok(());
        }
        let schema: barrage::record::Schema =
            serde_json::from_value(serde_json::to_value(records.schema()).unwrap()).unwrap();
        let copy = self.folder.path().join(format!("copy.{ending}"));
        records.write(&copy)?;
        let again = Records::read_as(&copy, &schema)?;
        assert_eq!(again.len(), records.len(), "what is written is read again");
        Ok(())
    }
}
