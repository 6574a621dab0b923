//! Elementary files as commands see them, whatever keeps their content.

use crate::access::Access;
use crate::card::Context;
use crate::id::{FileId, FileKind};
use crate::secret::Secret;
use crate::status::StatusWord;

/// Who may read a file.
pub(crate) fn read_access(id: FileId) -> Access {
    match id.kind() {
        FileKind::Key(_) | FileKind::Scratch | FileKind::Reserved => Access::Never,
        FileKind::PrivateData => Access::User,
        FileKind::DeviceCertificates | FileKind::Public => Access::Always,
    }
}

/// Who may create, write or delete a file.
///
/// Keys are deleted, never written; the device key is neither.
pub(crate) fn write_access(id: FileId) -> Access {
    match id.kind() {
        FileKind::Key(_) | FileKind::DeviceCertificates | FileKind::Reserved => Access::Never,
        FileKind::Scratch | FileKind::PrivateData | FileKind::Public => Access::User,
    }
}

impl Context<'_> {
    /// The file that P1P2 of READ and UPDATE BINARY names: 0000 is the current file.
    ///
    /// # Errors
    ///
    /// [`StatusWord::NoCurrentFile`] (6986) for 0000 when none is selected.
    pub(crate) fn addressed_file(&self, p1p2: u16) -> Result<FileId, StatusWord> {
        match p1p2 {
            0 => self.session.current_file.ok_or(StatusWord::NoCurrentFile),
            id => Ok(FileId(id)),
        }
    }

    /// The data field, or the content of EF 2F10 when there is none.
    ///
    /// # Errors
    ///
    /// [`StatusWord::ReferencedDataNotFound`] (6A88) when both are empty.
    pub(crate) fn data_or_scratch(&self, data: Vec<u8>) -> Result<Secret, StatusWord> {
        match &self.session.scratch {
            _ if !data.is_empty() => Ok(Secret::new(data)),
            Some(scratch) if !scratch.is_empty() => Ok(scratch.clone()),
            _ => Err(StatusWord::ReferencedDataNotFound),
        }
    }

    /// Content of a file.
    ///
    /// # Errors
    ///
    /// [`StatusWord::FileNotFound`] (6A82) when there is no such file.
    pub(crate) fn content(&self, id: FileId) -> Result<&[u8], StatusWord> {
        match id.kind() {
            FileKind::DeviceCertificates => Ok(&self.memory.device()?.certificates),
            FileKind::Scratch => self
                .session
                .scratch
                .as_ref()
                .map(Secret::expose)
                .ok_or(StatusWord::FileNotFound),
            _ => Ok(self.memory.file(id)?.content.expose()),
        }
    }
}
