//! Pictures cut into patches: the one operation that makes more items of a batch.

use super::Settings;
use crate::batch::Items;
use crate::error::{Error, Result, codes};
use crate::pipeline::batch::Batch;
use crate::pipeline::index::{Id, Index};
use crate::record::{Name, Value};
use crate::tensor::Tensor;

/// Its name.
pub const NAME: &str = "split_to_patches";

/// What it does and what its settings are (Markdown).
pub const TEXT: &str = "cut into patches of one size, row by row, so that the batch has an item for each of them: patch 3 of the \
     item `a` gets the id `a/3`, and what is not cut (labels) is repeated. Options: `patch_shape`, `[height, width]`; `stride`, \
     from one patch to the next, `[down, right]` or a number (the shape, so that patches do not overlap); `drop_last`, true to leave out \
     what does not fill a patch, instead of moving the last one back into the picture; `src`, the components that are cut.";

/// How pictures are cut.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    shape: (usize, usize),
    stride: (usize, usize),
    drop_last: bool,
}

impl Cut {
    /// Reads the settings.
    ///
    /// # Errors
    /// A setting that is not known; no shape; lengths below 1.
    pub fn read(mut settings: Settings) -> Result<Cut> {
        let (shape, stride) = (settings.size("patch_shape")?, settings.size("stride")?);
        let drop_last = settings.flag("drop_last")?;
        // A name that is not known tells more than that the right one is missing.
        settings.finish()?;
        let shape = shape.ok_or_else(|| {
            Error::data(format!("`{NAME}` needs the option `patch_shape`"))
                .coded(codes::WRONG_OPTION)
                .hint("`patch_shape: [height, width]`")
        })?;
        Ok(Cut { shape, stride: stride.unwrap_or(shape), drop_last })
    }

    /// Returns the batch of all patches of these components.
    ///
    /// # Errors
    /// Items that are no pictures or smaller than a patch; components of which an item has another number of patches.
    pub fn apply(&self, batch: &mut Batch, from: &[Name]) -> Result<Batch> {
        let mut counts: Option<Vec<usize>> = None;
        let mut cut: Vec<(Name, Items)> = Vec::new();
        for name in from {
            let items = batch.component(name)?.clone();
            let (mut patches, mut own) = (Vec::new(), Vec::new());
            for item in 0..items.len() {
                let about = |error: Error| match batch.index().id(item) {
                    Ok(id) => error.within(format!("item `{id}`, component `{name}`")),
                    Err(_) => error,
                };
                let found = match items.get(item)? {
                    Value::Tensor(picture) if (2..=3).contains(&picture.rank()) => self.patches(&picture),
                    value => Err(super::no_picture(NAME, &value)),
                };
                let found = found.map_err(about)?;
                own.push(found.len());
                patches.extend(found.into_iter().map(Value::Tensor));
            }
            match &counts {
                None => counts = Some(own),
                Some(counts) if *counts == own => (),
                Some(_) => {
                    return Err(Error::data(format!(
                        "`{NAME}`: the pictures of `{name}` make another number of patches than those of `{}`",
                        from[0]
                    )));
                }
            }
            cut.push((name.clone(), Items::assemble(patches)));
        }
        let counts = counts.unwrap_or_default();
        // Where each patch comes from, and its id.
        let (mut positions, mut ids) = (Vec::new(), Vec::new());
        for (item, count) in counts.into_iter().enumerate() {
            let id = batch.index().id(item)?;
            positions.extend(std::iter::repeat_n(item, count));
            ids.extend((0..count).map(|patch| Id::Text(format!("{id}/{patch}").into())));
        }
        batch.taken(&positions, Index::with_repeats(ids)?, cut)
    }

    fn patches(&self, picture: &Tensor) -> Result<Vec<Tensor>> {
        let (height, width) = (picture.shape()[0], picture.shape()[1]);
        if self.shape.0 > height || self.shape.1 > width {
            return Err(Error::data(format!(
                "a patch of [{}, {}] does not fit into a picture of [{height}, {width}]",
                self.shape.0, self.shape.1
            )));
        }
        let rows = places(height, self.shape.0, self.stride.0, self.drop_last);
        let columns = places(width, self.shape.1, self.stride.1, self.drop_last);
        let (tall, wide) = (self.shape.0 as isize, self.shape.1 as isize);
        let all = rows.iter().flat_map(|row| columns.iter().map(move |column| (*row, *column)));
        all.map(|(row, column)| picture.crop(row as isize, column as isize, tall, wide)).collect()
    }
}

/// Returns where patches begin along an axis.
fn places(length: usize, patch: usize, stride: usize, drop_last: bool) -> Vec<usize> {
    let last = length - patch;
    let mut places: Vec<usize> = (0..=last).step_by(stride).collect();
    if !drop_last && places.last() != Some(&last) {
        places.push(last);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn patches_cover_the_picture_unless_the_last_is_dropped() {
        assert_eq!(places(6, 2, 2, false), [0, 2, 4]);
        assert_eq!(places(7, 2, 2, false), [0, 2, 4, 5]);
        assert_eq!(places(7, 2, 2, true), [0, 2, 4]);
        assert_eq!(places(5, 3, 1, false), [0, 1, 2]);
        assert_eq!(places(3, 3, 9, false), [0]);
        assert_eq!(places(9, 2, 5, true), [0, 5]);
    }
}
