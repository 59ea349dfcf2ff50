//! Results as markdown tables, aligned so that they read well in a terminal too.

use std::collections::BTreeSet;

use super::{
    measure::{ChannelResult, RowResult},
    rows::ChannelId,
};

/// All channels of one row, in a table under a heading.
#[must_use]
pub fn table(result: &RowResult) -> String {
    let has_polls = result
        .channels
        .iter()
        .any(|channel| channel.polls.is_some());
    let figure = format!("ns {}", result.time_of);
    let mut head = vec!["channel", &figure, "quartiles", "times ours", "quartiles"];
    head.push("processor ns");
    if has_polls {
        head.push("polls");
    }
    let lines = result.channels.iter().map(|channel| {
        let mut line = cells(channel);
        line.extend(channel.polls.map(|polls| format!("{polls:.2}")));
        line
    });
    format!("### {}\n\n{}", result.row, aligned(&head, lines.collect()))
}

fn cells(channel: &ChannelResult) -> Vec<String> {
    let (figure, ratio) = (&channel.figure, &channel.ratio);
    vec![
        channel.channel.to_string(),
        format!("{:.0}", figure.median),
        format!("{:.0}-{:.0}", figure.low, figure.high),
        multiple(ratio.median),
        if channel.channel.is_ours() {
            String::new()
        } else {
            format!("{}-{}", multiple(ratio.low), multiple(ratio.high))
        },
        format!("{:.0}", channel.cpu),
    ]
}

/// All rows in one table: our figure, and each rival as a multiple of it.
#[must_use]
pub fn summary(results: &[RowResult]) -> String {
    let rivals: BTreeSet<ChannelId> = results
        .iter()
        .flat_map(|result| result.channels.iter().skip(1))
        .map(|channel| channel.channel)
        .collect();
    let names: Vec<String> = rivals.iter().map(ToString::to_string).collect();
    let mut head = vec!["row", "handover, ns"];
    head.extend(names.iter().map(String::as_str));
    let lines = results.iter().filter_map(|result| {
        let ours = result.channels.first()?;
        let mut line = vec![result.row.clone(), format!("{:.0}", ours.figure.median)];
        line.extend(rivals.iter().map(|rival| {
            let mut channels = result.channels.iter();
            channels
                .find(|channel| channel.channel == *rival)
                .map_or_else(String::new, |channel| multiple(channel.ratio.median))
        }));
        Some(line)
    });
    let table = aligned(&head, lines.collect());
    format!("### All rows: ours, and each rival as a multiple of ours\n\n{table}")
}

/// A ratio in three digits or so; `-` where ours was nothing at all.
pub(super) fn multiple(ratio: f64) -> String {
    match ratio {
        ratio if !ratio.is_finite() => "-".into(),
        ratio if ratio >= 99.5 => format!("{ratio:.0}"),
        ratio if ratio >= 9.95 => format!("{ratio:.1}"),
        ratio => format!("{ratio:.2}"),
    }
}

/// A table whose first column is text and whose others are numbers.
pub(super) fn aligned(head: &[&str], lines: Vec<Vec<String>>) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.len()).collect();
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.len());
        }
    }
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&widths).enumerate();
        let padded = padded.map(|(column, (cell, width))| match column {
            0 => format!(" {cell:<width$} |"),
            _ => format!(" {cell:>width$} |"),
        });
        format!("|{}\n", padded.collect::<String>())
    };
    let rule = widths
        .iter()
        .enumerate()
        .map(|(column, width)| match column {
            0 => format!("{}|", "-".repeat(width + 2)),
            _ => format!("{}:|", "-".repeat(width + 1)),
        });
    let mut table = line(head);
    table.extend(["|", &rule.collect::<String>(), "\n"]);
    for cells in lines {
        table.push_str(&line(&cells.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::picture::tests::results;

    #[test]
    fn a_table_has_a_line_for_each_channel() {
        let expected = "\
### threads/one-way/8B

| channel     | ns a message |   quartiles | times ours | quartiles | processor ns |
|-------------|-------------:|------------:|-----------:|----------:|-------------:|
| handover    |          200 |     180-220 |       1.00 |           |          300 |
| crossbeam:0 |        22000 | 19800-24200 |        110 |  99.0-121 |          300 |
";
        assert_eq!(table(&results()[0]), expected);
    }

    #[test]
    fn polls_have_a_column_where_there_are_some() {
        let mut result = results().swap_remove(0);
        for channel in &mut result.channels {
            channel.polls = Some(2.0);
        }
        let shown = table(&result);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[2].ends_with("| polls |"), "{shown}");
        assert!(lines[4].ends_with("|  2.00 |"), "{shown}");
    }

    #[test]
    fn the_summary_has_a_line_for_each_row_and_gaps_where_a_rival_cannot() {
        let shown = summary(&results());
        let lines: Vec<&str> = shown.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| row                  | handover, ns | crossbeam:0 | flume:0 |",
                "|----------------------|-------------:|------------:|--------:|",
                "| threads/one-way/8B   |          200 |         110 |         |",
                "| tasks-1/ping-pong/8B |          150 |             |    1.80 |",
            ]
        );
    }

    #[test]
    fn ratios_have_about_three_digits() {
        let shown = [0.5, 1.0, 9.949, 9.96, 99.4, 123.4, f64::INFINITY].map(multiple);
        assert_eq!(shown, ["0.50", "1.00", "9.95", "10.0", "99.4", "123", "-"]);
    }
}
