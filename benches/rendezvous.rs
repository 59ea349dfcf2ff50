//! The workloads under criterion: the distribution of each, and its change since the run before.
//!
//! Criterion runs one channel after the other, so figures of *different* channels are better taken from the
//! interleaved `rounds`.

#[expect(dead_code, reason = "criterion has columns of its own")]
mod workload;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn rendezvous(criterion: &mut Criterion) {
    eprintln!("{}", workload::versions().join(", "));
    for row in workload::rows() {
        let mut group = criterion.benchmark_group(&row.name);
        group
            .throughput(Throughput::Elements(row.count))
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2));
        for entry in &row.entries {
            group.bench_function(BenchmarkId::from_parameter(entry.name), |bencher| {
                bencher.iter_custom(|runs| (0..runs).map(|_| (entry.run)(row.count).elapsed).sum());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, rendezvous);
criterion_main!(benches);
