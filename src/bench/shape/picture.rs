//! The course of the runs as a picture: what the channels held, and how late the producer was.

use std::time::Duration;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::model::float;
use super::outcome::{Moment, Outcome};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be drawn: {0}")]
pub struct NoPicture(String);

const SIZE: (u32, u32) = (960, 720);
/// Colours that the colour-blind can tell apart too (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

/// Draws the runs as SVG: two charts over the same time, a line for each capacity.
///
/// # Errors
///
/// [`NoPicture`], with the reason of the drawing library.
pub fn picture(title: &str, outcomes: &[Outcome]) -> Result<String, NoPicture> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area, title, outcomes).map_err(|error| NoPicture(error.to_string()))?;
    }
    Ok(svg)
}

type Failed = Box<dyn std::error::Error>;

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    outcomes: &[Outcome],
) -> Result<(), Failed> {
    area.fill(&WHITE)?;
    let area = area.titled(title, ("sans-serif", 20))?;
    let (upper, lower) = area.split_vertically((SIZE.1 - 30) / 2);
    // The upper chart has room for the names of the lines above them; the lower one has the same colours.
    let room = 1.1 + 0.09 * float(outcomes.len() as u64);
    let held = |moment: &Moment| float(moment.held as u64);
    let caption = "units waiting in the channels";
    chart(&upper, caption, outcomes, held, Some(room))?;
    let late = |moment: &Moment| moment.producer_late.as_secs_f64() * 1e3;
    let caption = "how late the producer is with its next unit, in ms";
    chart(&lower, caption, outcomes, late, None)?;
    area.present()?;
    Ok(())
}

fn chart(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    caption: &str,
    outcomes: &[Outcome],
    value: impl Fn(&Moment) -> f64,
    names: Option<f64>,
) -> Result<(), Failed> {
    let moments = || outcomes.iter().flat_map(|outcome| &outcome.course);
    let end = moments()
        .map(|moment| moment.at)
        .max()
        .unwrap_or(Duration::from_secs(1));
    let most = moments().map(&value).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end.as_secs_f64(), 0.0..most * names.unwrap_or(1.05))?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .light_line_style(WHITE)
        .y_label_formatter(&|value| format!("{value:.0}"))
        .draw()?;
    for (outcome, colour) in outcomes.iter().zip(COLOURS.iter().cycle()) {
        let style = colour.stroke_width(2);
        let line = outcome
            .course
            .iter()
            .map(|moment| (moment.at.as_secs_f64(), value(moment)));
        chart
            .draw_series(LineSeries::new(line, style))?
            .label(format!("{} ({})", outcome.capacity, outcome.channel))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    if names.is_some() {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
    }
    Ok(())
}
