mod devices;
mod generations;

use super::runner::{Event, Order, run};
use crate::report::{Report, Verdict};
use crate::scenario::{List, Scenario, Start};

/// Runs scenarios on cards of this process, under a profile with these departures.
fn report(scenarios: &[Scenario], departures: &str) -> Report {
    let profile = format!(
        "name = \"test\"\ntitle = \"t\"\n[applies]\nvirtual = true\nversions = [\"3.6\"]\n[has]\ncapabilities = [\"aes\", \"dkek\", \"key-domains\"]\n{departures}"
    );
    let order = Order {
        jobs: 2,
        profile: Some(("test.toml".into(), profile)),
        ..Order::new(scenarios, scenarios.iter().collect())
    };
    let mut ended = 0;
    let report = run(&order, &mut |event| {
        ended += usize::from(matches!(event, Event::Ended(_)));
    });
    assert_eq!(ended, scenarios.len());
    report.unwrap()
}

fn departure(scenario: &str, found: &str) -> String {
    format!(
        "[[departure]]\nscenario = \"{scenario}\"\nfound = \"{found}\"\nreason = \"r\"\nseen = \"s\"\n"
    )
}

fn scenarios() -> Vec<Scenario> {
    let mut list = List::default();
    list.add("a.good.one", "Good")
        .run(|t| t.refused("00A4040C", 0x6a82).or(Ok(())));
    list.add("a.bad.one", "Bad")
        .run(|t| t.refused("00200081", 0x9000));
    list.add("a.note.one", "Note").run(|t| {
        t.observe("seen");
        Ok(())
    });
    list.add("a.skip.one", "Skip").needs("pka").run(|_| Ok(()));
    list.add("a.panic.one", "Panic")
        .run(|_| panic!("on purpose"));
    list.finish()
}

#[test]
fn each_verdict_and_the_departures() {
    let all = scenarios();
    let verdicts = |departures: &str| -> Vec<Verdict> {
        let report = report(&all, departures);
        assert!(!report.is_good());
        report.results.iter().map(|entry| entry.verdict).collect()
    };
    use Verdict::{Error, Fail, KnownDeviation, Observation, Pass, Skip, UnexpectedPass};
    assert_eq!(verdicts(""), [Pass, Fail, Observation, Skip, Error]);
    assert_eq!(
        verdicts(&departure("a.bad.*", "63C3")),
        [Pass, KnownDeviation, Observation, Skip, Error]
    );
    // Another reason than the known one is no known deviation.
    assert_eq!(
        verdicts(&departure("a.bad.*", "6982")),
        [Pass, Fail, Observation, Skip, Error]
    );
    assert_eq!(
        verdicts(&departure("a.*.one", "63C3")),
        [UnexpectedPass, KnownDeviation, UnexpectedPass, Skip, Error]
    );
}

#[test]
fn a_departure_that_no_scenario_shows_is_stale() {
    let mut all = scenarios();
    // Nothing else that is bad.
    all.retain(|one| !one.id.contains("panic"));
    let good = departure("a.bad.*", "63C3");
    let stale = |more: &str| report(&all, &format!("{good}{more}")).stale;
    assert!(report(&all, &good).is_good());
    assert_eq!(stale(""), Vec::<String>::new());
    // Its only scenario is left out for a capability that the generation lacks.
    let skipped = stale(&departure("a.skip.one", "6D00"));
    assert!(skipped[0].contains("a.skip.one"), "{skipped:?}");
    // One before it takes all of its scenarios.
    let shadowed = stale(&departure("a.bad.one", "63C"));
    assert!(shadowed[0].contains("63C"), "{shadowed:?}");
    let departures = format!("{good}{}", departure("a.bad.one", "63C"));
    assert!(!report(&all, &departures).is_good());
}

#[test]
fn a_finding_names_the_exchange_and_the_line_that_repeats_it() {
    let all = scenarios();
    let report = report(&all, "");
    let entry = &report.results[1];
    let finding = entry.finding.as_ref().unwrap();
    assert_eq!(finding.found, "63C3 (wrong PIN)");
    assert_eq!(finding.expected, "9000 (done) from VERIFY, user PIN");
    let exchange = &entry.exchanges[finding.exchange.unwrap() - 1];
    assert_eq!(exchange.command, "00200081");
    assert_eq!(entry.rerun, "hsm2-harness run --only a.bad.one --seed 1");
}

#[test]
fn a_run_in_which_nothing_ran_is_not_good() {
    let mut list = List::default();
    list.add("a.skip.one", "Skip").needs("pka").run(|_| Ok(()));
    assert!(!report(&list.finish(), "").is_good());
}

#[test]
fn every_start_can_be_had_and_pins_stay_out_of_the_report() {
    let mut list = List::default();
    for start in [
        Start::AsFound,
        Start::LoggedIn,
        Start::Fresh,
        Start::Domains,
        Start::Keys,
    ] {
        list.add(format!("a.start.{start:?}"), "Start")
            .start(start)
            .two_cards()
            .run(|t| {
                t.login()?;
                t.other()?.login()?;
                let one = t.chain()?;
                let other = t.other()?.chain()?;
                t.check(one != other, "two devices", || one.serial())
            });
    }
    list.add("a.start.virgin", "Start")
        .start(Start::Virgin)
        .run(|t| t.refused("00200081", 0x6a88));
    let report = report(&list.finish(), "");
    assert!(report.is_good(), "{:?}", report.counts);
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains(&hex::encode_upper(super::fixture::PIN)));
}

#[test]
fn the_same_seed_gives_the_same_exchanges() {
    let run = || {
        let all = crate::scenarios::all();
        let chosen: Vec<Scenario> = all
            .into_iter()
            .filter(|one| one.id.starts_with("sign.ecdsa.secp256r1"))
            .collect();
        let mut report = report_of(&chosen);
        report.results.remove(0).exchanges
    };
    let responses = |exchanges: Vec<super::wire::Exchange>| -> Vec<String> {
        exchanges.into_iter().map(|one| one.response).collect()
    };
    assert_eq!(responses(run()), responses(run()));
}

/// Runs scenarios under the profile of the program.
fn report_of(scenarios: &[Scenario]) -> Report {
    let order = Order {
        jobs: 1,
        ..Order::new(scenarios, scenarios.iter().collect())
    };
    run(&order, &mut |_| {}).unwrap()
}
