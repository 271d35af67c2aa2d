//! Where settings come from, and which layer a key was written in. It knows keys as text, never their meaning.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    error::Kind,
    value::{Dict, Map, Value},
};

use super::{DEFAULTS, SettingsError, sections::SOURCE_KEYS};

/// The start of every environment variable that is a setting.
const PREFIX: &str = "CHERT__";

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The built-in defaults.
    Defaults,
    /// A settings file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// Several places or none, for example a pair of values that do not fit together.
    Unknown,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("the built-in default.toml"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::Unknown => f.write_str("the settings"),
        }
    }
}

/// One layer: a table of sections and where it came from.
pub(super) struct Layer {
    origin: Origin,
    table: toml::Table,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        // The kind of origin rides in the name and its address in the source, so that `origin` can read both back.
        match &self.origin {
            Origin::Defaults | Origin::Unknown => Metadata::named("defaults"),
            Origin::File(path) => Metadata::from("file", path.as_path()),
            Origin::Variable(name) => Metadata::named("variable").source(name.clone()),
        }
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let value = Value::serialize(&self.table)?;
        Ok(Profile::Default.collect(value.into_dict().unwrap_or_default()))
    }
}

fn origin(metadata: Option<&Metadata>) -> Origin {
    let Some(metadata) = metadata else { return Origin::Unknown };
    match (metadata.name.as_ref(), &metadata.source) {
        ("file", Some(figment::Source::File(path))) => Origin::File(path.clone()),
        ("variable", Some(figment::Source::Custom(name))) => Origin::Variable(name.clone()),
        ("defaults", None) => Origin::Defaults,
        (_, _) => Origin::Unknown,
    }
}

/// The layer of the built-in defaults.
pub(super) fn defaults() -> Layer {
    let table = DEFAULTS.parse().expect("default.toml is built in and tested");
    Layer { origin: Origin::Defaults, table }
}

/// The layer of a settings file.
pub(super) fn file(path: &Path) -> Result<Layer, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|cause| SettingsError::Read { file: path.to_owned(), cause })?;
    let table = text.parse().map_err(|error: toml::de::Error| SettingsError::Syntax {
        file: path.to_owned(),
        problem: error.to_string(),
    })?;
    Ok(Layer { origin: Origin::File(path.to_owned()), table })
}

/// One layer for each variable, so that an error can name the variable.
pub(super) fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Layer>, SettingsError> {
    let defaults = defaults().table;
    // Sorted, so that the same environment always gives the same first error.
    let mut layers = Vec::new();
    for (name, value) in variables.into_iter().collect::<std::collections::BTreeMap<_, _>>() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let variable = name.to_owned();
        let Some(value) = value.to_str() else { return Err(SettingsError::NotText { variable }) };
        let key = name.trim_start_matches(PREFIX).to_lowercase();
        let mut table = toml::Table::new();
        match key.split_once("__") {
            Some((section, key)) => {
                let is_text = defaults.get(section).and_then(|keys| keys.get(key)).is_some_and(toml::Value::is_str);
                let inner = toml::Table::from_iter([(key.to_owned(), parse(value, is_text))]);
                table.insert(section.to_owned(), inner.into());
            }
            None => {
                table.insert(key, parse(value, false));
            }
        }
        layers.push(Layer { origin: Origin::Variable(variable), table });
    }
    Ok(layers)
}

/// A variable's text as a value. Text settings are taken as they are, so that a password of digits stays a password;
/// everything else is read as TOML, so that numbers, booleans and lists of sources can be given.
fn parse(text: &str, is_text: bool) -> toml::Value {
    if is_text {
        return text.into();
    }
    format!("value = {text}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| text.into())
}

/// Lays the layers over each other, the last one on top.
pub(super) fn merge(layers: Vec<Layer>) -> Figment {
    layers.into_iter().fold(Figment::new(), Figment::merge)
}

/// Where the effective value of a key was written.
pub(super) fn origin_of(merged: &Figment, key: &str) -> Origin {
    origin(merged.find_metadata(key))
}

/// Every key that a setting has, with its section, and the sections themselves.
pub(super) fn known_keys() -> BTreeSet<String> {
    let mut keys = BTreeSet::from(["source".to_owned()]);
    keys.extend(SOURCE_KEYS.iter().map(|key| format!("source.{key}")));
    for (section, value) in defaults().table {
        for key in value.as_table().into_iter().flat_map(toml::Table::keys) {
            keys.insert(format!("{section}.{key}"));
        }
        keys.insert(section);
    }
    keys
}

/// Refuses the first key that no setting has; misspelled settings that are silently ignored cost people days.
pub(super) fn refuse_unknown_keys(layers: &[Layer]) -> Result<(), SettingsError> {
    let known = known_keys();
    for layer in layers {
        for key in written_keys(&layer.table) {
            if !known.contains(&key) {
                let nearest = nearest(&key, &known);
                return Err(SettingsError::UnknownKey { key, origin: layer.origin.clone(), nearest });
            }
        }
    }
    Ok(())
}

/// The keys of a layer, sections first: an unknown section is reported as such, not by its first key.
fn written_keys(table: &toml::Table) -> Vec<String> {
    let mut keys: Vec<String> = table.keys().cloned().collect();
    for (section, value) in table {
        let entries = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let inner = entries.iter().filter_map(toml::Value::as_table).flat_map(toml::Table::keys);
        keys.extend(inner.map(|key| format!("{section}.{key}")));
    }
    keys
}

fn nearest(key: &str, known: &BTreeSet<String>) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let distance = |candidate: &&String| {
        let whole = strsim::damerau_levenshtein(key, candidate);
        // The right key in the wrong section is nearer than its spelling says.
        let moved = strsim::damerau_levenshtein(&last(key), &last(candidate)) + 1;
        whole.min(moved)
    };
    known.iter().min_by_key(distance).cloned().unwrap_or_default()
}

/// Puts an extraction error into our words: the key, where it was written, and what was expected.
pub(super) fn explain(error: figment::Error) -> SettingsError {
    let origin = origin(error.metadata.as_ref());
    let mut key = String::new();
    for part in &error.path {
        match part.parse::<usize>() {
            Ok(index) => key.push_str(&format!("[{index}]")),
            Err(_) if key.is_empty() => key.push_str(part),
            Err(_) => key.push_str(&format!(".{part}")),
        }
    }
    match error.kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            SettingsError::BadType { key, origin, expected: plain(&expected), found: found.to_string() }
        }
        Kind::UnknownVariant(found, known) => SettingsError::BadValue {
            key,
            origin,
            problem: format!("it must be one of {}, not {found:?}", known.join(", ")),
        },
        Kind::MissingField(field) => {
            SettingsError::BadValue { key: format!("{key}.{field}"), origin, problem: "it is missing".to_owned() }
        }
        Kind::Message(problem) => SettingsError::BadValue { key, origin, problem },
        other @ (Kind::InvalidLength(..)
        | Kind::UnknownField(..)
        | Kind::DuplicateField(_)
        | Kind::ISizeOutOfRange(_)
        | Kind::USizeOutOfRange(_)
        | Kind::Unsupported(_)
        | Kind::UnsupportedKey(..)) => SettingsError::BadValue { key, origin, problem: other.to_string() },
    }
}

/// A type in words that a person who writes a settings file knows.
fn plain(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        other if other.starts_with("struct") => "a section".to_owned(),
        other => other.to_owned(),
    }
}
