//! What a loader makes of records, packed.

use std::sync::Arc;

use crate::batch;
use crate::error::Result;
use crate::recipe::Import;
use crate::record::{Columns, Loader, Mode, Pack, Records};
use crate::registry::Params;
use crate::script::Host;
use crate::script::adaptor::ScriptLoader;

/// Records loaded at a time.
const CHUNK: usize = 256;

/// Loads records with a scripted loader and packs its inputs and outputs, each as a column of its name.
///
/// # Errors
/// A loader that does not exist; whatever it raises; columns that cannot be packed.
pub fn pack(host: &Host, import: &str, params: &Params, records: &Records) -> Result<Pack> {
    let block = Import::new(import, params.clone(), "--loader");
    let make = || ScriptLoader::new(host.component(import, params)?);
    let loader: Arc<dyn Loader> = Arc::new(make().map_err(|error| block.locate(error))?);
    let mut pack = Pack::new();
    for chunk in records.to_vec().chunks(CHUNK) {
        let place = |at: usize| chunk.get(at).map_or_else(String::new, |record| record.place());
        let loaded = batch::columns(loader.load(chunk, Mode::Validation)?, &place)?;
        let columns: Columns = [Some(loaded.x), loaded.y].into_iter().flatten().flatten().collect();
        pack.push(columns)?;
    }
    Ok(pack)
}
