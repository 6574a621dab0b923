//! Files: SELECT, READ BINARY, UPDATE BINARY, DELETE FILE.

use crate::apdu::apdu;
use crate::card::cvc::object;
use crate::scenario::{Effect, List, Start};

/// Data of UPDATE BINARY.
fn write(offset: u16, content: &[u8]) -> Vec<u8> {
    [
        object(0x54, &[&offset.to_be_bytes()]),
        object(0x53, &[content]),
    ]
    .concat()
}

/// Data of READ BINARY.
fn from(offset: u16) -> Vec<u8> {
    object(0x54, &[&offset.to_be_bytes()])
}

pub(super) fn add(list: &mut List) {
    list.add(
        "files.read.absent_file_is_6a82",
        "READ BINARY of a file that is not there answers 6A82",
    )
    .source("OpenSC card-sc-hsm.c")
    .run(|t| t.refused(apdu(0x00b1_cffe).data(from(0)).le(256), 0x6a82));

    list.add(
        "files.select.template_has_size_descriptor_and_id",
        "SELECT of EF 2F02 answers 6F with tags 80, 82 and 83 in this order",
    )
    .source("recorded: 6F0B 8002 01CE 820101 8302 2F02")
    .run(|t| {
        let content = t
            .ok(apdu(0x00b1_2f02).data(from(0)).all())
            .or_else(|_| t.send(apdu(0x00b1_2f02).data(from(0)).all())?.is(0x6282))?;
        let size = u16::try_from(content.len()).unwrap_or_default();
        let template = t.ok(apdu(0x00a4_0000).data([0x2f, 0x02]).le(256))?;
        let expected = object(
            0x6f,
            &[
                &object(0x80, &[&size.to_be_bytes()]),
                &object(0x82, &[&[1]]),
                &object(0x83, &[&[0x2f, 0x02]]),
            ],
        );
        t.same("the template", expected, template)
    });

    list.add(
        "files.update.write_read_delete",
        "A data object is written, read back and deleted",
    )
    .source("OpenSC pkcs15init/pkcs15-sc-hsm.c")
    .effect(Effect::Creates)
    .start(Start::LoggedIn)
    .run(|t| {
        let [_, low] = u16::from(t.free_key()?).to_be_bytes();
        let file = u16::from_be_bytes([0xcf, low]);
        let content = t.dice.bytes(300);
        let update = apdu(0x00d7_0000 | u32::from(file));
        t.ok(update.data(write(0, &content)))?;
        let read = apdu(0x00b1_0000 | u32::from(file)).data(from(0));
        let back = t.ok(read.le(300))?;
        t.same("the content", &content, back)?;
        t.delete(file)?;
        t.refused(
            apdu(0x00b1_0000 | u32::from(file)).data(from(0)).le(300),
            0x6a82,
        )
    });

    list.add(
        "files.update.needs_login",
        "UPDATE BINARY without login answers 6982 and makes nothing",
    )
    .source("recorded on firmware 4.1 for EF 2F03")
    .effect(Effect::Creates)
    .start(Start::AsFound)
    .run(|t| {
        let before = t.objects()?;
        let file = 0x00d7_cf00 | u32::from(t.free_key()?);
        t.refused(apdu(file).data(write(0, b"x")), 0x6982)?;
        let after = t.objects()?;
        t.check(before == after, "the objects from before", || {
            format!("{after:04X?}")
        })
    });
}
