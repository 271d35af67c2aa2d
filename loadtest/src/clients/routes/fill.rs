//! Real values for the parameters of a route, and the paths that they make.

use std::ops::RangeInclusive;

use crate::clients::keys::Keys;
use crate::clients::questions::{encoded, scattered};

use super::document::Declared;

/// Keys in one question for many things.
const BATCH_KEYS: usize = 20;
/// The most items of a page; other numbers of items are other questions.
pub const MAX_PAGE_ITEMS: u32 = 100;
/// Blocks below the newest one as of which a question with few keys is asked: near enough to cost as much as one about now.
const NEAR_HEAD_BLOCKS: usize = 1_000;

/// What is asked besides what must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Nothing.
    Plain,
    /// One parameter with one value, as `explain=true`.
    With(&'static str),
    /// One parameter with a value for each key.
    Each(&'static str),
    /// The one and the other, as `by=address&at_height`.
    WithEach(&'static str),
}

impl Variant {
    const ALL: &'static [Self] = &[
        Self::With("explain=true"),
        Self::Each("at_height"),
        Self::With("by=address"),
        Self::WithEach("by=address&at_height"),
        Self::With("timeframe=day"),
        Self::With("count=exact"),
        Self::With("of=all"),
        Self::With("status=active"),
        Self::Each("around"),
        Self::Each("voter"),
        Self::Each("ids"),
    ];

    /// The variants that a route has, the plain one first.
    pub fn of(route: &Declared) -> impl Iterator<Item = Self> {
        let may_have = |name: &str| route.query.iter().any(|(known, required)| known == name && !required);
        let all = Self::ALL.iter().copied();
        std::iter::once(Self::Plain).chain(all.filter(move |variant| variant.parameters().all(&may_have)))
    }

    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::With(text) | Self::Each(text) | Self::WithEach(text) => text,
        }
    }

    fn parameters(self) -> impl Iterator<Item = &'static str> {
        self.name().split('&').filter_map(|text| text.split('=').next())
    }

    /// What it asks for besides what must be given.
    fn ask(self, series: &mut Series, keys: &Keys, before: &str) -> Result<(), String> {
        for text in self.name().split('&').filter(|text| !text.is_empty()) {
            match text.split_once('=') {
                Some((name, value)) => series.ask(name, Piece::Text(value.to_owned())),
                None => series.ask(text, values(keys, before, text)?),
            }
        }
        Ok(())
    }
}

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands here.
    Text(String),
    /// One of these, percent-encoded; never empty.
    One(Vec<String>),
}

impl Piece {
    fn count(&self) -> u64 {
        match self {
            Self::Text(_) => 1,
            Self::One(values) => u64::try_from(values.len()).unwrap_or(u64::MAX).max(1),
        }
    }
}

/// Paths with the same parts, of which some have many values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The parts in their order.
    pub pieces: Vec<Piece>,
}

impl Series {
    /// So many paths, as different as there are values, beginning somewhere and with neighbours far apart.
    pub fn paths(&self, count: usize, skip: u64) -> Vec<String> {
        let total = self.combinations();
        let numbers = (0..).take(count).map(|number: u64| (number + skip % total) % total);
        numbers.map(|number| self.path(scattered(number, total))).collect()
    }

    /// The same path so many times.
    pub fn repeated(&self, count: usize) -> Vec<String> {
        vec![self.path(self.combinations() / 2); count]
    }

    /// Adds a parameter to the query.
    pub fn ask(&mut self, name: &str, value: Piece) {
        let is_asked = self.pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if text.starts_with('?')));
        self.pieces.extend([Piece::Text(format!("{}{name}=", if is_asked { '&' } else { '?' })), value]);
    }

    fn combinations(&self) -> u64 {
        self.pieces.iter().map(Piece::count).fold(1, u64::saturating_mul)
    }

    fn path(&self, number: u64) -> String {
        let (mut path, mut rest) = (String::new(), number);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::One(values) => {
                    let turn = usize::try_from(rest % piece.count()).unwrap_or_default();
                    rest /= piece.count();
                    path.push_str(values.get(turn).map_or("", String::as_str));
                }
            }
        }
        path
    }
}

/// The paths of a route in a variant. Where the keys do not make `spread` different questions, a list also varies the number
/// of its items, and whatever can be asked as of a position is asked as of one near the newest: otherwise the API would
/// answer from its cache, and what its database takes would not show.
///
/// # Errors
///
/// The name of a parameter for which there is no value.
pub fn series(keys: &Keys, route: &Declared, variant: Variant, spread: u64) -> Result<Series, String> {
    let mut series = Series { pieces: Vec::new() };
    let pieces = &mut series.pieces;
    let mut before = "";
    for (number, segment) in route.path.split('/').enumerate() {
        if number > 0 {
            pieces.push(Piece::Text("/".to_owned()));
        }
        pieces.push(match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => values(keys, before, name)?,
            None => Piece::Text(segment.to_owned()),
        });
        before = segment;
    }
    for (name, _) in route.query.iter().filter(|(_, required)| *required) {
        series.ask(name, values(keys, before, name)?);
    }
    variant.ask(&mut series, keys, before)?;
    // A batch is no page: it takes no limit.
    if route.takes("limit") && variant != Variant::Each("ids") && series.combinations() < spread {
        series.ask("limit", limits(1..=MAX_PAGE_ITEMS));
    }
    let is_as_of = variant.parameters().any(|name| name == "at_height");
    if route.takes("at_position") && !is_as_of && series.combinations() < spread {
        let positions = near_positions(keys);
        if !positions.is_empty() {
            series.ask("at_position", Piece::One(positions));
        }
    }
    Ok(series)
}

/// Numbers of items on a page.
pub fn limits(items: RangeInclusive<u32>) -> Piece {
    Piece::One(items.map(|items| items.to_string()).collect())
}

/// Values for a parameter, known by its name and the part of the path before it.
fn values(keys: &Keys, before: &str, name: &str) -> Result<Piece, String> {
    let thing = match (before, name) {
        ("submission" | "submissions", "id") => "submission_id",
        ("proposals", "id" | "ids") => "proposal_id",
        ("oracle" | "oracles", "id") => "oracle_id",
        ("sources", "name") => "source",
        ("by-wallet", "address") => "wallet",
        (_, "id" | "around" | "voter") => "identity_id",
        (_, other) => other,
    };
    let values: Vec<String> = match (thing, name) {
        ("proposal_id", "ids") => batches(&keys.proposals),
        ("ids", _) => batches(&keys.identities),
        ("addresses", _) => batches(&keys.addresses),
        ("wallet", _) => all(&keys.wallets),
        ("address", _) => all(&keys.addresses),
        ("identity_id", "around") => all(&keys.public_identities),
        ("identity_id", _) => all(&keys.identities),
        ("oracle_id", _) => all(&keys.oracles),
        ("proposal_id", _) => all(&keys.proposals),
        ("submission_id", _) => all(&keys.submissions),
        ("source", _) => all(&keys.sources),
        ("tx_id", _) => keys.transactions.iter().map(|transaction| encoded(&transaction.tx_id)).collect(),
        ("height_or_hash", _) => heights(keys).chain(all(&keys.block_hashes)).collect(),
        ("at_height", _) => past_heights(keys),
        ("position", _) => positions(keys.position),
        ("name", _) => all(&keys.names),
        ("q", _) => [&keys.addresses, &keys.identities, &keys.names, &keys.block_hashes]
            .into_iter()
            .flat_map(|keys| all(keys))
            .collect(),
        _ => Vec::new(),
    };
    if values.is_empty() { Err(name.to_owned()) } else { Ok(Piece::One(values)) }
}

fn all(keys: &[String]) -> Vec<String> {
    keys.iter().map(|key| encoded(key)).collect()
}

/// Some keys from each one on.
fn batches(keys: &[String]) -> Vec<String> {
    // In a list a comma ends a key.
    let keys: Vec<_> = keys.iter().filter(|key| !key.contains(',')).map(|key| encoded(key)).collect();
    let batch =
        |first: usize| keys.iter().cycle().skip(first).take(BATCH_KEYS.min(keys.len())).cloned().collect::<Vec<_>>();
    (0..keys.len()).map(|first| batch(first).join(",")).collect()
}

fn heights(keys: &Keys) -> impl Iterator<Item = String> {
    keys.blocks.iter().map(|block| block.height.to_string())
}

/// Heights in the past, but not in so far a past that hardly anything was there.
fn past_heights(keys: &Keys) -> Vec<String> {
    let mut heights: Vec<_> = keys.blocks.iter().map(|block| block.height).collect();
    heights.sort_unstable_by(|one, other| other.cmp(one));
    heights.truncate(heights.len().div_ceil(2));
    heights.iter().map(ToString::to_string).collect()
}

/// Where the newest blocks begin.
fn near_positions(keys: &Keys) -> Vec<String> {
    let mut positions: Vec<_> = keys.blocks.iter().map(|block| block.position).collect();
    positions.sort_unstable_by(|one, other| other.cmp(one));
    positions.truncate(NEAR_HEAD_BLOCKS);
    positions.iter().map(ToString::to_string).collect()
}

/// Some positions up to the newest.
fn positions(newest: u64) -> Vec<String> {
    /// So many are more than any row asks for in one go.
    const MOST: u64 = 100_000;
    let step = newest.div_ceil(MOST).max(1);
    (1..=newest).rev().step_by(usize::try_from(step).unwrap_or(usize::MAX)).map(|at| at.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::clients::keys::BlockKey;

    use super::*;

    fn keys() -> Keys {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Keys {
            position: 9,
            blocks: (1..=4).rev().map(|height| BlockKey { height, position: height * 2 }).collect(),
            block_hashes: texts(&["ab", "cd"]),
            addresses: texts(&["0x1", "0x2", "a,b"]),
            identities: texts(&["i1", "i2"]),
            proposals: texts(&["7"]),
            ..Keys::default()
        }
    }

    fn route(path: &str, query: &[(&str, bool)]) -> Declared {
        let query = query.iter().map(|(name, required)| ((*name).to_owned(), *required)).collect();
        Declared { path: path.to_owned(), query, is_stream: false }
    }

    fn distinct(route: &Declared, variant: Variant, spread: u64) -> BTreeSet<String> {
        series(&keys(), route, variant, spread).expect("keys").paths(1_000, 3).into_iter().collect()
    }

    fn set(paths: &[&str]) -> BTreeSet<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn every_combination_of_keys_is_asked_for() {
        let wallets = route("/v1/identity/{identity_id}/wallets", &[]);
        assert_eq!(distinct(&wallets, Variant::Plain, 9), set(&["/v1/identity/i1/wallets", "/v1/identity/i2/wallets"]));
        let votes = route("/p/proposals/{id}/votes", &[("voter", false)]);
        let expected = ["/p/proposals/7/votes?voter=i1", "/p/proposals/7/votes?voter=i2"];
        assert_eq!(distinct(&votes, Variant::Each("voter"), 9), set(&expected));
        let balances = route("/balances", &[("addresses", true), ("at_height", false)]);
        let expected = ["/balances?addresses=0x1,0x2", "/balances?addresses=0x2,0x1"];
        assert_eq!(distinct(&balances, Variant::Plain, 9), set(&expected));
        assert_eq!(distinct(&balances, Variant::Each("at_height"), 9).len(), 4, "two heights of four are past enough");
        let explained = route("/p/proposals/{id}", &[("explain", false)]);
        assert_eq!(distinct(&explained, Variant::With("explain=true"), 9), set(&["/p/proposals/7?explain=true"]));
        assert_eq!(distinct(&route("/b/{height_or_hash}", &[]), Variant::Plain, 9).len(), 6);
        assert_eq!(distinct(&route("/e/{position}", &[]), Variant::Plain, 9).len(), 9);
    }

    #[test]
    fn a_list_with_few_keys_is_asked_for_with_other_limits() {
        let list = route("/v1/list", &[("limit", false), ("cursor", false)]);
        assert_eq!(distinct(&list, Variant::Plain, 300).len(), 100);
        assert_eq!(distinct(&list, Variant::Plain, 1), set(&["/v1/list"]));
        let repeated = series(&keys(), &list, Variant::Plain, 300).expect("no keys needed").repeated(7);
        assert_eq!((repeated.len(), repeated.iter().collect::<BTreeSet<_>>().len()), (7, 1));
    }

    #[test]
    fn a_question_with_few_keys_is_asked_as_of_positions_near_the_newest() {
        let proposal = route("/p/proposals/{id}", &[("at_height", false), ("at_position", false)]);
        let expected = [2, 4, 6, 8].map(|position| format!("/p/proposals/7?at_position={position}"));
        assert_eq!(distinct(&proposal, Variant::Plain, 9), expected.into());
        assert_eq!(distinct(&proposal, Variant::Plain, 1), set(&["/p/proposals/7"]), "one is enough");
        let as_of = set(&["/p/proposals/7?at_height=3", "/p/proposals/7?at_height=4"]);
        assert_eq!(distinct(&proposal, Variant::Each("at_height"), 9), as_of, "it is as of something already");
        let list = route("/v1/list", &[("limit", false), ("at_position", false)]);
        assert_eq!(distinct(&list, Variant::Plain, 300).len(), 4 * 100);
        let without = series(&Keys::default(), &list, Variant::Plain, 300).expect("no keys needed");
        assert_eq!(without.paths(300, 0).into_iter().collect::<BTreeSet<_>>().len(), 100, "no block is known");
    }

    #[test]
    fn two_parameters_are_varied_together() {
        let board = route("/b", &[("by", false), ("at_height", false)]);
        let expected = ["/b?by=address&at_height=3", "/b?by=address&at_height=4"];
        assert_eq!(distinct(&board, Variant::WithEach("by=address&at_height"), 9), set(&expected));
    }

    #[test]
    fn a_parameter_that_nothing_is_known_about_is_named() {
        let unknown = |path: &str, query: &[(&str, bool)]| series(&keys(), &route(path, query), Variant::Plain, 9);
        assert_eq!(unknown("/v1/{colour}", &[]), Err("colour".to_owned()));
        assert_eq!(unknown("/v1/pouw/oracle/{oracle_id}", &[]), Err("oracle_id".to_owned()), "there are no oracles");
        assert_eq!(unknown("/v1/x", &[("shade", true), ("tint", false)]), Err("shade".to_owned()));
    }

    #[test]
    fn variants_are_those_that_a_route_takes() {
        let of = |query: &[(&str, bool)]| Variant::of(&route("/x", query)).map(Variant::name).collect::<Vec<_>>();
        assert_eq!(of(&[]), [""]);
        let taken = [("limit", false), ("timeframe", false), ("explain", false), ("at_height", false)];
        assert_eq!(of(&taken), ["", "explain=true", "at_height", "timeframe=day"]);
        let ranked = [("by", false), ("at_height", false)];
        assert_eq!(of(&ranked), ["", "at_height", "by=address", "by=address&at_height"]);
        assert_eq!(of(&[("ids", true)]), [""], "what must be given is in every variant");
        assert_eq!(of(&[("ids", false)]), ["", "ids"]);
    }
}
