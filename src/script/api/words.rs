//! Words: vocabularies, and sequences of one length.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, Map};

use crate::error::Error;
use crate::media::{Cutting, Padding, Vocabulary, WordCounts, pad_sequences as pad};
use crate::script::api::arguments::{Answer, texts};
use crate::script::api::{Page, options::Options};
use crate::script::cast;
use crate::script::traceback::raise;
use crate::tensor::{Array, Dtype, Tensor};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "words",
    title: "Words",
    intro: "A `Vocabulary` numbers the words of texts, as Keras' `Tokenizer` does: 0 is padding, the most frequent word comes \
            first. A transformer learns it in `fit` and keeps it in `this`; `std.transformers.vocabulary` is one.",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Vocabulary>("Vocabulary");
    engine.register_type_with_name::<WordCounts>("WordCounts");
    engine.register_global_module(exported_module!(functions).into());
}

/// Takes how texts are cut into words.
fn cutting(options: &mut Options) -> Answer<Cutting> {
    let plain = Cutting::default();
    Ok(Cutting {
        lower: options.flag("lower")?.unwrap_or(plain.lower),
        filters: options.text("filters")?.unwrap_or(plain.filters),
        split: options.text("split")?.unwrap_or(plain.split),
        char_level: options.flag("char_level")?.unwrap_or(plain.char_level),
    })
}

/// Takes `maxlen`, `padding`, `truncating` and `value`.
fn padding(function: &'static str, options: Map) -> Answer<Padding> {
    let mut options = Options::new(function, options);
    let maxlen = options.whole("maxlen")?.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    let mut before = |name: &'static str| match options.text(name)?.as_deref() {
        None | Some("pre") => Ok(true),
        Some("post") => Ok(false),
        Some(other) => Err(raise(Error::script(format!(
            "option `{name}` of `{function}`: expected \"pre\" or \"post\", found {other:?}"
        )))),
    };
    let (before, cut_before) = (before("padding")?, before("truncating")?);
    let value = options.take("value").map(|value| value.as_int()).transpose();
    let value =
        value.map_err(|_| raise(Error::script(format!("option `value` of `{function}`: expected a whole number"))))?;
    options.finish()?;
    Ok(Padding { maxlen, before, cut_before, value: value.unwrap_or(0) })
}

fn numbers(value: &Dynamic) -> Answer<Vec<i64>> {
    if value.read_lock::<List>().is_some_and(|list| list.is_empty()) {
        return Ok(Vec::new());
    }
    let tensor = cast::to_tensor(value).map_err(raise)?;
    match (tensor.rank(), tensor.dtype()) {
        (1, Dtype::I64 | Dtype::U8) => Ok(tensor.to_host().map_err(raise)?.as_i64().into_owned()),
        _ => Err(raise(Error::data(format!(
            "expected whole numbers in a row, found {} of shape {:?}",
            tensor.dtype(),
            tensor.shape()
        )))),
    }
}

#[export_module]
mod functions {
    /// Returns the vocabulary of an array of texts. Options, as in Keras: `num_words`, one more than the highest number
    /// that a word gets; `oov_token`, a text that gets number 1 and stands for unknown words, which are left out
    /// otherwise; `lower` (true), whether capital letters become small ones; `filters`, the characters that end a word
    /// (punctuation, tab and line break by default); `split` (`" "`), the text between words; `char_level` (false),
    /// whether every character is a word.
    ///
    /// ```rhai
    /// let known = vocabulary(["The cat sat.", "the cat!"], #{ oov_token: "?" });
    /// [known.words, known.size] // => [["?", "the", "cat", "sat"], 5]
    /// ```
    #[rhai_fn(name = "vocabulary", return_raw)]
    pub fn vocabulary(texts: List) -> Answer<Vocabulary> {
        vocabulary_with(texts, Map::new())
    }

    #[rhai_fn(name = "vocabulary", return_raw)]
    pub fn vocabulary_with(texts: List, options: Map) -> Answer<Vocabulary> {
        let texts = super::texts(&texts, "`vocabulary`")?;
        let mut options = Options::new("vocabulary", options);
        let cutting = cutting(&mut options)?;
        let num_words = options.whole("num_words")?.map(|words| words as usize);
        let oov_token = options.text("oov_token")?;
        options.finish()?;
        Ok(Vocabulary::learn(texts.iter().map(String::as_str), cutting, num_words, oov_token.as_deref()))
    }

    /// Returns how often each word of an array of texts occurs: what some of the records tell a transformer that is fitted
    /// in parts. Options as for `vocabulary`, without `num_words` and `oov_token`.
    ///
    /// ```rhai
    /// count_words(["The cat sat.", "the cat!"]).len // => 3
    /// ```
    #[rhai_fn(name = "count_words", return_raw)]
    pub fn count_words(texts: List) -> Answer<WordCounts> {
        count_words_with(texts, Map::new())
    }

    #[rhai_fn(name = "count_words", return_raw)]
    pub fn count_words_with(texts: List, options: Map) -> Answer<WordCounts> {
        let texts = super::texts(&texts, "`count_words`")?;
        let mut options = Options::new("count_words", options);
        let cutting = cutting(&mut options)?;
        options.finish()?;
        Ok(WordCounts::count(texts.iter().map(String::as_str), cutting))
    }

    /// Returns the number of different words.
    ///
    /// ```rhai
    /// count_words(["a b b"]).len() // => 2
    /// ```
    #[rhai_fn(get = "len", name = "len")]
    pub fn len(counts: WordCounts) -> i64 {
        counts.len() as i64
    }

    /// Returns the counts of two parts together; the texts of `after` come later.
    ///
    /// # Errors
    /// Texts that were cut into words in different ways.
    ///
    /// ```rhai
    /// count_words(["b a"]).merge(count_words(["a c"])).vocabulary(#{}).words // => ["a", "b", "c"]
    /// ```
    #[rhai_fn(name = "merge", return_raw)]
    pub fn merge(counts: WordCounts, after: WordCounts) -> Answer<WordCounts> {
        counts.merge(&after).map_err(raise)
    }

    /// Returns the vocabulary of counted words: the same as of their texts. Options: `num_words`, `oov_token`.
    ///
    /// ```rhai
    /// count_words(["a b b"]).vocabulary(#{ num_words: 2 }).words // => ["b"]
    /// ```
    #[rhai_fn(name = "vocabulary", return_raw)]
    pub fn counted_vocabulary(counts: WordCounts, options: Map) -> Answer<Vocabulary> {
        let mut options = Options::new("vocabulary", options);
        let num_words = options.whole("num_words")?.map(|words| words as usize);
        let oov_token = options.text("oov_token")?;
        options.finish()?;
        Ok(counts.vocabulary(num_words, oov_token.as_deref()))
    }

    /// Returns the numbers of the words of a text (i64).
    ///
    /// ```rhai
    /// vocabulary(["a b b"]).encode("B a c b") // => tensor([1, 2, 1])
    /// ```
    #[rhai_fn(name = "encode", return_raw)]
    pub fn encode(vocabulary: Vocabulary, text: &str) -> Answer<Tensor> {
        let numbers = vocabulary.encode(text);
        let shape = [numbers.len()];
        Array::from_i64(numbers, &shape).map(Tensor::Host).map_err(raise)
    }

    /// Returns the numbers of the words of a text, padded or cut to one length. Options as for `pad_sequences`.
    ///
    /// ```rhai
    /// vocabulary(["a b b"]).encode("b a b", #{ maxlen: 4, padding: "post" }) // => tensor([1, 2, 1, 0])
    /// ```
    #[rhai_fn(name = "encode", return_raw)]
    pub fn encode_with(vocabulary: Vocabulary, text: &str, options: Map) -> Answer<Tensor> {
        let padding = padding("encode", options)?;
        let padded = pad(&[vocabulary.encode(text)], padding).and_then(|rows| rows.squeeze(Some(0)));
        padded.map_err(raise)
    }

    /// Returns the words of numbers as one text; padding is left out.
    ///
    /// ```rhai
    /// vocabulary(["a b b"]).decode(tensor([2, 1, 0, 0])) // => "a b"
    /// ```
    #[rhai_fn(name = "decode", return_raw)]
    pub fn decode(vocabulary: Vocabulary, values: Tensor) -> Answer<String> {
        let words = vocabulary.decode(&values.to_host().map_err(raise)?.as_i64());
        Ok(words.iter().map(|word| &**word).collect::<Vec<_>>().join(" "))
    }

    /// Returns the words in the order of their numbers, which begin at 1.
    ///
    /// ```rhai
    /// vocabulary(["a b b"]).words // => ["b", "a"]
    /// ```
    #[rhai_fn(get = "words", name = "words")]
    pub fn words(vocabulary: Vocabulary) -> List {
        vocabulary.words().iter().map(|word| Dynamic::from(word.to_string())).collect()
    }

    /// Returns the number of word numbers, 0 for padding included: what an embedding needs.
    ///
    /// ```rhai
    /// vocabulary(["a b b"]).size // => 3
    /// ```
    #[rhai_fn(get = "size", name = "size")]
    pub fn size(vocabulary: Vocabulary) -> i64 {
        vocabulary.size() as i64
    }

    /// Returns sequences of whole numbers (arrays or tensors) in one tensor, `[sequences, length]`. Options, as in Keras:
    /// `maxlen`, the length (that of the longest); `padding` and `truncating`, `"pre"` (the default) or `"post"`: at
    /// which end numbers are added and cut off; `value` (0), what is added.
    ///
    /// # Errors
    /// Numbers that are not whole.
    ///
    /// ```rhai
    /// pad_sequences([[1, 2, 3], [4]]) // => tensor([[1, 2, 3], [0, 0, 4]])
    /// pad_sequences([[1, 2, 3], [4]], #{ maxlen: 2, padding: "post" }) // => tensor([[2, 3], [4, 0]])
    /// ```
    #[rhai_fn(name = "pad_sequences", return_raw)]
    pub fn pad_sequences(sequences: List) -> Answer<Tensor> {
        pad_sequences_with(sequences, Map::new())
    }

    #[rhai_fn(name = "pad_sequences", return_raw)]
    pub fn pad_sequences_with(sequences: List, options: Map) -> Answer<Tensor> {
        let padding = padding("pad_sequences", options)?;
        let rows = sequences.iter().map(numbers).collect::<Answer<Vec<_>>>()?;
        pad(&rows, padding).map_err(raise)
    }

    /// Returns what the vocabulary is, in short.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(vocabulary: Vocabulary) -> String {
        format!("Vocabulary({} words)", vocabulary.words().len())
    }
}
