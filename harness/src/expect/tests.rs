use super::*;
use crate::scenario::List;

fn scenarios() -> Vec<Scenario> {
    let mut list = List::default();
    list.add("a.one.holds", "One").needs("aes").run(|_| Ok(()));
    list.add("a.two.holds", "Two").needs("pka").run(|_| Ok(()));
    list.finish()
}

const HEAD: &str = "name = \"n\"\ntitle = \"t\"\n[applies]\nvirtual = true\nversions = [\"3.6\"]\n";

fn parse(rest: &str) -> Result<Profile, String> {
    let text = format!("{HEAD}{rest}");
    Profile::parse("p.toml", &text, &scenarios()).map_err(|mistake| mistake.to_string())
}

#[test]
fn a_profile_says_what_is_lacking_and_what_departs() {
    let profile = parse(
        "[has]\ncapabilities = [\"aes\"]\n[[departure]]\nscenario = \"a.one.*\"\nfound = \"6A81\"\nreason = \"r\"\nseen = \"s\"\n",
    )
    .unwrap();
    let all = scenarios();
    assert_eq!(profile.lacks(&all[0]), None);
    assert_eq!(profile.lacks(&all[1]), Some("pka"));
    let departure = profile.departure("a.one.holds", None).unwrap();
    let finding = |found: &str| Finding {
        expected: String::new(),
        found: found.into(),
        exchange: None,
    };
    assert!(departure.explains(&finding("6A81 (not allowed)")));
    assert!(!departure.explains(&finding("6A80 (wrong data)")));
    assert!(profile.departure("a.two.holds", None).is_none());
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    let entry = |scenario: &str, reason: &str| {
        format!(
            "[has]\ncapabilities = []\n[[departure]]\nscenario = \"{scenario}\"\nfound = \"x\"\nreason = \"{reason}\"\nseen = \"s\"\n"
        )
    };
    let rows = [
        ("[has]\ncapabilities = [1]\n".to_string(), "line 7, column"),
        ("[has\n".into(), "line 6, column 5"),
        (
            "[has]\ncapabilities = [\"no-such\"]\n".into(),
            "line 7, column 17: there is no capability",
        ),
        (entry("b.*", "r"), "line 8, column 1: no scenario is called"),
        (entry("a.*", " "), "line 8, column 1: reason is empty"),
        (
            "[has]\ncapabilities = []\nmore = 1\n".into(),
            "line 8, column 1: unknown field",
        ),
    ];
    for (rest, expected) in rows {
        let error = parse(&rest).unwrap_err();
        assert!(error.contains(&format!("p.toml, {expected}")), "{error}");
    }
}

#[test]
fn profiles_of_the_program_fit_its_scenarios() {
    let scenarios = crate::scenarios::all();
    for (name, text) in BUILT_IN {
        let profile = Profile::parse(name, text, &scenarios).unwrap();
        assert_eq!(profile.name, name);
    }
    for scenario in &scenarios {
        for need in &scenario.needs {
            assert!(is_capability(need), "{}: {need}", scenario.id);
        }
    }
}

#[test]
fn globs() {
    for (glob, id, expected) in [
        ("a.b", "a.b", true),
        ("a.b", "a.bc", false),
        ("a.*", "a.b.c", true),
        ("*", "", true),
        ("*.c", "a.b.c", true),
        ("a*b*c", "a.b.b.c", true),
        ("a*b", "a.c", false),
        ("**é*", "aéb", true),
    ] {
        assert_eq!(matches(glob, id), expected, "{glob} {id}");
    }
}
