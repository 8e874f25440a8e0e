//! Words: texts become word numbers, as Keras' `Tokenizer` and `pad_sequences` make them.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tensor::{Array, Tensor};

/// What Keras takes for the ends of words.
pub const FILTERS: &str = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n";

/// How texts are cut into words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cutting {
    /// Whether capital letters become small ones.
    pub lower: bool,
    /// Characters that end a word and are not part of one.
    pub filters: String,
    /// The text between two words.
    pub split: String,
    /// Whether every character is a word of its own.
    pub char_level: bool,
}

impl Default for Cutting {
    fn default() -> Self {
        Cutting { lower: true, filters: FILTERS.to_owned(), split: " ".to_owned(), char_level: false }
    }
}

impl Cutting {
    /// Calls `take` with each word of a text, in order.
    pub fn each(&self, text: &str, mut take: impl FnMut(&str)) {
        let lowered;
        let plain = text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let text = match self.lower && !plain {
            true => {
                lowered = text.to_lowercase();
                &lowered
            }
            false => text,
        };
        if self.char_level {
            let mut buffer = [0; 4];
            return text.chars().for_each(|letter| take(letter.encode_utf8(&mut buffer)));
        }
        let mut between = self.split.chars();
        match (between.next(), between.next()) {
            (Some(one), None) => {
                let ends = Ends::new(&self.filters, one);
                text.split(|letter| ends.has(letter)).filter(|word| !word.is_empty()).for_each(take);
            }
            _ => {
                let ends = Ends::new(&self.filters, '\0');
                let mut apart = String::with_capacity(text.len());
                for letter in text.chars() {
                    match ends.has(letter) && letter != '\0' {
                        true => apart.push_str(&self.split),
                        false => apart.push(letter),
                    }
                }
                match self.split.is_empty() {
                    true => take(&apart),
                    false => apart.split(&self.split).filter(|word| !word.is_empty()).for_each(take),
                }
            }
        }
    }
}

/// The characters that end a word; those of ASCII are looked up.
struct Ends {
    ascii: [bool; 128],
    other: Vec<char>,
}

impl Ends {
    fn new(filters: &str, split: char) -> Ends {
        let mut ends = Ends { ascii: [false; 128], other: Vec::new() };
        for letter in filters.chars().chain([split]) {
            match letter.is_ascii() {
                true => ends.ascii[letter as usize] = true,
                false => ends.other.push(letter),
            }
        }
        ends
    }

    fn has(&self, letter: char) -> bool {
        match letter.is_ascii() {
            true => self.ascii[letter as usize],
            false => self.other.contains(&letter),
        }
    }
}

/// How often words occur, in the order of their first occurrence: what a part of the texts tells.
///
/// ```
/// use barrage::media::{Cutting, Vocabulary, WordCounts};
/// let count = |texts: &[&str]| WordCounts::count(texts.iter().copied(), Cutting::default());
/// let all = count(&["b a"]).merge(&count(&["a c"]))?;
/// let words = all.vocabulary(None, None);
/// assert_eq!(words.words(), Vocabulary::learn(["b a", "a c"].into_iter(), Cutting::default(), None, None).words());
/// # Ok::<(), barrage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WordCounts {
    words: Vec<Arc<str>>,
    counts: Vec<u64>,
    cutting: Cutting,
}

impl WordCounts {
    /// Counts the words of texts.
    pub fn count<'a>(texts: impl Iterator<Item = &'a str>, cutting: Cutting) -> WordCounts {
        let mut places: HashMap<Arc<str>, usize> = HashMap::new();
        let mut counted = WordCounts { words: Vec::new(), counts: Vec::new(), cutting: cutting.clone() };
        for text in texts {
            cutting.each(text, |word| match places.get(word) {
                Some(&place) => counted.counts[place] += 1,
                None => {
                    let word: Arc<str> = word.into();
                    places.insert(word.clone(), counted.words.len());
                    counted.words.push(word);
                    counted.counts.push(1);
                }
            });
        }
        counted
    }

    /// Returns the counts of these texts and of those that come after them.
    ///
    /// # Errors
    /// Counts of texts that were cut into words in another way.
    pub fn merge(mut self, after: &WordCounts) -> Result<WordCounts> {
        if self.cutting != after.cutting {
            return Err(Error::data("the texts were cut into words in different ways")
                .hint("use the same options of `count_words` for all parts"));
        }
        let mut places: HashMap<Arc<str>, usize> =
            self.words.iter().enumerate().map(|(place, word)| (word.clone(), place)).collect();
        for (word, &count) in after.words.iter().zip(&after.counts) {
            match places.get(word) {
                Some(&place) => self.counts[place] += count,
                None => {
                    places.insert(word.clone(), self.words.len());
                    self.words.push(word.clone());
                    self.counts.push(count);
                }
            }
        }
        Ok(self)
    }

    /// Returns how many different words there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Returns the words by number, as [`Vocabulary::learn`] gives them.
    pub fn vocabulary(&self, num_words: Option<usize>, oov_token: Option<&str>) -> Vocabulary {
        let mut counted: Vec<(u64, &Arc<str>)> = self.counts.iter().copied().zip(&self.words).collect();
        counted.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let learned = counted.into_iter().map(|(_, word)| word.clone()).filter(|word| Some(&**word) != oov_token);
        let most = num_words.map_or(usize::MAX, |words| words.saturating_sub(1));
        let words = oov_token.map(Arc::from).into_iter().chain(learned).take(most).collect();
        Vocabulary::of(words, self.cutting.clone(), oov_token.is_some())
    }

    /// Returns the counts as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let words: Vec<&str> = self.words.iter().map(|word| &**word).collect();
        serde_json::json!({ "words": words, "counts": self.counts, "cutting": self.cutting })
    }

    /// Returns the counts that JSON stands for; `None` for anything else.
    pub fn from_json(json: &serde_json::Value) -> Option<WordCounts> {
        let words: Vec<String> = serde_json::from_value(json.get("words")?.clone()).ok()?;
        let counts: Vec<u64> = serde_json::from_value(json.get("counts")?.clone()).ok()?;
        let cutting = serde_json::from_value(json.get("cutting")?.clone()).ok()?;
        (words.len() == counts.len()).then(|| WordCounts {
            words: words.into_iter().map(Arc::from).collect(),
            counts,
            cutting,
        })
    }
}

/// Words with their numbers; cheap to clone.
///
/// ```
/// use barrage::media::{Cutting, Vocabulary};
/// let known = Vocabulary::learn(["the cat", "the dog"].into_iter(), Cutting::default(), None, None);
/// assert_eq!(known.encode("The dog and the cat"), [1, 3, 1, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Vocabulary(Arc<Known>);

#[derive(Debug)]
struct Known {
    /// The word of number `i + 1` at place `i`.
    words: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, i64>,
    cutting: Cutting,
    /// Whether number 1 stands for unknown words.
    unknown: bool,
}

/// A vocabulary as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    words: Vec<String>,
    unknown: bool,
    #[serde(flatten)]
    cutting: Cutting,
}

impl Vocabulary {
    /// Learns the words of texts: the most frequent one gets number 1 (or 2 after `oov_token`), words of equal count
    /// in the order of their first occurrence. With `num_words`, only numbers below it are given.
    pub fn learn<'a>(
        texts: impl Iterator<Item = &'a str>,
        cutting: Cutting,
        num_words: Option<usize>,
        oov_token: Option<&str>,
    ) -> Vocabulary {
        WordCounts::count(texts, cutting).vocabulary(num_words, oov_token)
    }

    fn of(words: Vec<Arc<str>>, cutting: Cutting, unknown: bool) -> Vocabulary {
        let numbers = words.iter().zip(1..).map(|(word, number)| (word.clone(), number)).collect();
        Vocabulary(Arc::new(Known { words, numbers, cutting, unknown }))
    }

    /// Returns the words in the order of their numbers, which begin at 1.
    pub fn words(&self) -> &[Arc<str>] {
        &self.0.words
    }

    /// Returns the number of word numbers, 0 for padding included: what an embedding needs.
    pub fn size(&self) -> usize {
        self.0.words.len() + 1
    }

    /// Returns the numbers of the words of a text; unknown ones get number 1, or are left out when there is no word
    /// for them.
    pub fn encode(&self, text: &str) -> Vec<i64> {
        let known = &*self.0;
        let mut numbers = Vec::new();
        known.cutting.each(text, |word| match known.numbers.get(word) {
            Some(&number) => numbers.push(number),
            None if known.unknown => numbers.push(1),
            None => {}
        });
        numbers
    }

    /// Returns the words of numbers; padding is left out.
    pub fn decode(&self, numbers: &[i64]) -> Vec<Arc<str>> {
        let word = |number: &i64| self.0.words.get(usize::try_from(number.checked_sub(1)?).ok()?).cloned();
        numbers.iter().filter_map(word).collect()
    }

    /// Returns the vocabulary as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let words = self.0.words.iter().map(ToString::to_string).collect();
        let stored = Stored { words, unknown: self.0.unknown, cutting: self.0.cutting.clone() };
        serde_json::to_value(stored).unwrap_or_default()
    }

    /// Returns the vocabulary that JSON stands for.
    ///
    /// # Errors
    /// Anything but what [`Vocabulary::to_json`] returned.
    pub fn from_json(json: &serde_json::Value) -> Result<Vocabulary> {
        let stored: Stored = serde_json::from_value(json.clone())
            .map_err(|error| Error::data(format!("the vocabulary is damaged: {error}")))?;
        let words = stored.words.into_iter().map(Arc::from).collect();
        Ok(Vocabulary::of(words, stored.cutting, stored.unknown))
    }
}

/// How sequences are brought to one length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Padding {
    /// The length; without it, that of the longest sequence.
    pub maxlen: Option<usize>,
    /// Whether what is added stands before the numbers.
    pub before: bool,
    /// Whether what is too much is cut off at the beginning.
    pub cut_before: bool,
    /// What is added.
    pub value: i64,
}

/// Returns sequences in one tensor, `[sequences, length]`, i64.
///
/// # Errors
/// More numbers than memory can hold.
pub fn pad_sequences(sequences: &[Vec<i64>], padding: Padding) -> Result<Tensor> {
    let length = padding.maxlen.unwrap_or_else(|| sequences.iter().map(Vec::len).max().unwrap_or(0));
    let size = length.checked_mul(sequences.len()).filter(|&size| size < 1 << 40);
    let size = size.ok_or_else(|| Error::data(format!("{length} numbers a sequence are too many for the memory")))?;
    let mut data = Vec::with_capacity(size);
    for sequence in sequences {
        let kept = match sequence.len().checked_sub(length) {
            Some(over) if padding.cut_before => &sequence[over..],
            Some(_) => &sequence[..length],
            None => sequence,
        };
        let added = std::iter::repeat_n(padding.value, length - kept.len());
        match padding.before {
            true => data.extend(added.chain(kept.iter().copied())),
            false => data.extend(kept.iter().copied().chain(added)),
        }
    }
    Ok(Array::from_i64(data, &[sequences.len(), length])?.into())
}
