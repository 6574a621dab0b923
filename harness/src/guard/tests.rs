//! The guard against scenarios that try to get around it. The device is a virtual card whose
//! certificates are changed, so that nobody takes it for one, and that fails the test when it sees
//! what the guard must hold back.

use std::rc::Rc;

use super::foreign::Foreign;
use super::*;
use crate::suite::fixture;

const SO_PIN_WORDS: u32 = 0x0020_0088;

/// A device with one key, and the guard before it.
struct Scene {
    device: Foreign,
    guard: Guard,
}

/// A card that an owner uses: initialised, with key 1 on it.
fn device() -> Foreign {
    let data = [
        &[0x80, 2, 0, 1, 0x81, 6],
        fixture::PIN,
        &[0x82, 8],
        &fixture::SO_PIN,
        &[0x91, 1, 3, 0x92, 1, 0],
    ];
    Foreign::new(Embedded::prepared(
        "OWNED",
        [
            apdu(0x8050_0000).parts(&data),
            apdu(0x0048_01b0).data([0x91, 1, 0x10]),
        ],
    ))
}

fn consent(allow: Effect) -> Consent {
    Consent {
        allow,
        serial: Some("ZZOWNED".into()),
        lose_keys: Some(1),
        pin: Some(Secret::new(fixture::PIN.to_vec())),
        so_pin: Some(fixture::SO_PIN),
        rehearsal: false,
    }
}

impl Scene {
    fn new(allow: Effect) -> Self {
        let mut device = device();
        let (guard, identity) = Guard::admit(&mut device, &consent(allow)).unwrap();
        assert!(!identity.is_virtual);
        device.seen.borrow_mut().clear();
        Self { device, guard }
    }

    /// Sends as a scenario would: `None` when the guard held it back.
    fn send(&mut self, command: &[u8]) -> Option<u16> {
        let seen = Rc::clone(&self.device.seen);
        seen.borrow_mut().clear();
        let permitted = self.guard.permit(command, &mut self.device);
        if permitted.is_err() {
            assert!(!seen.borrow().iter().any(|one| one == command));
            return None;
        }
        let response = self.device.transmit(command).unwrap();
        self.guard.learn(command, &response);
        response
            .last_chunk()
            .map(|status| u16::from_be_bytes(*status))
    }

    fn held_back(&mut self, command: &[u8]) {
        let answer = self.send(command);
        assert_eq!(answer, None, "{} went through", hex::encode_upper(command));
    }
}

#[test]
fn admission_needs_the_serial_and_the_number_of_keys() {
    let admit = |change: &dyn Fn(&mut Consent)| {
        let mut consent = consent(Effect::Wipes);
        change(&mut consent);
        Guard::admit(&mut device(), &consent)
            .map(|_| ())
            .map_err(|denied| denied.to_string())
    };
    admit(&|_| {}).unwrap();
    let error = admit(&|consent| consent.serial = None).unwrap_err();
    assert!(error.contains("--serial ZZOWNED"), "{error}");
    admit(&|consent| consent.serial = Some("ZZOWNE".into())).unwrap_err();
    let error = admit(&|consent| consent.lose_keys = None).unwrap_err();
    assert!(error.contains("--lose-keys 1"), "{error}");
    admit(&|consent| consent.lose_keys = Some(2)).unwrap_err();
    // Looking needs nothing.
    admit(&|consent| *consent = Consent::default()).unwrap();
}

/// All that must not happen to a device that is only looked at, in forms a hostile scenario may try.
fn hostile() -> Vec<Vec<u8>> {
    let mut commands: Vec<Vec<u8>> = Vec::new();
    let mut add = |apdu: crate::apdu::Apdu| {
        commands.push(apdu.bytes().to_vec());
        commands.push(apdu.clone().extended().bytes().to_vec());
        commands.push(apdu.clone().all().bytes().to_vec());
        // Secure messaging, chaining, another channel, another class.
        for class in [0x0c, 0x10, 0x01, 0x8c, 0x90, 0xff] {
            let mut bytes = apdu.bytes().to_vec();
            if let Some(first) = bytes.first_mut() {
                *first = class;
            }
            commands.push(bytes);
        }
        // A length that is one off.
        let mut bytes = apdu.bytes().to_vec();
        if let Some(length) = bytes.get_mut(4) {
            *length = length.wrapping_add(1);
            commands.push(bytes);
        }
    };
    add(apdu(0x0020_0081).data(b"000000"));
    add(apdu(SO_PIN_WORDS).data(b"12345678"));
    add(apdu(SO_PIN_WORDS).data(fixture::SO_PIN));
    // A reference number that is not quite that of a PIN, and a P1 that is not quite right.
    add(apdu(0x0020_0188).data(b"12345678"));
    add(apdu(0x0020_0181).data(b"000000"));
    add(apdu(0x0020_0001).data(b"000000"));
    add(apdu(0x0020_0080).data(b"000000"));
    add(apdu(0x0024_0181).data(b"000000111111"));
    add(apdu(0x0024_0001).data(b"000000111111"));
    add(apdu(0x0024_0081).data(b"648219111111"));
    add(apdu(0x0024_0088).data(b"5762188087654321"));
    add(apdu(0x002c_0081).data(b"57621880111111"));
    add(apdu(0x002c_0281).data(b"111111"));
    add(apdu(0x8050_0000).data([0x80, 2, 0, 1, 0x82, 8, 1, 2, 3, 4, 5, 6, 7, 8]));
    add(apdu(0x00e4_0200).data([0xcc, 0x01]));
    add(apdu(0x00e4_0280).data([0x2f, 0x02]));
    add(apdu(0x00d7_2f03).data([0x54, 2, 0, 0, 0x53, 1, 0]));
    add(apdu(0x00d7_0000).data([0x54, 2, 0, 0, 0x53, 1, 0]));
    add(apdu(0x00d6_0000).data([1, 2, 3]));
    add(apdu(0x0046_0100).data([0x5f, 0x29, 1, 0]));
    add(apdu(0x0048_02b0).data([0x91, 1, 0x10]));
    add(apdu(0x8074_0193).data([1; 40]));
    add(apdu(0x8052_0100).data([1]));
    add(apdu(0x8052_0000).data([7; 32]));
    add(apdu(0x8054_0000).data([0x67, 1, 0]));
    add(apdu(0x8068_0170).data([7; 32]));
    add(apdu(0x8078_0110).data([7; 16]));
    add(apdu(0x00fe_0000).data([7; 16]));
    // Without data these change something, too.
    for bare in [
        "80520300",
        "80520400",
        "8074 0193",
        "002C0381",
        "80720192",
        "80760198",
    ] {
        let bare: String = bare.split(' ').collect();
        commands.push(hex::decode(bare).unwrap());
    }
    commands
}

#[test]
fn a_hostile_scenario_gets_nothing_through_when_only_looking_is_allowed() {
    let mut scene = Scene::new(Effect::ReadOnly);
    for command in hostile() {
        scene.held_back(&command);
    }
    // What only looks goes through.
    for command in [
        "00200081",
        "00200088",
        "8058000000 0000",
        "0084000008",
        "8050000000",
    ] {
        let bytes: String = command.split(' ').collect();
        assert!(
            scene.send(&hex::decode(bytes).unwrap()).is_some(),
            "{command}"
        );
    }
    // And so does the owner's own PIN.
    let pin = apdu(0x0020_0081).data(fixture::PIN).bytes();
    assert_eq!(scene.send(&pin), Some(0x9000));
}

#[test]
fn no_try_is_spent_at_two_or_fewer_left_whatever_is_allowed() {
    for allow in [Effect::SpendsRetry, Effect::Creates, Effect::Wipes] {
        let mut scene = Scene::new(allow);
        let wrong = apdu(0x0020_0081).data(b"000000").bytes();
        assert_eq!(scene.send(&wrong), Some(0x63c2));
        scene.held_back(&wrong);
        scene.held_back(&apdu(0x0020_0081).data(fixture::PIN).bytes());
    }
}

#[test]
fn a_change_of_the_pin_is_a_try_of_the_old_one() {
    let change = |pins: &[u8]| apdu(0x0024_0081).data(pins).bytes();
    Scene::new(Effect::Creates).held_back(&change(b"648219648219"));
    let mut scene = Scene::new(Effect::Wipes);
    assert_eq!(scene.send(&change(b"648219648219")), Some(0x9000));
    assert_eq!(scene.send(&change(b"000000111111")), Some(0x63c2));
    scene.held_back(&change(b"000000111111"));
    scene.held_back(&change(b"648219648219"));
}

/// A card does not tell its tries while the user is logged in; then they are counted here.
#[test]
fn no_try_is_spent_unseen_behind_a_login() {
    let right = apdu(0x0020_0081).data(fixture::PIN).bytes();
    let wrong = apdu(0x0020_0081).data(b"000000").bytes();
    let change = apdu(0x0024_0081).data(b"000000111111").bytes();
    for command in [&wrong, &change] {
        let mut scene = Scene::new(Effect::Wipes);
        assert_eq!(scene.send(&right), Some(0x9000));
        assert_eq!(scene.send(command), Some(0x63c2));
        // The right PIN is no risk as long as somebody is logged in with it; another is.
        scene.held_back(&wrong);
        scene.held_back(&change);
    }
    // Tries that were set to few are none to risk, and those that were set to enough are known
    // without asking.
    let initialize = |tries: u8| {
        let pins: [&[u8]; 5] = [
            &[0x80, 2, 0, 1, 0x81, 8],
            b"64821964",
            &[0x82, 8],
            &fixture::SO_PIN,
            &[0x91, 1, tries],
        ];
        apdu(0x8050_0000).parts(&pins).bytes()
    };
    let mut scene = Scene::new(Effect::Wipes);
    assert_eq!(scene.send(&initialize(2)), Some(0x9000));
    scene.held_back(&wrong);
    scene.held_back(&change);
    let mut scene = Scene::new(Effect::Wipes);
    assert_eq!(scene.send(&initialize(4)), Some(0x9000));
    assert_eq!(scene.send(&wrong), Some(0x63c3));
    assert_eq!(scene.send(&wrong), Some(0x63c2));
    scene.held_back(&wrong);
}

/// A guard that comes to a card on which somebody is logged in knows nothing of its tries.
#[test]
fn tries_that_were_never_seen_are_not_risked() {
    let mut scene = Scene::new(Effect::Wipes);
    let login = apdu(0x0020_0081).data(fixture::PIN).bytes();
    scene.device.transmit(&login).unwrap();
    scene.held_back(&apdu(0x0020_0081).data(b"000000").bytes());
    scene.held_back(&apdu(0x0024_0081).data(b"000000111111").bytes());
}

#[test]
fn a_right_so_pin_in_a_wrong_command_may_be_presented_again() {
    let mut scene = Scene::new(Effect::Wipes);
    // A length of the user PIN that no card takes.
    let pins: [&[u8]; 4] = [
        &[0x80, 2, 0, 1, 0x81, 3, 1, 2, 3],
        &[0x82, 8],
        &fixture::SO_PIN,
        &[0x91, 1, 3],
    ];
    let wrong = apdu(0x8050_0000).parts(&pins).bytes();
    for _ in 0..2 {
        let status = scene.send(&wrong).unwrap();
        assert_ne!(status, 0x9000);
        assert_ne!(status & 0xfff0, 0x63c0);
    }
}

#[test]
fn a_pin_of_the_operator_that_was_refused_is_not_presented_again() {
    let mut consent = consent(Effect::ReadOnly);
    consent.pin = Some(Secret::new(b"111111".to_vec()));
    let mut device = device();
    // Ten tries: it is not their number that holds the second attempt back.
    let guard = Guard::admit(&mut device, &consent).unwrap().0;
    let mut scene = Scene { device, guard };
    let pin = apdu(0x0020_0081).data(b"111111").bytes();
    assert_eq!(scene.send(&pin), Some(0x63c2));
    scene.held_back(&pin);
}

#[test]
fn no_so_pin_but_the_right_one_even_when_wiping_is_allowed() {
    let mut scene = Scene::new(Effect::Wipes);
    let initialize = |so_pin: &[u8]| {
        let parts: [&[u8]; 5] = [
            &[0x80, 2, 0, 1, 0x81, 6],
            fixture::PIN,
            &[0x82, 8],
            so_pin,
            &[0x91, 1, 3],
        ];
        apdu(0x8050_0000).parts(&parts).bytes().to_vec()
    };
    scene.held_back(&initialize(b"12345678"));
    scene.held_back(&apdu(0x002c_0081).data(b"12345678111111").bytes());
    scene.held_back(&apdu(SO_PIN_WORDS).data(b"12345678").bytes());
    scene.held_back(&apdu(SO_PIN_WORDS).data(b"5762188").bytes());
    // Whatever P1 is: the card may not look at it.
    for p1 in [0x01, 0x80, 0xff] {
        scene.held_back(&apdu(SO_PIN_WORDS).p1(p1).data(b"12345678").bytes());
    }
    // Nobody may be locked out: it stays what it is.
    scene.held_back(&apdu(0x0024_0088).data(b"5762188087654321").bytes());
    scene.held_back(&apdu(0x0024_0188).data(b"5762188087654321").bytes());
    scene.held_back(&apdu(0x0024_0088).data(b"57621880").bytes());
    let same = apdu(0x0024_0088).data(b"5762188057621880").bytes();
    assert_eq!(scene.send(&same), Some(0x9000));
    scene.device.reset().unwrap();
    scene
        .device
        .transmit(&crate::suite::hand::select().bytes())
        .unwrap();
    // Two codes: the card may take the other.
    let twice = [
        initialize(&fixture::SO_PIN),
        vec![0x82, 8, 1, 1, 1, 1, 1, 1, 1, 1],
    ]
    .concat();
    let data = &twice[5..];
    scene.held_back(&apdu(0x8050_0000).data(data).bytes());
    let mut hidden = initialize(&fixture::SO_PIN);
    hidden[0] = 0x8c;
    scene.held_back(&hidden);
    assert_eq!(scene.send(&initialize(&fixture::SO_PIN)), Some(0x9000));
}

#[test]
fn an_so_pin_with_a_spent_try_is_left_alone() {
    let mut device = device();
    device
        .card
        .transmit(&apdu(0x002c_0081).data(b"12345678111111").bytes())
        .unwrap();
    let guard = Guard::admit(&mut device, &consent(Effect::Wipes))
        .unwrap()
        .0;
    let mut scene = Scene { device, guard };
    scene.held_back(&apdu(SO_PIN_WORDS).data(fixture::SO_PIN).bytes());
}

#[test]
fn what_is_made_may_be_used_and_deleted_and_nothing_else() {
    let mut scene = Scene::new(Effect::Creates);
    assert_eq!(
        scene.send(&apdu(0x0020_0081).data(fixture::PIN).bytes()),
        Some(0x9000)
    );
    let use_key = |key: u8| apdu(0x8078_0010).p1(key).data([7; 16]).le(16).bytes();
    let delete = |key: u8| apdu(0x00e4_0200).data([0xcc, key]).bytes();
    scene.held_back(&use_key(9));
    assert_eq!(
        scene.send(&apdu(0x0048_09b0).data([0x91, 1, 0x10]).bytes()),
        Some(0x9000)
    );
    assert_eq!(scene.send(&use_key(9)), Some(0x9000));
    assert_eq!(scene.send(&delete(9)), Some(0x9000));
    // The owner's key: neither replaced nor used nor deleted.
    scene.held_back(&apdu(0x0048_01b0).data([0x91, 1, 0x10]).bytes());
    scene.held_back(&use_key(1));
    scene.held_back(&delete(1));
}

/// GENERATE writes the request of its key over what is in EF CExx, and hosts write C4xx.
#[test]
fn no_key_is_made_beside_what_an_owner_keeps_under_its_number() {
    let mut device = device();
    let mut keep = |file: u32| {
        let write = apdu(0x00d7_0000 | file).data([0x54, 2, 0, 0, 0x53, 2, 0x30, 0]);
        let response = device.card.transmit(&write.bytes()).unwrap();
        assert_eq!(response, [0x90, 0x00]);
    };
    keep(0xce05);
    keep(0xc406);
    let guard = Guard::admit(&mut device, &consent(Effect::Creates)).unwrap();
    let guard = guard.0;
    let mut scene = Scene { device, guard };
    for key in [5, 6] {
        scene.held_back(&apdu(0x0046_0000).p1(key).data([0x5f, 0x29, 1, 0]).bytes());
        scene.held_back(&apdu(0x0048_00b0).p1(key).data([0x91, 1, 0x10]).bytes());
        scene.held_back(&apdu(0x8074_0093).p1(key).data([1; 40]).bytes());
    }
}

#[test]
fn another_card_in_the_reader_ends_the_work() {
    for allow in [Effect::ReadOnly, Effect::Wipes] {
        let mut scene = Scene::new(allow);
        scene.guard.recognise(&mut scene.device).unwrap();
        scene.device.next = Some(Embedded::new("OTHER").unwrap());
        let error = scene.guard.recognise(&mut scene.device).unwrap_err();
        assert!(matches!(error, TransportError::Exchanged { .. }), "{error}");
        assert!(error.to_string().contains("ZZOTHER"), "{error}");
    }
    // Where anything was allowed to a virtual card, the next may be a genuine one.
    let mut reader = Foreign::new(Embedded::new("OWNED").unwrap());
    let guard = Guard::admit(&mut reader.card, &Consent::default());
    let guard = guard.unwrap().0;
    assert!(guard.is_virtual());
    guard.recognise(&mut reader).unwrap_err();
}

#[test]
fn a_virtual_card_may_be_treated_in_any_way() {
    let mut card = Embedded::new("TOY").unwrap();
    let (mut guard, identity) = Guard::admit(&mut card, &Consent::default()).unwrap();
    assert!(identity.is_virtual);
    for command in hostile() {
        assert!(guard.permit(&command, &mut card).is_ok());
    }
}
