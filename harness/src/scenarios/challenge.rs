//! GET CHALLENGE: random bytes.

use crate::apdu::apdu;
use crate::scenario::List;

pub(super) fn add(list: &mut List) {
    for length in [1, 8, 16, 256, 1024] {
        let draft = list
            .add(
                format!("challenge.length.{length}_bytes"),
                format!("GET CHALLENGE gives {length} bytes when asked for them, without a PIN"),
            )
            .source("OpenSC card-sc-hsm.c asks for up to 1024");
        let draft = match length {
            ..=256 => draft,
            _ => draft.needs("extended-length"),
        };
        draft.run(move |t| {
            let random = t.ok(apdu(0x0084_0000).le(length))?;
            t.check(random.len() == length, &format!("{length} bytes"), || {
                format!("{} bytes", random.len())
            })
        });
    }

    list.add(
        "challenge.length.most_at_once",
        "GET CHALLENGE with the greatest Le gives some bytes, as many as asked for or fewer, or 6700",
    )
    .source("hosts ask again for what is missing; how many come at once is not recorded")
    .needs("extended-length")
    .run(|t| {
        let answer = t.send(apdu(0x0084_0000).all())?;
        let refused = answer.status == 0x6700;
        let random = answer.is_any(&[0x9000, 0x6700])?;
        t.check(refused == random.is_empty(), "bytes with 9000 alone", || {
            format!("{} bytes", random.len())
        })?;
        t.observe(match refused {
            true => "no more than it has is given: 6700".into(),
            false => format!("{} bytes come at once", random.len()),
        });
        Ok(())
    });

    for (what, command, word) in [
        ("without_le_is_6700", "00840000", 0x6700),
        ("data_is_6700", "00840000 01 00 08", 0x6700),
        ("other_p1_is_6a86", "00840100 08", 0x6a86),
        ("other_p2_is_6a86", "00840001 08", 0x6a86),
    ] {
        list.add(
            format!("challenge.form.{what}"),
            format!("GET CHALLENGE in the form {command} answers {word:04X}"),
        )
        .source("ISO 7816-4, table 6")
        .run(move |t| t.refused(command, word));
    }

    list.add(
        "challenge.random.differs_each_time",
        "Two challenges of 32 bytes differ",
    )
    .source("common sense")
    .run(|t| {
        let one = t.ok(apdu(0x0084_0000).le(32))?;
        let two = t.ok(apdu(0x0084_0000).le(32))?;
        t.check(one != two, "two values", || hex::encode_upper(&one))
    });
}
