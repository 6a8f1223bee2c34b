//! stub
use crate::id::FileId;
use crate::money::Currency;
/// x
#[derive(Clone, Debug, serde::Serialize)]
pub struct ImportInput {
    #[allow(missing_docs)]
    pub file: FileId,
    #[allow(missing_docs)]
    pub currency: Option<Currency>,
    #[allow(missing_docs)]
    pub mapping: Vec<(String, String)>,
    #[allow(missing_docs)]
    pub dry_run: bool,
    #[allow(missing_docs)]
    pub receipts: bool,
}
impl ImportInput {
    /// x
    pub fn new(file: FileId) -> Self {
        Self { file, currency: None, mapping: vec![], dry_run: false, receipts: false }
    }
}
