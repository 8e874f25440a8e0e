//! What scripts see: one file for each type or family of functions, and one list of them, which is also
//! the table of contents of the manual.
//!
//! Each file has an `#[export_module]` whose doc comments are the manual: first line "Returns …",
//! shapes and dtypes, `# Errors`, and examples whose lines end in `// => value`. Where one text stands for
//! many versions, a [`table`] takes its place. A first parameter named after its type (`tensor: Tensor`)
//! makes a method; a version without a text shares that of the versions before it; names of types that
//! take more than one ([`arguments`]) are what the manual prints.

pub mod arguments;
pub mod batch;
pub mod batches;
pub mod dataset;
pub mod datasets;
mod draws;
pub mod expression;
pub mod files;
pub mod images;
pub mod index;
pub mod loader;
pub mod model;
pub mod network;
pub mod options;
pub mod params;
pub mod pipeline;
pub mod random;
pub mod recipe;
pub mod record;
pub mod records;
pub mod runs;
pub mod searches;
pub mod speed;
pub mod table;
pub mod tensor;
pub mod testing;
pub mod trainer;
pub mod values;
pub mod words;

use rhai::Engine;

/// One file of the script API, and one page of the manual.
pub struct Page {
    /// The name of the file and of the page.
    pub name: &'static str,
    /// The heading.
    pub title: &'static str,
    /// What the type or family is, in a few sentences (Markdown).
    pub intro: &'static str,
    /// Registers its functions and types.
    pub register: fn(&mut Engine),
}

/// All pages, in reading order.
pub const PAGES: &[Page] = &[
    values::PAGE,
    recipe::PAGE,
    params::PAGE,
    records::PAGE,
    files::PAGE,
    datasets::PAGE,
    record::PAGE,
    tensor::PAGE,
    loader::PAGE,
    batches::PAGE,
    words::PAGE,
    random::PAGE,
    speed::PAGE,
    network::PAGE,
    trainer::PAGE,
    runs::PAGE,
    searches::PAGE,
    testing::PAGE,
    index::PAGE,
    dataset::PAGE,
    batch::PAGE,
    images::PAGE,
    pipeline::PAGE,
    expression::PAGE,
    model::PAGE,
];

/// Registers everything.
pub fn register(engine: &mut Engine) {
    for page in PAGES {
        (page.register)(engine);
    }
    batch::register_forwards(engine);
}
