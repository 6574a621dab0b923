//! Times the card's cryptography beside OpenSSL, on the same machine in the same run.
//!
//! `cargo bench -p hsm2-emulator --bench crypto [FILTER]`
//!
//! Ours is the fastest of several rounds, on one thread unless the operation itself takes two. RSA
//! private operations run in a process that `taskset` holds to one processor, where there is that
//! command.
//! OpenSSL's figures come from `openssl speed` for one second right after, and from repeated
//! `openssl genrsa` less the time a bare `openssl version` takes. Without an `openssl` command
//! only our figures are printed. The ratio is our speed by OpenSSL's: 1 is as fast, above is faster.
//!
//! The benchmark frameworks time what runs inside their own process, and know nothing of another
//! program's figure beside it; the ratio is all that counts on machines of changing speed.

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hsm2_emulator::crypto::symmetric::aes_cbc_encrypt;
use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey, RsaPrivateKey, verify_prehash};

/// Environment variable that has this program print the nanoseconds of one RSA private operation,
/// with a key of so many bits, and nothing else.
const ONE_CORE: &str = "HSM2_BENCH_RSA_PRIVATE";

/// What one line has to reach.
enum Target {
    None,
    Ratio(f64),
    AtMost(Duration),
}

fn main() {
    if let Ok(bits) = std::env::var(ONE_CORE) {
        let bits = bits.parse().expect("a key size");
        println!("{}", rsa_private(bits).as_nanos());
        return;
    }
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let mut table = Table { filter };
    println!("| operation | ours | OpenSSL | ratio | target | |");
    println!("|---|---|---|---|---|---|");
    curves(&mut table);
    rsa(&mut table);
    symmetric(&mut table);
}

fn curves(table: &mut Table) {
    let mut rng = CardRng::from_seed([1; 32]);
    for curve in Curve::ALL {
        let key = EcPrivateKey::generate(curve, &mut rng);
        let public = key.public_point();
        let hash = [0x5A; 32];
        let peer = EcPrivateKey::generate(curve, &mut rng).public_point();
        let signature = key.sign_prehash(&hash, &mut rng).expect("valid key");

        let (sign, ecdh) = match curve {
            Curve::Secp256r1 => (Target::Ratio(0.5), Target::Ratio(0.5)),
            Curve::BrainpoolP256r1 => (Target::Ratio(0.5), Target::None),
            _ => (Target::AtMost(Duration::from_millis(20)), Target::None),
        };
        let (dsa, dh) = openssl_names(curve);
        table.line(
            &format!("{curve} sign"),
            || fastest(|| _ = black_box(key.sign_prehash(&hash, &mut rng))),
            || speed(&[&dsa], 3),
            sign,
        );
        table.line(
            &format!("{curve} verify"),
            || fastest(|| _ = black_box(verify_prehash(curve, &public, &hash, &signature))),
            || speed(&[&dsa], 4),
            Target::None,
        );
        table.line(
            &format!("{curve} ECDH"),
            || fastest(|| _ = black_box(key.ecdh(&peer))),
            || speed(&[&dh], 3),
            ecdh,
        );
        table.line(
            &format!("{curve} generate"),
            || fastest(|| _ = black_box(EcPrivateKey::generate(curve, &mut rng).public_point())),
            || None,
            Target::None,
        );
    }
}

/// The fastest blinded private operation of a key, without any padding.
fn rsa_private(bits: usize) -> Duration {
    let mut rng = CardRng::from_seed([3; 32]);
    let key = RsaPrivateKey::generate(bits, &[1, 0, 1], &mut rng).expect("supported size");
    fastest(|| _ = black_box(key.raw(&[0x42; 100], &mut rng)))
}

/// The same in a process of its own that has one processor; none without `taskset`.
fn rsa_private_on_one_core(bits: usize) -> Option<Duration> {
    let output = Command::new("taskset")
        .args(["--cpu-list", "0"])
        .arg(std::env::current_exe().ok()?)
        .env(ONE_CORE, bits.to_string())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let nanos = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

fn rsa(table: &mut Table) {
    let has_taskset = rsa_private_on_one_core(1024).is_some();
    let mut rng = CardRng::from_seed([2; 32]);
    for bits in [1024, 2048, 3072, 4096] {
        let key = RsaPrivateKey::generate(bits, &[1, 0, 1], &mut rng).expect("supported size");
        let target = match bits {
            2048 => Target::Ratio(0.45),
            _ => Target::None,
        };
        table.line(
            &format!(
                "RSA-{bits} raw private, {}",
                if has_taskset { "one core" } else { "all cores" }
            ),
            || rsa_private_on_one_core(bits).unwrap_or_else(|| rsa_private(bits)),
            || speed(&[&format!("rsa{bits}")], 3),
            target,
        );
        let (p, q, e) = (key.p(), key.q(), key.e());
        let target = match bits {
            2048 => Target::AtMost(Duration::from_millis(2)),
            _ => Target::None,
        };
        table.line(
            &format!("RSA-{bits} from primes"),
            || fastest(|| _ = black_box(RsaPrivateKey::from_primes(&p, &q, &e))),
            || None,
            target,
        );
    }
    for (bits, count) in [(2048, 30), (4096, 8)] {
        let target = match bits {
            2048 => Target::Ratio(1.0),
            _ => Target::None,
        };
        table.line(
            &format!("RSA-{bits} generate, median of {count}"),
            || {
                median(count, || {
                    let key = RsaPrivateKey::generate(bits, &[1, 0, 1], &mut rng);
                    black_box(key.expect("supported size"));
                })
            },
            || {
                let bits = bits.to_string();
                let start = median_command(count, &["version"])?;
                Some(median_command(count, &["genrsa", &bits])?.saturating_sub(start))
            },
            target,
        );
    }
}

fn symmetric(table: &mut Table) {
    let data = vec![0x5A; 1024];
    table.line(
        "AES-256-CBC 1 KiB",
        || fastest(|| _ = black_box(aes_cbc_encrypt(&[7; 32], &[0; 16], &data))),
        || {
            // Bytes per second.
            let fields = openssl(&[
                "speed",
                "-mr",
                "-seconds",
                "1",
                "-bytes",
                "1024",
                "-evp",
                "aes-256-cbc",
            ])?;
            let rate: f64 = fields.get(3)?.parse().ok()?;
            Some(Duration::from_secs_f64(1024.0 / rate))
        },
        Target::AtMost(Duration::from_micros(5)),
    );
}

/// The names `openssl speed` has for ECDSA and ECDH on a curve; it lacks some.
fn openssl_names(curve: Curve) -> (String, String) {
    let name = match curve {
        Curve::Secp192r1 => "p192",
        Curve::Secp224r1 => "p224",
        Curve::Secp256r1 => "p256",
        Curve::Secp384r1 => "p384",
        Curve::Secp521r1 => "p521",
        Curve::BrainpoolP256r1 => "brp256r1",
        Curve::BrainpoolP384r1 => "brp384r1",
        Curve::BrainpoolP512r1 => "brp512r1",
        _ => return (String::new(), String::new()),
    };
    (format!("ecdsa{name}"), format!("ecdh{name}"))
}

struct Table {
    filter: Option<String>,
}

impl Table {
    fn line(
        &mut self,
        name: &str,
        ours: impl FnOnce() -> Duration,
        openssl: impl FnOnce() -> Option<Duration>,
        target: Target,
    ) {
        if self
            .filter
            .as_ref()
            .is_some_and(|filter| !name.contains(filter.as_str()))
        {
            return;
        }
        let ours = ours();
        let openssl = openssl();
        let ratio = openssl.map(|openssl| openssl.as_secs_f64() / ours.as_secs_f64());
        let (target, met) = match target {
            Target::None => (String::new(), None),
            Target::Ratio(wanted) => (format!("ratio {wanted}"), ratio.map(|is| is >= wanted)),
            Target::AtMost(limit) => (format!("{limit:?}"), Some(ours <= limit)),
        };
        let met = match met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        let openssl = openssl.map_or_else(|| "-".to_owned(), show);
        let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        println!(
            "| {name} | {} | {openssl} | {ratio} | {target} | {met} |",
            show(ours)
        );
    }
}

fn show(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros >= 1000.0 {
        format!("{:.2} ms", micros / 1000.0)
    } else {
        format!("{micros:.1} µs")
    }
}

/// Time of one call: the fastest of a hundred rounds of about 2 ms each.
///
/// Rounds this short mostly run without another process in between, as the processor time that
/// `openssl speed` counts does.
fn fastest(mut operation: impl FnMut()) -> Duration {
    operation();
    let start = Instant::now();
    operation();
    let once = start.elapsed().max(Duration::from_nanos(1));
    let count = u32::try_from(2_000_000 / once.as_nanos())
        .unwrap_or(u32::MAX)
        .max(1);
    (0..100)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..count {
                operation();
            }
            start.elapsed() / count
        })
        .min()
        .unwrap_or_default()
}

fn median(count: usize, mut operation: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..count)
        .map(|_| {
            let start = Instant::now();
            operation();
            start.elapsed()
        })
        .collect();
    times.sort();
    times.get(count / 2).copied().unwrap_or_default()
}

/// Median time of an `openssl` command, or none when it does not run.
fn median_command(count: usize, arguments: &[&str]) -> Option<Duration> {
    openssl(arguments)?;
    Some(median(count, || _ = openssl(arguments)))
}

/// Time of one operation by `openssl speed`, whose `field` counts operations in a second.
fn speed(arguments: &[&str], field: usize) -> Option<Duration> {
    let fields = openssl(&[&["speed", "-mr", "-seconds", "1"], arguments].concat())?;
    let rate: f64 = fields.get(field)?.parse().ok()?;
    Some(Duration::from_secs_f64(1.0 / rate))
}

/// Runs `openssl` and gives the fields of its last line, if that is machine-readable or empty.
fn openssl(arguments: &[&str]) -> Option<Vec<String>> {
    if arguments.contains(&"") {
        return None;
    }
    let output = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    Some(last.split(':').map(str::to_owned).collect())
}
