//! Listings of a bucket: its current objects, or every version, page by page.

use super::model::{Bucket, Entry};

/// What a listing asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    pub(crate) prefix: String,
    pub(crate) delimiter: String,
    /// Keys up to and including this one are passed over.
    pub(crate) after_key: String,
    /// Of `after_key`, versions up to and including this one are passed over; without it all of them are.
    pub(crate) after_version: Option<String>,
    pub(crate) max_keys: usize,
    /// Every version and delete marker, the newest of a key first, in place of the current objects.
    pub(crate) versions: bool,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Page<'a> {
    /// Key, entry, and whether it is the key's current one.
    pub(crate) items: Vec<(&'a str, &'a Entry, bool)>,
    pub(crate) prefixes: Vec<String>,
    /// Where the next page starts: a key or prefix, and a version where one was shown last.
    pub(crate) next: Option<(String, Option<String>)>,
}

impl Bucket {
    pub(crate) fn list(&self, listing: &Listing) -> Page<'_> {
        let mut page = Page::default();
        let mut last: Option<(String, Option<String>)> = None;
        for (key, entries) in self.objects.range(listing.prefix.clone()..) {
            if !key.starts_with(&listing.prefix) {
                break;
            }
            let resumes_here = listing.after_version.is_some() && *key == listing.after_key;
            if *key <= listing.after_key && !resumes_here {
                continue;
            }
            if let Some(folder) = listing.folder(key) {
                let shown = page.prefixes.last() == Some(&folder);
                let passed = !listing.after_key.is_empty() && listing.after_key.starts_with(&folder);
                let visible = listing.versions || entries.last().is_some_and(|entry| entry.object.is_some());
                if shown || passed || !visible {
                    continue;
                }
                if page.len() >= listing.max_keys {
                    page.next = last;
                    return page;
                }
                last = Some((folder.clone(), None));
                page.prefixes.push(folder);
                continue;
            }
            let mut skipping = resumes_here;
            for (at, entry) in entries.iter().enumerate().rev() {
                let current = at + 1 == entries.len();
                if skipping {
                    skipping = listing.after_version.as_ref() != Some(&entry.version);
                    continue;
                }
                if !listing.versions && (!current || entry.object.is_none()) {
                    continue;
                }
                if page.len() >= listing.max_keys {
                    page.next = last;
                    return page;
                }
                last = Some((key.clone(), listing.versions.then(|| entry.version.clone())));
                page.items.push((key, entry, current));
            }
        }
        page
    }
}

impl Page<'_> {
    fn len(&self) -> usize {
        self.items.len() + self.prefixes.len()
    }
}

impl Listing {
    /// The common prefix that a key is rolled up into.
    fn folder(&self, key: &str) -> Option<String> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = &key[self.prefix.len()..];
        let at = rest.find(&self.delimiter)?;
        Some(key[..self.prefix.len() + at + self.delimiter.len()].to_owned())
    }
}
