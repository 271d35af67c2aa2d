//! Deterministic choices, and transaction ids that carry their own place.
//!
//! It must not know what the choices are about.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A stream of choices that depends on nothing but what it was made from.
#[derive(Debug, Clone)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream for one purpose (`label`) at one place (`numbers`) of the chain with this seed.
    pub fn new(seed: u64, label: &str, numbers: &[u64]) -> Self {
        Self(ChaCha8Rng::from_seed(derive_bytes(seed, label, numbers)))
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the upper half of a product of two 64-bit numbers has 64 bits")
    }

    /// An index into something of this length, which must not be empty.
    pub fn index(&mut self, len: usize) -> usize {
        assert!(len > 0, "an index needs something to point into");
        to_usize(self.below(to_u64(len)))
    }

    /// An index that prefers the low end, as activity among people is never even.
    pub fn skewed(&mut self, len: usize) -> usize {
        let reach = self.index(len);
        self.index(reach + 1)
    }

    /// True `rate` times in a thousand.
    pub fn per_mille(&mut self, rate: u32) -> bool {
        self.below(1_000) < u64::from(rate)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of the given values.
    pub fn pick<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.index(values.len())]
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// 32 bytes that depend on nothing but the arguments: key seeds, identity ids, salts.
pub fn derive_bytes(seed: u64, label: &str, numbers: &[u64]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"chert-synthetic\0");
    hash.update(seed.to_le_bytes());
    hash.update(label.as_bytes());
    hash.update([0]);
    for number in numbers {
        hash.update(number.to_le_bytes());
    }
    hash.finalize().into()
}

/// Counts never exceed 64 bits on any machine this runs on.
pub fn to_u64(value: usize) -> u64 {
    u64::try_from(value).expect("a count fits 64 bits")
}

/// Every index used here comes from a length that fitted `usize` before.
pub fn to_usize(value: u64) -> usize {
    usize::try_from(value).expect("an index fits the machine's word")
}

/// Where a transaction stands: enough to find it without an index of all transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxPlace {
    /// Height of its block, below 2^40.
    pub height: u64,
    /// Branch of its block, below 2^24.
    pub branch: u32,
    /// Its index in the block.
    pub index: u16,
}

const HALF_BITS: u64 = (1 << 56) - 1;
const PLACE_MARK: u64 = 0xC4E7_7C4E;
const ROUNDS: u64 = 4;

/// Turns places into version 4 UUIDs and back: a small Feistel network keyed by the seed, so that ids look random, never
/// collide and need no table.
#[derive(Debug, Clone)]
pub struct TxIds {
    key: u64,
}

impl TxIds {
    /// The ids of the chain with this seed.
    pub fn new(seed: u64) -> Self {
        Self { key: mix(seed ^ 0x7478_5F69_6473) }
    }

    /// The id of the transaction at a place.
    pub fn id(&self, place: TxPlace) -> uuid::Uuid {
        let mut left = (place.height << 16) | u64::from(place.index);
        let mut right = (u64::from(place.branch) << 32) | PLACE_MARK;
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.scramble(round, right));
        }
        let (l, r, noise) = (left.to_be_bytes(), right.to_be_bytes(), mix(left ^ right).to_be_bytes());
        uuid::Uuid::from_bytes([
            l[1],
            l[2],
            l[3],
            l[4],
            l[5],
            l[6],
            0x40 | (noise[0] & 0x0F),
            l[7],
            0x80 | (noise[1] & 0x3F),
            r[1],
            r[2],
            r[3],
            r[4],
            r[5],
            r[6],
            r[7],
        ])
    }

    /// The place an id stands for, if it is one of ours.
    pub fn place(&self, id: uuid::Uuid) -> Option<TxPlace> {
        let b = id.as_bytes();
        let mut left = u64::from_be_bytes([0, b[0], b[1], b[2], b[3], b[4], b[5], b[7]]);
        let mut right = u64::from_be_bytes([0, b[9], b[10], b[11], b[12], b[13], b[14], b[15]]);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.scramble(round, left), left);
        }
        let place = TxPlace {
            height: left >> 16,
            branch: u32::try_from(right >> 32).ok()?,
            index: u16::try_from(left & 0xFFFF).ok()?,
        };
        (right & 0xFFFF_FFFF == PLACE_MARK && self.id(place) == id).then_some(place)
    }

    fn scramble(&self, round: u64, half: u64) -> u64 {
        mix(half ^ self.key.rotate_left(17).wrapping_add(mix(round + 1))) & HALF_BITS
    }
}

/// The finalizer of SplitMix64: every bit of the input reaches every bit of the output.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_ids_lead_back_to_their_place() {
        let ids = TxIds::new(7);
        for (height, branch, index) in [(0, 0, 0), (1, 2, 3), ((1 << 40) - 1, (1 << 24) - 1, u16::MAX)] {
            let place = TxPlace { height, branch, index };
            let id = ids.id(place);
            assert_eq!(ids.place(id), Some(place));
            assert_eq!(id.get_version_num(), 4);
            assert_eq!(TxIds::new(8).place(id), None);
        }
        assert_eq!(ids.place(uuid::Uuid::nil()), None);
    }
}
