//! The workloads under criterion: the distribution of each, and its change since the run before.
//!
//! Criterion runs one channel after the other, so figures of *different* channels are better taken from the
//! interleaved `rounds`. What a waiting thread costs is there alone, because it is no matter of elapsed time.

use std::time::Duration;

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use handover::bench::{Figure, rows, versions};

fn rendezvous(criterion: &mut Criterion) {
    eprintln!("{}", versions().join(", "));
    for row in rows() {
        if row.figure == Figure::Wait {
            continue;
        }
        let mut group = criterion.benchmark_group(&row.name);
        group
            .throughput(Throughput::Elements(1))
            .sampling_mode(SamplingMode::Flat)
            .sample_size(10)
            .warm_up_time(Duration::from_millis(100))
            .measurement_time(Duration::from_millis(400));
        for entry in &row.entries {
            // One iteration is one unit: a message, or a round trip.
            group.bench_function(BenchmarkId::from_parameter(entry.channel), |bencher| {
                bencher.iter_custom(|units| (entry.run)(units).elapsed);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, rendezvous);
criterion_main!(benches);
