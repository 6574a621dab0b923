//! Card files: what is kept, what is refused, and that a refused file keeps every byte.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hsm2_emulator::store::{Change, FileStore, RecordName, RecordValue, Store, StoreError};
use redb::{Database, TableDefinition};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zeroize::Zeroizing;

type Records = BTreeMap<RecordName, RecordValue>;

fn put(name: &[u8], value: &[u8]) -> Change {
    Change::Put(name.to_vec(), Zeroizing::new(value.to_vec()))
}

fn records(pairs: &[(&[u8], &[u8])]) -> Records {
    pairs
        .iter()
        .map(|(name, value)| (name.to_vec(), Zeroizing::new(value.to_vec())))
        .collect()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A folder where thousands of durable writes cost nothing, on systems that have one.
fn in_memory_folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| folder())
}

/// A card file with some history: records written, replaced and deleted.
fn card_in(folder: &TempDir) -> (PathBuf, Records) {
    let path = folder.path().join("card.hsm2");
    FileStore::create::<StoreError>(&path, |mut store| {
        store.commit(&[put(b"\x01", b"device"), put(b"\x06\x01", &[0x5A; 1200])])?;
        for number in 0..20u8 {
            store.commit(&[put(
                &[0x07, 0xCD, number],
                &vec![number; 90 * usize::from(number)],
            )])?;
        }
        store.commit(&[
            put(b"\x03", b"tries 2"),
            Change::Delete(vec![0x07, 0xCD, 3]),
        ])
    })
    .unwrap();
    let mut expected = records(&[
        (b"\x01", b"device"),
        (b"\x03", b"tries 2"),
        (b"\x06\x01", &[0x5A; 1200]),
    ]);
    for number in (0..20u8).filter(|number| *number != 3) {
        let content = Zeroizing::new(vec![number; 90 * usize::from(number)]);
        expected.insert(vec![0x07, 0xCD, number], content);
    }
    (path, expected)
}

fn fingerprint(path: &Path) -> [u8; 32] {
    Sha256::digest(std::fs::read(path).unwrap()).into()
}

/// Opens in every way there is; all must agree and none may change the file.
fn refused(path: &Path) -> StoreError {
    let before = fingerprint(path);
    let error = FileStore::open(path).expect_err("the file was opened");
    FileStore::snapshot(path).expect_err("the file was read");
    let copy = path.with_extension("copy");
    FileStore::copy(path, &copy).expect_err("the file was copied");
    assert!(!copy.exists(), "a refused copy left a file");
    assert_eq!(fingerprint(path), before, "the refused file was changed");
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "no file name in: {error}"
    );
    error
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let folder = folder();
    let (path, expected) = card_in(&folder);
    assert_eq!(FileStore::snapshot(&path).unwrap(), expected);
    let mut store = FileStore::open(&path).unwrap();
    assert_eq!(store.load().unwrap(), expected);
    store
        .commit(&[Change::Delete(b"\x06\x01".to_vec()), put(b"new", b"")])
        .unwrap();
    drop(store);
    let mut reopened = FileStore::open(&path).unwrap().load().unwrap();
    assert_eq!(reopened.remove(b"new".as_slice()).unwrap().len(), 0);
    assert!(!reopened.contains_key(b"\x06\x01".as_slice()));
    assert_eq!(reopened.len(), expected.len() - 1);
}

#[test]
fn a_second_opener_is_refused_and_told_why() {
    let folder = folder();
    let (path, _) = card_in(&folder);
    let first = FileStore::open(&path).unwrap();
    let error = FileStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("another process"), "{error}");
    assert!(matches!(
        FileStore::snapshot(&path),
        Err(StoreError::Locked { .. })
    ));
    let copy = folder.path().join("copy");
    assert!(matches!(
        FileStore::copy(&path, &copy),
        Err(StoreError::Locked { .. })
    ));
    drop(first);
    FileStore::open(&path).unwrap();
}

#[test]
fn nothing_is_created_over_something_or_left_half() {
    let folder = folder();
    let (path, expected) = card_in(&folder);
    let before = fingerprint(&path);
    let outcome: Result<(), StoreError> = FileStore::create(&path, |_| unreachable!());
    assert!(matches!(outcome, Err(StoreError::Exists { .. })));

    let other = folder.path().join("other.hsm2");
    FileStore::copy(&path, &other).unwrap();
    assert_eq!(FileStore::snapshot(&other).unwrap(), expected);
    assert!(matches!(
        FileStore::copy(&path, &other),
        Err(StoreError::Exists { .. })
    ));
    assert_eq!(fingerprint(&path), before);

    let failed = folder.path().join("failed.hsm2");
    let outcome = FileStore::create(&failed, |mut store| {
        store.commit(&[put(b"a", b"b")])?;
        Err(StoreError::Encoding("planted".into()))
    });
    assert!(matches!(outcome, Err(StoreError::Encoding(_))));
    let mut left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["card.hsm2", "other.hsm2"]);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_a_card_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let (path, _) = card_in(&folder);
    let copy = folder.path().join("copy.hsm2");
    FileStore::copy(&path, &copy).unwrap();
    for file in [path, copy] {
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn files_that_are_no_card_files_are_named_and_left_alone() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);

    std::fs::write(at("empty"), b"").unwrap();
    std::fs::write(at("text"), "Lorem ipsum dolor sit amet. ".repeat(400)).unwrap();
    std::fs::write(at("short"), b"redb").unwrap();
    const OTHER: TableDefinition<'_, u64, u64> = TableDefinition::new("other");
    let database = Database::create(at("database")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(OTHER).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    for name in ["empty", "text", "short", "database"] {
        let error = refused(&at(name));
        assert!(
            matches!(error, StoreError::Foreign { .. }),
            "{name}: {error}"
        );
    }

    std::fs::create_dir(at("folder")).unwrap();
    let error = FileStore::open(&at("folder")).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    let error = FileStore::open(&at("absent")).unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    assert!(!at("absent").exists());
}

/// Rewrites a card file through redb itself, so that all its page checksums are right.
fn rewrite(path: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

#[test]
fn a_later_format_and_a_forged_record_are_refused() {
    const FORMAT: TableDefinition<'_, &str, u64> = TableDefinition::new("hsm2-emulator card");
    const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
    let folder = folder();
    let (path, _) = card_in(&folder);
    rewrite(&path, |transaction| {
        transaction
            .open_table(FORMAT)
            .unwrap()
            .insert("version", 2)
            .unwrap();
    });
    let error = refused(&path);
    assert!(
        matches!(
            error,
            StoreError::Version {
                found: 2,
                supported: 1,
                ..
            }
        ),
        "{error}"
    );

    rewrite(&path, |transaction| {
        transaction
            .open_table(FORMAT)
            .unwrap()
            .insert("version", 1)
            .unwrap();
        let mut table = transaction.open_table(RECORDS).unwrap();
        table
            .insert(&b"\x03"[..], &b"0123456789abcdeftries 9"[..])
            .unwrap();
    });
    let error = refused(&path);
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("record 03"), "{error}");
}

#[test]
fn a_truncated_or_lengthened_card_file_is_refused() {
    let folder = folder();
    let (path, _) = card_in(&folder);
    let whole = std::fs::read(&path).unwrap();
    let victim = folder.path().join("victim.hsm2");
    let steps = [
        9,
        10,
        64,
        100,
        200,
        319,
        320,
        4095,
        4096,
        8192,
        whole.len() / 2,
        whole.len() - 1,
    ];
    for length in steps {
        std::fs::write(&victim, &whole[..length]).unwrap();
        let error = refused(&victim);
        assert!(
            matches!(error, StoreError::Damaged { .. }),
            "{length}: {error}"
        );
    }
    std::fs::write(&victim, [&whole[..], b"x"].concat()).unwrap();
    let error = refused(&victim);
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

/// Flips every bit of the flags, one in every other byte of the header and one in many bytes of
/// the pages.
///
/// A file opens with one of the allowed sets of records, and can then be written and closed, or
/// is refused unchanged.
fn survives_bit_flips(whole: &[u8], allowed: &[&Records]) -> (usize, usize) {
    let folder = in_memory_folder();
    let victim = folder.path().join("victim.hsm2");
    let flags = (9..12).flat_map(|place| (0..8).map(move |bit| (place, bit)));
    let header = (0..320).map(|place| (place, place % 8));
    let pages = (320..whole.len())
        .step_by(whole.len() / 700)
        .map(|place| (place, place % 8));
    let (mut opened, mut refusals) = (0, 0);
    for (place, bit) in flags.chain(header).chain(pages) {
        let mut damaged = whole.to_vec();
        damaged[place] ^= 1 << bit;
        std::fs::write(&victim, &damaged).unwrap();
        match FileStore::open(&victim) {
            Ok(mut store) => {
                opened += 1;
                let mut found = store.load().unwrap();
                assert!(
                    allowed.iter().any(|records| **records == found),
                    "flip of bit {bit} at {place} opened with other records"
                );
                if opened % 2 == 0 {
                    store.commit(&[put(b"new", &[7; 2000])]).unwrap();
                    drop(store);
                    found.insert(b"new".to_vec(), Zeroizing::new(vec![7; 2000]));
                    assert_eq!(
                        FileStore::snapshot(&victim).unwrap(),
                        found,
                        "{bit} at {place}"
                    );
                }
            }
            Err(error) => {
                refusals += 1;
                assert!(
                    std::fs::read(&victim).unwrap() == damaged,
                    "{place}: file was changed"
                );
                assert!(
                    matches!(
                        error,
                        StoreError::Damaged { .. } | StoreError::Foreign { .. }
                    ),
                    "{place}: {error}"
                );
            }
        }
    }
    (opened, refusals)
}

#[test]
fn bit_flips_in_a_closed_file_are_harmless_or_found() {
    let folder = folder();
    let (path, expected) = card_in(&folder);
    let (opened, refusals) = survives_bit_flips(&std::fs::read(&path).unwrap(), &[&expected]);
    // Both must occur: free pages are harmless, used ones are not.
    assert!(
        opened > 50 && refusals > 50,
        "{opened} opened, {refusals} refused"
    );
}

#[test]
fn bit_flips_in_a_file_left_open_are_harmless_or_found() {
    let folder = folder();
    let (path, before) = card_in(&folder);
    let mut store = FileStore::open(&path).unwrap();
    store.commit(&[put(b"\x03", b"tries 1")]).unwrap();
    // What the disk holds while the process runs is what a killed process leaves.
    let whole = std::fs::read(&path).unwrap();
    let mut after = before.clone();
    after.insert(b"\x03".to_vec(), Zeroizing::new(b"tries 1".to_vec()));

    let left = folder.path().join("left.hsm2");
    std::fs::write(&left, &whole).unwrap();
    assert_eq!(FileStore::snapshot(&left).unwrap(), after);
    assert_eq!(FileStore::open(&left).unwrap().load().unwrap(), after);

    let (opened, refusals) = survives_bit_flips(&whole, &[&before, &after]);
    assert!(
        opened > 50 && refusals > 5,
        "{opened} opened, {refusals} refused"
    );
}

#[test]
fn a_copy_holds_nothing_of_deleted_records() {
    let folder = folder();
    let (path, _) = card_in(&folder);
    let secret = b"a secret that was deleted";
    let mut store = FileStore::open(&path).unwrap();
    store.commit(&[put(b"secret", secret)]).unwrap();
    store.commit(&[Change::Delete(b"secret".to_vec())]).unwrap();
    drop(store);
    let copy = folder.path().join("copy.hsm2");
    FileStore::copy(&path, &copy).unwrap();
    let holds = |path: &Path| {
        std::fs::read(path)
            .unwrap()
            .windows(secret.len())
            .any(|window| window == secret)
    };
    assert!(!holds(&copy));
}
