//! Augmentors one after another.

use crate::error::Result;
use crate::random::Random;
use crate::record::{Augmentor, DataRecords};

/// Augmentors that are applied from left to right; an empty chain changes nothing.
///
/// Each augmentor draws from a stream of its own for each record, derived by its position in the chain,
/// so that a change of one does not shift the draws of the others.
#[derive(Default)]
pub struct Chain(pub Vec<Box<dyn Augmentor>>);

impl Chain {
    /// Returns whether the chain changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Augmentor for Chain {
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords> {
        self.0.iter().enumerate().try_fold(chunk, |chunk, (position, augmentor)| {
            let random: Vec<Random> = random.iter().map(|random| random.derive(position as u64)).collect();
            augmentor.augment(chunk, &random)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use crate::record::{DataRecord, Field};

    /// Appends a text with its own name and its first draw of each record.
    struct Note(&'static str);

    impl Augmentor for Note {
        fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords> {
            let DataRecords::Rows(mut rows) = chunk else { return Ok(chunk) };
            for (row, random) in rows.iter_mut().zip(random) {
                row.x.push((self.0.into(), Field::Text(random.clone().bits().to_string().into())));
            }
            Ok(DataRecords::Rows(rows))
        }
    }

    fn notes(chain: &Chain, records: usize) -> Vec<Vec<(String, String)>> {
        let random: Vec<Random> = (0..records as u64).map(|i| Random::new(1, Stream::Augment, &[i])).collect();
        let chunk = DataRecords::Rows(vec![DataRecord::default(); records]);
        let DataRecords::Rows(rows) = chain.augment(chunk, &random).unwrap() else { panic!("expected rows") };
        let note = |(name, field): &(crate::record::Name, Field)| match field {
            Field::Text(text) => (name.to_string(), text.to_string()),
            _ => panic!("expected a text"),
        };
        rows.iter().map(|row| row.x.iter().map(note).collect()).collect()
    }

    #[test]
    fn augmentors_run_from_left_to_right_with_streams_of_their_own() {
        let two = notes(&Chain(vec![Box::new(Note("a")), Box::new(Note("b"))]), 2);
        assert_eq!(two[0].iter().map(|note| &*note.0).collect::<Vec<_>>(), ["a", "b"]);
        assert_ne!(two[0][0].1, two[0][1].1);
        assert_ne!(two[0][0].1, two[1][0].1);
        // The same position draws the same, whoever stands there and however many follow.
        let other = notes(&Chain(vec![Box::new(Note("c"))]), 1);
        assert_eq!(other[0][0].1, two[0][0].1);
    }

    #[test]
    fn an_empty_chain_changes_nothing() {
        assert!(Chain::default().is_empty());
        assert_eq!(notes(&Chain::default(), 3), vec![vec![], vec![], vec![]]);
    }
}
