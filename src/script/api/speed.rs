//! How record functions are run: a page of the manual without functions of its own.

use rhai::Engine;

use crate::script::api::Page;

/// The page of the manual.
pub const PAGE: Page = Page { name: "speed", title: "How scripts are run", intro: INTRO, register };

fn register(_: &mut Engine) {}

const INTRO: &str = "Interpreting a script takes about a microsecond a record. So the functions that see every record, a loader's \
    `load`, a transformer's `transform` and augmentors, run *once for many records* where that gives the same bits: `record.x1` is \
    then a whole column, and `record.x1 * 2.0` one loop of native code. `barrage explain recipe.rhai` says for each of them whether it is \
    `native`, `vectorised` or `interpreted`, and in that case what is in the way, with its line. Nothing has to be written differently, \
    and nothing changes but time; `--interpret` switches it off.\n\n\
    ## What is followed\n\n\
    * Fields of records by `.` and `[]`, `gather` and `get`; numbers, texts, tensors, arrays and maps of them; `this`, `params`, constants \
    (`global::NAME`), functions of the script and of scripts that it imports, closures in `map`, `filter`, `some` and `all`.\n\
    * Conditions on values of a record: `if`, `&&`, `||`, `while`, `for`, `return`, `break` and `continue` anywhere. Where records differ \
    they part: each side runs on the records that take it, so a division behind `if x != 0.0` is never done with 0.\n\
    * Operators, functions of numbers and of texts (comparisons, `to_lower`, `replace`, `split`, `starts_with` …), `in` and `index_of`, \
    every function of tensors, text with texts and whole numbers in it.\n\
    * An augmentor's `rng`: every record draws from its own stream, in the order in which it would draw alone.\n\n\
    A function of the manual that has no form for columns is called record by record, natively; the rest of the script still runs \
    on columns.\n\n\
    ## What is not\n\n\
    `switch`, `try`, `do`, `?.`, `print` and `debug`, `type_of` of what differs from record to record, `to_string` and text with other values in it, `timestamp`, `break` with a \
    value, variables that a closure changes, functions as values, methods declared for a type, functions that an embedding program \
    adds, and the generator of `rng(seed)` kept in `this`. A script with one of these on a path that records take is interpreted as a \
    whole, and so is one whose values have another form in every record: a map with a field that only some have, say.\n\n\
    ## Why it is the same\n\n\
    What is not on the list is refused before anything runs. An error, of whatever kind, ends the attempt: the records are \
    interpreted, and the error comes from there, with its record and line. And interpretation is compared bit for bit: on the first 32 \
    records of a function, where a difference means that it is interpreted from then on, and on one of every 4096 later ones, \
    where a difference stops the run, names the record, and advises `--interpret`.\n\n\
    ## Loops over elements\n\n\
    A loop over the elements of a tensor is some hundred times slower than one operation on all of them, interpreted or not; \
    `barrage explain` and `barrage check` warn of it with its line:\n\n\
    ```text\n\
    for i in 0..784 { sum += image[i] / 255.0; }    // slow\n\
    let sum = (image / 255.0).sum();                // the same\n\
    ```\n\n\
    ## Workers\n\n\
    `dataset.workers` threads (all cores, when it is not given; 0 for none) load records and make the next batches while the network \
    trains. Their number changes no bit: what a batch holds is a function of the seed, the epoch and its number. Batches that take less \
    than it costs to hand them over are made where they are used. A run ends with the share of its time in which it waited for \
    data, and with the time that a record took in each function of a script; both are in the event `data` of `events.jsonl`, too, and \
    `--verbose` says why a function was interpreted. `dataset.prefetch` says how many batches workers may be ahead.";
