//! Tables of batches in Parquet files, with the feature that reads and writes them.
#![cfg(feature = "parquet")]

use crate::script::Host;

#[test]
fn a_batch_goes_to_parquet_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::builder(folder.path()).build().unwrap();
    let script = r#"
        let batch = batch_of(#{ x: [1.5, 2.5, 3.5], n: [7, 8, 9], name: ["u", "v", "w"] }, #{ ids: [30, 10, 20] });
        batch.dump("made/t.parquet");
        let again = dataset([10, 20, 30]).batch([20, 30]).load("made/t.parquet");
        let parts = dataset(5, #{ preloaded: #{ x: range(0, 5) } }).pipeline().dump("parts/*.parquet", #{ components: "x" });
        parts.run(2);
        [again.components, again.x.items, again.n.items, again.name.items,
         dataset(5).batch([3]).load("parts/00002.parquet").x.items, read_records("made/t.parquet").len]
    "#;
    let value = host.eval(script).unwrap().to_string();
    assert_eq!(value, r#"[["n", "name", "x"], [3.5, 1.5], [9, 7], ["w", "u"], [3], 3]"#);
}
