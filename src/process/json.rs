//! Reports as JSON: the structures as they are, field by field.

use super::{report::Deadlock, snapshot::Snapshot};

const REASON: &str = "it is plain data, whose keys are text";

impl Snapshot {
    /// The snapshot as a JSON object, with the names of the fields as they are here (feature `serde`).
    ///
    /// # Panics
    ///
    /// Never: it is plain data.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect(REASON)
    }
}

impl Deadlock {
    /// The deadlock as a JSON object, with the names of the fields as they are here (feature `serde`).
    ///
    /// # Panics
    ///
    /// Never: it is plain data.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect(REASON)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{report::Deadlock, sample, snapshot::Snapshot};

    #[test]
    fn a_snapshot_comes_back_from_its_json_whatever_the_names_are() {
        let snapshot = sample::hostile();
        let back: Snapshot = serde_json::from_str(&snapshot.to_json()).unwrap();
        assert_eq!(back, snapshot);
    }

    #[test]
    fn a_deadlock_comes_back_from_its_json() {
        let deadlock = sample::chain().deadlock.unwrap();
        let back: Deadlock = serde_json::from_str(&deadlock.to_json()).unwrap();
        assert_eq!(back, deadlock);
    }

    #[test]
    fn the_json_names_states_and_operations_in_small_letters() {
        let json: serde_json::Value = serde_json::from_str(&sample::chain().to_json()).unwrap();
        assert_eq!(json["processes"][0]["state"], "blocked");
        assert_eq!(json["processes"][0]["kind"], "process");
        assert_eq!(json["processes"][0]["waits"][0]["operation"], "send");
        assert_eq!(json["deadlock"]["cycle"][0]["process"], "a");
    }
}
