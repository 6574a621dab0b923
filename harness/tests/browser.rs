//! The page of a report in headless Chromium, as wide as a desk and as a telephone.
//!
//! Without Chromium every test is reported as ignored, by name; `HSM2_BROWSER_TESTS=required` turns
//! that into failures.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use hsm2_harness::report::page::page;
use hsm2_harness::report::survey::{Domain, KeyPlace};
use hsm2_harness::report::{Report, Verdict};
use hsm2_harness::suite::bench::Finding;
use libtest_mimic::{Arguments, Trial};

const HARNESS: &str = env!("CARGO_BIN_EXE_hsm2-harness");
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// What the page says of itself once it is drawn: appended to a copy of it, runs in the browser.
const PROBE: &str = r#"<script>
const all = (what) => [...document.querySelectorAll(what)];
all("details.scenario").forEach((one) => { one.open = true; one.dispatchEvent(new Event("toggle")); });
all("details.exchange").forEach((one) => { one.open = true; });
// The labels of the boxes at both ends of a line, and the line's colour and theirs.
const ends = (path) => {
  const box = (point) => all("svg rect").find((rect) => {
    const { x, y, width, height } = rect.getBBox();
    const beside = Math.abs(point.x - x) < 1 || Math.abs(point.x - x - width) < 1;
    return beside && point.y > y && point.y < y + height;
  });
  const both = [0, path.getTotalLength()].map((at) => box(path.getPointAtLength(at)));
  return {
    labels: both.map((rect) => rect && rect.nextElementSibling.textContent),
    one_colour: both.every((rect) => rect && rect.style.stroke === path.style.stroke),
  };
};
const said = {
  drawn: document.documentElement.dataset.drawn === "true",
  title: document.querySelector("h1").textContent,
  width: innerWidth, needed: document.documentElement.scrollWidth,
  targets: all(".target").length, cells: all(".cell").length, differing: all(".pair.differs").length,
  scenarios: all("details.scenario").length, exchanges: all("details.exchange").length,
  culprits: all(".exchange.culprit").length, slots: all("svg rect").length,
  header: all(".exchange td").some((cell) => cell.textContent.startsWith("CLA 00  INS A4")),
  decoded: all(".tlv b").map((one) => one.textContent),
  lines: all("svg path").length, joined: all("svg path").map(ends),
  labels: all("svg text").map((one) => one.textContent),
  scrolling: all("figure").filter((one) => one.scrollWidth > one.clientWidth).length,
  outside: all("svg path").filter((one) => {
    const [line, whole] = [one.getBoundingClientRect(), one.ownerSVGElement.getBoundingClientRect()];
    return line.right > whole.right || line.bottom > whole.bottom;
  }).length,
  scales: all("svg").map((one) => one.getBoundingClientRect().width / one.viewBox.baseVal.width),
  caption: (document.querySelector("figcaption") || {}).textContent,
  nameless: all("button").filter((one) => !(one.textContent.trim() || one.ariaLabel)).length,
};
document.getElementById("filter").value = "identify.atr.is_known";
document.getElementById("filter").dispatchEvent(new Event("input"));
said.filtered = all("details.scenario:not([hidden])").length;
parent.postMessage(JSON.stringify(said), "*");
</script>"#;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let browser = browser();
    let required = std::env::var_os("HSM2_BROWSER_TESTS").is_some_and(|value| value == "required");
    let trials = [
        (
            "browser::one_run_at_a_desk",
            1280,
            one_run as fn(&Path, u32),
        ),
        ("browser::one_run_on_a_telephone", 390, one_run),
        ("browser::key_domains_at_a_desk", 1280, key_domains),
        ("browser::key_domains_on_a_telephone", 390, key_domains),
        (
            "browser::key_domains_on_a_small_telephone",
            320,
            key_domains,
        ),
        ("browser::two_runs_at_a_desk", 1280, two_runs),
        ("browser::two_runs_on_a_telephone", 390, two_runs),
    ]
    .map(|(name, width, body)| {
        let browser = browser.clone();
        let ignored = browser.is_none() && !required;
        Trial::test(name, move || {
            let Some(browser) = browser else {
                return Err("cannot run: no chromium (Debian package chromium)".into());
            };
            body(&browser, width);
            Ok(())
        })
        .with_ignored_flag(ignored)
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|directory| BROWSERS.map(|name| directory.join(name)))
        .find(|candidate| candidate.is_file())
}

/// A small run: the folder of its files, and its report.
fn run() -> (tempfile::TempDir, Report) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let status = Command::new(HARNESS)
        .args(["run", "identify.*", "--quiet", "--json"])
        .arg(folder.path().join("report.json"))
        .arg("--html")
        .arg(folder.path().join("page.html"))
        .stdout(std::process::Stdio::null())
        .status()
        .expect("the harness starts");
    assert!(status.success());
    let json = fs::read(folder.path().join("report.json")).expect("the report");
    (
        folder,
        serde_json::from_slice(&json).expect("a report is JSON"),
    )
}

/// What the page shows is what the report holds.
fn one_run(browser: &Path, width: u32) {
    let (folder, report) = run();
    let page = fs::read_to_string(folder.path().join("page.html")).expect("the page");
    let said = ask(browser, folder.path(), &page, width);
    let exchanges: usize = report.results.iter().map(|one| one.exchanges.len()).sum();
    assert_eq!(said["title"], "The card answers as expected", "{said}");
    assert_eq!(said["targets"], 1, "{said}");
    assert_eq!(said["cells"], report.results.len(), "{said}");
    assert_eq!(said["scenarios"], report.results.len(), "{said}");
    assert_eq!(said["exchanges"], exchanges, "{said}");
    assert!(exchanges > report.results.len(), "{said}");
    assert_eq!(said["header"], true, "SELECT is decoded: {said}");
    assert_eq!(said["culprits"], 0, "{said}");
    // Answers are decoded: the template of SELECT, and the certificates down to their keys.
    let tags = said["decoded"].as_array().expect("a list");
    for tag in ["6F", "85", "7F21", "7F49", "5F37"] {
        assert!(tags.iter().any(|one| one == tag), "{tag} in {tags:?}");
    }
    // Both cards' slots are drawn, with those of no domain, and one line joins what they share.
    let slots: usize = report.cards.iter().map(|card| card.domains.len()).sum();
    let free = |card: &&hsm2_harness::report::survey::CardMap| {
        card.keys.iter().any(|key| key.domain.is_none())
    };
    let free = report.cards.iter().filter(free).count();
    assert_eq!(said["slots"], slots + free, "{said}");
    assert_eq!(said["lines"], 1, "{said}");
    assert_eq!(said["filtered"], 1, "{said}");
}

/// Two cards share a DKEK and, in another slot of each, an XKEK; a third has a KEK of its own.
fn key_domains(browser: &Path, width: u32) {
    let (folder, mut report) = run();
    let xkek = |slot: u8, group: &str| Domain {
        slot,
        kind: "xkek".into(),
        shares: None,
        outstanding: None,
        check_value: Some("0011223344556677".into()),
        group: Some(group.repeat(16)),
    };
    let key = |key: u8, domain: Option<u8>, algorithms: Option<&[&str]>| KeyPlace {
        key,
        domain,
        algorithms: algorithms.map(|list| list.iter().map(ToString::to_string).collect()),
        uses_left: None,
    };
    report.cards.truncate(2);
    let (ours, theirs) = report.cards.split_at_mut(1);
    let (ours, theirs) = (&mut ours[0], &mut theirs[0]);
    ours.domains[1] = xkek(1, "AB");
    theirs.domains[2] = xkek(2, "AB");
    ours.keys = vec![
        key(1, Some(1), None),
        key(2, Some(1), Some(&["70", "92"])),
        key(3, Some(1), Some(&["70"])),
        key(4, Some(0), Some(&["10", "18"])),
    ];
    // Three more than are drawn by name, one of them with a list.
    theirs.keys = (1..=27)
        .map(|number| key(number, Some(0), (number == 27).then_some(&["33"][..])))
        .collect();
    let mut third = ours.clone();
    third.serial = "ZZTHIRD".into();
    third.domains = vec![xkek(0, "CD")];
    third.keys.clear();
    report.cards.push(third);
    let said = ask(browser, folder.path(), &page(&[&report]), width);
    let dkek = report.cards[0].domains[0].check_value.as_deref();
    let dkek = format!("slot 0: DKEK {}", dkek.expect("the fixture's DKEK"));
    let expected = serde_json::json!([
        { "labels": [dkek, dkek], "one_colour": true },
        {
            "labels": ["slot 1: XKEK, group ABABABAB…", "slot 2: XKEK, group ABABABAB…"],
            "one_colour": true,
        },
    ]);
    assert_eq!(said["joined"], expected, "{said}");
    let labels = said["labels"].as_array().expect("a list");
    for line in [
        "key 1, key 2, key 3 ⊘",
        "key 4 ⊘",
        "and 7 more, 1 of them ⊘",
    ] {
        assert!(labels.iter().any(|one| one == line), "{line} in {labels:?}");
    }
    let caption = said["caption"].as_str().expect("a text");
    assert!(
        caption.contains("⊘: its list of algorithms lacks 92"),
        "{caption}"
    );
}

/// Where two runs differ shows, and so does the exchange that is to blame.
fn two_runs(browser: &Path, width: u32) {
    let (folder, report) = run();
    let mut other = report.clone();
    other.device.place = "pcsc: a reader with a long name, as readers have 00 00".into();
    let entry = other.results.last_mut().expect("scenarios ran");
    entry.verdict = Verdict::Fail;
    entry.finding = Some(Finding {
        expected: "9000".into(),
        found: "6A80".into(),
        exchange: Some(1),
    });
    let file = |name: &str| folder.path().join(name);
    let json = serde_json::to_vec(&other).expect("a report is JSON");
    fs::write(file("other.json"), json).expect("a file");
    let status = Command::new(HARNESS)
        .arg("diff")
        .args(["report.json", "other.json"].map(file))
        .arg("--html")
        .arg(file("page.html"))
        .stdout(std::process::Stdio::null())
        .status()
        .expect("the harness starts");
    assert_eq!(status.code(), Some(1), "runs that differ");
    let page = fs::read_to_string(file("page.html")).expect("the page");
    let said = ask(browser, folder.path(), &page, width);
    let title = "The card departs from what is expected of it";
    assert_eq!(said["title"], title, "{said}");
    assert_eq!(said["targets"], 2, "{said}");
    assert_eq!(said["cells"], 2 * report.results.len(), "{said}");
    assert_eq!(said["differing"], 1, "{said}");
    assert_eq!(said["culprits"], 1, "{said}");
}

/// Draws a page and hands out what the probe says.
fn ask(browser: &Path, folder: &Path, page: &str, width: u32) -> serde_json::Value {
    let probed = folder.join("probed.html");
    fs::write(&probed, page.replace("</body>", &format!("{PROBE}</body>"))).expect("a file");
    // A window cannot be as narrow as a telephone, a frame can.
    let outer = folder.join("outer.html");
    let frame = format!(
        "<body><script>onmessage = (event) => document.body.replaceChildren(event.data);</script>\
         <iframe width={width} height=900 style='border:0' src=probed.html></iframe></body>"
    );
    fs::write(&outer, frame).expect("a file");
    let output = Command::new("timeout")
        .args(["--kill-after=5", "60"])
        .arg(browser)
        // Its sandbox does not work for root and in containers; it shows a file of our own.
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .args(["--window-size=1400,1000", "--virtual-time-budget=10000"])
        .arg("--dump-dom")
        .arg(format!("file://{}", outer.display()))
        .output()
        .expect("coreutils' timeout starts");
    let dom = String::from_utf8_lossy(&output.stdout);
    let said = dom
        .split("<body>")
        .nth(1)
        .and_then(|rest| rest.split("</body>").next());
    let said =
        said.unwrap_or_else(|| panic!("no page: {dom}{}", String::from_utf8_lossy(&output.stderr)));
    let said: serde_json::Value =
        serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(said["drawn"], true, "{said}");
    assert_eq!(said["width"], width, "{said}");
    assert!(
        said["needed"].as_u64() <= Some(width.into()),
        "the page is wider than the window: {said}"
    );
    assert_eq!(said["scrolling"], 0, "a picture that scrolls: {said}");
    // Letters of a picture are as large as others, but on the narrowest telephones.
    let scales = said["scales"].as_array().expect("a list");
    let legible = if width < 390 { 0.8 } else { 0.95 };
    let small = |scale: &&serde_json::Value| scale.as_f64() < Some(legible);
    assert_eq!(
        scales.iter().find(small),
        None,
        "a picture that is small: {said}"
    );
    assert_eq!(said["outside"], 0, "a line out of its picture: {said}");
    assert_eq!(said["nameless"], 0, "a button without a name: {said}");
    said
}
