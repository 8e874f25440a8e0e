//! `IdentityTransformer`: the default, which changes nothing.

use std::path::Path;

use crate::error::Result;
use crate::record::{DataRecords, Loader, Mode, Records, Transformer};
use crate::registry::Entry;

pub(super) const ENTRY: Entry<dyn Transformer> = Entry {
    name: "IdentityTransformer",
    aliases: &[],
    doc: "Changes nothing: data records go to the augmentors as the loader made them, scores are returned as \
          the network made them.",
    parameters: &[],
    build: |_| Ok(Box::new(IdentityTransformer)),
};

/// Changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdentityTransformer;

impl Transformer for IdentityTransformer {
    fn fit(&mut self, _: &Records, _: &dyn Loader) -> Result<()> {
        Ok(())
    }

    fn transform(&self, chunk: DataRecords, _: Mode) -> Result<DataRecords> {
        Ok(chunk)
    }

    fn save(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn load(&mut self, _: &Path) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Params;
    use crate::transformer::LIST;

    #[test]
    fn it_is_listed_and_takes_no_parameters() {
        let entry = crate::registry::find(LIST, "transformer", "barrage.dataset.IdentityTransformer").unwrap();
        let mut transformer = entry.make(&Params::new()).unwrap();
        assert!(!transformer.has_postprocess());
        assert!(transformer.network_params().is_empty());
        transformer.check_storable().unwrap();
        let folder = tempfile::tempdir().unwrap();
        transformer.save(folder.path()).unwrap();
        transformer.load(folder.path()).unwrap();
        let chunk = transformer.transform(DataRecords::Rows(vec![Default::default()]), Mode::Score).unwrap();
        assert!(matches!(chunk, DataRecords::Rows(rows) if rows.len() == 1));
        let params = serde_json::json!({"scale": 2}).as_object().unwrap().clone();
        let error = entry.make(&params).err().unwrap();
        assert_eq!(error.message(), "`IdentityTransformer` has no parameter `scale`");
    }
}
