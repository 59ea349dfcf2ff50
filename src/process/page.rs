//! The page that shows a network: live, where a program serves it, or kept in a file with what was seen.
//!
//! # Invariants
//!
//! - It loads nothing from outside, and runs no script but its own: a name is never anything but text.

use super::snapshot::Snapshot;

/// The page: one file, with its style and its script.
const PAGE: &str = include_str!("observe/page.html");
/// What stands in the page where the number of this copy belongs, without which nothing in it runs.
const NONCE: &str = "{{nonce}}";
/// Before what was seen, in a page that is kept.
const DATA: &str = "<script type=\"application/json\" id=\"kept\">";

/// The page that asks the program that serves it.
#[cfg(feature = "observe")]
pub(super) fn live(nonce: &str) -> String {
    PAGE.replace(NONCE, nonce)
}

/// What the page may do: nothing that it does not bring along.
pub(super) fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; base-uri 'none'; \
         form-action 'none'"
    )
}

/// A number that a page cannot know beforehand: what seeds hash maps is random.
pub(super) fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(()))
}

impl Snapshot {
    /// The network as a page that needs no program and no network, for a file: the same as a
    /// [served](super::Network::serve_observer) one, with what was seen inside of it, and with `notes` above it (feature
    /// `serde`).
    ///
    /// # Panics
    ///
    /// Never: it is plain data.
    #[must_use]
    pub fn to_html(&self, notes: &[String]) -> String {
        let nonce = nonce();
        let deadlock = self.distinct().deadlock.as_ref().map(ToString::to_string);
        let kept = serde_json::json!({
            "snapshot": self,
            "deadlock": deadlock.unwrap_or_default(),
            "notes": notes,
        });
        // Nothing in it can end the element that it is in.
        let data = kept.to_string().replace('<', "\\u003c");
        let page = PAGE.replace(NONCE, &nonce);
        let (head, rest) = page
            .split_once("<meta charset=\"utf-8\">")
            .unwrap_or(("", &page));
        let (body, script) = rest.split_once("<script ").unwrap_or((rest, ""));
        let policy = policy(&nonce);
        format!(
            "{head}<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\
             {body}{DATA}{data}</script>\n<script {script}"
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::sample, DATA, NONCE, PAGE};

    #[test]
    fn the_page_loads_nothing_from_outside() {
        for outside in ["http://", "https://", "//cdn", "@import", "url(", "src="] {
            let namespace = "http://www.w3.org/2000/svg";
            let page = PAGE.replace(namespace, "").replace("url(#", "");
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(PAGE.matches(NONCE).count(), 2, "one style and one script");
    }

    #[test]
    fn the_page_makes_no_markup_of_text() {
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!PAGE.contains(way), "{way}");
        }
    }

    #[test]
    fn a_kept_page_has_what_was_seen_and_no_name_in_it_is_anything_but_text() {
        let snapshot = sample::hostile();
        let page = snapshot.to_html(&["</script><script>alert(2)</script>{{nonce}}".to_owned()]);
        assert_eq!(
            page.matches("</script>").count(),
            2,
            "what was seen, and the script"
        );
        assert_eq!(page.matches("<!--").count(), 0);
        let (_, rest) = page.split_once(DATA).unwrap();
        let (data, _) = rest.split_once("</script>").unwrap();
        let kept: serde_json::Value = serde_json::from_str(data).unwrap();
        let seen: crate::process::Snapshot =
            serde_json::from_value(kept["snapshot"].clone()).unwrap();
        assert_eq!(seen, snapshot);
        assert!(kept["notes"][0].as_str().unwrap().contains("{{nonce}}"));
        let (_, rest) = page.split_once("script-src 'nonce-").unwrap();
        let nonce = rest.split('\'').next().unwrap();
        assert_eq!(page.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        assert!(!page.contains("connect-src"), "nothing is asked for");
    }
}
