//! Who may read, write and delete which file, and what the file commands refuse.

use super::script::{self, Script};
use crate::apdu::apdu;
use crate::scenario::{Effect, List, Start, Start::Fresh};

const HOSTS: &str = "the hosts' order of VERIFY and file commands (inferred)";
const FORM: &str = "OpenSC card-sc-hsm.c, its form violated (inferred)";

/// A file of each class that hosts use, and whether anybody may read it.
const CLASSES: [(u16, &str, bool); 8] = [
    (0xC401, "key_description", true),
    (0xC801, "certificate_description", true),
    (0xC901, "data_description", true),
    (0xCA01, "ca_certificate", true),
    (0xCD01, "private_data", false),
    (0xCE01, "certificate", true),
    (0xCF01, "public_data", true),
    (0x2F03, "token_information", true),
];

fn classes(list: &mut List) {
    for (file, name, public) in CLASSES {
        let read = apdu(0x00B1_0000 | u32::from(file))
            .data([0x54, 2, 0, 0])
            .le(1);
        let write = apdu(0x00D7_0000 | u32::from(file)).data([0x54, 2, 0, 0, 0x53, 1, 0xAA]);
        let delete = apdu(0x00E4_0200).data(file.to_be_bytes());
        list.add(
            format!("access.{name}.needs_the_pin_to_write_and_delete"),
            format!("A file of class {file:04X} is written and deleted by the user only"),
        )
        .source(HOSTS)
        .effect(Effect::Wipes)
        .start(Fresh)
        .run(move |t| {
            t.refused(&write, 0x6982)?;
            t.refused(&read, if public { 0x6A82 } else { 0x6982 })?;
            t.login()?;
            t.refused(&write, 0x9000)?;
            t.select()?;
            t.refused(&delete, 0x6982)?;
            let answer = t.send(&read)?;
            if public {
                let content = answer.is(0x9000)?;
                t.same("the content", [0xAA].as_slice(), content)?;
            } else {
                answer.is(0x6982)?;
            }
            t.login()?;
            t.ok(&read)?;
            t.refused(&delete, 0x9000)?;
            t.refused(&delete, 0x6A82)
        });
    }
}

#[rustfmt::skip]
const SCRIPTS: &[Script] = &[
    Script { id: "access.device_certificates.cannot_be_written", title: "EF 2F02 is not written, not even by the user", source: HOSTS, start: Fresh,
        lines: "LOGIN
                00D72F02 (54(0000) 53(AA)) > 6982" },
    Script { id: "access.device_certificates.cannot_be_deleted", title: "EF 2F02 is not deleted, not even by the user", source: HOSTS, start: Fresh,
        lines: "LOGIN
                00E40200 (2F02) > 6982" },
    Script { id: "access.device_key.cannot_be_deleted", title: "The device key is not deleted, not even by the user", source: HOSTS, start: Fresh,
        lines: "LOGIN
                00E40200 (CC00) > 6982" },
    Script { id: "access.key.cannot_be_read", title: "A key file is not read, not even by the user", source: HOSTS, start: Start::Keys,
        lines: "00B1CC01 (54(0000)) 01 > 6982" },
    Script { id: "access.key.cannot_be_written", title: "A key file is not written, not even by the user", source: HOSTS, start: Start::Keys,
        lines: "00D7CC01 (54(0000) 53(AA)) > 6982" },
    Script { id: "access.read.past_the_end_is_6282_with_the_rest", title: "READ BINARY past the end gives the rest and 6282, behind it nothing and 6282", source: "recorded on firmware 4.1; the vendor's host reads on", start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000) 53(AABBCC)) > 9000
                00B1CF01 (54(0001)) 10 > BBCC 6282
                00B1CF01 (54(0003)) 10 > 6282
                00B1CF01 (54(FFFF)) 10 > 6282" },
    Script { id: "access.read.offset_of_one_byte_is_6a80", title: "READ BINARY with an offset of one byte answers 6A80", source: FORM, start: Fresh,
        lines: "00B12F02 (54(00)) 10 > 6A80" },
    Script { id: "access.read.without_offset_is_6700", title: "READ BINARY B1 without data answers 6700", source: FORM, start: Fresh,
        lines: "00B12F02 10 > 6700" },
    Script { id: "access.read.without_le_is_6700", title: "READ BINARY without Le answers 6700", source: FORM, start: Fresh,
        lines: "00B12F02 (54(0000)) > 6700" },
    Script { id: "access.read.no_current_file_is_6986", title: "READ BINARY of the current file answers 6986 when there is none", source: "ISO 7816-4, table 6", start: Fresh,
        lines: "00B10000 (54(0000)) 10 > 6986
                00B00000 10 > 6986" },
    Script { id: "access.read.makes_the_file_current", title: "What was read is the current file, and B0 reads it with the offset in P1P2", source: "ISO 7816-4, 11.3.3 (inferred)", start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000) 53(AABBCC)) > 9000
                SELECT
                00B1CF01 (54(0000)) 02 > AABB 9000
                00B00001 02 > BBCC 9000" },
    Script { id: "access.read.short_file_identifier_is_6a82", title: "READ BINARY B0 with a short file identifier answers 6A82", source: "no file has one (inferred)", start: Fresh,
        lines: "00B08100 02 > 6A82" },
    Script { id: "access.update.empty_object_creates_the_current_file", title: "An empty object 53 creates a file of size 0 that the next UPDATE BINARY writes", source: "OpenSC pkcs15init/pkcs15-sc-hsm.c", start: Fresh,
        lines: "LOGIN
                00D7CE05 (54(0000) 5300) > 9000
                00B1CE05 (54(0000)) 01 > 6282
                00D70000 (54(0000) 53(AABB)) > 9000
                00B1CE05 (54(0001)) 01 > BB 9000" },
    Script { id: "access.update.offset_behind_the_end_is_6b00", title: "UPDATE BINARY behind the end of the file answers 6B00", source: "ISO 7816-4, table 6 (inferred)", start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000) 53(AA)) > 9000
                00D7CF01 (54(0002) 53(BB)) > 6B00
                00D7CF01 (54(0001) 53(BB)) > 9000" },
    Script { id: "access.update.new_file_behind_zero_is_not_made", title: "UPDATE BINARY of a new file at an offset answers 6B00 and makes none", source: "(inferred)", start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0001) 53(AA)) > 6B00
                00A40000 (CF01) 00 > 6A82" },
    Script { id: "access.update.without_object_53_is_6a80", title: "UPDATE BINARY D7 without data object 53 answers 6A80", source: FORM, start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000)) > 6A80" },
    Script { id: "access.update.without_data_is_6700", title: "UPDATE BINARY without data answers 6700", source: FORM, start: Fresh,
        lines: "LOGIN
                00D7CF01 > 6700" },
    Script { id: "access.update.no_current_file_is_6986", title: "UPDATE BINARY of the current file answers 6986 when there is none", source: "ISO 7816-4, table 6", start: Fresh,
        lines: "LOGIN
                00D70000 (54(0000) 53(AA)) > 6986
                00D60000 (AA) > 6986" },
    Script { id: "access.update.even_form_writes_the_current_file", title: "UPDATE BINARY D6 writes the current file at the offset in P1P2", source: "ISO 7816-4, 11.3.5 (inferred)", start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000) 53(AABB)) > 9000
                00D60001 (CC) > 9000
                00B1CF01 (54(0001)) 01 > CC 9000" },
    Script { id: "access.update.even_form_behind_the_end_is_6b00", title: "UPDATE BINARY D6 behind the end of the file answers 6B00", source: "ISO 7816-4, table 6 (inferred)", start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000) 53(AA)) > 9000
                00D60002 (BB) > 6B00
                00D60001 (BB) > 9000
                00B1CF01 (54(0000)) 02 > AABB 9000" },
    Script { id: "access.update.even_form_needs_the_pin", title: "UPDATE BINARY D6 without login answers 6982 and changes nothing", source: HOSTS, start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000) 53(AA)) > 9000
                SELECT
                00A40000 (CF01) 00 > * 9000
                00D60000 (BB) > 6982
                00B1CF01 (54(0000)) 01 > AA 9000" },
    Script { id: "access.update.even_form_of_the_device_certificates_is_6982", title: "UPDATE BINARY D6 of EF 2F02 answers 6982 to the user, too", source: HOSTS, start: Fresh,
        lines: "LOGIN
                00A40000 (2F02) 00 > * 9000
                00D60000 (BB) > 6982" },
    Script { id: "access.update.even_form_without_data_is_6700", title: "UPDATE BINARY D6 without data answers 6700", source: FORM, start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000) 53(AA)) > 9000
                00D60000 > 6700" },
    Script { id: "access.delete.other_p1_is_6a86", title: "DELETE FILE with another P1 answers 6A86", source: "OpenSC and OCF: 0200 and 0280", start: Fresh,
        lines: "LOGIN
                00E40000 (CF01) > 6A86" },
    Script { id: "access.delete.one_byte_is_6700", title: "DELETE FILE of a name of one byte answers 6700", source: FORM, start: Fresh,
        lines: "LOGIN
                00E40200 (CF) > 6700" },
    Script { id: "access.delete.fast_form_deletes_too", title: "DELETE FILE with P2 80 deletes", source: "OCF: without collecting garbage", start: Fresh,
        lines: "LOGIN
                00D7CF01 (54(0000) 53(AA)) > 9000
                00E40280 (CF01) > 9000
                00A40000 (CF01) 00 > 6A82" },
];

/// Hosts read on until nothing more comes; how a card says so differs.
fn end_of_file(list: &mut List) {
    list.add(
        "access.read.whole_file_ends_with_9000_or_6282",
        "READ BINARY of a whole file with an Le above its length gives all of it, with 9000 or 6282",
    )
    .source("recorded: 6282 on firmware 4.1; hosts take both")
    .needs("extended-length")
    .run(|t| {
        let read = apdu(0x00b1_2f02).data([0x54, 2, 0, 0]);
        let answer = t.send(read.clone().all())?;
        let status = answer.status;
        let whole = answer.is_any(&[0x9000, 0x6282])?;
        let exact = t.send(read.le(whole.len()))?;
        let at_the_end = exact.status;
        let again = exact.is_any(&[0x9000, 0x6282])?;
        t.same("the file", whole, again)?;
        t.observe(format!(
            "a read past the end answers {status:04X}, one up to the end {at_the_end:04X}"
        ));
        Ok(())
    });
}

pub(super) fn add(list: &mut List) {
    classes(list);
    end_of_file(list);
    script::add(list, SCRIPTS, &[]);
}
