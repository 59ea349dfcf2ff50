//! What one run says of itself, in one line of JSON.

use serde::{Deserialize, Serialize};

use super::row::{Order, Row};

/// What came of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The row's name.
    pub row: String,
    /// Who.
    pub contender: String,
    /// How many units it did.
    pub count: u64,
    /// Nanoseconds a unit: all of the time by all of the units.
    #[serde(default)]
    pub ns_per: f64,
    /// The median of the units' own times, in nanoseconds; 0 where they have none.
    #[serde(default)]
    pub ns_p50: f64,
    /// What 99 in 100 of them keep within.
    #[serde(default)]
    pub ns_p99: f64,
    /// What 999 in 1000 of them keep within.
    #[serde(default)]
    pub ns_p999: f64,
    /// Bytes a connection, where that is measured.
    #[serde(default)]
    pub bytes_per: f64,
}

impl Record {
    /// Whether it is an answer to this order, with figures that can be.
    #[must_use]
    pub fn answers(&self, contender: &str, order: &Order) -> bool {
        let figure = self.figure(order.row);
        self.row == order.row.name()
            && self.contender == contender
            && self.count == order.count
            && figure > 0.0
            && figure.is_finite()
    }

    /// What the row is about: nanoseconds a unit, or bytes a connection.
    #[must_use]
    pub fn figure(&self, row: Row) -> f64 {
        match row {
            Row::Idle => self.bytes_per,
            _ => self.ns_per,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_answer_only_to_its_own_order() {
        let line = r#"{"row":"unit","contender":"tokio","count":7,"ns_per":6500.0}"#;
        let record: Record = serde_json::from_str(line).unwrap();
        let order = |row, count| Order { row, count };
        assert!(record.answers("tokio", &order(Row::Unit, 7)));
        assert!(!record.answers("std", &order(Row::Unit, 7)));
        assert!(!record.answers("tokio", &order(Row::Unit, 8)));
        assert!(!record.answers("tokio", &order(Row::UnitInCredit, 7)));
        let nothing = Record {
            ns_per: 0.0,
            ..record
        };
        assert!(!nothing.answers("tokio", &order(Row::Unit, 7)));
    }
}
