//! Results as an SVG picture: a panel a row, a bar a channel, the quartiles as whiskers.

use std::ops::Range;

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::measure::{ChannelResult, RowResult};

const COLUMNS: usize = 2;
const PANEL_WIDTH: u32 = 560;
const BAR: u32 = 17;
/// Left of the bars, for the names of the channels.
const NAMES: u32 = 120;
/// Right of the longest bar, for its figure.
const FIGURES: u32 = 76;
const TITLE: u32 = 64;
const PANEL_HEAD: u32 = 26;
const PANEL_FOOT: u32 = 34;

const LEGEND: &str = "Medians, on logarithmic scales; whiskers: quartiles. Green: ours; grey: the least capacity; \
                      light: a buffer of 64.";

pub(super) const OURS: RGBColor = RGBColor(0x0b, 0x6e, 0x4f);
const RIVAL: RGBColor = RGBColor(0xa9, 0xb4, 0xc2);
const BUFFERED: RGBColor = RGBColor(0xd9, 0xdf, 0xe6);
pub(super) const TEXT: RGBColor = RGBColor(0x22, 0x2b, 0x36);
const FAINT: RGBColor = RGBColor(0xe6, 0xe9, 0xed);

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be drawn: {0}")]
pub struct PictureError(String);

impl PictureError {
    pub(super) fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

fn failed(error: impl std::fmt::Display) -> PictureError {
    PictureError::new(error)
}

/// Draws the rows under one title.
///
/// # Errors
///
/// If it cannot be drawn.
pub fn svg(title: &str, results: &[RowResult]) -> Result<String, PictureError> {
    let heights: Vec<u32> = results
        .chunks(COLUMNS)
        .map(|panels| panels.iter().map(panel_height).max().unwrap_or(0))
        .collect();
    let columns = u32::try_from(results.len().clamp(1, COLUMNS)).map_err(failed)?;
    let size = (columns * PANEL_WIDTH, TITLE + heights.iter().sum::<u32>());
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, size).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        for (text, top, size) in [(title, 12, 18), (LEGEND, 38, 12)] {
            let style = font(size, TEXT, HPos::Left);
            root.draw(&Text::new(text.to_owned(), (14, top), style))
                .map_err(failed)?;
        }
        let mut rest = root.split_vertically(TITLE).1;
        for (panels, height) in results.chunks(COLUMNS).zip(heights) {
            let (line, below) = rest.split_vertically(height);
            rest = below;
            let mut right = line;
            for result in panels {
                let (panel, others) = right.split_horizontally(PANEL_WIDTH);
                right = others;
                draw_panel(&panel, result)?;
            }
        }
        root.present().map_err(failed)?;
    }
    Ok(picture)
}

fn panel_height(result: &RowResult) -> u32 {
    let bars = u32::try_from(result.channels.len()).unwrap_or(u32::MAX / BAR);
    PANEL_HEAD + bars.saturating_mul(BAR) + PANEL_FOOT
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Where a figure lies, from left to right, on a logarithmic scale of whole decades.
struct Scale {
    decades: Range<i32>,
    pixels: Range<i32>,
}

impl Scale {
    fn of(result: &RowResult) -> Self {
        let figures = || {
            let channels = result.channels.iter().map(|channel| channel.figure);
            channels.flat_map(|figure| [figure.low.max(1.0), figure.high.max(1.0)])
        };
        let least = figures().fold(f64::INFINITY, f64::min).log10().floor();
        let most = figures().fold(1.0, f64::max).log10().ceil();
        let first = decade(least);
        Self {
            decades: first..decade(most).max(first + 1),
            pixels: pixel(NAMES)..pixel(PANEL_WIDTH - FIGURES),
        }
    }

    /// The pixel of a figure; below the scale, its beginning.
    fn x(&self, nanoseconds: f64) -> i32 {
        let (first, last) = (self.decades.start, self.decades.end);
        let share = (nanoseconds.max(1.0).log10() - f64::from(first)) / f64::from(last - first);
        let width = f64::from(self.pixels.end - self.pixels.start);
        self.pixels.start + decade((share.clamp(0.0, 1.0) * width).round())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a handful, or a pixel of the panel"
)]
fn decade(value: f64) -> i32 {
    value as i32
}

fn pixel(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn font(size: i32, color: RGBColor, at: HPos) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .color(&color)
        .pos(Pos::new(at, VPos::Top))
}

fn draw_panel(area: &Area<'_>, result: &RowResult) -> Result<(), PictureError> {
    let scale = Scale::of(result);
    let bottom = pixel(panel_height(result) - PANEL_FOOT);
    let top = pixel(PANEL_HEAD);
    let draw_text = |text: String, at, style: TextStyle<'static>| {
        area.draw(&Text::new(text, at, style)).map_err(failed)
    };
    draw_text(
        format!("{}: time {}", result.row, result.time_of),
        (14, 6),
        font(14, TEXT, HPos::Left),
    )?;
    for decade in scale.decades.start..=scale.decades.end {
        let nanoseconds = 10_f64.powi(decade);
        let x = scale.x(nanoseconds);
        area.draw(&PathElement::new([(x, top), (x, bottom)], FAINT))
            .map_err(failed)?;
        draw_text(
            in_words(nanoseconds),
            (x, bottom + 4),
            font(11, TEXT, HPos::Center),
        )?;
    }
    for (index, channel) in result.channels.iter().enumerate() {
        let index = u32::try_from(index).map_err(failed)?;
        draw_bar(area, &scale, channel, pixel(PANEL_HEAD + index * BAR))?;
    }
    Ok(())
}

fn draw_bar(
    area: &Area<'_>,
    scale: &Scale,
    channel: &ChannelResult,
    y: i32,
) -> Result<(), PictureError> {
    let ours = channel.channel.is_ours();
    let color = match channel.channel.capacity {
        _ if ours => OURS,
        Some(capacity) if capacity > 1 => BUFFERED,
        _ => RIVAL,
    };
    let figure = channel.figure;
    let (left, right) = (scale.pixels.start, scale.x(figure.median));
    let bar = [(left, y + 2), (right.max(left + 1), y + pixel(BAR) - 2)];
    area.draw(&Rectangle::new(bar, color.filled()))
        .map_err(failed)?;
    let middle = y + pixel(BAR) / 2;
    let (low, high) = (scale.x(figure.low), scale.x(figure.high));
    for line in [
        [(low, middle), (high, middle)],
        [(low, middle - 3), (low, middle + 3)],
        [(high, middle - 3), (high, middle + 3)],
    ] {
        area.draw(&PathElement::new(line, TEXT)).map_err(failed)?;
    }
    let color = if ours { OURS } else { TEXT };
    let name = channel.channel.to_string();
    area.draw(&Text::new(
        name,
        (left - 6, y + 2),
        font(12, color, HPos::Right),
    ))
    .map_err(failed)?;
    let text = in_words(figure.median);
    let at = (high.max(right) + 6, y + 2);
    area.draw(&Text::new(text, at, font(11, color, HPos::Left)))
        .map_err(failed)
}

/// A time in three digits, with its unit.
pub(super) fn in_words(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "us"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    match value {
        value if value >= 9.95 || value.fract().abs() < 1e-9 || unit == "ns" => {
            format!("{value:.0} {unit}")
        }
        value => format!("{value:.1} {unit}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::{rows::rows, statistics::Spread};

    fn channel(name: &str, median: f64, ratio: f64) -> ChannelResult {
        let around = |value: f64| Spread {
            low: value * 0.9,
            median: value,
            high: value * 1.1,
        };
        let channel = rows()
            .iter()
            .flat_map(|row| row.entries.clone())
            .map(|entry| entry.channel)
            .find(|channel| channel.is_called(name));
        ChannelResult {
            channel: channel.unwrap(),
            units: 100,
            each_round: vec![median],
            figure: around(median),
            ratio: around(ratio),
            cpu: 300.0,
            polls: None,
        }
    }

    /// Two rows, made up.
    pub fn results() -> Vec<RowResult> {
        let row = |row: &str, channels| RowResult {
            row: row.into(),
            time_of: "a message".into(),
            rounds: 1,
            channels,
        };
        vec![
            row(
                "threads/one-way/8B",
                vec![
                    channel("handover", 200.0, 1.0),
                    channel("crossbeam:0", 22000.0, 110.0),
                ],
            ),
            row(
                "tasks-1/ping-pong/8B",
                vec![
                    channel("handover", 150.0, 1.0),
                    channel("flume:0", 270.0, 1.8),
                ],
            ),
        ]
    }

    #[test]
    fn a_picture_names_every_row_and_channel() {
        let picture = svg("<&> made up", &results()).unwrap();
        for text in [
            "threads/one-way/8B: time a message",
            "crossbeam:0",
            "flume:0",
            "22 us",
            "270 ns",
            "&lt;&amp;&gt; made up",
        ] {
            assert!(picture.contains(text), "{text}");
        }
    }

    #[test]
    fn a_picture_of_nothing_has_its_title() {
        assert!(svg("nothing", &[]).unwrap().contains("nothing"));
    }

    #[test]
    fn the_scale_is_logarithmic_and_bounded() {
        let scale = Scale::of(&results()[0]);
        assert_eq!(scale.decades, 2..5);
        let third = (scale.pixels.end - scale.pixels.start) / 3;
        assert_eq!(scale.x(100.0), scale.pixels.start);
        assert_eq!(scale.x(1000.0), scale.pixels.start + third);
        assert_eq!(scale.x(0.0), scale.pixels.start);
        assert_eq!(scale.x(1e12), scale.pixels.end);
    }

    #[test]
    fn times_are_written_with_their_units() {
        let shown = [1.0, 100.0, 999.0, 1000.0, 1250.0, 22000.0, 2.5e6, 1e9].map(in_words);
        assert_eq!(
            shown,
            [
                "1 ns", "100 ns", "999 ns", "1 us", "1.2 us", "22 us", "2.5 ms", "1 s"
            ]
        );
    }
}
