//! Latencies as an SVG picture: a panel a row, a line a contender from its median to its slowest unit in a thousand.

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{program::RowResult, table::latencies};
use crate::bench::picture::{OURS, PictureError, TEXT, in_words};

const WIDTH: u32 = 760;
const LINE: u32 = 22;
/// Left of the scale, for the names.
const NAMES: i32 = 130;
/// Right of it, for the last figure.
const FIGURES: i32 = 90;
const TITLE: u32 = 64;
const PANEL_HEAD: u32 = 28;
const PANEL_FOOT: u32 = 36;

const LEGEND: &str = "A unit's own time, on logarithmic scales: the median (dot), 99 in 100 (bar), 999 in 1000 (end). \
                      Green: ours.";

const FAINT: RGBColor = RGBColor(0xe6, 0xe9, 0xed);
const RIVAL: RGBColor = RGBColor(0x6b, 0x78, 0x88);

fn failed(error: impl std::fmt::Display) -> PictureError {
    PictureError::new(error)
}

fn font(size: i32, color: RGBColor, at: HPos) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .color(&color)
        .pos(Pos::new(at, VPos::Top))
}

/// Draws the rows that have latencies under one title.
///
/// # Errors
///
/// If it cannot be drawn.
pub fn svg(title: &str, results: &[RowResult]) -> Result<String, PictureError> {
    let rows: Vec<&RowResult> = results
        .iter()
        .filter(|result| result.row.has_latencies())
        .collect();
    let height = TITLE + rows.iter().map(|row| panel_height(row)).sum::<u32>();
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        for (text, top, size) in [(title, 12, 18), (LEGEND, 38, 12)] {
            let style = font(size, TEXT, HPos::Left);
            root.draw(&Text::new(text.to_owned(), (14, top), style))
                .map_err(failed)?;
        }
        let mut rest = root.split_vertically(TITLE).1;
        for row in rows {
            let (panel, below) = rest.split_vertically(panel_height(row));
            rest = below;
            draw_panel(&panel, row)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(picture)
}

fn panel_height(result: &RowResult) -> u32 {
    let lines = u32::try_from(result.contenders.len()).unwrap_or(100);
    PANEL_HEAD + lines * LINE + PANEL_FOOT
}

/// Whole decades from left to right.
struct Scale {
    first: f64,
    decades: f64,
}

impl Scale {
    fn of(all: &[[f64; 3]]) -> Self {
        let times = || all.iter().flatten().map(|time| time.max(1.0).log10());
        let first = times().fold(f64::INFINITY, f64::min).floor();
        let last = times().fold(0.0, f64::max).ceil();
        Self {
            first: if first.is_finite() { first } else { 0.0 },
            decades: (last - first).max(1.0),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a pixel of the panel")]
    fn x(&self, nanoseconds: f64) -> i32 {
        let share = (nanoseconds.max(1.0).log10() - self.first) / self.decades;
        let width = f64::from(WIDTH) - f64::from(NAMES + FIGURES);
        NAMES + (share.clamp(0.0, 1.0) * width).round() as i32
    }
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    result: &RowResult,
) -> Result<(), PictureError> {
    let all: Vec<[f64; 3]> = result
        .contenders
        .iter()
        .map(|(_, records)| latencies(records))
        .collect();
    let scale = Scale::of(&all);
    let text = |text: String, at, style| area.draw(&Text::new(text, at, style)).map_err(failed);
    let head = format!("{}: time of a {}", result.row.name(), result.row.unit());
    text(head, (14, 6), font(14, TEXT, HPos::Left))?;
    let top = i32::try_from(PANEL_HEAD).map_err(failed)?;
    let bottom = i32::try_from(panel_height(result) - PANEL_FOOT).map_err(failed)?;
    let mut exponent = scale.first;
    while exponent <= scale.first + scale.decades {
        let nanoseconds = 10_f64.powf(exponent);
        let x = scale.x(nanoseconds);
        area.draw(&PathElement::new([(x, top), (x, bottom)], FAINT))
            .map_err(failed)?;
        text(
            in_words(nanoseconds),
            (x, bottom + 4),
            font(11, TEXT, HPos::Center),
        )?;
        exponent += 1.0;
    }
    let mut y = top + 11;
    for ((contender, _), times) in result.contenders.iter().zip(&all) {
        let color = if contender.is_ours() { OURS } else { RIVAL };
        let [median, most, nearly_all] = times.map(|time| scale.x(time));
        let name = contender.name.to_owned();
        text(name, (NAMES - 8, y - 7), font(12, color, HPos::Right))?;
        for line in [
            [(median, y), (nearly_all, y)],
            [(most, y - 5), (most, y + 5)],
            [(nearly_all, y - 3), (nearly_all, y + 3)],
        ] {
            area.draw(&PathElement::new(line, color.stroke_width(2)))
                .map_err(failed)?;
        }
        area.draw(&Circle::new((median, y), 4, color.filled()))
            .map_err(failed)?;
        let figures = format!("{} / {}", in_words(times[0]), in_words(times[2]));
        text(
            figures,
            (nearly_all + 8, y - 7),
            font(11, color, HPos::Left),
        )?;
        y += i32::try_from(LINE).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::links::{Row, table::tests::result};

    #[test]
    fn a_picture_names_every_row_that_has_latencies_and_everybody_in_it() {
        let results = [
            result(
                Row::RoundTrip,
                &[("handover", &[60_000.]), ("std", &[50_000.])],
            ),
            result(Row::Idle, &[("tokio", &[500.])]),
        ];
        let picture = svg("made up", &results).unwrap();
        for text in [
            "made up",
            "round-trip: time of a round trip",
            "handover",
            "60 us / 180 us",
        ] {
            assert!(picture.contains(text), "{text}");
        }
        assert!(!picture.contains("tokio"));
    }

    #[test]
    fn a_picture_of_nothing_has_its_title() {
        assert!(svg("nothing", &[]).unwrap().contains("nothing"));
    }
}
