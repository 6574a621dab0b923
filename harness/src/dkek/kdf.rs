//! Key derivation of share files: `EVP_BytesToKey` with MD5 and ten million rounds.
//!
//! ```text
//! D1 = MD5^10000000(password || salt)
//! D2 = MD5^10000000(D1 || password || salt)
//! D3 = MD5^10000000(D2 || password || salt)
//! key = D1 || D2 (AES-256), IV = D3
//! ```
//!
//! The file format fixes all of it; nothing new should use it. After the first call of each chain
//! every input is one 16-byte digest, that is one block with constant padding, so the loop runs
//! on the compression function alone.

use md5::block_api::compress;
use md5::{Digest, Md5};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Rounds of each of the three chains.
pub const ROUNDS: u32 = 10_000_000;

/// Sum of the rounds of all three chains: what the progress counter ends at.
pub const TOTAL_ROUNDS: u64 = 3 * ROUNDS as u64;

const REPORT_EVERY: u32 = 1 << 17;
const MD5_START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
const DIGEST_BITS: u8 = 128;

/// Key and initialisation vector of one share file.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct FileKey {
    pub(super) key: [u8; 32],
    pub(super) iv: [u8; 16],
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey(..)")
    }
}

impl FileKey {
    /// Derives the key; takes some seconds.
    ///
    /// `progress` is called now and then with the rounds done since the last call.
    pub fn derive(password: &[u8], salt: &[u8; 8], progress: &dyn Fn(u64)) -> Self {
        Self::derive_in(ROUNDS, password, salt, progress)
    }

    /// As [`FileKey::derive`] with another number of rounds: no tool opens such a file.
    pub(crate) fn derive_in(
        rounds: u32,
        password: &[u8],
        salt: &[u8; 8],
        progress: &dyn Fn(u64),
    ) -> Self {
        let mut d1 = chain(rounds, &[], password, salt, progress);
        let mut d2 = chain(rounds, &d1, password, salt, progress);
        let iv = chain(rounds, &d2, password, salt, progress);
        let mut key = [0; 32];
        key.iter_mut()
            .zip(d1.iter().chain(&d2))
            .for_each(|(to, from)| *to = *from);
        d1.zeroize();
        d2.zeroize();
        Self { key, iv }
    }
}

fn chain(
    rounds: u32,
    previous: &[u8],
    password: &[u8],
    salt: &[u8],
    progress: &dyn Fn(u64),
) -> [u8; 16] {
    let first = Md5::new()
        .chain_update(previous)
        .chain_update(password)
        .chain_update(salt);
    let mut digest: [u8; 16] = first.finalize().into();

    let mut block = [0_u8; 64];
    block[16] = 0x80;
    block[56] = DIGEST_BITS;
    let mut unreported = 1;
    for _ in 1..rounds {
        // Moved whole: a loop over bytes costs more than the hash where nothing is optimised.
        if let Some(start) = block.first_chunk_mut() {
            *start = digest;
        }
        let mut state = MD5_START;
        compress(&mut state, std::slice::from_ref(&block));
        let words = state.map(u32::to_le_bytes);
        if let Some(bytes) = words.as_flattened().first_chunk() {
            digest = *bytes;
        }
        unreported += 1;
        if unreported == REPORT_EVERY {
            progress(u64::from(unreported));
            unreported = 0;
        }
    }
    progress(u64::from(unreported));
    block.zeroize();
    digest
}
