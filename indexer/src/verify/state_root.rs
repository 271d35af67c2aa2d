//! The state root of an AITBC chain (HEAD dialect): a hexary Patricia tree over SHA-256 of every account.
//!
//! Neither a block's hash nor its signature covers the root, so it is a claim; a snapshot of accounts can be checked
//! against the root that was reported with it.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// Balance and nonce of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Base units.
    pub balance: u64,
    /// Transactions sent.
    pub nonce: u64,
}

/// The root over accounts by address (`ait1` and 40 lower-case hex digits), all of them, empty ones too.
pub fn state_root(accounts: &BTreeMap<String, Account>) -> [u8; 32] {
    let leaves: Vec<Leaf> = accounts.iter().map(|(address, account)| Leaf::new(address, *account)).collect();
    if leaves.is_empty() { [0; 32] } else { Sha256::digest(node(&leaves, 0)).into() }
}

struct Leaf {
    nibbles: Vec<u8>,
    value: String,
}

impl Leaf {
    fn new(address: &str, account: Account) -> Self {
        let nibbles = address.bytes().flat_map(|byte| [byte >> 4, byte & 15]).collect();
        Self { nibbles, value: format!("{}:{}", account.balance, account.nonce) }
    }
}

/// The encoding of the subtree over sorted leaves that agree in their first `depth` nibbles.
fn node(leaves: &[Leaf], depth: usize) -> Vec<u8> {
    let [first, .., last] = leaves else {
        return leaves.first().map(|leaf| leaf_node(leaf, depth)).unwrap_or_default();
    };
    // Sorted, so what the first and the last share is shared by all.
    let (head, tail) = (&first.nibbles[depth..], &last.nibbles[depth..]);
    let shared = head.iter().zip(tail).take_while(|(a, b)| a == b).count();
    if shared > 0 {
        let mut out = vec![b'E'];
        out.extend(length32(shared));
        out.extend(&head[..shared]);
        out.extend(Sha256::digest(node(leaves, depth + shared)));
        return out;
    }
    let ends_here = head.is_empty();
    let mut out = vec![b'B'];
    let mut rest = if ends_here { &leaves[1..] } else { leaves };
    for nibble in 0..16_u8 {
        let count = rest.iter().take_while(|leaf| leaf.nibbles.get(depth) == Some(&nibble)).count();
        let (child, later) = rest.split_at(count);
        rest = later;
        if child.is_empty() {
            out.push(0);
        } else {
            out.push(1);
            out.extend(Sha256::digest(node(child, depth + 1)));
        }
    }
    if ends_here {
        out.push(1);
        out.extend(value(first));
    } else {
        out.push(0);
    }
    out
}

fn leaf_node(leaf: &Leaf, depth: usize) -> Vec<u8> {
    let path = &leaf.nibbles[depth..];
    let mut out = vec![b'L'];
    out.extend(length32(path.len()));
    out.extend(path);
    out.extend(value(leaf));
    out
}

fn value(leaf: &Leaf) -> Vec<u8> {
    let length = u64::try_from(leaf.value.len()).expect("a value is two numbers");
    [&length.to_be_bytes(), leaf.value.as_bytes()].concat()
}

fn length32(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a path is an address").to_be_bytes()
}
