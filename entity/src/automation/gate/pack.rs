//! Laws about reaching customers, as data: see the files in `packs/`, each with its version and its sources.
//!
//! Invariant: no number of a law stands in code. A pack is what somebody has read up, not legal advice; who switches it
//! to `ENFORCE` has had it confirmed.

use std::sync::LazyLock;

use serde::Deserialize;

use super::policy::Rules;

/// A law, or a few that belong together.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pack {
    /// What policies call it, such as `vn-advertising`.
    pub key: String,
    /// Of when it is, such as `2026-02`.
    pub version: String,
    /// What people call it.
    pub title: String,
    /// Where it counts, as ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
    /// Where its rules stand.
    pub sources: Vec<String>,
    /// What it says.
    pub rules: Rules,
}

impl Pack {
    /// Whether it counts for somebody in a country. Where the country is not known, every law may.
    pub(super) fn counts_in(&self, country: Option<&str>) -> bool {
        country.is_none_or(|country| self.countries.iter().any(|one| one == country))
    }
}

static PACKS: LazyLock<Vec<Pack>> = LazyLock::new(|| {
    let files = [
        include_str!("packs/vn-advertising.toml"),
        include_str!("packs/vn-collection.toml"),
        include_str!("packs/eu-privacy.toml"),
        include_str!("packs/us-reg-f.toml"),
    ];
    files.into_iter().filter_map(|file| toml::from_str(file).ok()).collect()
});

/// All that Rapport knows.
#[must_use]
pub fn all() -> &'static [Pack] {
    &PACKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pack_can_be_read_and_says_where_it_stands() {
        let keys = all().iter().map(|pack| pack.key.as_str()).collect::<Vec<_>>();
        assert_eq!(keys, ["vn-advertising", "vn-collection", "eu-privacy", "us-reg-f"]);
        for pack in all() {
            assert!(!pack.sources.is_empty() && !pack.countries.is_empty(), "{}", pack.key);
        }
    }
}
