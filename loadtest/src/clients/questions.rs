//! Which paths a measurement asks for.
//!
//! Cached questions come round and round. Uncached ones are asked once each: the API keeps answers by what was asked
//! and as of which position, and ignores `_=`, so only other keys and other positions make it go to its database.

use super::keys::Keys;

/// Questions of the mixed set before it repeats itself.
const MIXED_QUESTIONS: usize = 4_096;
/// Steps through lists of keys, so that neighbours in a list are not neighbours in time.
const STRIDE: usize = 7_919;

/// The lists that a dashboard of governance shows.
const PROPOSAL_LISTS: &[&str] = &[
    "/v1/governance/proposals?limit=20",
    "/v1/governance/proposals?status=active&limit=20",
    "/v1/governance/proposals?status=passed&limit=20",
];

/// Percent-encodes a key for a path segment or the value of a parameter.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A numbered series of paths.
#[derive(Debug, Clone)]
pub enum Questions {
    /// The same ones over and over; never empty.
    Cycle(Vec<String>),
    /// Each in its turn, and then no more.
    Once(Vec<String>),
    /// Every first key with every second one, once each, all first keys before the next second one.
    Grid(Grid),
    /// The numbers from 1 to `count`, once each, scattered.
    Numbers {
        /// The path before the number.
        front: &'static str,
        /// The highest number.
        count: u64,
        /// How many are passed over at the start; they come last.
        skip: u64,
    },
}

/// See [`Questions::Grid`].
#[derive(Debug, Clone)]
pub struct Grid {
    /// The path before the first key.
    pub front: &'static str,
    /// First keys, encoded.
    pub firsts: Vec<String>,
    /// What stands between the keys.
    pub between: &'static str,
    /// Second keys, encoded.
    pub seconds: Vec<String>,
    /// How many second keys are passed over at the start; they come last.
    pub skip: u64,
}

impl Questions {
    /// The path with a number; none when all have been asked.
    pub fn path(&self, number: u64) -> Option<String> {
        match self {
            Self::Cycle(paths) => {
                let turn = number.checked_rem(len(paths))?;
                paths.get(usize::try_from(turn).ok()?).cloned()
            }
            Self::Once(paths) => paths.get(usize::try_from(number).ok()?).cloned(),
            Self::Grid(grid) => {
                let firsts = len(&grid.firsts);
                let first = usize::try_from(number.checked_rem(firsts)?).ok()?;
                let pass = number.checked_div(firsts)?;
                let seconds = len(&grid.seconds);
                if pass >= seconds {
                    return None;
                }
                let second = usize::try_from((pass + grid.skip % seconds) % seconds).ok()?;
                let (first, second) = (grid.firsts.get(first)?, grid.seconds.get(second)?);
                Some(format!("{}{first}{}{second}", grid.front, grid.between))
            }
            Self::Numbers { front, count, skip } => {
                if number >= *count {
                    return None;
                }
                let number = scattered(number, *count).checked_add(skip % count)? % count + 1;
                Some(format!("{front}{number}"))
            }
        }
    }
}

/// Another order of the numbers below `count`, in which neighbours are far apart.
pub fn scattered(number: u64, count: u64) -> u64 {
    /// A prime: times it, numbers below `count` stay distinct unless it divides `count`.
    const FAR: u64 = 2_147_483_647;
    if count.is_multiple_of(FAR) {
        return number;
    }
    let far = u128::from(number) * u128::from(FAR) % u128::from(count);
    u64::try_from(far).expect("a remainder is below its divisor")
}

fn len<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).expect("a length fits 64 bits")
}

/// Questions under a name of at most 34 characters.
#[derive(Debug, Clone)]
pub struct Series {
    /// What the report calls them.
    pub name: &'static str,
    /// The questions.
    pub questions: Questions,
}

impl Series {
    /// The same path over and over.
    pub fn of_one(name: &'static str, path: &str) -> Self {
        Self { name, questions: Questions::Cycle(vec![path.to_owned()]) }
    }
}

/// Reads by key that no cache can answer; `skip` differs from run to run, because a second run may meet the answers
/// that the first one has left.
pub fn uncached(keys: &Keys, skip: u64) -> Vec<Series> {
    let grid = |name, front, firsts: Vec<String>, between, seconds: Vec<String>| Series {
        name,
        questions: Questions::Grid(Grid { front, firsts, between, seconds, skip }),
    };
    let addresses: Vec<_> = keys.addresses.iter().map(|address| encoded(address)).collect();
    // In a list of addresses a comma ends one.
    let plain: Vec<_> = keys.addresses.iter().filter(|text| !text.contains(',')).map(|text| encoded(text)).collect();
    let positions = keys.blocks.iter().map(|block| block.position.to_string()).collect();
    let (transactions, later) = keys.settled_transactions();
    let later = later.iter().map(ToString::to_string).collect();
    let transactions = transactions.into_iter().map(encoded).collect();
    let (by_address, by_tx, as_of) = ("/v1/explorer/address/", "/v1/explorer/tx/", "?at_position=");
    vec![
        grid("two balances, now", "/v1/explorer/balances?addresses=", plain.clone(), ",", plain),
        Series {
            name: "event by position, now",
            questions: Questions::Numbers { front: "/v1/events/", count: keys.position, skip },
        },
        grid("balance by address, as of", by_address, addresses, "/balance?at_position=", positions),
        grid("transaction by id, as of", by_tx, transactions, as_of, later),
    ]
}

/// The kinds of the mixed set, each with its own paths; a kind without keys is not there.
pub fn mixed_kinds(keys: &Keys) -> Vec<Vec<String>> {
    let heights: Vec<_> = keys.blocks.iter().map(|block| block.height.to_string()).collect();
    let transactions: Vec<_> = keys.transactions.iter().map(|transaction| encoded(&transaction.tx_id)).collect();
    let addresses: Vec<_> = keys.addresses.iter().map(|address| encoded(address)).collect();
    let identities: Vec<_> = keys.identities.iter().map(|identity| encoded(identity)).collect();
    let events: Vec<_> = keys.blocks.iter().map(|block| block.position.to_string()).collect();
    let public: Vec<_> = keys.public_identities.iter().map(|identity| encoded(identity)).collect();
    let oracles: Vec<_> = keys.oracles.iter().map(|oracle| encoded(oracle)).collect();
    let proposals: Vec<_> = keys.proposals.iter().map(|proposal| encoded(proposal)).collect();
    let each = |front: &str, keys: &[String], end: &str| -> Vec<String> {
        keys.iter().map(|key| format!("{front}{key}{end}")).collect()
    };
    let searched: Vec<_> = [&heights, &transactions, &addresses, &identities].into_iter().flatten().cloned().collect();
    let kinds = [
        // Block explorers.
        vec!["/v1/explorer/blocks?limit=20".to_owned()],
        each("/v1/explorer/block/", &heights, ""),
        each("/v1/explorer/tx/", &transactions, ""),
        each("/v1/explorer/address/", &addresses, "/balance"),
        each("/v1/explorer/address/", &addresses, "/history?limit=20"),
        each("/v1/explorer/search?q=", &searched, ""),
        each("/v1/events?limit=20&after=", &events, ""),
        // Wallets: the profile, its wallets and who follows it, its work, its place.
        each("/v1/identity/", &identities, ""),
        each("/v1/identity/", &identities, "/wallets"),
        each("/v1/identity/", &identities, "/followers?limit=20"),
        each("/v1/identity/", &public, "/stats"),
        each("/v1/pouw/stats/", &public, ""),
        each("/v1/pouw/history/", &public, "?limit=20"),
        leaderboards(),
        // Dashboards of governance and of oracles.
        PROPOSAL_LISTS.iter().map(|path| (*path).to_owned()).collect(),
        each("/v1/governance/proposals/", &proposals, ""),
        each("/v1/governance/proposals/", &proposals, "/votes?limit=20"),
        each("/v1/governance/power/", &identities, ""),
        each("/v1/governance/stats/", &identities, ""),
        each("/v1/pouw/oracle/", &oracles, "/performance"),
    ];
    kinds.into_iter().filter(|paths| !paths.is_empty()).collect()
}

fn leaderboards() -> Vec<String> {
    let of = |work_type: &'static str| {
        let path = move |timeframe| format!("/v1/pouw/leaderboard?type={work_type}&timeframe={timeframe}&limit=20");
        ["day", "week", "month", "all"].map(path)
    };
    ["all", "boinc", "nuw"].into_iter().flat_map(of).collect()
}

/// The kinds in turn, each going through its own keys; none without a kind.
pub fn mixed(kinds: &[Vec<String>]) -> Option<Series> {
    let mut paths = Vec::with_capacity(MIXED_QUESTIONS);
    for (number, kind) in (0..MIXED_QUESTIONS).zip(kinds.iter().cycle()) {
        let turn = number / kinds.len();
        paths.extend(kind.get(turn * STRIDE % kind.len()).cloned());
    }
    if paths.is_empty() { None } else { Some(Series { name: "mixed reads", questions: Questions::Cycle(paths) }) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn asked(questions: &Questions) -> Vec<String> {
        (0..1_000).map_while(|number| questions.path(number)).collect()
    }

    #[test]
    fn uncached_questions_are_asked_once_each_wherever_they_begin() {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for skip in [0, 1, 5, u64::MAX] {
            let (firsts, seconds) = (texts(&["a", "b", "c"]), texts(&["7", "8"]));
            let grid = Questions::Grid(Grid { front: "/", firsts, between: "?p=", seconds, skip });
            let distinct: BTreeSet<_> = asked(&grid).into_iter().collect();
            assert_eq!((asked(&grid).len(), distinct.len()), (6, 6), "{skip}");
            let numbers = Questions::Numbers { front: "", count: 100, skip };
            let distinct: BTreeSet<u64> = asked(&numbers).iter().map(|text| text.parse().expect("a number")).collect();
            assert_eq!(distinct, (1..=100).collect(), "{skip}");
        }
        let empty = Grid { front: "/", firsts: Vec::new(), between: "", seconds: Vec::new(), skip: 3 };
        assert_eq!(Questions::Grid(empty).path(0), None);
        assert_eq!(Questions::Numbers { front: "", count: 0, skip: 3 }.path(0), None);
    }

    #[test]
    fn the_mixed_set_takes_every_kind_in_turn() {
        let kinds = vec![vec!["/one".to_owned()], vec!["/a".to_owned(), "/b".to_owned()]];
        let series = mixed(&kinds).expect("two kinds");
        let paths = asked(&series.questions);
        assert!(paths.iter().step_by(2).all(|path| path == "/one"));
        let others: BTreeSet<_> = paths.iter().skip(1).step_by(2).map(String::as_str).collect();
        assert_eq!(others, BTreeSet::from(["/a", "/b"]));
        assert!(mixed(&[]).is_none());
    }

    #[test]
    fn keys_cannot_break_out_of_their_place() {
        assert_eq!(encoded("0xAb-1_2.~"), "0xAb-1_2.~");
        assert_eq!(encoded("a b/?&,é\r\n"), "a%20b%2F%3F%26%2C%C3%A9%0D%0A");
    }
}
