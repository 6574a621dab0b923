//! SELECT, `00 A4`.

use crate::apdu::{CommandApdu, Response};
use crate::card::{Card, Context};
use crate::id::{FileId, FileKind, KeyId};
use crate::key::KeyAttributes;
use crate::profile::AppletInformation;
use crate::status::StatusWord;
use crate::tlv::Writer;

/// Application identifier of the applet.
pub(crate) const AID: [u8; 11] = [
    0xE8, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x02, 0x01,
];

/// Proprietary tag of the applet's template: options, platform, version.
const APPLET_INFORMATION: u16 = 0x85;
/// Proprietary tag of a key's template: its conditions of use.
const KEY_INFORMATION: u16 = 0xA5;

/// Which template the response carries, by P2.
#[derive(Clone, Copy)]
enum Template {
    /// 00: file control information, 6F.
    Fci,
    /// 04: file control parameters, 62. sc-hsm-embedded reads the version from this form only.
    Fcp,
    /// 0C: no data.
    None,
}

impl Template {
    fn from_p2(p2: u8) -> Result<Self, StatusWord> {
        match p2 {
            0x00 => Ok(Self::Fci),
            0x04 => Ok(Self::Fcp),
            0x0C => Ok(Self::None),
            _ => Err(StatusWord::IncorrectP1P2),
        }
    }

    fn response(self, content: impl FnOnce(Writer) -> Writer) -> Response {
        match self {
            Self::Fci => Response::data(Writer::new().nested(0x6F, content).into_vec()),
            Self::Fcp => Response::data(Writer::new().nested(0x62, content).into_vec()),
            Self::None => Response::done(),
        }
    }
}

/// Selects the applet, a file or a key.
///
/// ```text
/// 00 A4 04 P2 Lc AID [Le]       applet; ends every authentication
/// 00 A4 00 P2 02 FID [Le]       elementary file; P1 = 02 means the same
/// response P2 00: 6F, P2 04: 62, P2 0C: none
///   applet   82 01 78, 85 05 options(2) platform major minor; before 2.0: 85 02 major minor
///   file     80 02 size, 82 01 01, 83 02 FID
///   key      as a file of size 0, and A5 { [90] [91] [92] } when it has conditions of use
/// ```
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6A86 | P1 or P2 is none of these |
/// | 6A82 | another AID, or no such file |
/// | 6700 | the file identifier is not 2 bytes long, or Le is too small for the template |
/// | 6D00 | a file while the applet is not selected |
///
/// The current selection stays in all these cases.
///
/// Source: genuine tokens for both templates and their order; [OCF] for A5.
///
/// [OCF]: https://www.openscdp.org/ocf/
pub(super) fn select(apdu: &CommandApdu<'_>, card: &mut Card) -> Result<Response, StatusWord> {
    let template = Template::from_p2(apdu.p2)?;
    match apdu.p1 {
        0x04 => {
            if apdu.data != AID {
                return Err(StatusWord::FileNotFound);
            }
            let response = applet_template(template, card);
            card.start_session();
            Ok(response)
        }
        0x00 | 0x02 if card.is_selected() => {
            let id = <[u8; 2]>::try_from(apdu.data).map_err(|_| StatusWord::WrongLength)?;
            let id = FileId(u16::from_be_bytes(id));
            let context = card.context()?;
            let response = file_template(id, template, &context)?;
            context.session.current_file = Some(id);
            Ok(response)
        }
        0x00 | 0x02 => Err(StatusWord::InstructionNotSupported),
        _ => Err(StatusWord::IncorrectP1P2),
    }
}

fn applet_template(template: Template, card: &Card) -> Response {
    let [options_high, options_low] = card.memory().options().to_bytes();
    let (major, minor) = card.profile().version;
    let information: &[u8] = match card.profile().applet_information {
        AppletInformation::Version => &[major, minor],
        AppletInformation::Full { platform } => {
            &[options_high, options_low, platform, major, minor]
        }
    };
    template.response(|fci| {
        fci.element(0x82, &[0x78])
            .element(APPLET_INFORMATION, information)
    })
}

fn file_template(
    id: FileId,
    template: Template,
    card: &Context<'_>,
) -> Result<Response, StatusWord> {
    let (size, conditions) = match id.kind() {
        FileKind::Key(KeyId::DEVICE) => (0, None),
        FileKind::Key(key) => {
            let key = card.memory.key(key).map_err(|_| StatusWord::FileNotFound)?;
            (0, key_template(&key.attributes))
        }
        _ => (card.content(id)?.len(), None),
    };
    let size = u16::try_from(size).unwrap_or(u16::MAX).to_be_bytes();
    Ok(template.response(|fci| {
        let fci = fci
            .element(0x80, &size)
            .element(0x82, &[0x01])
            .element(0x83, &id.0.to_be_bytes());
        match conditions {
            Some(conditions) => fci.element(KEY_INFORMATION, &conditions),
            None => fci,
        }
    }))
}

/// The TLVs of a key's conditions of use, or `None` when it has none.
fn key_template(attributes: &KeyAttributes) -> Option<Vec<u8>> {
    let mut conditions = Writer::new();
    if let Some(uses) = attributes.uses_left {
        conditions = conditions.element(0x90, &uses.to_be_bytes());
    }
    if let Some(algorithms) = &attributes.algorithms {
        conditions = conditions.element(0x91, algorithms);
    }
    if let Some(domain) = attributes.domain {
        conditions = conditions.element(0x92, &[domain.0]);
    }
    Some(conditions.into_vec()).filter(|content| !content.is_empty())
}
