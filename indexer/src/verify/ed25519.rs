//! Ed25519 as RFC 8032 says it, strictly: no small-order keys, no malleable signatures.

use ed25519_dalek::{Signature, VerifyingKey};
use schema::chain::strip_0x;
use schema::event::Check;

/// The name of the algorithm in keys and proofs.
pub const ALG: &str = "ed25519";

/// Whether a signature (hex) over a message holds under a public key (hex).
pub fn verify(public_key: &str, signature: &str, message: &[u8]) -> Check {
    let Some(key) = public_key_bytes(public_key) else {
        return Check::refuted("the public key is not 32 bytes of hex");
    };
    let mut bytes = [0; 64];
    if hex::decode_to_slice(strip_0x(signature), &mut bytes).is_err() {
        return Check::refuted("the signature is not 64 bytes of hex");
    }
    let Ok(key) = VerifyingKey::from_bytes(&key) else {
        return Check::refuted("the public key is not a point of the curve");
    };
    match key.verify_strict(message, &Signature::from_bytes(&bytes)) {
        Ok(()) => Check::verified(),
        Err(_) => Check::refuted("the signature does not hold"),
    }
}

/// The bytes of a public key in hex.
pub fn public_key_bytes(public_key: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(strip_0x(public_key), &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use schema::event::Verdict;

    use super::*;

    /// RFC 8032 §7.1, test 2.
    const KEY: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    #[test]
    fn the_vector_of_the_rfc_holds_and_nothing_near_it() {
        assert_eq!(verify(KEY, SIGNATURE, &[0x72]), Check::verified());
        assert_eq!(verify(KEY, SIGNATURE, &[0x73]).verdict, Verdict::Refuted);
        assert_eq!(verify(KEY, &SIGNATURE[2..], &[0x72]).verdict, Verdict::Refuted);
        assert_eq!(verify("00", SIGNATURE, &[0x72]).verdict, Verdict::Refuted);
    }

    #[test]
    fn a_key_of_small_order_proves_nothing() {
        // The identity point "signs" every message with S = 0, which is what strict verification is for.
        let identity = format!("01{}", "00".repeat(31));
        let signature = format!("01{}", "00".repeat(63));
        assert_eq!(verify(&identity, &signature, b"anything").verdict, Verdict::Refuted);
    }
}
