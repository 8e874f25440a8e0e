//! A config and its records, for the verbs that take a recipe or a config.

use std::path::{Path, PathBuf};

use crate::cli::options::{Overrides, Scripts};
use crate::error::{Error, Kind};
use crate::recipe::{Recipe, Written};
use crate::record::Records;
use crate::script::resolver::Roots;
use crate::script::{Host, Wanted};
use crate::{Result, assemble};

/// What a config says, with its records and a host for its scripts.
pub struct Config {
    /// The host of its scripts.
    pub host: Host,
    recipe: Recipe,
    notes: Vec<String>,
    train: Records,
    validation: Records,
}

impl Config {
    /// Reads a config and its records: two files, or none where the loader's script makes them.
    ///
    /// # Errors
    /// What is wrong with the config, the overrides or the records.
    pub fn read(file: &Path, overrides: &Overrides, files: &[PathBuf], scripts: &Scripts) -> Result<Self> {
        Config::of(resolve(file, overrides)?, file, files_of(files, scripts)?, scripts)
    }

    /// Puts together what was read.
    ///
    /// # Errors
    /// Without records, whatever the loader's script raises, such as that it makes none.
    pub fn of(
        (recipe, notes): (Recipe, Vec<String>),
        file: &Path,
        records: Option<(Records, Records)>,
        scripts: &Scripts,
    ) -> Result<Self> {
        let host = scripts.host(Roots::project_of(file)).build()?;
        let (train, validation) = match records {
            Some(records) => records,
            None if assemble::makes_records(&host, &recipe)? => assemble::data_loaders(&host, &recipe)?,
            None => {
                return Err(Error::new(Kind::Usage, "a config needs its records")
                    .hint("name them with `--records TRAIN VALIDATION`"));
            }
        };
        Ok(Config { host, recipe, notes, train, validation })
    }

    /// Returns the run that it describes, which nothing is written of.
    pub fn wanted(&self) -> Wanted<'_> {
        let Config { recipe, notes, train, validation, .. } = self;
        Wanted { recipe, notes, train, validation, folder: Path::new("artifacts"), overwrite: true }
    }
}

/// Returns the recipe of a config, changed by overrides, and notes about it.
///
/// # Errors
/// What is wrong with either.
pub fn resolve(file: &Path, overrides: &Overrides) -> Result<(Recipe, Vec<String>)> {
    Recipe::resolve(&Written::read(file)?.overridden(&overrides.all())?)
}

/// Returns the training and validation records of two files; `None` without files.
///
/// # Errors
/// Files that cannot be read, no training records.
pub fn files_of(files: &[PathBuf], scripts: &Scripts) -> Result<Option<(Records, Records)>> {
    let [train, validation] = files else { return Ok(None) };
    let train = Records::read_with(train, &scripts.reading(None))?;
    assemble::check_not_empty(&train, "training")?;
    // The schema of the training records holds for every later file.
    let validation = Records::read_with(validation, &scripts.reading(Some(train.schema())))?;
    Ok(Some((train, validation)))
}
