//! One batch: ids, and components with an item for each of them.

use std::sync::Arc;

use crate::batch::Items;
use crate::error::{self, Error, Result};
use crate::pipeline::index::{Id, Index};
use crate::pipeline::source::Source;
use crate::record::{Name, Value};

/// What a batch is filled with at the first look at its data.
#[derive(Clone)]
pub struct Preload {
    /// The data of the whole set.
    pub source: Arc<Source>,
    /// The index of the whole set.
    pub all: Index,
}

/// A batch of named components.
#[derive(Clone)]
pub struct Batch {
    index: Index,
    /// The components, in the order they came.
    components: Vec<(Name, Items)>,
    /// Data without a name; it goes when the first component comes.
    raw: Option<Items>,
    /// Names that are components although nothing was loaded into them yet.
    declared: Vec<Name>,
    pending: Option<Preload>,
}

impl Batch {
    /// Creates a batch of these ids. `declared` are the names of its components, which may still be empty.
    pub fn new(index: Index, declared: Vec<Name>, preload: Option<Preload>) -> Batch {
        Batch { index, components: Vec::new(), raw: None, declared, pending: preload }
    }

    /// Returns the ids.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the number of items.
    #[allow(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Loads what the batch was preloaded with, if that was not done yet.
    fn settle(&mut self) -> Result<()> {
        let Some(preload) = self.pending.take() else { return Ok(()) };
        let filled = self.fill(&preload);
        if filled.is_err() {
            self.pending = Some(preload);
        }
        filled
    }

    fn fill(&mut self, preload: &Preload) -> Result<()> {
        let Preload { source, all } = preload;
        let names = match (source.names(), self.declared.is_empty()) {
            (Some(names), true) => names,
            (Some(names), false) => self.declared.iter().filter(|name| names.contains(name)).cloned().collect(),
            (None, false) if self.declared.len() == 1 => self.declared.clone(),
            (None, _) => {
                self.raw = Some(source.items(&self.index, all)?);
                return Ok(());
            }
        };
        let items = |name: &Name| Ok((name.clone(), source.component(name, &self.index, all)?));
        self.components = names.iter().map(items).collect::<Result<_>>()?;
        Ok(())
    }

    /// Returns the names of the components, those without data included.
    ///
    /// # Errors
    /// Preloaded data that does not fit.
    pub fn names(&mut self) -> Result<Vec<Name>> {
        self.settle()?;
        let mut names = self.declared.clone();
        names
            .extend(self.components.iter().map(|(name, _)| name).filter(|name| !self.declared.contains(name)).cloned());
        Ok(names)
    }

    /// Returns a component; what shares its data is not changed by later writes.
    ///
    /// # Errors
    /// An unknown name, one without data, and preloaded data that does not fit.
    pub fn component(&mut self, name: &str) -> Result<&Items> {
        self.settle()?;
        let at = self.at(name)?;
        Ok(&self.components[at].1)
    }

    /// Replaces a component, or makes a new one.
    ///
    /// # Errors
    /// Another number of items than the batch has.
    pub fn set(&mut self, name: &str, items: Items) -> Result<()> {
        self.settle()?;
        self.check(name, &items)?;
        self.raw = None;
        match self.components.iter_mut().find(|(known, _)| &**known == name) {
            Some((_, known)) => *known = items,
            None => self.components.push((name.into(), items)),
        }
        Ok(())
    }

    /// Makes a new component.
    ///
    /// # Errors
    /// A name that is taken, and see [`Batch::set`].
    pub fn add(&mut self, name: &str, items: Items) -> Result<()> {
        self.settle()?;
        match self.components.iter().any(|(known, _)| &**known == name) {
            true => Err(Error::data(format!("the batch has a component `{name}` already"))
                .hint(format!("`batch.{name} = …` replaces it"))),
            false => self.set(name, items),
        }
    }

    /// Returns the item of a component at a position.
    ///
    /// # Errors
    /// See [`Batch::component`]; a position past the end.
    pub fn item(&mut self, name: &str, position: usize) -> Result<Value> {
        self.component(name)?.get(position).map_err(|error| error.within(format!("component `{name}`")))
    }

    /// Writes the item of a component at a position.
    ///
    /// # Errors
    /// See [`Batch::item`] and [`Items::set`].
    pub fn set_item(&mut self, name: &str, position: usize, value: Value) -> Result<()> {
        self.settle()?;
        let at = self.at(name)?;
        self.components[at].1.set(position, value).map_err(|error| error.within(format!("component `{name}`")))
    }

    /// Returns the data without names, if there is any.
    ///
    /// # Errors
    /// Preloaded data that does not fit.
    pub fn raw(&mut self) -> Result<Option<&Items>> {
        self.settle()?;
        Ok(self.raw.as_ref())
    }

    /// Replaces the data without names.
    ///
    /// # Errors
    /// A batch that has components, and another number of items than ids.
    pub fn set_raw(&mut self, items: Items) -> Result<()> {
        self.settle()?;
        if !self.components.is_empty() {
            return Err(Error::data("the batch has components: data without a name would replace all of them")
                .hint("name the component: `batch.images = …`, or `dst: \"images\"` for `load`"));
        }
        self.check("data", &items)?;
        self.raw = Some(items);
        Ok(())
    }

    /// Loads components from a source: `to` names them, in order; without names, they are those of the source,
    /// or the data without a name.
    ///
    /// # Errors
    /// An id without an item, and a component that the source does not have.
    pub fn load(&mut self, source: &Source, to: &[Name], all: &Index) -> Result<()> {
        self.settle()?;
        let named = source.names();
        match (to, named) {
            ([], None) => match self.declared.as_slice() {
                [only] => {
                    let only = only.clone();
                    let items = source.items(&self.index, all)?;
                    self.set(&only, items)
                }
                _ => {
                    let items = source.items(&self.index, all)?;
                    self.set_raw(items)
                }
            },
            ([], Some(names)) => {
                for name in names {
                    let items = source.component(&name, &self.index, all)?;
                    self.set(&name, items)?;
                }
                Ok(())
            }
            ([only], _) => {
                let items = match source.names().is_some_and(|names| names.contains(only)) {
                    true => source.component(only, &self.index, all)?,
                    false => source.items(&self.index, all)?,
                };
                self.set(only, items)
            }
            (names, None) => Err(Error::data(format!("expected data for {} components, found one", names.len()))
                .hint("give a map of them, or an array with as many parts")),
            (names, Some(_)) => {
                for name in names {
                    let items = source.component(name, &self.index, all)?;
                    self.set(name, items)?;
                }
                Ok(())
            }
        }
    }

    /// Returns the batch of the items at these positions.
    ///
    /// # Errors
    /// No positions, and one past the end.
    pub fn subset(&mut self, positions: &[usize]) -> Result<Batch> {
        self.settle()?;
        let index = self.index.subset(positions)?;
        let part = |(name, items): &(Name, Items)| Ok((name.clone(), items.take(positions)?));
        Ok(Batch {
            index,
            components: self.components.iter().map(part).collect::<Result<_>>()?,
            raw: self.raw.as_ref().map(|items| items.take(positions)).transpose()?,
            declared: self.declared.clone(),
            pending: None,
        })
    }

    /// Returns the batch that has, at each place, what stands at one of these positions, under other ids; components of
    /// `instead` have other items.
    ///
    /// # Errors
    /// A position past the end; another number of ids or items.
    pub fn taken(&mut self, positions: &[usize], index: Index, instead: Vec<(Name, Items)>) -> Result<Batch> {
        let mut batch = self.subset(positions)?;
        batch.index = index;
        for (name, items) in instead {
            batch.set(&name, items)?;
        }
        Ok(batch)
    }

    /// Puts other ids and components in place of those of the batch, with another number of items.
    pub fn replace(&mut self, other: Batch) {
        *self = other;
    }

    /// Returns the position of an id.
    ///
    /// # Errors
    /// An id that is not in the batch.
    pub fn position(&self, id: &Id) -> Result<usize> {
        self.index.position(id).map_err(|error| error.within("the ids of the batch"))
    }

    fn at(&self, name: &str) -> Result<usize> {
        self.components.iter().position(|(known, _)| &**known == name).ok_or_else(|| {
            if self.declared.iter().any(|known| &**known == name) {
                return Error::data(format!("the component `{name}` has no data yet"))
                    .hint(format!("`batch.load(#{{ src: …, dst: \"{name}\" }})` or `batch.{name} = …` fills it"));
            }
            let known = || self.components.iter().map(|(name, _)| &**name);
            let error = Error::data(format!("the batch has no component `{name}`"))
                .maybe_hint(error::did_you_mean(name, known()));
            match self.components.is_empty() {
                true => error.hint("it has none at all: `load` brings them, or `batch.NAME = …`"),
                false => error.hint(format!("components: {}", error::list(known()))),
            }
        })
    }

    fn check(&self, name: &str, items: &Items) -> Result<()> {
        match items.len() == self.len() {
            true => Ok(()),
            false => Err(Error::data(format!(
                "`{name}`: expected {} items, one for each id, found {} ({})",
                self.len(),
                items.len(),
                items.describe()
            ))
            .hint("to change the items of a batch, make another one: `batch.subset(positions)`, `dataset.batch(ids)`")),
        }
    }

    /// Returns the batches as one, and a rest when they have more than `size` items. Ids are kept.
    ///
    /// # Errors
    /// No batches; a component that some have and others have not.
    pub fn merge(batches: &mut [Batch], size: Option<usize>) -> Result<(Batch, Option<Batch>)> {
        for batch in batches.iter_mut() {
            batch.settle()?;
        }
        let first = batches.first().ok_or_else(|| Error::data("there are no batches to merge"))?;
        let names: Vec<Name> = first.components.iter().map(|(name, _)| name.clone()).collect();
        let mut components = Vec::new();
        for name in &names {
            let part = |batch: &Batch| {
                batch
                    .components
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, items)| items.clone())
                    .ok_or_else(|| Error::data(format!("one batch has a component `{name}`, another has not")))
            };
            let parts = batches.iter().map(part).collect::<Result<Vec<_>>>()?;
            components.push((name.clone(), Items::concat(&parts)?));
        }
        for batch in batches.iter() {
            if let Some((extra, _)) = batch.components.iter().find(|(name, _)| !names.contains(name)) {
                return Err(Error::data(format!("one batch has a component `{extra}`, another has not")));
            }
        }
        let raw: Vec<Items> = batches.iter().filter_map(|batch| batch.raw.clone()).collect();
        let raw = match raw.len() {
            0 => None,
            count if count == batches.len() => Some(Items::concat(&raw)?),
            _ => return Err(Error::data("one batch has data without a name, another has not")),
        };
        let index = Index::concat(&batches.iter().map(|batch| batch.index.clone()).collect::<Vec<_>>())?;
        let mut whole = Batch { index, components, raw, declared: first.declared.clone(), pending: None };
        match size.filter(|size| *size < whole.len()) {
            None => Ok((whole, None)),
            Some(0) => Err(Error::data("expected a batch size of at least 1, found 0")),
            Some(size) => {
                let rest = (size..whole.len()).collect::<Vec<_>>();
                let merged = whole.subset(&(0..size).collect::<Vec<_>>())?;
                Ok((merged, Some(whole.subset(&rest)?)))
            }
        }
    }

    /// Returns the components with their items, for previews.
    ///
    /// # Errors
    /// Preloaded data that does not fit.
    pub fn components(&mut self) -> Result<&[(Name, Items)]> {
        self.settle()?;
        Ok(&self.components)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Array;

    fn numbers(values: &[i64]) -> Items {
        Items::Dense(Array::from_i64(values.to_vec(), &[values.len()]).unwrap())
    }

    fn preloaded(index: Index, names: &[&str]) -> Batch {
        let all = Index::count(5).unwrap();
        let source = Source::Named(vec![
            ("x".into(), Source::Rows(numbers(&[10, 11, 12, 13, 14]))),
            ("y".into(), Source::Rows(numbers(&[0, 1, 0, 1, 0]))),
        ]);
        Batch::new(
            index,
            names.iter().map(|name| (*name).into()).collect(),
            Some(Preload { source: Arc::new(source), all }),
        )
    }

    #[test]
    fn preloaded_data_is_cropped_and_writes_stick() {
        let index = Index::count(5).unwrap().subset(&[3, 1]).unwrap();
        let mut batch = preloaded(index, &[]);
        batch.set_item("x", 0, Value::Int(99)).unwrap();
        assert_eq!(batch.component("x").unwrap().to_value().to_json().unwrap(), serde_json::json!([99, 11]));
        let mut other = preloaded(Index::count(5).unwrap(), &["y"]);
        assert_eq!(other.names().unwrap(), ["y".into()]);
        let error = other.component("x").unwrap_err();
        assert_eq!(
            (error.message(), error.hints()),
            ("the batch has no component `x`", &["components: `y`".to_owned()][..])
        );
        let error = batch.set("z", numbers(&[1])).unwrap_err();
        assert_eq!(error.message(), "`z`: expected 2 items, one for each id, found 1 (i64 of shape [1])");
    }

    #[test]
    fn merging_keeps_ids_and_gives_the_rest() {
        let all = Index::count(5).unwrap();
        let mut parts = [preloaded(all.subset(&[4, 2, 0]).unwrap(), &[]), preloaded(all.subset(&[1, 3]).unwrap(), &[])];
        let (mut merged, rest) = Batch::merge(&mut parts, Some(4)).unwrap();
        assert_eq!(format!("{:?}", merged.index()), "index([4, 2, 0, 1])");
        assert_eq!(merged.component("x").unwrap().to_value().to_json().unwrap(), serde_json::json!([14, 12, 10, 11]));
        assert_eq!(rest.unwrap().len(), 1);
    }
}
